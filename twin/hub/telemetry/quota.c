/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/telemetry/quota.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "twin/hub/store/trust.h"

enum { DAY_MS = 86400000, WARNING = 80, EXCEEDED = 100 };

struct limits {
	int64_t messages, bytes;
};

struct found {
	char device[VD_PART_BYTES];
	int64_t messages, bytes;
	int alarmed;
	struct limits limits;
	int level; /* that is news */
};

struct vd_quota {
	struct vd_store *store;
	struct vd_events *events;
	int64_t messages, bytes; /* of whoever has none of its own */
	char after[VD_PART_BYTES];
	struct found found[VD_QUOTA_A_TURN];
	int count;
};

int vd_quota_new(struct vd_store *store, struct vd_events *events, const struct vd_config *config,
		 struct vd_quota **ret_quota)
{
	struct vd_quota *quota = calloc(1, sizeof *quota);

	if (!quota)
		return -ENOMEM;
	quota->store = store;
	quota->events = events;
	quota->messages = config->daily_messages;
	quota->bytes = config->daily_bytes;
	*ret_quota = quota;
	return 0;
}

struct vd_quota *vd_quota_free(struct vd_quota *quota)
{
	free(quota);
	return NULL;
}

static int find(const struct vd_usage_row *row, void *argument)
{
	struct vd_quota *quota = argument;
	struct found *found = &quota->found[quota->count++];

	*found = (struct found){ .messages = row->messages,
				 .bytes = row->bytes,
				 .alarmed = row->alarmed };
	(void)snprintf(found->device, sizeof found->device, "%s", row->device);
	return 0;
}

static int read_tags(const struct vd_twin_row *row, void *argument)
{
	static const char word[] = "\"quota\"";
	VD_CLEANUP(vd_json_free) cJSON *tags = NULL;
	struct limits *limits = argument;
	const cJSON *own;

	if (!row->tags.text || !memmem(row->tags.text, row->tags.len, word, strlen(word)) ||
	    vd_json_parse(row->tags.text, row->tags.len, &tags, NULL) < 0)
		return 0;
	own = vd_json_get(tags, "quota");
	limits->messages = vd_json_int(own, "messages", limits->messages);
	limits->bytes = vd_json_int(own, "bytes", limits->bytes);
	return 0;
}

static int per_cent(const struct found *found)
{
	const struct limits *limits = &found->limits;
	double messages =
		limits->messages > 0 ? (double)found->messages / (double)limits->messages : 0;
	double bytes = limits->bytes > 0 ? (double)found->bytes / (double)limits->bytes : 0;
	double most = messages > bytes ? messages : bytes;

	return most >= 1 ? EXCEEDED : most >= 0.8 ? WARNING : 0;
}

static void tell(struct vd_quota *quota, const struct found *found)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_name name = { 0 };

	(void)snprintf(name.device, sizeof name.device, "%s", found->device);
	vd_log(VD_WARN, "device.quota", "id=%s percent=%d messages=%lld bytes=%lld", found->device,
	       found->level, (long long)found->messages, (long long)found->bytes);
	if (body && vd_json_add_number(body, "percent", found->level) &&
	    vd_json_add_number(body, "messages", (double)found->messages) &&
	    vd_json_add_number(body, "bytes", (double)found->bytes) &&
	    vd_json_add_number(body, "messagesADay", (double)found->limits.messages) &&
	    vd_json_add_number(body, "bytesADay", (double)found->limits.bytes))
		vd_events_publish(quota->events, "quota",
				  found->level >= EXCEEDED ? "quotaExceeded" : "quotaWarning",
				  &name, body);
}

/* How far it is now; 0: nothing that was not told yet. */
static void judge(struct vd_quota *quota, struct found *found)
{
	struct vd_name name = { 0 };
	int level;

	found->limits = (struct limits){ quota->messages, quota->bytes };
	(void)snprintf(name.device, sizeof name.device, "%s", found->device);
	if (vd_store_twin_row(quota->store, &name, VD_TWIN_TAGS, read_tags, &found->limits) < 0)
		return;
	level = per_cent(found);
	found->level = level > found->alarmed ? level : 0;
}

static int write_down(struct vd_quota *quota, int64_t day)
{
	int r = vd_store_begin(quota->store);

	for (int i = 0; r == 0 && i < quota->count; i++) {
		if (quota->found[i].level)
			r = vd_store_usage_alarm(quota->store, quota->found[i].device, day,
						 quota->found[i].level);
	}
	if (r == 0)
		return vd_store_commit(quota->store);
	vd_store_rollback(quota->store);
	return r;
}

/* Written down before it is told: rather once too few after a crash than each time. */
static void judge_all(struct vd_quota *quota, int64_t day)
{
	int news = 0;

	for (int i = 0; i < quota->count; i++) {
		judge(quota, &quota->found[i]);
		news += quota->found[i].level > 0;
	}
	if (news == 0 || write_down(quota, day) != 0)
		return;
	for (int i = 0; i < quota->count; i++) {
		if (quota->found[i].level)
			tell(quota, &quota->found[i]);
	}
}

bool vd_quota_look(struct vd_quota *quota, int64_t now_ms)
{
	int64_t day = now_ms / DAY_MS;

	quota->count = 0;
	if (vd_store_usage_below(quota->store, day, EXCEEDED, quota->after, VD_QUOTA_A_TURN, find,
				 quota) != 0)
		return false;
	judge_all(quota, day);
	(void)snprintf(quota->after, sizeof quota->after, "%s",
		       quota->count == VD_QUOTA_A_TURN ? quota->found[quota->count - 1].device
						       : "");
	return quota->count == VD_QUOTA_A_TURN;
}
