/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recent.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { BY_BYTES = 129, REASON_BYTES = 513, PROSE_BYTES = BY_BYTES + REASON_BYTES + 32 };

void vd_recent_put(struct vd_recent *recent, const struct vd_item *item, enum vd_verdict verdict)
{
	struct vd_recent_item *entry = &recent->items[recent->count++ % VD_RECENT];

	*entry = (struct vd_recent_item){ .rev = item->recipe->rev, .verdict = verdict };
	memcpy(entry->id, item->id, sizeof entry->id);
	memcpy(entry->serial, item->serial, sizeof entry->serial);
	memcpy(entry->recipe, item->recipe->name, sizeof entry->recipe);
}

static struct vd_recent_item *find(struct vd_recent *recent, const char *id)
{
	const uint64_t count = recent->count < VD_RECENT ? recent->count : VD_RECENT;

	for (uint64_t i = 1; i <= count; i++) {
		struct vd_recent_item *entry = &recent->items[(recent->count - i) % VD_RECENT];

		if (strcmp(entry->id, id) == 0)
			return entry;
	}
	return NULL;
}

void vd_recent_stored(struct vd_recent *recent, const char *id, int64_t seq)
{
	struct vd_recent_item *entry = find(recent, id);

	if (entry)
		entry->seq = seq;
}

const struct vd_recent_item *vd_recent_find(const struct vd_recent *recent, const char *id)
{
	return find((struct vd_recent *)(uintptr_t)recent, id);
}

static const char *text_of(const cJSON *call, const char *key, size_t bytes, struct vd_fault *fault)
{
	const char *text = vd_json_string(call, key, "");
	char pointer[32];

	if (text[0] && strlen(text) < bytes)
		return text;
	(void)snprintf(pointer, sizeof pointer, "/%s", key);
	vd_fault_set(fault, 400, pointer, "a text of 1 to %zu bytes", bytes - 1);
	return NULL;
}

static int verdict_of(const cJSON *call, struct vd_fault *fault)
{
	const char *name = vd_json_string(call, "verdict", "");

	for (int i = 0; i < VD_VERDICTS; i++) {
		if (strcmp(vd_verdict_name((enum vd_verdict)i), name) == 0)
			return i;
	}
	vd_fault_set(fault, 400, "/verdict", "OK, WARN, NG or NO_DECISION");
	return -1;
}

struct override {
	const char *id, *by, *reason, *station;
	enum vd_verdict to;
	int64_t now_wall_ms;
	const struct vd_recent_item *old; /* NULL: not known any more */
};

static bool add_head(cJSON *body, const struct override *override)
{
	const struct vd_recent_item *old = override->old;
	char id[VD_UUID_TEXT];
	bool ok = vd_json_add_string(body, "itemId", vd_uuid(id)) &&
		  vd_json_add_string(body, "supersedes", override->id) &&
		  vd_json_add_string(body, "station", override->station) &&
		  vd_json_add_string(body, "verdict", vd_verdict_name(override->to));

	if (ok && old)
		ok = vd_json_add_string(body, "recipe", old->recipe) &&
		     vd_json_add_number(body, "rev", old->rev);
	if (ok && old && old->seq > 0)
		ok = vd_json_add_number(body, "supersedesSeq", (double)old->seq);
	return ok && (!old || !old->serial[0] || vd_json_add_string(body, "serial", old->serial));
}

static bool add_override(cJSON *body, const struct override *override)
{
	cJSON *json = cJSON_AddObjectToObject(body, "override");
	cJSON *reasons = cJSON_AddArrayToObject(body, "reasons"), *line;
	char at[VD_TIME_TEXT], prose[PROSE_BYTES];

	(void)snprintf(prose, sizeof prose, "override by %s: %s", override->by, override->reason);
	line = cJSON_CreateString(prose);
	return json && reasons && line && cJSON_AddItemToArray(reasons, line) &&
	       vd_json_add_string(json, "by", override->by) &&
	       vd_json_add_string(json, "at", vd_time_text(override->now_wall_ms, at)) &&
	       vd_json_add_string(json, "from",
				  override->old ? vd_verdict_name(override->old->verdict) : NULL) &&
	       vd_json_add_string(json, "to", vd_verdict_name(override->to)) &&
	       vd_json_add_string(json, "reason", override->reason);
}

cJSON *vd_override_body(struct vd_recent *recent, const cJSON *call, const char *station,
			int64_t now_wall_ms, struct vd_fault *fault)
{
	struct override override = {
		.id = text_of(call, "itemId", VD_UUID_TEXT, fault),
		.by = text_of(call, "by", BY_BYTES, fault),
		.reason = text_of(call, "reason", REASON_BYTES, fault),
		.station = station,
		.now_wall_ms = now_wall_ms,
	};
	const int to = verdict_of(call, fault);
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_recent_item *old;

	if (!override.id || !override.by || !override.reason || to < 0)
		return NULL;
	old = find(recent, override.id);
	override.old = old;
	override.to = (enum vd_verdict)to;
	body = cJSON_CreateObject();
	if (!body || !add_head(body, &override) || !add_override(body, &override)) {
		vd_fault_set(fault, 500, "", "out of memory");
		return NULL;
	}
	if (old)
		old->verdict = override.to;
	return VD_TAKE(body);
}
