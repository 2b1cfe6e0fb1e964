/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/c2d.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/broker/topics.h"
#include "twin/hub/events.h"
#include "twin/hub/refusal.h"
#include "twin/hub/store/c2d.h"

struct vd_c2d {
	struct vd_store *store;
	struct vd_events *events;
	struct vd_c2d_settings settings;
	vd_c2d_hand_fn hand;
	void *argument;
	void *handed; /* tsearch tree of struct handed: given to the broker, no receipt yet */
};

struct handed {
	struct vd_name name;
	int64_t id;
};

static int compare(const void *a, const void *b)
{
	const struct handed *x = a, *y = b;
	int order = strcmp(x->name.device, y->name.device);

	return order ? order : strcmp(x->name.module, y->name.module);
}

static struct handed *find(struct vd_c2d *c, const struct vd_name *name)
{
	const struct handed key = { .name = *name };
	struct handed **found = tfind(&key, &c->handed, compare);

	return found ? *found : NULL;
}

static void forget(struct vd_c2d *c, struct handed *entry)
{
	(void)tdelete(entry, &c->handed, compare);
	free(entry);
}

static bool remember(struct vd_c2d *c, const struct vd_name *name, int64_t id)
{
	struct handed *entry = malloc(sizeof *entry);

	if (!entry)
		return false;
	*entry = (struct handed){ .name = *name, .id = id };
	if (tsearch(entry, &c->handed, compare))
		return true;
	free(entry);
	return false;
}

int vd_c2d_new(struct vd_store *store, struct vd_events *events,
	       const struct vd_c2d_settings *settings, vd_c2d_hand_fn hand, void *argument,
	       struct vd_c2d **ret_c2d)
{
	struct vd_c2d *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	*c = (struct vd_c2d){ .store = store,
			      .events = events,
			      .settings = *settings,
			      .hand = hand,
			      .argument = argument };
	*ret_c2d = c;
	return 0;
}

struct vd_c2d *vd_c2d_free(struct vd_c2d *c)
{
	if (c) {
		tdestroy(c->handed, free);
		free(c);
	}
	return NULL;
}

void vd_c2d_offline(struct vd_c2d *c)
{
	tdestroy(c->handed, free);
	c->handed = NULL;
}

/* --- feedback, as events --- */

static bool is_wanted(const char *ack, bool is_success)
{
	return strcmp(ack, "full") == 0 || strcmp(ack, is_success ? "positive" : "negative") == 0;
}

static void announce(struct vd_c2d *c, const struct vd_c2d_row *row, const char *status)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;

	if (!is_wanted(row->ack, strcmp(status, "Success") == 0))
		return;
	body = cJSON_CreateObject();
	if (body && vd_json_add_string(body, "originalMessageId", row->message_id) &&
	    vd_json_add_string(body, "statusCode", status))
		vd_events_publish(c->events, "feedback", status, &row->name, body);
}

/* The row leaves the queue. */
static int finish(struct vd_c2d *c, const struct vd_c2d_row *row, const char *status)
{
	int r = vd_store_c2d_remove(c->store, row->id);

	if (r != 0)
		return r;
	vd_log(VD_INFO, "message.finished", "id=%s messageId=%s status=%s deliveries=%d",
	       row->name.device, row->message_id, status, row->delivery_count);
	announce(c, row, status);
	return 0;
}

void vd_c2d_sweep(struct vd_c2d *c, int64_t now_ms)
{
	int r = 0;

	while (r == 0) {
		VD_CLEANUP(vd_c2d_row_fini) struct vd_c2d_row row = { 0 };

		r = vd_store_c2d_expired(c->store, now_ms, &row);
		if (r == 0)
			r = finish(c, &row, "Expired");
	}
}

/* --- handing out --- */

static void hand_row(struct vd_c2d *c, const struct vd_c2d_row *row)
{
	char token[24];

	(void)snprintf(token, sizeof token, "%" PRId64, row->id);
	if (vd_store_c2d_count_delivery(c->store, row->id) != 0 ||
	    !remember(c, &row->name, row->id))
		return;
	if (!c->hand(&row->name, token, row->bag.data, row->body.data ? row->body.data : "",
		     row->body.len, c->argument))
		forget(c, find(c, &row->name));
}

/* The oldest that is still good; the store empties itself of the others on the way. */
static void pump(struct vd_c2d *c, const struct vd_name *name, int64_t now_ms)
{
	int r = 0;

	while (r == 0 && !find(c, name)) {
		VD_CLEANUP(vd_c2d_row_fini) struct vd_c2d_row row = { 0 };

		r = vd_store_c2d_first(c->store, name, &row);
		if (r != 0)
			return;
		if (row.expires_ms <= now_ms) {
			r = finish(c, &row, "Expired");
		} else if (row.delivery_count >= c->settings.max_delivery_count) {
			r = finish(c, &row, "DeliveryCountExceeded");
		} else {
			hand_row(c, &row);
			return;
		}
	}
}

