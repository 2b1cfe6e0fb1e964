/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/telemetry/telemetry.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/events.h"
#include "twin/hub/queries/query_page.h"

enum { WINDOW_FIRST = 4096, WINDOW_LEAST = 64, DEVICES_A_PAGE = 1000, HOUR_MS = 3600000 };
#define DAY_MS      86400000LL
#define WINDOW_MOST ((int64_t)1 << 40)

struct bucket {
	double min, max, sum;
	int64_t count;
};

struct reading {
	struct vd_store *store;
	struct vd_telemetry_request request;
	char *texts;                    /* what the request points at */
	char (*devices)[VD_PART_BYTES]; /* that `where` selected, sorted */
	size_t device_count;
	struct vd_query_page *query; /* while they are looked for */
	char *next_query;            /* its continuation */
	bool has_devices;
	/* the walk */
	int64_t low, high; /* ids: low < id <= high */
	int64_t cursor;    /* all on its one side were seen */
	int64_t window;
	uint64_t end_ms;
	bool is_open, is_cut;
	/* a step of it */
	int64_t oldest_id, last_id;
	int seen;
	cJSON *step;
	/* what comes out */
	cJSON *items;
	size_t bytes;
	struct bucket *buckets;
	int64_t bucket_ms;
};

static void reading_free(void *argument)
{
	struct reading *t = argument;

	if (!t)
		return;
	free(t->texts);
	free(t->devices);
	free(t->next_query);
	t->query = vd_query_page_free(t->query);
	t->step = vd_json_free(t->step);
	t->items = vd_json_free(t->items);
	free(t->buckets);
	free(t);
}

/* --- the request --- */

static const char **text_of(struct vd_telemetry_request *request, size_t i)
{
	const char **const all[] = { &request->device,  &request->class_name, &request->module,
				     &request->verdict, &request->serial,     &request->recipe,
				     &request->model,   &request->where,      &request->path };

	return i < VD_COUNT(all) ? all[i] : NULL;
}

static int copy_request(struct reading *t, const struct vd_telemetry_request *request)
{
	size_t size = 1;
	const char **text;
	char *at;

	t->request = *request;
	for (size_t i = 0; (text = text_of(&t->request, i)); i++)
		size += *text ? strlen(*text) + 1 : 0;
	t->texts = at = malloc(size);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; (text = text_of(&t->request, i)); i++) {
		size_t len = *text ? strlen(*text) + 1 : 0;

		if (*text)
			*text = memcpy(at, *text, len);
		at += len;
	}
	return 0;
}

/* --- which devices --- */

static int ask_devices(struct reading *t, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_query_request request = { .size = DEVICES_A_PAGE,
					    .continuation = t->next_query,
					    .mono_ms = vd_clock_mono_ms() };
	int r = vd_buf_printf(&text, "SELECT deviceId FROM devices WHERE %s", t->request.where);

	if (r < 0)
		return r;
	request.text = text.data;
	request.len = text.len;
	return vd_query_page_new(t->store, &request, &t->query, fault);
}

static int take_devices(struct reading *t, const cJSON *rows, struct vd_fault *fault)
{
	size_t count = (size_t)cJSON_GetArraySize(rows);
	const cJSON *row;

	if (t->device_count + count > VD_TELEMETRY_DEVICES_MAX) {
		vd_fault_set(fault, 400, "", "where selects more than %d devices",
			     VD_TELEMETRY_DEVICES_MAX);
		return VD_REFUSED_ARGUMENT;
	}
	if (count > 0) {
		void *more = reallocarray(t->devices, t->device_count + count, sizeof *t->devices);

		if (!more)
			return -ENOMEM;
		t->devices = more;
	}
	cJSON_ArrayForEach(row, rows)(void) snprintf(t->devices[t->device_count++], VD_PART_BYTES,
						     "%s", vd_json_string(row, "deviceId", ""));
	return 0;
}

