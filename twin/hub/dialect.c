/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C SDK subscribes to desired changes only after its first GET was answered, and Node's asks
 * for nothing when it resumes a session, so that changes made in between would be lost: the
 * store knows what each device was given (given.h), and a subscription that arrives, or is
 * announced with a connection, is brought up to date from there.
 */
#include "twin/hub/dialect.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/document/section.h"
#include "twin/hub/c2d.h"
#include "twin/hub/events.h"
#include "twin/hub/given.h"
#include "twin/hub/methods.h"
#include "twin/hub/metrics.h"
#include "twin/hub/refusal.h"
#include "twin/hub/twins.h"

struct vd_dialect {
	struct vd_dialect_parts parts;
	void *announced; /* tsearch tree of vd_name: connected, its subscriptions come next */
};

static int compare_names(const void *a, const void *b)
{
	const struct vd_name *x = a, *y = b;
	int order = strcmp(x->device, y->device);

	return order ? order : strcmp(x->module, y->module);
}

static void announce(struct vd_dialect *d, const struct vd_name *name)
{
	struct vd_name *entry = malloc(sizeof *entry);
	struct vd_name **found;

	if (!entry)
		return; /* it is told of the next change only */
	*entry = *name;
	found = tsearch(entry, &d->announced, compare_names);
	if (!found || *found != entry)
		free(entry);
}

/* Was it announced? Not any more. */
static bool take_announced(struct vd_dialect *d, const struct vd_name *name)
{
	struct vd_name **found = tfind(name, &d->announced, compare_names);
	struct vd_name *entry = found ? *found : NULL;

	if (entry) {
		(void)tdelete(entry, &d->announced, compare_names);
		free(entry);
	}
	return entry != NULL;
}

int vd_dialect_new(const struct vd_dialect_parts *parts, struct vd_dialect **ret_dialect)
{
	struct vd_dialect *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	d->parts = *parts;
	*ret_dialect = d;
	return 0;
}

struct vd_dialect *vd_dialect_free(struct vd_dialect *d)
{
	if (d) {
		tdestroy(d->announced, free);
		free(d);
	}
	return NULL;
}

/* to/{qos}/X/{what the device sees} */
static bool deliver(struct vd_dialect *d, const struct vd_name *name, const char *device_topic,
		    const void *payload, size_t len)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };
	char id[VD_ID_BYTES];

	if (vd_buf_printf(&topic, "to/0/") < 0 ||
	    vd_topic_encode(vd_name_text(name, id), &topic) < 0 ||
	    vd_buf_printf(&topic, "/%s", device_topic) < 0)
		return false;
	return d->parts.publish(topic.data, payload, len, 0, d->parts.argument);
}

static void answer_twin(struct vd_dialect *d, const struct vd_said *said, int status,
			int64_t version, const cJSON *body)
{
	VD_CLEANUP(vd_free) char *text = body ? vd_json_text(body) : NULL;
	char topic[VD_RID_BYTES + 80], version_text[32] = "";

	if (version >= 0)
		(void)snprintf(version_text, sizeof version_text, "&$version=%lld",
			       (long long)version);
	(void)snprintf(topic, sizeof topic, "$iothub/twin/res/%d/?$rid=%s%s", status, said->rid,
		       version_text);
	(void)deliver(d, &said->name, topic, text ? text : "", text ? strlen(text) : 0);
}

static void refuse_twin(struct vd_dialect *d, const struct vd_said *said, int refusal,
			const struct vd_fault *fault)
{
	char text[600] = "the hub failed, see its log", id[VD_ID_BYTES];
	const struct vd_refusal_info *info = vd_refusal_info(refusal);

	if (fault->code)
		(void)snprintf(text, sizeof text, "%s%s%s", fault->pointer,
			       fault->pointer[0] ? ": " : "", fault->text);
	VD_CLEANUP(vd_json_free) cJSON *body = vd_refusal_twin_body(refusal, text);
	vd_log(VD_NOTICE, "twin.refused", "id=%s status=%d reason=\"%s\"",
	       vd_name_text(&said->name, id), info->status, text);
	vd_metrics_twin(VD_TWIN_REFUSED);
	answer_twin(d, said, info->status, -1, body);
}

