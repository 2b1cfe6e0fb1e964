/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/loop.h"

/*
 * The connection to the hub: Azure IoT Hub's MQTT dialect over TLS 1.2 or later, the host's
 * name verified against its certificate. It connects, keeps trying with growing, jittered
 * pauses, renews its credential, and says what happened. It stores nothing: whatever was not
 * answered when the connection went is the caller's to give again after on_up.
 *
 * All functions and handlers belong to the loop's thread and none of them waits: paho's own
 * calls, which may wait for a name server or a lock, are made on a thread of the link.
 */
struct vd_link;

/* Strings are copied. Either key (base64), or certificate_file and key_file (PEM). */
struct vd_link_config {
	const char *host; /* verified; also what a token is made for */
	uint16_t port;    /* 0: 8883 */
	const char *device_id;
	const char *module_id; /* NULL: the device itself */
	const char *key;
	const char *certificate_file, *key_file;
	const char *trust_file;  /* PEM; NULL: the system's /etc/ssl/certs/ca-certificates.crt */
	const char *client_info; /* DeviceClientType; NULL: "vedette/<version>" */
	uint32_t keepalive_s;    /* 0: 240, Azure's advice; at most 1177 */
	uint32_t connect_timeout_ms; /* TCP, TLS, CONNACK and SUBACK together; 0: 20000 */
	uint32_t request_timeout_ms; /* a twin answer; 0: 30000 */
	uint32_t token_lifetime_s;   /* renewed at 80 % of it; 0: 3600 */
	uint32_t backoff_first_ms, backoff_ceiling_ms; /* 0: 500, 60000 */
};

enum vd_link_state {
	VD_LINK_STOPPED,
	VD_LINK_CONNECTING,  /* TCP, TLS, CONNECT */
	VD_LINK_SUBSCRIBING, /* CONNACK came; on_up follows the SUBACK */
	VD_LINK_UP,
	VD_LINK_WAITING, /* for the next attempt */
};
const char *vd_link_state_name(enum vd_link_state state);

struct vd_link_handlers {
	/* Connected and subscribed: twin answers, desired changes, methods, messages will come. */
	void (*on_up)(void *argument, bool session_present);
	/* An up connection went; requests and publishes not answered by now never will be. */
	void (*on_down)(void *argument, const char *reason);
	/*
	 * Answer to vd_link_get_twin. 200 with {"desired":{…},"reported":{…}}; else twin is the hub's
	 * error body or NULL: 408 no answer in time, 502 an answer that is not JSON. The JSON is
	 * borrowed for the call, here and below.
	 */
	void (*on_twin)(void *argument, int status, const cJSON *twin);
	/* A desired change, without its $version, which is version; -1 if it has none. */
	void (*on_desired)(void *argument, int64_t version, const cJSON *patch);
	/* Answer to vd_link_report; version is the new one of the reported document, or -1. */
	void (*on_reported)(void *argument, uint64_t id, int status, int64_t version);
	/* 0: the hub acknowledged it (PUBACK). -errno: it was not sent. Silence until on_down: unknown. */
	void (*on_published)(void *argument, uint64_t id, int result);
	/* A direct method, to be answered by vd_link_answer(rid); payload NULL: none, or not JSON. */
	void (*on_method)(void *argument, const char *rid, const char *name, const cJSON *payload);
	/* A cloud-to-device message; bag is its property bag as it came, encoded. */
	void (*on_message)(void *argument, const char *bag, const void *payload, size_t len);
};

/* Any handler may be NULL; they must outlive the link. 400 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_link_new(struct vd_loop *loop, const struct vd_link_config *config,
			const struct vd_link_handlers *handlers, void *argument,
			struct vd_link **ret_link, struct vd_fault *fault);

/* Begins to connect; 0 also when it had begun. */
VD_MUST int vd_link_start(struct vd_link *link);

/*
 * vd_link_stop disconnects and stays so: on_down follows at once if it was up. vd_link_free drops
 * the connection without a word, and waits for paho to let go: a tenth of a second as a rule, one
 * when its threads sleep, three at most. Neither may be
 * called from a handler.
 */
void vd_link_stop(struct vd_link *link);
struct vd_link *vd_link_free(struct vd_link *link); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_link, vd_link_free)

/* The calls below are for an up link; otherwise -ENOTCONN and nothing follows. Data is copied. */

/* One GET is under way at most: a second one shares its answer. */
VD_MUST int vd_link_get_twin(struct vd_link *link);

/* A merge patch for the reported document; on_reported(id). */
VD_MUST int vd_link_report(struct vd_link *link, uint64_t id, const char *json, size_t len);

/* Telemetry, QoS 1; bag is encoded (agent/cloud/topic.h). on_published(id). */
VD_MUST int vd_link_publish(struct vd_link *link, uint64_t id, const char *bag, const void *payload,
			    size_t len);

/* Answers a direct method; json NULL: no body. */
VD_MUST int vd_link_answer(struct vd_link *link, const char *rid, int status, const char *json);

struct vd_link_status {
	enum vd_link_state state;
	uint64_t since_ms; /* monotonic, of the state */
	char host[256];
	uint16_t port;
	char last_error[256];         /* "": none so far; stays after a success */
	uint64_t connects;            /* times it came up; minus one: reconnects */
	uint32_t failures;            /* attempts failed in a row */
	uint64_t next_attempt_ms;     /* from now; 0: not waiting */
	int64_t credential_expires_s; /* unix time; 0: a certificate, or not connected yet */
	bool is_nodelay;              /* TCP_NODELAY is set on the connection */
};

void vd_link_status(const struct vd_link *link, struct vd_link_status *ret_status);