static int compare_devices(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int end_devices(struct reading *t, struct vd_fault *fault)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *rows = NULL;
	int r = vd_query_page_reply(t->query, &call.reply);

	t->query = vd_query_page_free(t->query);
	if (r == 0)
		r = vd_json_parse(call.reply.text, strlen(call.reply.text), &rows, fault);
	if (r == 0)
		r = take_devices(t, rows, fault);
	if (r != 0)
		return r;
	free(t->next_query);
	t->next_query = VD_TAKE(call.reply.continuation);
	t->has_devices = !t->next_query;
	if (t->has_devices && t->device_count)
		qsort(t->devices, t->device_count, sizeof *t->devices, compare_devices);
	return 0;
}

static int find_devices(struct reading *t, uint64_t until_ms, struct vd_fault *fault)
{
	bool is_done = false;
	int r = t->query ? 0 : ask_devices(t, fault);

	if (r == 0)
		r = vd_query_page_run(t->query, until_ms, &is_done, fault);
	return r == 0 && is_done ? end_devices(t, fault) : r;
}

static bool wants_device(const char *device, void *argument)
{
	const struct reading *t = argument;

	return t->device_count &&
	       bsearch(device, t->devices, t->device_count, sizeof *t->devices, compare_devices);
}

/* --- which records --- */

/* Texts of verdicts; what cannot be in the text at all is not parsed. */
static bool is_of(const struct vd_record_row *row, const char *key, const char *value)
{
	VD_CLEANUP(vd_json_free) cJSON *record = NULL;

	if (!value)
		return true;
	if (!strstr(row->text, value) ||
	    vd_json_parse(row->text, strlen(row->text), &record, NULL) < 0)
		return false;
	return strcmp(vd_json_string(vd_json_get(record, "body"), key, ""), value) == 0;
}

static bool is_wanted(const struct reading *t, const struct vd_record_row *row)
{
	const struct vd_telemetry_request *q = &t->request;

	return row->wall_ms >= q->from_ms && (!q->to_ms || row->wall_ms <= q->to_ms) &&
	       is_of(row, "recipe", q->recipe) && is_of(row, "modelSha256", q->model);
}

static void note_seen(struct reading *t, int64_t id)
{
	if (t->seen++ == 0)
		t->oldest_id = id;
	t->last_id = id;
}

static int see_record(const struct vd_record_row *row, void *argument)
{
	struct reading *t = argument;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	cJSON *item;

	note_seen(t, row->id);
	if (!is_wanted(t, row))
		return 0;
	item = vd_record_text(row, &text) == 0 ? cJSON_CreateRaw(text.data) : NULL;
	if (!item || !cJSON_AddItemToArray(t->step, item)) {
		(void)vd_json_free(item);
		return -ENOMEM;
	}
	t->bytes += text.len;
	return 0;
}

/* --- the curve --- */

static void add_to_curve(struct reading *t, int64_t at_ms, double value)
{
	int64_t i = (at_ms - t->request.from_ms) / t->bucket_ms;
	struct bucket *b = &t->buckets[i < t->request.points ? i : t->request.points - 1];

	b->min = b->count && b->min < value ? b->min : value;
	b->max = b->count && b->max > value ? b->max : value;
	b->sum += value;
	b->count++;
}

static int see_number(const struct vd_record_row *row, void *argument)
{
	struct reading *t = argument;
	VD_CLEANUP(vd_json_free) cJSON *record = NULL;
	const cJSON *value;

	note_seen(t, row->id);
	if (!is_wanted(t, row) || vd_json_parse(row->text, strlen(row->text), &record, NULL) < 0)
		return 0;
	value = vd_json_at(record, t->request.path);
	if (cJSON_IsNumber(value) && isfinite(value->valuedouble))
		add_to_curve(t, row->wall_ms, value->valuedouble);
	return 0;
}

/* --- the walk --- */

