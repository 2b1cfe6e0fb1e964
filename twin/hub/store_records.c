/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry records, what could not be read of it, and the position in the spool. */
#include "twin/hub/store_sql.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static const char add_sql[] =
	"INSERT OR IGNORE INTO records (device_id, boot_id, seq, received_ms, wall_ms, class,"
	" module, verdict, serial, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
static const char count_sql[] = "INSERT INTO record_counts VALUES (?, ?, coalesce(?, ''), 1)"
				" ON CONFLICT DO UPDATE SET count = count + 1";
static const char counts_sql[] = "SELECT class, verdict, sum(count) FROM record_counts"
				 " GROUP BY class, verdict ORDER BY class, verdict";
static const char device_counts_sql[] = "SELECT class, verdict, count FROM record_counts"
					" WHERE device_id = ? ORDER BY class, verdict";
static const char last_id_sql[] = "SELECT coalesce(max(id), 0) FROM records";
/* Ids rise with the time of arrival: the oldest stand first, and no index is needed. */
static const char expire_sql[] =
	"DELETE FROM records WHERE id IN (SELECT id FROM"
	" (SELECT id, received_ms FROM records ORDER BY id LIMIT ?2) WHERE received_ms < ?1)";
static const char expire_letters_sql[] =
	"DELETE FROM dead_letters WHERE id IN (SELECT id FROM"
	" (SELECT id, received_ms FROM dead_letters ORDER BY id LIMIT ?2) WHERE received_ms < ?1)";
static const char letter_add_sql[] =
	"INSERT INTO dead_letters (device_id, module_id, received_ms, reason, properties, payload)"
	" VALUES (?, ?, ?, ?, ?, ?)";
static const char letter_count_sql[] = "SELECT count(*) FROM dead_letters";
static const char spool_get_sql[] = "SELECT segment, position FROM spool";
static const char spool_set_sql[] = "INSERT INTO spool VALUES (1, ?, ?) ON CONFLICT DO UPDATE"
				    " SET segment = excluded.segment, position = excluded.position";

int vd_store_record_add(struct vd_store *s, const struct vd_record_row *row)
{
	int r = vd_sql_run(s, vd_sql(s, add_sql, "ttiiittttt", row->device, row->boot_id, row->seq,
				     row->received_ms, row->wall_ms, row->class_name, row->module,
				     row->verdict, row->serial, row->text));

	if (r != 0)
		return r == VD_STORE_NONE ? VD_STORE_DUPLICATE : r;
	return vd_sql_run(s,
			  vd_sql(s, count_sql, "ttt", row->device, row->class_name, row->verdict));
}

/* One fragment of WHERE for each filter that is set; its value is bound, never written. */
struct condition {
	const char *sql;
	const char *value;
};

enum { CONDITIONS = 5 };

static int build_select(const struct vd_record_filter *f, const struct condition *conditions,
			struct vd_buf *sql)
{
	int r = vd_buf_printf(sql,
			      "SELECT id, device_id, boot_id, seq, received_ms, wall_ms, class,"
			      " module, verdict, serial, record FROM records WHERE id > ?");

	for (int i = 0; r == 0 && i < CONDITIONS; i++) {
		if (conditions[i].value)
			r = vd_buf_printf(sql, " AND %s = ?", conditions[i].sql);
	}
	if (r == 0)
		r = vd_buf_printf(sql, " ORDER BY id %s LIMIT ?", f->newest ? "DESC" : "ASC");
	if (r == 0 && f->newest) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf inner = *sql;

		*sql = (struct vd_buf){ 0 };
		r = vd_buf_printf(sql, "SELECT * FROM (%s) ORDER BY id", inner.data);
	}
	return r;
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

static int walk_records(struct vd_store *s, sqlite3_stmt *q, vd_record_fn fn, void *argument)
{
	struct vd_record_row row;
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		read_row(q, &row);
		r = fn(&row, argument);
		if (r != 0)
			return r;
	}
	return r;
}

int vd_store_record_each(struct vd_store *s, const struct vd_record_filter *f, vd_record_fn fn,
			 void *argument)
{
	const struct condition conditions[CONDITIONS] = {
		{ "device_id", f->device }, { "class", f->class_name }, { "module", f->module },
		{ "verdict", f->verdict },  { "serial", f->serial },
	};
	VD_CLEANUP(vd_buf_fini) struct vd_buf sql = { 0 };
	sqlite3_stmt *q;
	int index = 1, r = build_select(f, conditions, &sql);

	if (r < 0)
		return r;
	q = vd_sql_new(s, sql.data);
	if (!q)
		return -EIO;
	(void)sqlite3_bind_int64(q, index++, f->after);
	for (int i = 0; i < CONDITIONS; i++) {
		if (conditions[i].value)
			(void)sqlite3_bind_text(q, index++, conditions[i].value, -1, SQLITE_STATIC);
	}
	(void)sqlite3_bind_int64(q, index, f->limit);
	r = walk_records(s, q, fn, argument);
	(void)sqlite3_finalize(q);
	return r;
}

int vd_store_record_counts(struct vd_store *s, const char *device, vd_count_fn fn, void *argument)
{
	sqlite3_stmt *q =
		device ? vd_sql(s, device_counts_sql, "t", device) : vd_sql(s, counts_sql, "");
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		const char *verdict = (const char *)sqlite3_column_text(q, 1);

		r = fn((const char *)sqlite3_column_text(q, 0), verdict[0] ? verdict : NULL,
		       sqlite3_column_int64(q, 2), argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

static int one_number(struct vd_store *s, const char *sql, int64_t *ret_number)
{
	sqlite3_stmt *q = vd_sql(s, sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_number = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

int vd_store_record_last_id(struct vd_store *s, int64_t *ret_id)
{
	return one_number(s, last_id_sql, ret_id);
}

int vd_store_expire(struct vd_store *s, int64_t before_ms, int limit)
{
	static const char *const tables[] = { expire_sql, expire_letters_sql };
	int count = 0;

	for (size_t i = 0; i < VD_COUNT(tables); i++) {
		int r = vd_sql_run(s, vd_sql(s, tables[i], "ii", before_ms, (int64_t)limit));

		if (r < 0)
			return r;
		if (r == 0)
			count += vd_sql_changes(s);
	}
	return count;
}

int vd_store_dead_letter_add(struct vd_store *s, const struct vd_dead_letter *letter)
{
	return vd_sql_run(s, vd_sql(s, letter_add_sql, "ttittb", letter->name.device,
				    letter->name.module, letter->received_ms, letter->reason,
				    letter->properties, letter->payload, letter->payload_len));
}

int vd_store_dead_letter_count(struct vd_store *s, int64_t *ret_count)
{
	return one_number(s, letter_count_sql, ret_count);
}

int vd_store_spool_get(struct vd_store *s, uint64_t *ret_segment, uint64_t *ret_offset)
{
	sqlite3_stmt *q = vd_sql(s, spool_get_sql, "");
	int r = vd_sql_step(s, q);

	*ret_segment = *ret_offset = 0;
	if (r <= 0)
		return r;
	*ret_segment = (uint64_t)sqlite3_column_int64(q, 0);
	*ret_offset = (uint64_t)sqlite3_column_int64(q, 1);
	vd_sql_done(q);
	return 0;
}

int vd_store_spool_set(struct vd_store *s, uint64_t segment, uint64_t offset)
{
	return vd_sql_run(s, vd_sql(s, spool_set_sql, "ii", (int64_t)segment, (int64_t)offset));
}
