/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl drift and deadletter …: what an operator looks after */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"

enum { BEHIND_DEFAULT_S = 300, PAGE = 100, CELL_BYTES = 32 };

static const char *number(const cJSON *item, const char *key, char out[static CELL_BYTES])
{
	const cJSON *value = vd_json_get(item, key);

	if (!cJSON_IsNumber(value))
		return NULL;
	(void)snprintf(out, CELL_BYTES, "%.0f", value->valuedouble);
	return out;
}

/* --- drift --- */

static int add_drift_page(struct vd_ctl *ctl, cJSON *all, struct vd_buf *after)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *page = NULL;
	struct vd_request request = { .method = "GET" };
	const char *next;
	cJSON *items;
	int r;

	if (vd_buf_printf(&path, "/drift?olderThanS=%d%s",
			  ctl->older_s >= 0 ? ctl->older_s : BEHIND_DEFAULT_S,
			  after->len ? "&after=" : "") < 0 ||
	    (after->len && vd_client_escape(ctl->client, after->data, &path) < 0))
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &page);
	if (r != VD_EXIT_OK)
		return r;
	items = cJSON_GetObjectItemCaseSensitive(page, "items");
	while (cJSON_GetArraySize(items) > 0)
		(void)cJSON_AddItemToArray(all, cJSON_DetachItemFromArray(items, 0));
	vd_buf_clear(after);
	next = vd_json_string(page, "continuation", "");
	return vd_buf_append(after, next, strlen(next)) < 0 ? VD_EXIT_FAILED : VD_EXIT_OK;
}

