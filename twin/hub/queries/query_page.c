/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twins stay texts as far as possible: a walk finds them (twin_walk.h), and the rows of SELECT * are
 * the stored texts put together. Only columns and groups need trees, and only of the parts that
 * they name.
 */
#include "twin/hub/queries/query_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/automation/job_body.h"
#include "twin/hub/queries/query_count.h"
#include "twin/hub/queries/twin_walk.h"
#include "twin/query/aggregate.h"
#include "twin/query/cursor.h"

#define GIVEN_MAX (INT64_MAX / 2)

enum { SECTIONS = VD_TWIN_TAGS | VD_TWIN_DESIRED | VD_TWIN_REPORTED };
_Static_assert((int)VD_PART_BYTES == (int)VD_QUERY_ID_BYTES, "a cursor holds a name");
enum { STEP_ROWS = 256 };
enum { STOP_TIME = 1000, STOP_PAGE, STOP_WALK }; /* why a walk ended; no refusals */

struct vd_query_page {
	struct vd_store *store;
	struct vd_query *query;
	struct vd_twin_walk *walk;      /* NULL: of jobs */
	struct vd_aggregate *aggregate; /* NULL: rows are twins */
	struct vd_query_cursor cursor;
	unsigned row;             /* parts that a row reads */
	struct vd_name from;      /* job and device that were the last */
	char last[VD_PART_BYTES]; /* job, behind which nothing matches; "" none */
	char job_type[VD_JOB_WORD_BYTES];
	bool is_in_job;
	int size, count;
	struct vd_buf rows; /* "[row,row" */
	bool is_done, has_more;
	bool is_counted;   /* the aggregate has all */
	uint64_t end_ms;   /* of the page */
	uint64_t until_ms; /* of this step */
	struct vd_fault *fault;
};

struct vd_query_page *vd_query_page_free(struct vd_query_page *page)
{
	if (page) {
		page->aggregate = vd_aggregate_free(page->aggregate);
		page->walk = vd_twin_walk_free(page->walk);
		page->query = vd_query_free(page->query);
		vd_buf_fini(&page->rows);
		free(page);
	}
	return NULL;
}

static void find_parts(struct vd_query_page *page)
{
	const char *path;

	for (size_t i = 0; (path = vd_query_row_path(page->query, i)); i++)
		page->row |= vd_twin_part_of(path);
	if (vd_query_is_whole(page->query))
		page->row = SECTIONS | VD_PART_HEAD;
}

/* --- rows --- */

static int add_text(struct vd_query_page *page, const char *text, size_t len)
{
	int r = vd_buf_append(&page->rows, page->count++ ? "," : "[", 1);

	return r == 0 ? vd_buf_append(&page->rows, text, len) : r;
}

static int add_json(struct vd_query_page *page, const cJSON *row)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(row);

	return text ? add_text(page, text, strlen(text)) : -ENOMEM;
}

/* Is there room for the row that was just found? */
static bool is_full(struct vd_query_page *page)
{
	if (page->count < page->size && page->rows.len < VD_QUERY_PAGE_BYTES)
		return false;
	page->has_more = true;
	return true;
}

static bool has_given_all(const struct vd_query_page *page)
{
	int64_t top = vd_query_top(page->query);

	return !page->aggregate && top >= 0 && page->cursor.given >= top;
}

/* STOP_WALK after the last row of TOP. */
static int count_row(struct vd_query_page *page)
{
	page->cursor.given++;
	return has_given_all(page) ? STOP_WALK : 0;
}

