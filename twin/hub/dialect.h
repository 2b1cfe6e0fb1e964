/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "twin/broker/topics.h"
#include "twin/hub/store/name.h"
#include "twin/hub/store/store.h"

/*
 * The hub's end of vedette-broker(7): what devices say over MQTT, and the answers. Knows topics
 * and no sockets.
 */

/* A topic of the broker, taken apart. */
enum vd_said_kind {
	VD_SAID_TWIN_GET,
	VD_SAID_REPORTED,
	VD_SAID_METHOD_RESULT,
	VD_SAID_CONNECTED,
	VD_SAID_DISCONNECTED,
	VD_SAID_SUBSCRIPTIONS,
	VD_SAID_HANDED, /* the receipt of a message */
	VD_SAID_SPOOL,
	VD_SAID_START, /* the connections that follow are all there are */
};
enum { VD_RID_BYTES = 257 };
struct vd_said {
	enum vd_said_kind kind;
	struct vd_name name;    /* who; not for SPOOL and START */
	char rid[VD_RID_BYTES]; /* as on the wire; "" if none */
	int64_t version;        /* REPORTED: the base version, VD_SECTION_ANY_VERSION if none */
	int status;             /* METHOD_RESULT */
};

/* -EINVAL: a topic that means nothing to the hub. */
VD_MUST int vd_said_parse(const char *topic, struct vd_said *ret_said);

struct vd_twins;
struct vd_methods;
struct vd_events;
struct vd_c2d;
struct vd_dialect;
struct vd_dialect_parts {
	struct vd_store *store;
	struct vd_twins *twins;
	struct vd_methods *methods;
	struct vd_events *events;
	struct vd_c2d *c2d;
	/* To the broker; false: it is away. */
	bool (*publish)(const char *topic, const void *payload, size_t len, int qos,
			void *argument);
	/* There is telemetry in the spool. */
	void (*spool)(void *argument);
	void *argument;
};

/* The parts are borrowed for its life. */
VD_MUST int vd_dialect_new(const struct vd_dialect_parts *parts, struct vd_dialect **ret_dialect);
struct vd_dialect *vd_dialect_free(struct vd_dialect *dialect);
VD_DEFINE_CLEANUP(struct vd_dialect, vd_dialect_free)

void vd_dialect_message(struct vd_dialect *dialect, const char *topic, const void *payload,
			size_t len, int64_t now_ms);

/* A desired change for a device: delivered if it is connected and subscribed. */
void vd_dialect_notify(struct vd_dialect *dialect, const struct vd_name *name, const cJSON *notice,
		       int64_t version);
/* As vd_method_send_fn. */
bool vd_dialect_send_method(struct vd_dialect *dialect, const struct vd_name *name,
			    const char *method, const char *rid, const char *payload);
/* As vd_c2d_hand_fn. */
bool vd_dialect_hand(struct vd_dialect *dialect, const struct vd_name *name, const char *token,
		     const char *bag, const void *body, size_t len);
void vd_dialect_kick(struct vd_dialect *dialect, const struct vd_name *name);
