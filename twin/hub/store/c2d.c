/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/c2d.h"

#include "twin/hub/store/sql.h"

#define COLUMNS                                                                                    \
	"id, device_id, module_id, enqueued_ms, expires_ms, delivery_count, message_id, ack, bag," \
	" body"

static const char add_sql[] =
	"INSERT INTO messages (device_id, module_id, enqueued_ms, expires_ms, message_id, ack, bag,"
	" body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char first_sql[] = "SELECT " COLUMNS " FROM messages WHERE device_id = ?"
				" AND module_id = ? ORDER BY id LIMIT 1";
static const char expired_sql[] =
	"SELECT " COLUMNS " FROM messages WHERE expires_ms <= ? ORDER BY expires_ms LIMIT 1";
static const char get_sql[] = "SELECT " COLUMNS " FROM messages WHERE id = ?";
static const char count_sql[] =
	"UPDATE messages SET delivery_count = delivery_count + 1 WHERE id = ?";
static const char remove_sql[] = "DELETE FROM messages WHERE id = ?";

void vd_c2d_row_fini(struct vd_c2d_row *row)
{
	vd_buf_fini(&row->bag);
	vd_buf_fini(&row->body);
}

int vd_store_c2d_add(struct vd_store *s, const struct vd_c2d_row *row)
{
	return vd_sql_run(s, vd_sql(s, add_sql, "ttiitttb", row->name.device, row->name.module,
				    row->enqueued_ms, row->expires_ms, row->message_id, row->ack,
				    row->bag.data ? row->bag.data : "", row->body.data,
				    row->body.len));
}

static int read_bytes(sqlite3_stmt *q, int column, struct vd_buf *out)
{
	const void *data = sqlite3_column_blob(q, column);

	return vd_buf_append(out, data ? data : "", (size_t)sqlite3_column_bytes(q, column));
}

static int read_row(struct vd_store *s, sqlite3_stmt *q, struct vd_c2d_row *ret_row)
{
	VD_CLEANUP(vd_c2d_row_fini) struct vd_c2d_row row = { 0 };
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	row.id = sqlite3_column_int64(q, 0);
	vd_sql_copy(q, 1, row.name.device, sizeof row.name.device);
	vd_sql_copy(q, 2, row.name.module, sizeof row.name.module);
	row.enqueued_ms = sqlite3_column_int64(q, 3);
	row.expires_ms = sqlite3_column_int64(q, 4);
	row.delivery_count = sqlite3_column_int(q, 5);
	vd_sql_copy(q, 6, row.message_id, sizeof row.message_id);
	vd_sql_copy(q, 7, row.ack, sizeof row.ack);
	r = read_bytes(q, 8, &row.bag);
	if (r == 0)
		r = read_bytes(q, 9, &row.body);
	vd_sql_done(q);
	if (r == 0) {
		*ret_row = row;
		row = (struct vd_c2d_row){ 0 };
	}
	return r;
}

int vd_store_c2d_first(struct vd_store *s, const struct vd_name *name, struct vd_c2d_row *ret_row)
{
	return read_row(s, vd_sql(s, first_sql, "tt", name->device, name->module), ret_row);
}

int vd_store_c2d_expired(struct vd_store *s, int64_t now_ms, struct vd_c2d_row *ret_row)
{
	return read_row(s, vd_sql(s, expired_sql, "i", now_ms), ret_row);
}

int vd_store_c2d_get(struct vd_store *s, int64_t id, struct vd_c2d_row *ret_row)
{
	return read_row(s, vd_sql(s, get_sql, "i", id), ret_row);
}

int vd_store_c2d_count_delivery(struct vd_store *s, int64_t id)
{
	return vd_sql_run_relaxed(s, vd_sql(s, count_sql, "i", id));
}

int vd_store_c2d_remove(struct vd_store *s, int64_t id)
{
	return vd_sql_run_relaxed(s, vd_sql(s, remove_sql, "i", id));
}