/* {…head…,"tags":…,"properties":{"desired":…,"reported":…}} */
static int twin_text(const struct vd_query_page *page, const struct vd_twin_row *row,
		     const struct vd_buf *head, struct vd_buf *out)
{
	const struct {
		unsigned part;
		const char *before;
		const struct vd_twin_text *text;
	} sections[] = {
		{ VD_TWIN_TAGS, ",\"tags\":", &row->tags },
		{ VD_TWIN_DESIRED, ",\"properties\":{\"desired\":", &row->desired },
		{ VD_TWIN_REPORTED, ",\"reported\":", &row->reported },
	};
	bool has_properties = page->row & (VD_TWIN_DESIRED | VD_TWIN_REPORTED);
	int r = vd_buf_append(out, head->data, head->len - 1);

	for (size_t i = 0; r == 0 && i < VD_COUNT(sections); i++) {
		bool is_read = page->row & sections[i].part;

		if (!is_read && !(has_properties && sections[i].part == VD_TWIN_DESIRED))
			continue;
		r = vd_buf_printf(out, "%s", sections[i].before);
		if (r == 0 && is_read)
			r = vd_buf_append(out, sections[i].text->text, sections[i].text->len);
		else if (r == 0)
			r = vd_buf_printf(out, "{}");
	}
	return r == 0 ? vd_buf_printf(out, has_properties ? "}}" : "}") : r;
}

/* Of what a row reads. The depth of what the store holds was checked when it came. */
static int take_tree(struct vd_query_page *page, const char *text, size_t len)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = cJSON_ParseWithLength(text, len);
	VD_CLEANUP(vd_json_free) cJSON *row = NULL;
	int r = twin ? 0 : -EIO;

	if (r == 0 && page->aggregate) {
		r = vd_aggregate_add(page->aggregate, twin, page->fault);
		return r == -EINVAL ? VD_REFUSED_TOO_LARGE : r;
	}
	if (r == 0)
		r = vd_query_project(page->query, twin, &row);
	return r == 0 ? add_json(page, row) : r;
}

static int take_twin(struct vd_query_page *page, const struct vd_twin_row *row)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf head = { 0 }, text = { 0 };
	int r = vd_twin_head_text(page->store, row, page->row, &head);

	if (r == 0)
		r = twin_text(page, row, &head, &text);
	if (r < 0)
		return r;
	return vd_query_is_whole(page->query) ? add_text(page, text.data, text.len)
					      : take_tree(page, text.data, text.len);
}

/* COUNT of what the store can count by itself, at once. VD_STORE_NONE: it cannot. */
static int count_at_once(struct vd_query_page *page)
{
	int64_t count = 0;
	int r = vd_query_count(page->store, page->query, &count);

	if (r != 0)
		return r;
	vd_aggregate_add_count(page->aggregate, count);
	return 0;
}

static int see_twin(const struct vd_twin_row *row, void *argument)
{
	struct vd_query_page *page = argument;
	int r;

	if (!page->aggregate && is_full(page))
		return VD_WALK_KEEP;
	r = take_twin(page, row);
	return r == 0 && !page->aggregate && count_row(page) ? VD_WALK_LAST : r;
}

/* STOP_TIME, or the walk is over, for this page at least. */
static int walk_twins(struct vd_query_page *page)
{
	bool is_bounded = !page->aggregate && page->end_ms < page->until_ms;
	int r = vd_twin_walk_run(page->walk, is_bounded ? page->end_ms : page->until_ms, see_twin,
				 page);
	const struct vd_name *at = vd_twin_walk_at(page->walk);

	(void)memcpy(page->cursor.device, at->device, sizeof page->cursor.device);
	(void)memcpy(page->cursor.module, at->module, sizeof page->cursor.module);
	if (r == VD_WALK_TIME && is_bounded)
		page->has_more = true;
	else if (r == VD_WALK_TIME)
		return STOP_TIME;
	return r >= VD_WALK_END ? STOP_WALK : r;
}

/* --- the devices of jobs --- */

/* The one at this name is done with. */
static void move_cursor(struct vd_query_page *page, const char *job, const char *device)
{
	(void)snprintf(page->cursor.device, sizeof page->cursor.device, "%s", job);
	(void)snprintf(page->cursor.module, sizeof page->cursor.module, "%s", device);
	(void)snprintf(page->from.device, sizeof page->from.device, "%s", job);
	(void)snprintf(page->from.module, sizeof page->from.module, "%s", device);
}