static int open_walk(struct reading *t)
{
	const struct vd_telemetry_request *q = &t->request;
	int64_t end = 0, first = 0;
	int r = vd_store_record_last_id(t->store, &t->high);

	if (r == 0 && q->from_ms > 0)
		r = vd_store_record_id_at(t->store, q->from_ms - HOUR_MS, &first);
	if (r == 0 && q->to_ms > 0)
		r = vd_store_record_id_at(t->store, q->to_ms + VD_TELEMETRY_LATE_DAYS * DAY_MS,
					  &end);
	if (q->to_ms > 0 && end < t->high)
		t->high = end;
	if (q->before > 0 && q->before - 1 < t->high)
		t->high = q->before - 1;
	t->low = q->after > first ? q->after : first;
	if (t->high < t->low)
		t->high = t->low;
	t->cursor = q->newest ? t->high : t->low;
	t->window = WINDOW_FIRST;
	t->is_open = true;
	return r;
}

static int64_t left(const struct reading *t)
{
	return t->request.newest ? t->cursor - t->low : t->high - t->cursor;
}

static bool is_full(const struct reading *t)
{
	return !t->buckets && (cJSON_GetArraySize(t->items) >= t->request.limit ||
			       t->bytes > VD_TELEMETRY_PAGE_BYTES);
}

/* Older ones go before those that are there. */
static void take_step(struct reading *t)
{
	cJSON *front = t->request.newest ? t->step : t->items;
	cJSON *back = t->request.newest ? t->items : t->step;

	while (back->child)
		(void)cJSON_AddItemToArray(front, cJSON_DetachItemViaPointer(back, back->child));
	t->items = front;
	t->step = back;
}

static int read_window(struct reading *t, int64_t size, int limit)
{
	const struct vd_telemetry_request *q = &t->request;
	const struct vd_record_filter filter = {
		.device = q->device,
		.class_name = q->class_name,
		.module = q->module,
		.verdict = q->verdict,
		.serial = q->serial,
		.after = q->newest ? t->cursor - size : t->cursor,
		.upto = q->newest ? t->cursor : t->cursor + size,
		.limit = limit,
		.newest = q->newest,
		.wants_device = q->where ? wants_device : NULL,
		.argument = t,
	};

	t->seen = 0;
	return vd_store_record_each(t->store, &filter, t->buckets ? see_number : see_record, t);
}

/* Where the walk stands when the window gave as many as were asked for, else its end. */
static void move_on(struct reading *t, int64_t size, int limit)
{
	if (t->seen < limit)
		t->cursor += t->request.newest ? -size : size;
	else if (!t->request.newest)
		t->cursor = t->last_id;
	else
		t->cursor = t->oldest_id - 1;
}

static void adapt(struct reading *t, uint64_t took_ms)
{
	if (took_ms < 1 && t->window < WINDOW_MOST)
		t->window *= 2;
	else if (took_ms > VD_SLICE_MS && t->window > WINDOW_LEAST)
		t->window /= 2;
}

/* A page asks for what it lacks, and for no more than it can hold if each record is as large as can be. */
static int rows_of_step(const struct reading *t)
{
	enum { ROWS = 500, ROWS_LEAST = 8, LARGEST = 65536 };
	int lack = t->request.limit - cJSON_GetArraySize(t->items);
	int room = (int)((VD_TELEMETRY_PAGE_BYTES - (int64_t)t->bytes) / LARGEST);

	if (t->buckets)
		return ROWS;
	if (room < ROWS_LEAST)
		room = ROWS_LEAST;
	return lack < room ? lack : room;
}

static int step(struct reading *t)
{
	uint64_t begun_ms = vd_clock_mono_ms();
	int64_t size = left(t) < t->window ? left(t) : t->window;
	int limit = rows_of_step(t);
	int r = read_window(t, size, limit);

	if (r < 0)
		return r;
	move_on(t, size, limit);
	if (!t->buckets)
		take_step(t);
	adapt(t, vd_clock_mono_ms() - begun_ms);
	return 0;
}

