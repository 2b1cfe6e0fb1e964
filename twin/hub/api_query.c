/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /devices/query. Twins are passed over as texts (matcher.h); only those that match become
 * trees. A page ends when it is full or its time is up, and the continuation says where; sums and
 * counts are made in one go.
 */
#include "twin/hub/api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/jobs.h"
#include "twin/hub/store_query.h"
#include "twin/hub/twins.h"
#include "twin/query/aggregate.h"
#include "twin/query/cursor.h"
#include "twin/query/matcher.h"

enum { PAGE_DEFAULT = 1000, PAGE_MAX = 10000, PAGE_MS = 100, STOP = 1001 };

struct asking {
	struct vd_api *api;
	const struct vd_query *query;
	struct vd_matcher *matcher; /* NULL: WHERE reads what is not in the twins' texts */
	struct vd_aggregate *aggregate;
	struct vd_query_cursor cursor;
	cJSON *rows;
	int count, limit;
	uint64_t until_ms;
	bool is_more;
	struct vd_fault *fault;
};

static bool is_in_texts(const char *path)
{
	return strcmp(path, "deviceId") == 0 || strcmp(path, "moduleId") == 0 ||
	       strncmp(path, "tags", 4) == 0 || strncmp(path, "properties.", 11) == 0;
}

static int make_matcher(struct asking *asking)
{
	const char *const *paths;
	size_t count = vd_query_paths(asking->query, &paths);

	for (size_t i = 0; i < count; i++) {
		if (!is_in_texts(paths[i]))
			return 0;
	}
	return vd_matcher_new(asking->query, &asking->matcher);
}

/* Ids have no character that JSON escapes. */
static int ask_texts(struct asking *asking, const struct vd_twin_text *twin, bool *ret_matches)
{
	char id[2 * VD_PART_BYTES + 40];
	int len = snprintf(id, sizeof id, "{\"deviceId\":\"%s\"%s%s%s}", twin->name.device,
			   twin->name.module[0] ? ",\"moduleId\":\"" : "", twin->name.module,
			   twin->name.module[0] ? "\"" : "");
	const struct vd_query_part parts[] = {
		{ "", id, (size_t)len },
		{ "tags", twin->tags, twin->tags_len },
		{ "properties.desired", twin->desired, twin->desired_len },
		{ "properties.reported", twin->reported, twin->reported_len },
	};
	int r = vd_matcher_ask(asking->matcher, parts, VD_COUNT(parts), ret_matches);

	return r == -EINVAL ? -EIO : r;
}

static int add_row(struct asking *asking, const cJSON *twin)
{
	VD_CLEANUP(vd_json_free) cJSON *row = NULL;
	int r;

	if (asking->aggregate) {
		r = vd_aggregate_add(asking->aggregate, twin, asking->fault);
		return r == -EINVAL ? VD_REFUSED_TOO_LARGE : r;
	}
	r = vd_query_project(asking->query, twin, &row);
	if (r < 0)
		return r;
	if (!cJSON_AddItemToArray(asking->rows, row))
		return -ENOMEM;
	row = NULL;
	asking->count++;
	asking->cursor.given++;
	return 0;
}

static bool is_full(const struct asking *asking)
{
	int64_t top = vd_query_top(asking->query);

	return asking->count == asking->limit || (top >= 0 && asking->cursor.given >= top);
}

/* A match more than fits means another page, unless TOP has them all. */
static int take(struct asking *asking, const cJSON *twin)
{
	int64_t top = vd_query_top(asking->query);

	if (!asking->aggregate && is_full(asking)) {
		asking->is_more = top < 0 || asking->cursor.given < top;
		return STOP;
	}
	return add_row(asking, twin);
}

/* Here the next page begins; what comes while this one is full, it has to see again. */
static int stand_at(struct asking *asking, const char *first, const char *second)
{
	(void)snprintf(asking->cursor.device, sizeof asking->cursor.device, "%s", first);
	(void)snprintf(asking->cursor.module, sizeof asking->cursor.module, "%s", second);
	if (!asking->aggregate && vd_clock_mono_ms() >= asking->until_ms) {
		asking->is_more = true;
		return STOP;
	}
	return 0;
}

/* Full, and no other match so far: whether there is one may be left to the next page. */
static int look_further(struct asking *asking)
{
	int64_t top = vd_query_top(asking->query);

	if (top >= 0 && asking->cursor.given >= top)
		return STOP;
	if (asking->aggregate || vd_clock_mono_ms() < asking->until_ms)
		return 0;
	asking->is_more = true;
	return STOP;
}

static int visit_twin(const struct vd_twin_text *text, void *argument)
{
	struct asking *asking = argument;
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	bool matches = true, was_full = is_full(asking);
	int r = asking->matcher ? ask_texts(asking, text, &matches) : 0;

	if (r == 0 && matches)
		r = vd_twins_get(asking->api->twins, &text->name, &twin, NULL);
	if (r < 0)
		return r;
	if (twin && (asking->matcher || vd_query_matches(asking->query, twin)))
		r = take(asking, twin);
	else
		r = 0;
	if (r != 0)
		return r;
	return was_full ? look_further(asking)
			: stand_at(asking, text->name.device, text->name.module);
}