/* STOP_TIME, also at the end of the page's time. */
static int look_at_clock(struct vd_query_page *page)
{
	uint64_t now_ms = vd_clock_mono_ms();

	if (now_ms >= page->end_ms) {
		page->has_more = true;
		return STOP_PAGE;
	}
	return now_ms >= page->until_ms ? STOP_TIME : 0;
}

static bool is_behind(const struct vd_query_page *page, const char *job)
{
	return page->last[0] && strcmp(job, page->last) > 0;
}

static const char *text_of(const struct vd_query_value *value)
{
	return value->type == VD_QUERY_STRING && strlen(value->string) < VD_PART_BYTES
		       ? value->string
		       : NULL;
}

static void narrow_jobs(struct vd_query_page *page)
{
	const struct vd_query_hint *hints;
	size_t count = vd_query_hints(page->query, &hints);

	for (size_t i = 0; i < count; i++) {
		const struct vd_query_value *values = hints[i].values;
		size_t n = hints[i].value_count;
		const char *low = text_of(n ? &values[0] : &hints[i].low);
		const char *high = text_of(n ? &values[n - 1] : &hints[i].high);

		if (hints[i].is_never)
			page->is_done = true;
		if (hints[i].is_never || strcmp(hints[i].path, "jobId") != 0)
			continue;
		if (low && strcmp(low, page->from.device) > 0) {
			(void)snprintf(page->from.device, sizeof page->from.device, "%s", low);
			page->from.module[0] = '\0';
		}
		if (high)
			(void)snprintf(page->last, sizeof page->last, "%s", high);
	}
}

static int see_job_device(const struct vd_job_device *device, void *argument)
{
	struct vd_query_page *page = argument;
	VD_CLEANUP(vd_json_free) cJSON *json = vd_job_device_json(device, page->job_type);
	bool matches = json && vd_query_matches(page->query, json);
	int r = json ? 0 : -ENOMEM;

	if (matches && is_full(page))
		return STOP_PAGE;
	if (matches)
		r = add_json(page, json);
	if (r < 0)
		return r;
	move_cursor(page, device->job, device->device);
	if (matches)
		r = count_row(page);
	return r == 0 ? look_at_clock(page) : r;
}

static int take_job(struct vd_job *job, void *argument)
{
	struct vd_query_page *page = argument;

	if (is_behind(page, job->id))
		return STOP_WALK;
	(void)snprintf(page->job_type, sizeof page->job_type, "%s", job->type);
	move_cursor(page, job->id, "");
	page->is_in_job = true;
	return 0;
}

/* The job to go on with: the one of `from` if it still stands, else the next. */
static int find_job(struct vd_query_page *page)
{
	VD_CLEANUP(vd_job_fini) struct vd_job job = { 0 };
	const struct vd_name from = page->from;
	int r = from.device[0] && !page->is_in_job
			? vd_store_job_get(page->store, from.device, &job)
			: VD_STORE_NONE;

	if (r == 0 && !is_behind(page, job.id)) {
		(void)snprintf(page->job_type, sizeof page->job_type, "%s", job.type);
		page->is_in_job = true;
		return 0;
	}
	if (r < 0)
		return r;
	page->is_in_job = false;
	r = vd_store_jobs(page->store, from.device, NULL, NULL, 1, take_job, page);
	return r == 0 && !page->is_in_job ? STOP_WALK : r;
}

static int walk_jobs(struct vd_query_page *page)
{
	struct vd_name from;
	int r = page->is_in_job ? 0 : find_job(page);

	if (r != 0)
		return r;
	from = page->from;
	r = vd_store_job_devices(page->store, from.device, from.module, STEP_ROWS, see_job_device,
				 page);
	if (r == 0 && strcmp(from.module, page->from.module) == 0)
		r = find_job(page);
	return r == 0 ? look_at_clock(page) : r;
}

/* --- the page --- */

static int make(struct vd_query_page *page, const struct vd_query_request *request,
		struct vd_fault *fault)
{
	int r = vd_query_parse(request->text, request->len, &page->query, fault);