static int run(void *argument, uint64_t until_ms, bool *ret_is_done, struct vd_fault *fault)
{
	struct reading *t = argument;
	int r = 0;

	while (r == 0 && t->request.where && !t->has_devices && vd_clock_mono_ms() < until_ms)
		r = find_devices(t, until_ms, fault);
	if (r != 0 || (t->request.where && !t->has_devices))
		return r;
	if (!t->is_open)
		r = open_walk(t);
	while (r == 0 && left(t) > 0 && !is_full(t) && vd_clock_mono_ms() < until_ms)
		r = step(t);
	t->is_cut = left(t) > 0 && vd_clock_mono_ms() >= t->end_ms;
	*ret_is_done = left(t) <= 0 || is_full(t) || t->is_cut;
	return r;
}

/* --- answers --- */

static int reply_page(void *argument, struct vd_reply *reply)
{
	struct reading *t = argument;
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	bool newest = t->request.newest;
	int64_t next = newest ? t->high : t->cursor, previous = newest ? t->cursor + 1 : t->low + 1;

	if (!body || !vd_json_add_take(body, "items", &t->items) ||
	    !vd_json_add_number(body, "continuation", (double)next) ||
	    !vd_json_add_number(body, "previous", (double)previous))
		return -ENOMEM;
	vd_reply_json(reply, 200, &body);
	return 0;
}

static bool add_point(const struct reading *t, int i, cJSON *points)
{
	VD_CLEANUP(vd_json_free) cJSON *point = cJSON_CreateObject();
	const struct bucket *b = &t->buckets[i];
	char time[VD_TIME_TEXT];

	if (!point ||
	    !vd_json_add_string(point, "time",
				vd_time_text(t->request.from_ms + i * t->bucket_ms, time)) ||
	    !vd_json_add_number(point, "min", b->min) ||
	    !vd_json_add_number(point, "max", b->max) ||
	    !vd_json_add_number(point, "mean", b->sum / (double)b->count) ||
	    !vd_json_add_number(point, "count", (double)b->count) ||
	    !cJSON_AddItemToArray(points, point))
		return false;
	point = NULL;
	return true;
}

static int reply_series(void *argument, struct vd_reply *reply)
{
	struct reading *t = argument;
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	cJSON *points;

	if (!body || !vd_json_add_number(body, "bucketMs", (double)t->bucket_ms) ||
	    !vd_json_add_bool(body, "truncated", t->is_cut))
		return -ENOMEM;
	points = cJSON_AddArrayToObject(body, "points");
	for (int i = 0; points && i < t->request.points; i++) {
		if (t->buckets[i].count && !add_point(t, i, points))
			return -ENOMEM;
	}
	if (!points)
		return -ENOMEM;
	vd_reply_json(reply, 200, &body);
	return 0;
}

static const struct vd_task page_task = { run, reply_page, reading_free };
static const struct vd_task series_task = { run, reply_series, reading_free };

static int make(struct vd_store *store, const struct vd_telemetry_request *request,
		struct reading **ret_reading)
{
	struct reading *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	t->store = store;
	t->end_ms = vd_clock_mono_ms() + VD_TELEMETRY_MS;
	t->items = cJSON_CreateArray();
	t->step = cJSON_CreateArray();
	if (!t->items || !t->step || copy_request(t, request) < 0) {
		reading_free(t);
		return -ENOMEM;
	}
	*ret_reading = t;
	return 0;
}

int vd_telemetry_page(struct vd_slices *slices, struct vd_store *store, struct vd_call *call,
		      const struct vd_telemetry_request *request, struct vd_fault *fault)
{
	struct reading *t;
	int r = make(store, request, &t);

	return r < 0 ? r : vd_slices_run(slices, call, &page_task, t, fault);
}

int vd_telemetry_series(struct vd_slices *slices, struct vd_store *store, struct vd_call *call,
			const struct vd_telemetry_request *request, struct vd_fault *fault)
{
	struct reading *t;
	int r = make(store, request, &t);

	if (r < 0)
		return r;
	t->request.newest = false;
	t->buckets = calloc((size_t)request->points, sizeof *t->buckets);
	if (!t->buckets) {
		reading_free(t);
		return -ENOMEM;
	}
	t->bucket_ms = (request->to_ms - request->from_ms) / request->points + 1;
	return vd_slices_run(slices, call, &series_task, t, fault);
}
