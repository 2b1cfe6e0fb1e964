/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twins stay texts as far as possible: WHERE is asked of them by a matcher, and the rows of SELECT *
 * are the stored texts put together. Only columns and groups need trees, and only of the parts
 * that they name.
 */
#include "twin/hub/query_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/jobs.h"
#include "twin/hub/twins.h"
#include "twin/query/aggregate.h"
#include "twin/query/cursor.h"
#include "twin/query/matcher.h"

#define GIVEN_MAX (INT64_MAX / 2)

/* Parts of a twin, beside those of the store. */
enum { PART_NAME = 8, PART_HEAD = 16, PART_ALL = 31 };
enum { STORE_PARTS = VD_TWIN_TAGS | VD_TWIN_DESIRED | VD_TWIN_REPORTED };
_Static_assert((int)VD_PART_BYTES == (int)VD_QUERY_ID_BYTES, "a cursor holds a name");
enum { STEP_ROWS = 256, PARTS_MAX = 4 };
enum { STOP_TIME = 1000, STOP_PAGE, STOP_WALK }; /* why a walk ended; no refusals */

struct vd_query_page {
	struct vd_store *store;
	struct vd_query *query;
	struct vd_matcher *matcher;
	struct vd_aggregate *aggregate; /* NULL: rows are twins */
	struct vd_query_cursor cursor;
	unsigned where, row;      /* parts that WHERE and a row read */
	struct vd_name from;      /* where the walk goes on */
	bool is_from_read;        /* the one of that name is done */
	char last[VD_PART_BYTES]; /* device or job, behind which nothing matches; "" none */
	char job_type[VD_JOB_WORD_BYTES];
	bool is_in_job;
	int size, count;
	struct vd_buf rows; /* "[row,row" */
	bool is_done, has_more;
	uint64_t end_ms;   /* of the page */
	uint64_t until_ms; /* of this step */
	struct vd_fault *fault;
};

struct vd_query_page *vd_query_page_free(struct vd_query_page *page)
{
	if (page) {
		page->aggregate = vd_aggregate_free(page->aggregate);
		page->matcher = vd_matcher_free(page->matcher);
		page->query = vd_query_free(page->query);
		vd_buf_fini(&page->rows);
		free(page);
	}
	return NULL;
}

/* --- what a query reads --- */

static bool is_below(const char *path, const char *below)
{
	size_t len = strlen(below);

	return strncmp(path, below, len) == 0 && (path[len] == '.' || path[len] == '\0');
}

static unsigned part_of(const char *path)
{
	if (!path[0])
		return 0;
	if (is_below(path, "tags"))
		return VD_TWIN_TAGS;
	if (is_below(path, "properties.desired"))
		return VD_TWIN_DESIRED;
	if (is_below(path, "properties.reported"))
		return VD_TWIN_REPORTED;
	if (is_below(path, "properties"))
		return VD_TWIN_DESIRED | VD_TWIN_REPORTED;
	return strcmp(path, "deviceId") == 0 || strcmp(path, "moduleId") == 0 ? PART_NAME
									      : PART_HEAD;
}

static void find_parts(struct vd_query_page *page)
{
	const char *const *paths, *path;
	size_t count = vd_query_paths(page->query, &paths);

	for (size_t i = 0; i < count; i++)
		page->where |= part_of(paths[i]);
	for (size_t i = 0; (path = vd_query_row_path(page->query, i)); i++)
		page->row |= part_of(path);
	if (vd_query_is_whole(page->query))
		page->row = PART_ALL;
}

static const char *text_of(const struct vd_query_value *value)
{
	return value->type == VD_QUERY_STRING && strlen(value->string) < VD_PART_BYTES
		       ? value->string
		       : NULL;
}

/* The names between which all matches lie: low may be NULL, and so may high. */
static void find_range(const struct vd_query_hint *hint, const char **low, const char **high)
{
	if (hint->value_count > 0) {
		*low = text_of(&hint->values[0]);
		*high = text_of(&hint->values[hint->value_count - 1]);
		return;
	}
	*low = text_of(&hint->low);
	*high = text_of(&hint->high);
}

/* Names are in the order of their bytes, in the store as in queries. */
static void narrow_walk(struct vd_query_page *page)
{
	const char *key = vd_query_source(page->query) == VD_QUERY_JOBS ? "jobId" : "deviceId";
	const struct vd_query_hint *hints;
	size_t count = vd_query_hints(page->query, &hints);

	for (size_t i = 0; i < count; i++) {
		const char *low = NULL, *high = NULL;

		if (hints[i].is_never)
			page->is_done = true;
		if (hints[i].is_never || strcmp(hints[i].path, key) != 0)
			continue;
		find_range(&hints[i], &low, &high);
		if (low && strcmp(low, page->from.device) > 0) {
			(void)snprintf(page->from.device, sizeof page->from.device, "%s", low);
			page->from.module[0] = '\0';
			page->is_from_read = false;
		}
		if (high)
			(void)snprintf(page->last, sizeof page->last, "%s", high);
	}
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

/* The one at this name is done with. */
static void move_cursor(struct vd_query_page *page, const char *device, const char *module)
{
	(void)snprintf(page->cursor.device, sizeof page->cursor.device, "%s", device);
	(void)snprintf(page->cursor.module, sizeof page->cursor.module, "%s", module);
	(void)snprintf(page->from.device, sizeof page->from.device, "%s", device);
	(void)snprintf(page->from.module, sizeof page->from.module, "%s", module);
	page->is_from_read = true;
}

/* STOP_TIME, also at the end of the page's time. */
static int look_at_clock(struct vd_query_page *page)
{
	uint64_t now_ms = vd_clock_mono_ms();

	if (!page->aggregate && now_ms >= page->end_ms) {
		page->has_more = true;
		return STOP_PAGE;
	}
	return now_ms >= page->until_ms ? STOP_TIME : 0;
}

/* --- twins --- */

/* Ids have neither quotes nor backslashes. */
static int name_text(const struct vd_name *name, struct vd_buf *out)
{
	if (name->module[0])
		return vd_buf_printf(out, "{\"deviceId\":\"%s\",\"moduleId\":\"%s\"}", name->device,
				     name->module);
	return vd_buf_printf(out, "{\"deviceId\":\"%s\"}", name->device);
}

static int read_head(const struct vd_query_page *page, const struct vd_twin_row *row,
		     struct vd_buf *out)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;
	int r = vd_twins_head(page->store, &row->name, row->version, row->etag, &json, NULL);

	if (r != 0)
		return r < 0 ? r : -EIO; /* no twin without an identity */
	text = vd_json_text(json);
	return text ? vd_buf_append(out, text, strlen(text)) : -ENOMEM;
}

