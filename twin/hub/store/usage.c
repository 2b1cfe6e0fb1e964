/* SPDX-License-Identifier: Apache-2.0 */
/* What devices use, and what the database does. */
#include <errno.h>

#include "twin/hub/store/sql.h"
#include "twin/hub/store/trust.h"

enum { DAY_MS = 86400000 };

static const char add_sql[] =
	"INSERT INTO usage (day, device_id, messages, bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO "
	"UPDATE SET"
	" messages = messages + excluded.messages, bytes = bytes + excluded.bytes";
static const char each_sql[] =
	"SELECT day, device_id, messages, bytes, alarmed FROM usage WHERE day BETWEEN ?1 AND ?2"
	" AND (?3 IS NULL OR device_id = ?3) ORDER BY day, device_id LIMIT ?4";
static const char below_sql[] =
	"SELECT day, device_id, messages, bytes, alarmed FROM usage WHERE day = ? AND alarmed < ?"
	" AND device_id > ? ORDER BY device_id LIMIT ?";
static const char alarm_sql[] = "UPDATE usage SET alarmed = ?3 WHERE day = ?2 AND device_id = ?1";
static const char alarmed_sql[] = "SELECT count(*) FROM usage WHERE day = ? AND alarmed >= ?";
static const char expire_sql[] = "DELETE FROM usage WHERE day < ?";
static const char messages_sql[] = "SELECT count(*) FROM messages";
static const char size_sql[] =
	"SELECT p.page_count * s.page_size, f.freelist_count * s.page_size"
	" FROM pragma_page_count p, pragma_page_size s, pragma_freelist_count f";

int vd_store_usage_add(struct vd_store *s, const char *device, int64_t now_ms, int64_t messages,
		       int64_t bytes)
{
	return vd_sql_run(s, vd_sql(s, add_sql, "itii", now_ms / DAY_MS, device, messages, bytes));
}

static int give_usage(struct vd_store *s, sqlite3_stmt *q, vd_usage_fn fn, void *argument)
{
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		const struct vd_usage_row row = {
			.day = sqlite3_column_int64(q, 0),
			.device = (const char *)sqlite3_column_text(q, 1),
			.messages = sqlite3_column_int64(q, 2),
			.bytes = sqlite3_column_int64(q, 3),
			.alarmed = sqlite3_column_int(q, 4),
		};

		r = fn(&row, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_usage_each(struct vd_store *s, const char *device, int64_t first_day, int64_t last_day,
			int limit, vd_usage_fn fn, void *argument)
{
	return give_usage(s,
			  vd_sql(s, each_sql, "iiti", first_day, last_day, device, (int64_t)limit),
			  fn, argument);
}

int vd_store_usage_below(struct vd_store *s, int64_t day, int alarmed, const char *after, int limit,
			 vd_usage_fn fn, void *argument)
{
	return give_usage(
		s, vd_sql(s, below_sql, "iiti", day, (int64_t)alarmed, after, (int64_t)limit), fn,
		argument);
}

int vd_store_usage_alarm(struct vd_store *s, const char *device, int64_t day, int alarmed)
{
	return vd_sql_run(s, vd_sql(s, alarm_sql, "tii", device, day, (int64_t)alarmed));
}

int vd_store_usage_alarmed(struct vd_store *s, int64_t day, int alarmed, int64_t *ret_count)
{
	sqlite3_stmt *q = vd_sql(s, alarmed_sql, "ii", day, (int64_t)alarmed);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_count = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

int vd_store_usage_expire(struct vd_store *s, int64_t before_day)
{
	int r = vd_sql_run(s, vd_sql(s, expire_sql, "i", before_day));

	return r == 0 ? vd_sql_changes(s) : r == VD_STORE_NONE ? 0 : r;
}

int vd_store_messages_waiting(struct vd_store *s, int64_t *ret_count)
{
	sqlite3_stmt *q = vd_sql(s, messages_sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_count = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

int vd_store_size(struct vd_store *s, int64_t *ret_bytes, int64_t *ret_free_bytes)
{
	sqlite3_stmt *q = vd_sql(s, size_sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_bytes = sqlite3_column_int64(q, 0);
	*ret_free_bytes = sqlite3_column_int64(q, 1);
	vd_sql_done(q);
	return 0;
}
