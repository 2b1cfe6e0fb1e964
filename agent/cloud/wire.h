/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/loop.h"

/*
 * An MQTT connection at a time, on paho's asynchronous client; nothing else includes
 * MQTTAsync.h. Orders are queued and carried out by a thread of the wire, since paho's calls
 * wait for its lock, and paho holds that while it looks a name up or shakes hands. Paho's
 * callbacks copy into an inbox and wake the loop; calling back into paho there breaks its lock.
 *
 * Each connection gets a client of its own, so that paho never resends or buffers by itself:
 * what was not answered when it ended is the caller's. Events of a connection that was
 * closed or replaced are dropped.
 */
struct vd_wire;

struct vd_wire_event {
	enum {
		VD_WIRE_CONNECTED, /* flag: the session was present */
		VD_WIRE_SUBSCRIBED,
		VD_WIRE_LOST,     /* text: why; also a failed connect or subscribe */
		VD_WIRE_ARRIVED,  /* topic and payload */
		VD_WIRE_SENT,     /* id: PUBACK */
		VD_WIRE_NOT_SENT, /* id */
	} type;
	bool flag;
	bool is_nodelay;
	uint64_t id;
	const char *text;
	const char *topic; /* not NUL-terminated */
	size_t topic_len;
	const void *payload;
	size_t len;
};

typedef void (*vd_wire_fn)(void *argument, const struct vd_wire_event *event);

/* Copied for the order. */
struct vd_wire_target {
	const char *host;
	uint16_t port;
	const char *client_id, *user_name;
	const char *password; /* NULL: by certificate */
	const char *trust_file, *certificate_file, *key_file;
	uint32_t keepalive_s, timeout_s;
};

VD_MUST int vd_wire_new(struct vd_loop *loop, vd_wire_fn fn, void *argument,
			struct vd_wire **ret_wire);
struct vd_wire *
vd_wire_free(struct vd_wire *wire); /* waits for paho, three seconds at most; returns NULL */

/* -ENOMEM each. Open replaces the connection there is, close ends it without an event. */
VD_MUST int vd_wire_open(struct vd_wire *wire, const struct vd_wire_target *target);
void vd_wire_close(struct vd_wire *wire);

/* Filters and their QoS; ends with SUBSCRIBED or LOST. Strings must live as long as the wire. */
enum { VD_WIRE_FILTERS = 4 };
VD_MUST int vd_wire_subscribe(struct vd_wire *wire, char *const *filters, const int *qos,
			      size_t count);

/*
 * qos 1 is answered by SENT, or by NOT_SENT also when VD_WIRE_WINDOW are under way already; qos 0
 * is not answered. -ENOMEM.
 */
enum { VD_WIRE_WINDOW = 64 };
VD_MUST int vd_wire_publish(struct vd_wire *wire, const char *topic, const void *payload,
			    size_t len, int qos, uint64_t id);