static int visit_job(const struct vd_job_device *device, void *argument)
{
	struct asking *asking = argument;
	VD_CLEANUP(vd_json_free) cJSON *json = vd_job_device_json(device);
	bool was_full = is_full(asking);
	int r = 0;

	if (!json)
		return -ENOMEM;
	if (vd_query_matches(asking->query, json))
		r = take(asking, json);
	if (r != 0)
		return r;
	return was_full ? look_further(asking) : stand_at(asking, device->job, device->device);
}

static int walk(struct asking *asking)
{
	enum vd_query_source source = vd_query_source(asking->query);
	struct vd_name after;
	int r;

	(void)snprintf(after.device, sizeof after.device, "%s", asking->cursor.device);
	(void)snprintf(after.module, sizeof after.module, "%s", asking->cursor.module);
	if (source == VD_QUERY_JOBS)
		r = vd_store_job_devices(asking->api->store, after.device, after.module, visit_job,
					 asking);
	else
		r = vd_store_twin_texts(asking->api->store, source == VD_QUERY_MODULES, &after,
					visit_twin, asking);
	return r == STOP ? 0 : r;
}

/* Made anew for each page: it is small, and nothing has to be kept between calls. */
static int finish_aggregate(struct asking *asking, int64_t from)
{
	VD_CLEANUP(vd_json_free) cJSON *all = NULL;
	int64_t index = 0;
	int r = vd_aggregate_finish(asking->aggregate, &all);

	for (cJSON *row; r == 0 && (row = cJSON_DetachItemFromArray(all, 0)); index++) {
		bool is_wanted = index >= from && index < from + asking->limit;

		if (!is_wanted || !cJSON_AddItemToArray(asking->rows, row))
			(void)vd_json_free(row);
	}
	asking->is_more = index > from + asking->limit;
	asking->cursor = (struct vd_query_cursor){ .given = from + asking->limit };
	return r;
}

static int collect(struct asking *asking)
{
	int64_t from = asking->cursor.given;
	int r;

	if (!vd_query_is_aggregate(asking->query))
		return walk(asking);
	asking->cursor = (struct vd_query_cursor){ 0 };
	r = vd_aggregate_new(asking->query, &asking->aggregate);
	if (r == 0)
		r = walk(asking);
	return r == 0 ? finish_aggregate(asking, from) : r;
}

static const char *item_type(const struct vd_query *query)
{
	if (!vd_query_is_whole(query))
		return "raw";
	return vd_query_source(query) == VD_QUERY_JOBS ? "deviceJob" : "twin";
}

static int reply(struct asking *asking, struct vd_call *call)
{
	struct vd_buf text = { 0 };
	int r = asking->is_more ? vd_query_cursor_write(asking->query, &asking->cursor, &text) : 0;

	if (r < 0) {
		vd_buf_fini(&text);
		return r;
	}
	call->reply.continuation = text.data;
	call->reply.item_type = item_type(asking->query);
	vd_reply_json(&call->reply, 200, &asking->rows);
	return 0;
}

static int refused(int r)
{
	return r == -EINVAL ? VD_REFUSED_ARGUMENT : r;
}

static int read_query(const struct vd_call *call, struct vd_query **ret_query,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	const cJSON *text;
	int r = vd_call_object(call, &body, fault);

	if (r != 0)
		return r;
	text = vd_json_get(body, "query");
	if (!cJSON_IsString(text)) {
		vd_fault_set(fault, 400, "/query", "is not a text");
		return VD_REFUSED_ARGUMENT;
	}
	return refused(
		vd_query_parse(text->valuestring, strlen(text->valuestring), ret_query, fault));
}

static void asking_fini_p(struct asking *asking)
{
	asking->matcher = vd_matcher_free(asking->matcher);
	asking->aggregate = vd_aggregate_free(asking->aggregate);
	asking->rows = vd_json_free(asking->rows);
}

int vd_api_query(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	VD_CLEANUP(asking_fini) struct asking asking = { .api = api, .fault = fault };
	int r = read_query(call, &query, fault);

	asking.query = query;
	asking.until_ms = vd_clock_mono_ms() + PAGE_MS;
	if (r == 0)
		r = vd_call_page_size(call, PAGE_MAX, PAGE_DEFAULT, &asking.limit, fault);
	if (r == 0 && call->continuation)
		r = refused(vd_query_cursor_read(query, call->continuation,
						 strlen(call->continuation), &asking.cursor,
						 fault));
	if (r == 0)
		r = make_matcher(&asking);
	asking.rows = cJSON_CreateArray();
	if (r == 0)
		r = asking.rows ? collect(&asking) : -ENOMEM;
	return r == 0 ? reply(&asking, call) : r;
}
