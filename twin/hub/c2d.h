/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/store.h"

/*
 * Cloud-to-device messages: queued in the store for a device that is away, handed out one at a
 * time, oldest first, while it is connected and subscribed. A message is complete once the broker
 * has it for a connected device; no broker event tells of the device's own PUBACK. One whose
 * receipt was lost with the broker or the hub is handed out again: at least once.
 *
 *   queued --handed, receipt "yes"--> complete        --expired--> expired
 *   queued --handed maxDeliveryCount times without--> dead        --purge--> purged
 */
enum {
	VD_C2D_BYTES = 65536, /* of body and properties */
	VD_C2D_PENDING_MAX = 50,
	VD_C2D_TTL_MAX_S = 2 * 86400,
};

/* A message as it is sent in, read and checked; with no database in sight. */
struct vd_c2d_message {
	char message_id[129];
	char ack[9]; /* "none", "positive", "negative" or "full" */
	int64_t expires_ms;
	struct vd_buf bag; /* the properties as the device's topic has them */
	struct vd_buf body;
};

/*
 * From {"body":…|"bodyBase64":"…","messageId","correlationId","userId","contentType",
 * "contentEncoding","expiryTimeUtc","ack","properties":{"k":"v"}}; a body that is no text goes
 * out as JSON. VD_REFUSED_ARGUMENT or _TOO_LARGE with the text in fault.
 */
VD_MUST int vd_c2d_message_read(const struct vd_name *name, const cJSON *json, int64_t now_ms,
				int64_t ttl_ms, struct vd_c2d_message *ret_message,
				struct vd_fault *fault);
void vd_c2d_message_fini(struct vd_c2d_message *message);
VD_UNUSED static inline void vd_c2d_message_fini_p(struct vd_c2d_message *message)
{
	vd_c2d_message_fini(message);
}

struct vd_events;
struct vd_c2d;
/* Hands a message to the broker, which answers with a receipt; false: it is away. */
typedef bool (*vd_c2d_hand_fn)(const struct vd_name *name, const char *token, const char *bag,
			       const void *body, size_t len, void *argument);

struct vd_c2d_settings {
	int64_t ttl_ms;
	int max_delivery_count;
};

/* store and events are borrowed for its life. */
VD_MUST int vd_c2d_new(struct vd_store *store, struct vd_events *events,
		       const struct vd_c2d_settings *settings, vd_c2d_hand_fn hand, void *argument,
		       struct vd_c2d **ret_c2d);
struct vd_c2d *vd_c2d_free(struct vd_c2d *c2d);
VD_DEFINE_CLEANUP(struct vd_c2d, vd_c2d_free)

/* Queues, and hands out if the device is there. ret_json: what the caller is told. */
VD_MUST int vd_c2d_send(struct vd_c2d *c2d, const struct vd_device *device, const cJSON *json,
			int64_t now_ms, cJSON **ret_json, struct vd_fault *fault);
/* Throws away all that wait; ret_count: how many. */
VD_MUST int vd_c2d_purge(struct vd_c2d *c2d, const struct vd_name *name, int *ret_count);

/* The device is connected and takes messages. */
void vd_c2d_online(struct vd_c2d *c2d, const struct vd_name *name, int64_t now_ms);
/* hub/X/handed */
void vd_c2d_receipt(struct vd_c2d *c2d, const struct vd_name *name, const void *payload, size_t len,
		    int64_t now_ms);
/* No receipts will come for what was handed out. */
void vd_c2d_offline(struct vd_c2d *c2d);
/* Drops what has expired. */
void vd_c2d_sweep(struct vd_c2d *c2d, int64_t now_ms);
