/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/drift.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "twin/hub/store/drift.h"

enum { STEP_ROWS = 50 };

struct listing {
	struct vd_store *store;
	int64_t before_ms;
	int limit;
	char after[VD_PART_BYTES];
	int seen;
	cJSON *items;
};

static void listing_free(void *argument)
{
	struct listing *t = argument;

	t->items = vd_json_free(t->items);
	free(t);
}

static int add(struct listing *t, const struct vd_drift_row *row)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "deviceId", row->name.device) ||
	    !vd_json_add_number(json, "desiredVersion", (double)row->desired_version) ||
	    !(row->in_force < 0 ? cJSON_AddNullToObject(json, "inForce") != NULL
				: vd_json_add_number(json, "inForce", (double)row->in_force)) ||
	    !(row->code == 0 ? cJSON_AddNullToObject(json, "code") != NULL
			     : vd_json_add_number(json, "code", (double)row->code)) ||
	    !vd_json_add_string(json, "since", vd_time_text(row->since_ms, time)) ||
	    !cJSON_AddItemToArray(t->items, json))
		return -ENOMEM;
	json = NULL;
	return 0;
}

/* Not 0: the page is full. */
static int see(const struct vd_drift_row *row, void *argument)
{
	struct listing *t = argument;

	if (cJSON_GetArraySize(t->items) >= t->limit)
		return VD_STORE_NONE;
	t->seen++;
	(void)snprintf(t->after, sizeof t->after, "%s", row->name.device);
	return row->is_behind && row->since_ms < t->before_ms ? add(t, row) : 0;
}

static int run(void *argument, uint64_t until_ms, bool *ret_is_done, struct vd_fault *fault)
{
	struct listing *t = argument;
	int r = 0;

	while (r == 0 && !*ret_is_done && vd_clock_mono_ms() < until_ms) {
		t->seen = 0;
		r = vd_store_drift_each(t->store, t->after, STEP_ROWS, see, t);
		if (r == VD_STORE_NONE || (r == 0 && t->seen < STEP_ROWS)) {
			*ret_is_done = true;
			r = 0;
		}
	}
	return r;
}

static int reply(void *argument, struct vd_reply *reply)
{
	struct listing *t = argument;
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	bool is_full = cJSON_GetArraySize(t->items) >= t->limit;

	if (!body || !vd_json_add_take(body, "items", &t->items) ||
	    (is_full && !vd_json_add_string(body, "continuation", t->after)))
		return -ENOMEM;
	vd_reply_json(reply, 200, &body);
	return 0;
}

static const struct vd_task task = { run, reply, listing_free };

int vd_drift_list(struct vd_slices *slices, struct vd_store *store, struct vd_call *call,
		  int64_t before_ms, const char *after, int limit, struct vd_fault *fault)
{
	struct listing *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	*t = (struct listing){ .store = store, .before_ms = before_ms, .limit = limit };
	(void)snprintf(t->after, sizeof t->after, "%s", after ? after : "");
	t->items = cJSON_CreateArray();
	if (!t->items) {
		listing_free(t);
		return -ENOMEM;
	}
	return vd_slices_run(slices, call, &task, t, fault);
}
