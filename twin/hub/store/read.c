/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading records: rows and the records of chunks, merged by id. The newest ones are found by
 * walking down until enough are counted, and are then given from there upwards.
 */
#include "twin/hub/store/chunks.h"

#include <errno.h>
#include <stdio.h>

#include "twin/hub/store/sql.h"

struct walk {
	struct vd_store *store;
	const struct vd_record_filter *filter;
	bool is_down;
	sqlite3_stmt *rows, *chunks;
	int64_t row_id; /* 0: no more */
	struct vd_chunk chunk;
	char device[VD_PART_BYTES];
	int64_t at; /* index in the chunk; out of it: the next chunk */
};

static void walk_fini_p(struct walk *walk)
{
	(void)sqlite3_finalize(walk->rows);
	(void)sqlite3_finalize(walk->chunks);
	vd_chunk_fini(&walk->chunk);
}

/* One fragment of WHERE for each filter that is set; its value is bound, never written. */
struct condition {
	const char *sql;
	const char *value;
};

static int prepare(struct walk *walk, const char *select, const char *id, const char *first,
		   const struct condition *conditions, size_t count, int64_t after,
		   sqlite3_stmt **ret_statement)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf sql = { 0 };
	int index = 1, r = vd_buf_printf(&sql, "%s WHERE %s > ? AND %s <= ?", select, id, first);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (conditions[i].value)
			r = vd_buf_printf(&sql, " AND %s", conditions[i].sql);
	}
	if (r == 0)
		r = vd_buf_printf(&sql, " ORDER BY %s %s", id, walk->is_down ? "DESC" : "ASC");
	if (r < 0)
		return r;
	*ret_statement = vd_sql_new(walk->store, sql.data);
	if (!*ret_statement)
		return -EIO;
	(void)sqlite3_bind_int64(*ret_statement, index++, after);
	(void)sqlite3_bind_int64(*ret_statement, index++,
				 walk->filter->upto ? walk->filter->upto : INT64_MAX);
	for (size_t i = 0; i < count; i++) {
		if (conditions[i].value)
			(void)sqlite3_bind_text(*ret_statement, index++, conditions[i].value, -1,
						SQLITE_STATIC);
	}
	return 0;
}

static bool is_asked(const struct walk *walk, const char *device)
{
	return !walk->filter->wants_device ||
	       walk->filter->wants_device(device, walk->filter->argument);
}

/* Over those of devices that nobody asked for. */
static int step_rows(struct walk *walk)
{
	int r;

	do
		r = walk->rows ? vd_sql_step(walk->store, walk->rows) : 0;
	while (r > 0 && !is_asked(walk, (const char *)sqlite3_column_text(walk->rows, 1)));
	return r;
}

static int next_row(struct walk *walk)
{
	int r = step_rows(walk);

	walk->row_id = r > 0 ? sqlite3_column_int64(walk->rows, 0) : 0;
	if (r == 0) /* a statement that is stepped again begins again */
		walk->rows = (sqlite3_finalize(walk->rows), NULL);
	return r < 0 ? r : 0;
}

static int open_walk(struct walk *walk, int64_t after)
{
	const struct vd_record_filter *f = walk->filter;
	const struct condition conditions[] = {
		{ "device_id = ?", f->device }, { "class = ?", f->class_name },
		{ "module = ?", f->module },    { "verdict = ?", f->verdict },
		{ "serial = ?", f->serial },
	};
	const struct condition chunk_conditions[] = {
		{ "device_id = ?", f->device },
		{ "class = ?", f->class_name },
		{ "(module IS NULL OR module = ?)", f->module },
	};
	int r = prepare(walk,
			"SELECT id, device_id, boot_id, seq, received_ms, wall_ms, class,"
			" module, verdict, serial, record FROM records",
			"id", "id", conditions, VD_COUNT(conditions), after, &walk->rows);

	if (r == 0 && !f->verdict && !f->serial)
		r = prepare(walk, "SELECT first_id, received_ms, device_id, records FROM chunks",
			    "last_id", "first_id", chunk_conditions, VD_COUNT(chunk_conditions),
			    after, &walk->chunks);
	return r < 0 ? r : next_row(walk);
}

static bool is_inside(const struct walk *walk)
{
	return walk->at >= 0 && walk->at < (int64_t)walk->chunk.count;
}

static bool is_wanted(const struct walk *walk, int64_t after)
{
	const struct vd_scanned *record = &walk->chunk.records[walk->at];
	const char *module = walk->filter->module;

	if (walk->chunk.first_id + walk->at <= after ||
	    (walk->filter->upto && walk->chunk.first_id + walk->at > walk->filter->upto))
		return false;
	return !module || vd_slice_is(record->module, module) ||
	       (!module[0] && !record->module.text);
}

/* 1: a chunk, 0: the end. One that is damaged has no records. */
static int next_chunk(struct walk *walk)
{
	int r = walk->chunks ? vd_sql_step(walk->store, walk->chunks) : 0;

	walk->chunk.count = 0;
	if (r <= 0) {
		walk->chunks = (sqlite3_finalize(walk->chunks), NULL);
		return r;
	}
	walk->chunk.first_id = sqlite3_column_int64(walk->chunks, 0);
	walk->chunk.received_ms = sqlite3_column_int64(walk->chunks, 1);
	vd_sql_copy(walk->chunks, 2, walk->device, sizeof walk->device);
	if (!is_asked(walk, walk->device))
		return 1;
	r = vd_chunk_unpack(sqlite3_column_blob(walk->chunks, 3),
			    (size_t)sqlite3_column_bytes(walk->chunks, 3), &walk->chunk);
	if (r == -EIO)
		walk->chunk.count = 0;
	walk->at = walk->is_down ? (int64_t)walk->chunk.count - 1 : 0;
	return r < 0 && r != -EIO ? r : 1;
}