static int print_drift(const cJSON *all)
{
	static const char *const headings[] = { "DEVICE", "DESIRED", "IN FORCE",
						"CODE",   "SINCE",   NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *item;

	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(item, all)
	{
		char desired[CELL_BYTES], in_force[CELL_BYTES], code[CELL_BYTES];
		const char *const cells[] = { vd_json_string(item, "deviceId", NULL),
					      number(item, "desiredVersion", desired),
					      number(item, "inForce", in_force),
					      number(item, "code", code),
					      vd_json_string(item, "since", NULL) };

		if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_drift(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *all = cJSON_CreateArray();
	VD_CLEANUP(vd_buf_fini) struct vd_buf after = { 0 };
	int r = all ? VD_EXIT_OK : VD_EXIT_FAILED;

	do {
		if (r == VD_EXIT_OK)
			r = add_drift_page(ctl, all, &after);
	} while (r == VD_EXIT_OK && after.len > 0);
	if (r != VD_EXIT_OK)
		return r;
	return ctl->is_json ? vd_say_json(all) : print_drift(all);
}

/* --- dead letters --- */

static int get_letters(struct vd_ctl *ctl, long long after, int limit, cJSON **ret_list)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = "GET" };

	if (vd_buf_printf(&path, "/deadletters?after=%lld&limit=%d%s", after, limit,
			  ctl->device ? "&deviceId=" : "") < 0 ||
	    (ctl->device && vd_client_escape(ctl->client, ctl->device, &path) < 0))
		return VD_EXIT_FAILED;
	request.path = path.data;
	return vd_client_call(ctl->client, &request, ret_list);
}

int vd_cmd_deadletter_list(struct vd_ctl *ctl)
{
	static const char *const headings[] = {
		"ID", "RECEIVED", "DEVICE", "BYTES", "REASON", NULL
	};
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	const cJSON *item;
	int r = get_letters(ctl, 0, ctl->limit > 0 ? ctl->limit : PAGE, &list);

	if (r != VD_EXIT_OK || ctl->is_json)
		return r == VD_EXIT_OK ? vd_say_json(list) : r;
	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(item, list)
	{
		char id[CELL_BYTES], bytes[CELL_BYTES];
		const char *const cells[] = { number(item, "id", id),
					      vd_json_string(item, "receivedTime", NULL),
					      vd_json_string(item, "deviceId", NULL),
					      number(item, "bytes", bytes),
					      vd_json_string(item, "reason", NULL) };

		if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_deadletter_show(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *letter = NULL;
	struct vd_request request = { .method = "GET" };
	int r;

	if (vd_buf_printf(&path, "/deadletters/") < 0 ||
	    vd_client_escape(ctl->client, ctl->arguments[0], &path) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &letter);
	if (r != VD_EXIT_OK)
		return r;
	return ctl->is_json ? vd_say_json(letter) : vd_say_pretty(letter);
}

struct outcome {
	double taken, unreadable;
};

static int replay(struct vd_ctl *ctl, cJSON **ids, struct outcome *outcome)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	const struct vd_request request = { .method = "POST",
					    .path = "/deadletters/replay",
					    .body = body };
	int r;

	if (!body || !vd_json_add_take(body, "ids", ids))
		return VD_EXIT_FAILED;
	r = vd_client_call(ctl->client, &request, &answer);
	outcome->taken += vd_json_number(answer, "taken", 0);
	outcome->unreadable += vd_json_number(answer, "unreadable", 0);
	return r;
}

static int count_letters(struct vd_ctl *ctl, int64_t *ret_count)
{
	VD_CLEANUP(vd_json_free) cJSON *statistics = NULL;
	const struct vd_request request = { .method = "GET", .path = "/telemetry/statistics" };
	int r = vd_client_call(ctl->client, &request, &statistics);

	*ret_count = vd_json_int(statistics, "deadLetters", 0);
	return r;
}

/* As many as are there now: those that come back stand behind them. */
static int replay_all(struct vd_ctl *ctl, struct outcome *outcome)
{
	long long after = 0;
	int64_t left = 0;
	int count = 1, r = count_letters(ctl, &left);

	while (r == VD_EXIT_OK && left > 0 && count > 0) {
		VD_CLEANUP(vd_json_free) cJSON *list = NULL;
		VD_CLEANUP(vd_json_free) cJSON *ids = cJSON_CreateArray();
		const cJSON *item;

		r = ids ? get_letters(ctl, after, left < PAGE ? (int)left : PAGE, &list)
			: VD_EXIT_FAILED;
		count = cJSON_GetArraySize(list);
		left -= count;
		cJSON_ArrayForEach(item, list)
		{
			after = (long long)vd_json_int(item, "id", 0);
			(void)cJSON_AddItemToArray(ids, cJSON_CreateNumber((double)after));
		}
		if (r == VD_EXIT_OK && count > 0)
			r = replay(ctl, &ids, outcome);
	}
	return r;
}

static int replay_named(struct vd_ctl *ctl, struct outcome *outcome)
{
	VD_CLEANUP(vd_json_free) cJSON *ids = cJSON_CreateArray();

	for (int i = 0; ids && i < ctl->argument_count; i++) {
		char *end = NULL;
		long long id = strtoll(ctl->arguments[i], &end, 10);

		if (end == ctl->arguments[i] || *end)
			return vd_say_error(VD_EXIT_USAGE, "\"%s\" is no number of a letter",
					    ctl->arguments[i]);
		(void)cJSON_AddItemToArray(ids, cJSON_CreateNumber((double)id));
	}
	return ids ? replay(ctl, &ids, outcome) : VD_EXIT_FAILED;
}

int vd_cmd_deadletter_replay(struct vd_ctl *ctl)
{
	struct outcome outcome = { 0 };
	int r;

	if (ctl->is_all == (ctl->argument_count > 0))
		return vd_say_error(VD_EXIT_USAGE, "give either numbers or --all");
	r = ctl->is_all ? replay_all(ctl, &outcome) : replay_named(ctl, &outcome);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		(void)printf("{\"taken\":%.0f,\"unreadable\":%.0f}\n", outcome.taken,
			     outcome.unreadable);
	else
		(void)printf("%.0f taken, %.0f still unreadable\n", outcome.taken,
			     outcome.unreadable);
	return VD_EXIT_OK;
}