	if (r == 0 && request->continuation)
		r = vd_query_cursor_read(page->query, request->continuation,
					 strlen(request->continuation), &page->cursor, fault);
	if (r == 0 && page->cursor.given > GIVEN_MAX) {
		vd_fault_set(fault, 400, "", "the continuation token is not one of this hub");
		r = -EINVAL;
	}
	if (r == -EINVAL)
		return fault->code == 413 ? VD_REFUSED_TOO_LARGE : VD_REFUSED_ARGUMENT;
	if (r == 0 && vd_query_is_aggregate(page->query))
		r = vd_aggregate_new(page->query, &page->aggregate);
	return r;
}

/* An aggregate begins with the first one on every page. */
static int start(struct vd_query_page *page)
{
	if (!page->aggregate) {
		(void)memcpy(page->from.device, page->cursor.device, sizeof page->from.device);
		(void)memcpy(page->from.module, page->cursor.module, sizeof page->from.module);
	}
	if (vd_query_source(page->query) == VD_QUERY_JOBS) {
		narrow_jobs(page);
		return 0;
	}
	if (page->aggregate && vd_aggregate_is_count(page->query)) {
		int r = count_at_once(page);

		page->is_counted = r == 0;
		if (r <= 0)
			return r;
	}
	find_parts(page);
	return vd_twin_walk_new(page->store, page->query, page->row, &page->from, &page->walk);
}

int vd_query_page_new(struct vd_store *store, const struct vd_query_request *request,
		      struct vd_query_page **ret_page, struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_page_free) struct vd_query_page *page = calloc(1, sizeof *page);
	int r;

	if (!page)
		return -ENOMEM;
	page->store = store;
	page->size = request->size;
	page->end_ms = request->mono_ms + VD_QUERY_PAGE_MS;
	r = make(page, request, fault);
	if (r == 0)
		r = start(page);
	if (r != 0)
		return r;
	if (has_given_all(page))
		page->is_done = true;
	*ret_page = VD_TAKE(page);
	return 0;
}

/* One page of an aggregate's rows, from `given` on. */
static int finish_aggregate(struct vd_query_page *page)
{
	VD_CLEANUP(vd_json_free) cJSON *rows = NULL;
	int r = vd_aggregate_finish(page->aggregate, &rows);
	int64_t index = 0;
	const cJSON *row;

	if (r < 0)
		return r;
	page->cursor.device[0] = page->cursor.module[0] = '\0';
	cJSON_ArrayForEach(row, rows)
	{
		if (index++ < page->cursor.given)
			continue;
		if (is_full(page))
			return 0;
		r = add_json(page, row);
		if (r < 0)
			return r;
		page->cursor.given++;
	}
	return 0;
}

int vd_query_page_run(struct vd_query_page *page, uint64_t until_ms, bool *ret_is_done,
		      struct vd_fault *fault)
{
	int r = 0;

	page->until_ms = until_ms;
	page->fault = fault;
	while (r == 0 && !page->is_done && !page->is_counted)
		r = page->walk ? walk_twins(page) : walk_jobs(page);
	page->fault = NULL;
	*ret_is_done = r != STOP_TIME;
	if (r < 0 || (r > 0 && r < STOP_TIME) || r == STOP_TIME)
		return r == STOP_TIME ? 0 : r;
	page->is_done = true;
	return page->aggregate ? finish_aggregate(page) : 0;
}

static const char *item_type(const struct vd_query *query)
{
	if (!vd_query_is_whole(query))
		return "raw";
	return vd_query_source(query) == VD_QUERY_JOBS ? "deviceJob" : "twin";
}

int vd_query_page_reply(struct vd_query_page *page, struct vd_reply *reply)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf continuation = { 0 };
	int r = vd_buf_printf(&page->rows, page->count ? "]" : "[]");

	if (r == 0 && page->has_more)
		r = vd_query_cursor_write(page->query, &page->cursor, &continuation);
	if (r < 0)
		return r;
	reply->status = 200;
	reply->text = VD_TAKE(page->rows.data);
	reply->text_type = "application/json; charset=utf-8";
	reply->item_type = item_type(page->query);
	reply->continuation = VD_TAKE(continuation.data);
	return 0;
}