void vd_c2d_online(struct vd_c2d *c, const struct vd_name *name, int64_t now_ms)
{
	pump(c, name, now_ms);
}

static void complete(struct vd_c2d *c, int64_t id)
{
	VD_CLEANUP(vd_c2d_row_fini) struct vd_c2d_row row = { 0 };

	if (vd_store_c2d_get(c->store, id, &row) == 0) /* else purged meanwhile */
		(void)!finish(c, &row, "Success");
}

/* "{token} yes" or "{token} no"; after "no" the device announces itself when it is back. */
void vd_c2d_receipt(struct vd_c2d *c, const struct vd_name *name, const void *payload, size_t len,
		    int64_t now_ms)
{
	struct handed *entry = find(c, name);
	char yes[32], got[32];
	int64_t id;
	bool is_yes;

	if (!entry || len >= sizeof got)
		return;
	id = entry->id;
	(void)snprintf(got, sizeof got, "%.*s", (int)len, (const char *)payload);
	(void)snprintf(yes, sizeof yes, "%" PRId64 " yes", id);
	is_yes = strcmp(got, yes) == 0;
	(void)snprintf(yes, sizeof yes, "%" PRId64 " no", id);
	if (!is_yes && strcmp(got, yes) != 0)
		return; /* of an older one */
	forget(c, entry);
	if (is_yes) {
		complete(c, id);
		pump(c, name, now_ms);
	}
}

/* --- what operators ask --- */

static int check_room(struct vd_c2d *c, const struct vd_device *device, int64_t now_ms,
		      struct vd_fault *fault)
{
	struct vd_device now;
	int r;

	if (device->message_count < VD_C2D_PENDING_MAX)
		return 0;
	vd_c2d_sweep(c, now_ms);
	r = vd_store_device_get(c->store, &device->name, &now);
	if (r != 0 || now.message_count < VD_C2D_PENDING_MAX)
		return r > 0 ? VD_REFUSED_NO_DEVICE : r;
	vd_fault_set(fault, 403, "", "%d messages wait for this device, more are not kept",
		     VD_C2D_PENDING_MAX);
	return VD_REFUSED_QUEUE_FULL;
}

static cJSON *sent_json(const struct vd_c2d_row *row)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "messageId", row->message_id) ||
	    !vd_json_add_string(json, "enqueuedTimeUtc", vd_time_text(row->enqueued_ms, time)) ||
	    !vd_json_add_string(json, "expiryTimeUtc", vd_time_text(row->expires_ms, time)))
		return NULL;
	return VD_TAKE(json);
}

/* The row takes what the message owns. */
static struct vd_c2d_row make_row(const struct vd_name *name, struct vd_c2d_message *message,
				  int64_t now_ms)
{
	struct vd_c2d_row row = { .name = *name,
				  .enqueued_ms = now_ms,
				  .expires_ms = message->expires_ms,
				  .bag = message->bag,
				  .body = message->body };

	(void)snprintf(row.message_id, sizeof row.message_id, "%s", message->message_id);
	(void)snprintf(row.ack, sizeof row.ack, "%s", message->ack);
	message->bag = message->body = (struct vd_buf){ 0 };
	return row;
}

int vd_c2d_send(struct vd_c2d *c, const struct vd_device *device, const cJSON *json, int64_t now_ms,
		cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_c2d_message_fini) struct vd_c2d_message message = { 0 };
	VD_CLEANUP(vd_c2d_row_fini) struct vd_c2d_row row = { 0 };
	int r = vd_c2d_message_read(&device->name, json, now_ms, c->settings.ttl_ms, &message,
				    fault);

	if (r == 0)
		r = check_room(c, device, now_ms, fault);
	if (r != 0)
		return r;
	row = make_row(&device->name, &message, now_ms);
	r = vd_store_c2d_add(c->store, &row);
	if (r != 0)
		return r;
	*ret_json = sent_json(&row);
	if (device->connected && device->subscriptions & VD_FLAG_C2D)
		pump(c, &device->name, now_ms);
	return 0;
}

int vd_c2d_purge(struct vd_c2d *c, const struct vd_name *name, int *ret_count)
{
	int r = 0;

	*ret_count = 0;
	while (r == 0) {
		VD_CLEANUP(vd_c2d_row_fini) struct vd_c2d_row row = { 0 };

		r = vd_store_c2d_first(c->store, name, &row);
		if (r == 0)
			r = finish(c, &row, "Purged");
		*ret_count += r == 0;
	}
	return r == VD_STORE_NONE ? 0 : r;
}