/* Most GETs come with a reconnection and change nothing. */
static void note_answered(struct vd_dialect *d, const struct vd_name *name, int64_t version,
			  int64_t now_ms)
{
	const struct vd_given answered = vd_given_answered(version, now_ms);
	struct vd_given before;

	if (vd_store_given_get(d->parts.store, name, &before) == 0 && before.version == version &&
	    before.sure_version == version)
		return;
	(void)!vd_store_given_set(d->parts.store, name, &answered);
}

static void handle_get(struct vd_dialect *d, const struct vd_said *said, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	struct vd_fault fault = { 0 };
	int64_t version = 0;
	int r = vd_twins_device_get(d->parts.twins, &said->name, &twin, &version, &fault);

	if (r != 0) {
		refuse_twin(d, said, r, &fault);
		return;
	}
	vd_metrics_twin(VD_TWIN_GET);
	answer_twin(d, said, 200, -1, twin);
	note_answered(d, &said->name, version, now_ms);
}

static void handle_reported(struct vd_dialect *d, const struct vd_said *said, const char *payload,
			    size_t len, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	struct vd_fault fault = { 0 };
	int64_t version = 0;
	int r = vd_json_parse(payload, len, &patch, &fault);

	if (r == -EINVAL)
		r = VD_REFUSED_ARGUMENT;
	if (r == 0)
		r = vd_twins_report(d->parts.twins, &said->name, patch, said->version, now_ms,
				    &version, &fault);
	if (r != 0) {
		refuse_twin(d, said, r, &fault);
		return;
	}
	vd_metrics_twin(VD_TWIN_REPORT);
	answer_twin(d, said, 204, version, NULL);
}

static void announce_connection(struct vd_dialect *d, const struct vd_name *name, bool is_connected)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (body && vd_json_add_string(body, "connectionState",
				       is_connected ? "Connected" : "Disconnected"))
		vd_events_publish(d->parts.events, "connection",
				  is_connected ? "deviceConnected" : "deviceDisconnected", name,
				  body);
}

static void handle_presence(struct vd_dialect *d, const struct vd_name *name, bool is_connected,
			    int64_t now_ms)
{
	char id[VD_ID_BYTES];

	if (is_connected)
		announce(d, name);
	else
		(void)take_announced(d, name);
	if (vd_store_set_connected(d->parts.store, name, is_connected, now_ms) != 0)
		return; /* deleted meanwhile */
	vd_log(VD_INFO, is_connected ? "device.connected" : "device.disconnected", "id=%s",
	       vd_name_text(name, id));
	announce_connection(d, name, is_connected);
}

static int read_flags(const char *payload, size_t len, unsigned *ret_flags)
{
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	const cJSON *item;
	enum vd_flag flag;

	*ret_flags = 0;
	if (vd_json_parse(payload, len, &list, NULL) < 0 || !cJSON_IsArray(list))
		return -EINVAL;
	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsString(item) && vd_flag_parse(item->valuestring, &flag) == 0)
			*ret_flags |= (unsigned)flag;
	}
	return 0;
}

static void deliver_notice(struct vd_dialect *d, const struct vd_name *name, const cJSON *notice,
			   int64_t version, int64_t now_ms)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(notice);
	struct vd_given given, told;
	char topic[96];
	bool is_known;

	(void)snprintf(topic, sizeof topic, "$iothub/twin/PATCH/properties/desired/?$version=%lld",
		       (long long)version);
	if (!text || !deliver(d, name, topic, text, strlen(text)))
		return;
	vd_metrics_twin(VD_TWIN_NOTIFY);
	is_known = vd_store_given_get(d->parts.store, name, &given) == 0;
	told = vd_given_told(is_known ? &given : NULL, version, now_ms);
	(void)!vd_store_given_set(d->parts.store, name, &told);
}

/* Who was given nothing yet is owed nothing: its GET comes. */
static void catch_up(struct vd_dialect *d, const struct vd_name *name, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *notice = NULL;
	struct vd_given given;
	int64_t version = 0;

	if (vd_store_given_get(d->parts.store, name, &given) == 0 &&
	    vd_twins_missed(d->parts.twins, name, vd_given_base(&given, now_ms), &notice,
			    &version) == 0)
		deliver_notice(d, name, notice, version, now_ms);
}

