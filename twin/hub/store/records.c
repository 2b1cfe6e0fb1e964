/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry records, what could not be read of it, and the position in the spool. */
#include "twin/hub/store/chunks.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "twin/hub/store/sql.h"

static const char add_sql[] =
	"INSERT OR IGNORE INTO records (device_id, boot_id, seq, received_ms, wall_ms, class,"
	" module, verdict, serial, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
static const char count_sql[] = "INSERT INTO record_counts VALUES (?, ?, coalesce(?, ''), ?)"
				" ON CONFLICT DO UPDATE SET count = count + excluded.count";
static const char counts_sql[] = "SELECT class, verdict, sum(count) FROM record_counts"
				 " GROUP BY class, verdict ORDER BY class, verdict";
static const char device_counts_sql[] = "SELECT class, verdict, count FROM record_counts"
					" WHERE device_id = ? ORDER BY class, verdict";
static const char last_id_sql[] = "SELECT seq FROM sqlite_sequence WHERE name = 'records'";
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
static const char letter_trim_sql[] =
	"DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?";
static const char letter_count_sql[] = "SELECT count(*) FROM dead_letters";
static const char spool_get_sql[] = "SELECT segment, position FROM spool";
static const char spool_set_sql[] = "INSERT INTO spool VALUES (1, ?, ?) ON CONFLICT DO UPDATE"
				    " SET segment = excluded.segment, position = excluded.position";

int vd_record_count(struct vd_store *s, const char *device, const char *class_name,
		    const char *verdict, int64_t count)
{
	return vd_sql_run(s, vd_sql(s, count_sql, "ttti", device, class_name, verdict, count));
}

int vd_store_record_add(struct vd_store *s, const struct vd_record_row *row)
{
	int r = vd_sql_run(s, vd_sql(s, add_sql, "ttiiittttt", row->device, row->boot_id, row->seq,
				     row->received_ms, row->wall_ms, row->class_name, row->module,
				     row->verdict, row->serial, row->text));

	if (r != 0)
		return r == VD_STORE_NONE ? VD_STORE_DUPLICATE : r;
	return vd_record_count(s, row->device, row->class_name, row->verdict, 1);
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

static int expire_all(struct vd_store *s, int64_t before_ms, int limit)
{
	static const char *const tables[] = { expire_sql, expire_letters_sql };
	int count = vd_chunks_expire(s, before_ms, limit);

	for (size_t i = 0; count >= 0 && i < VD_COUNT(tables); i++) {
		int r = vd_sql_run(s, vd_sql(s, tables[i], "ii", before_ms, (int64_t)limit));

		if (r < 0)
			return r;
		if (r == 0)
			count += vd_sql_changes(s);
	}
	return count;
}

int vd_store_expire(struct vd_store *s, int64_t before_ms, int limit)
{
	int count, r = vd_store_begin(s);

	if (r < 0)
		return r;
	count = expire_all(s, before_ms, limit);
	if (count < 0)
		vd_store_rollback(s);
	else
		r = vd_store_commit(s);
	return r < 0 ? r : count;
}

int vd_store_dead_letter_add(struct vd_store *s, const struct vd_dead_letter *letter)
{
	int r = vd_sql_run(s, vd_sql(s, letter_add_sql, "ttittb", letter->name.device,
				     letter->name.module, letter->received_ms, letter->reason,
				     letter->properties, letter->payload, letter->payload_len));

	if (r == 0)
		r = vd_sql_run(s, vd_sql(s, letter_trim_sql, "i", (int64_t)VD_DEAD_LETTERS_MAX));
	return r == VD_STORE_NONE ? 0 : r;
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