/* Goes to the next wanted record of a chunk, this one included; ret_id 0: there is none. */
static int find_packed(struct walk *walk, int64_t after, int64_t *ret_id)
{
	*ret_id = 0;
	for (;;) {
		while (is_inside(walk) && !is_wanted(walk, after))
			walk->at += walk->is_down ? -1 : 1;
		if (is_inside(walk)) {
			*ret_id = walk->chunk.first_id + walk->at;
			return 0;
		}
		int r = next_chunk(walk);

		if (r <= 0)
			return r;
	}
}

static void read_row(sqlite3_stmt *q, struct vd_record_row *row)
{
	*row = (struct vd_record_row){
		.id = sqlite3_column_int64(q, 0),
		.device = (const char *)sqlite3_column_text(q, 1),
		.boot_id = (const char *)sqlite3_column_text(q, 2),
		.seq = sqlite3_column_int64(q, 3),
		.received_ms = sqlite3_column_int64(q, 4),
		.wall_ms = sqlite3_column_int64(q, 5),
		.class_name = (const char *)sqlite3_column_text(q, 6),
		.module = (const char *)sqlite3_column_text(q, 7),
		.verdict = (const char *)sqlite3_column_text(q, 8),
		.serial = (const char *)sqlite3_column_text(q, 9),
		.text = (const char *)sqlite3_column_text(q, 10),
	};
}

/* fn NULL: only the id counts. */
static int give(struct walk *walk, bool is_packed, vd_record_fn fn, void *argument)
{
	struct vd_record_row row;
	int r = 0;

	if (is_packed) {
		if (fn)
			r = vd_chunk_row(&walk->chunk, (size_t)walk->at, walk->device, fn,
					 argument);
		walk->at += walk->is_down ? -1 : 1;
		return r;
	}
	if (fn) {
		read_row(walk->rows, &row);
		r = fn(&row, argument);
	}
	return r != 0 ? r : next_row(walk);
}

/* ret_id: of the last one. */
static int run(struct walk *walk, int64_t after, vd_record_fn fn, void *argument, int64_t *ret_id)
{
	int r = open_walk(walk, after);

	for (int n = 0; r == 0 && n < walk->filter->limit; n++) {
		int64_t packed;
		bool is_packed;

		r = find_packed(walk, after, &packed);
		if (r < 0 || (packed == 0 && walk->row_id == 0))
			break;
		is_packed = walk->row_id == 0 ||
			    (packed != 0 && (packed < walk->row_id) != walk->is_down);
		*ret_id = is_packed ? packed : walk->row_id;
		r = give(walk, is_packed, fn, argument);
	}
	return r;
}

int vd_store_record_each(struct vd_store *s, const struct vd_record_filter *filter, vd_record_fn fn,
			 void *argument)
{
	VD_CLEANUP(walk_fini) struct walk walk = { .store = s, .filter = filter };
	int64_t after = filter->after, oldest = after + 1;

	if (filter->newest) {
		VD_CLEANUP(walk_fini)
		struct walk down = { .store = s, .filter = filter, .is_down = true };
		int r = run(&down, after, NULL, NULL, &oldest);

		if (r != 0)
			return r;
		after = oldest - 1;
	}
	return run(&walk, after, fn, argument, &oldest);
}

/* --- from times to ids --- */

static const char row_at_sql[] =
	"SELECT id, received_ms FROM records WHERE id >= ? ORDER BY id LIMIT 1";
static const char chunk_at_sql[] =
	"SELECT max(first_id, ?1), received_ms FROM chunks WHERE last_id >= ?1 ORDER BY last_id"
	" LIMIT 1";

/* When the first record from this id on came; INT64_MAX: there is none. */
static int received_at(struct vd_store *s, int64_t id, int64_t *ret_ms)
{
	static const char *const sql[] = { row_at_sql, chunk_at_sql };
	int64_t nearest = INT64_MAX;

	*ret_ms = INT64_MAX;
	for (size_t i = 0; i < VD_COUNT(sql); i++) {
		sqlite3_stmt *q = vd_sql(s, sql[i], "i", id);
		int r = vd_sql_step(s, q);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (sqlite3_column_int64(q, 0) < nearest) {
			nearest = sqlite3_column_int64(q, 0);
			*ret_ms = sqlite3_column_int64(q, 1);
		}
		vd_sql_done(q);
	}
	return 0;
}

int vd_store_record_id_at(struct vd_store *s, int64_t received_ms, int64_t *ret_id)
{
	int64_t low = 0, high = 0, at_ms;
	int r = vd_store_record_last_id(s, &high);

	while (r == 0 && low < high) {
		int64_t middle = low + (high - low) / 2;

		r = received_at(s, middle + 1, &at_ms);
		if (r == 0 && at_ms >= received_ms)
			high = middle;
		else
			low = middle + 1;
	}
	if (r == 0)
		*ret_id = low;
	return r;
}