static void handle_subscriptions(struct vd_dialect *d, const struct vd_name *name,
				 const char *payload, size_t len, int64_t now_ms)
{
	bool is_first = take_announced(d, name);
	struct vd_device device;
	unsigned flags = 0, added;

	if (read_flags(payload, len, &flags) < 0 ||
	    vd_store_device_get(d->parts.store, name, &device) != 0)
		return;
	added = flags & ~device.subscriptions;
	if (flags != device.subscriptions &&
	    vd_store_set_subscriptions(d->parts.store, name, flags) < 0)
		return;
	if (flags & VD_FLAG_DESIRED && (is_first || added & VD_FLAG_DESIRED))
		catch_up(d, name, now_ms);
	if (flags & VD_FLAG_METHODS)
		vd_methods_online(d->parts.methods, name);
	if (flags & VD_FLAG_C2D)
		vd_c2d_online(d->parts.c2d, name, now_ms);
}

void vd_dialect_message(struct vd_dialect *d, const char *topic, const void *payload, size_t len,
			int64_t now_ms)
{
	struct vd_said said;

	if (vd_said_parse(topic, &said) < 0) {
		vd_log(VD_DEBUG, "broker.unknownTopic", "topic=\"%.120s\"", topic);
		return;
	}
	switch (said.kind) {
	case VD_SAID_TWIN_GET:
		handle_get(d, &said, now_ms);
		break;
	case VD_SAID_REPORTED:
		handle_reported(d, &said, payload, len, now_ms);
		break;
	case VD_SAID_METHOD_RESULT:
		vd_methods_answer(d->parts.methods, &said.name, said.rid, said.status, payload,
				  len);
		break;
	case VD_SAID_CONNECTED:
	case VD_SAID_DISCONNECTED:
		handle_presence(d, &said.name, said.kind == VD_SAID_CONNECTED, now_ms);
		break;
	case VD_SAID_SUBSCRIPTIONS:
		handle_subscriptions(d, &said.name, payload, len, now_ms);
		break;
	case VD_SAID_HANDED:
		vd_c2d_receipt(d->parts.c2d, &said.name, payload, len, now_ms);
		break;
	case VD_SAID_START:
		vd_c2d_offline(d->parts.c2d);
		(void)!vd_store_disconnect_all(d->parts.store, now_ms);
		d->parts.spool(d->parts.argument);
		break;
	case VD_SAID_SPOOL:
		d->parts.spool(d->parts.argument);
		break;
	}
}

void vd_dialect_notify(struct vd_dialect *d, const struct vd_name *name, const cJSON *notice,
		       int64_t version)
{
	struct vd_device device;

	if (vd_store_device_get(d->parts.store, name, &device) == 0 && device.connected &&
	    device.subscriptions & VD_FLAG_DESIRED)
		deliver_notice(d, name, notice, version, vd_clock_wall_ms());
}

bool vd_dialect_send_method(struct vd_dialect *d, const struct vd_name *name, const char *method,
			    const char *rid, const char *payload)
{
	char topic[256];

	(void)snprintf(topic, sizeof topic, "$iothub/methods/POST/%s/?$rid=%s", method, rid);
	return deliver(d, name, topic, payload, strlen(payload));
}

bool vd_dialect_hand(struct vd_dialect *d, const struct vd_name *name, const char *token,
		     const char *bag, const void *body, size_t len)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };
	char id[VD_ID_BYTES];

	if (vd_buf_printf(&topic, "hand/%s/", token) < 0 ||
	    vd_topic_encode(vd_name_text(name, id), &topic) < 0 ||
	    vd_buf_printf(&topic, "/devices/%s/messages/devicebound/%s", name->device, bag) < 0)
		return false;
	return d->parts.publish(topic.data, body, len, 0, d->parts.argument);
}

void vd_dialect_kick(struct vd_dialect *d, const struct vd_name *name)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };
	char id[VD_ID_BYTES];

	if (vd_buf_printf(&topic, "kick/") == 0 &&
	    vd_topic_encode(vd_name_text(name, id), &topic) == 0)
		(void)d->parts.publish(topic.data, "", 0, 1, d->parts.argument);
}