/* What of the twin itself `parts` need; nothing if they need none. */
static int head_text(const struct vd_query_page *page, const struct vd_twin_row *row,
		     unsigned parts, struct vd_buf *out)
{
	if (out->len || !(parts & (PART_HEAD | PART_NAME)))
		return 0;
	return parts & PART_HEAD ? read_head(page, row, out) : name_text(&row->name, out);
}

static int ask_where(struct vd_query_page *page, const struct vd_twin_row *row,
		     const struct vd_buf *head, bool *ret_matches)
{
	struct vd_query_part parts[PARTS_MAX];
	size_t count = 0;

	if (head->len)
		parts[count++] = (struct vd_query_part){ "", head->data, head->len };
	if (page->where & VD_TWIN_TAGS)
		parts[count++] = (struct vd_query_part){ "tags", row->tags.text, row->tags.len };
	if (page->where & VD_TWIN_DESIRED)
		parts[count++] = (struct vd_query_part){ "properties.desired", row->desired.text,
							 row->desired.len };
	if (page->where & VD_TWIN_REPORTED)
		parts[count++] = (struct vd_query_part){ "properties.reported", row->reported.text,
							 row->reported.len };
	return vd_matcher_ask(page->matcher, parts, count, ret_matches);
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

static int take_twin(struct vd_query_page *page, const struct vd_twin_row *row, struct vd_buf *head)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r;

	if (!(page->row & PART_HEAD) || !(page->where & PART_HEAD))
		vd_buf_clear(head);
	r = head_text(page, row, page->row & PART_HEAD ? PART_HEAD : PART_NAME, head);
	if (r == 0)
		r = twin_text(page, row, head, &text);
	if (r < 0)
		return r;
	return vd_query_is_whole(page->query) ? add_text(page, text.data, text.len)
					      : take_tree(page, text.data, text.len);
}

static bool is_behind(const struct vd_query_page *page, const char *name)
{
	return page->last[0] && strcmp(name, page->last) > 0;
}

static int see_twin(const struct vd_twin_row *row, void *argument)
{
	struct vd_query_page *page = argument;
	VD_CLEANUP(vd_buf_fini) struct vd_buf head = { 0 };
	bool matches = false;
	int r;

	if (page->is_from_read && strcmp(row->name.device, page->from.device) == 0 &&
	    strcmp(row->name.module, page->from.module) == 0)
		return 0;
	if (is_behind(page, row->name.device))
		return STOP_WALK;
	r = head_text(page, row, page->where, &head);
	if (r == 0)
		r = ask_where(page, row, &head, &matches);
	if (r == 0 && matches && !page->aggregate && is_full(page))
		return STOP_PAGE;
	if (r == 0 && matches)
		r = take_twin(page, row, &head);
	if (r != 0)
		return r == -EINVAL ? -EIO : r;
	move_cursor(page, row->name.device, row->name.module);
	if (matches && !page->aggregate)
		r = count_row(page);
	return r == 0 ? look_at_clock(page) : r;
}

/* STOP_…: for that reason; 0: a step further. */
static int walk_twins(struct vd_query_page *page)
{
	const struct vd_name from = page->from;
	bool was_read = page->is_from_read;
	int r = vd_store_twins_each(page->store, vd_query_source(page->query) == VD_QUERY_MODULES,
				    &from, (page->where | page->row) & STORE_PARTS, STEP_ROWS,
				    see_twin, page);

	if (r == 0 && was_read == page->is_from_read &&
	    strcmp(from.device, page->from.device) == 0 &&
	    strcmp(from.module, page->from.module) == 0)
		return STOP_WALK;
	return r;
}

/* --- the devices of jobs --- */

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
	if (r == 0)
		r = vd_matcher_new(page->query, &page->matcher);
	if (r == 0 && vd_query_is_aggregate(page->query))
		r = vd_aggregate_new(page->query, &page->aggregate);
	return r;
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
	if (r != 0)
		return r;
	if (!page->aggregate && page->cursor.device[0]) {
		(void)memcpy(page->from.device, page->cursor.device, sizeof page->from.device);
		(void)memcpy(page->from.module, page->cursor.module, sizeof page->from.module);
		page->is_from_read = true;
	}
	find_parts(page);
	narrow_walk(page);
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
	bool is_jobs = vd_query_source(page->query) == VD_QUERY_JOBS;
	int r = 0;

	page->until_ms = until_ms;
	page->fault = fault;
	while (r == 0 && !page->is_done)
		r = is_jobs ? walk_jobs(page) : walk_twins(page);
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
