/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/letters.h"

#include <errno.h>

#include "twin/hub/store/sql.h"

#define COLUMNS "SELECT id, device_id, module_id, received_ms, reason, properties, payload"

static const char each_sql[] =
	COLUMNS " FROM dead_letters WHERE id > ?1 AND (?2 IS NULL OR device_id = ?2)"
		" ORDER BY id LIMIT ?3";
static const char get_sql[] = COLUMNS " FROM dead_letters WHERE id = ?";
static const char remove_sql[] = "DELETE FROM dead_letters WHERE id = ?";

static int give(sqlite3_stmt *q, vd_letter_fn fn, void *argument)
{
	struct vd_dead_letter letter = {
		.received_ms = sqlite3_column_int64(q, 3),
		.reason = (const char *)sqlite3_column_text(q, 4),
		.properties = (const char *)sqlite3_column_text(q, 5),
		.payload = sqlite3_column_blob(q, 6),
		.payload_len = (size_t)sqlite3_column_bytes(q, 6),
	};

	vd_sql_copy(q, 1, letter.name.device, sizeof letter.name.device);
	vd_sql_copy(q, 2, letter.name.module, sizeof letter.name.module);
	return fn(sqlite3_column_int64(q, 0), &letter, argument);
}

int vd_store_letter_each(struct vd_store *s, const char *device, int64_t after, int limit,
			 vd_letter_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, each_sql, "iti", after, device, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		r = give(q, fn, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_letter_get(struct vd_store *s, int64_t id, vd_letter_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, get_sql, "i", id);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	r = give(q, fn, argument);
	vd_sql_done(q);
	return r;
}

int vd_store_letter_remove(struct vd_store *s, int64_t id)
{
	return vd_sql_run(s, vd_sql(s, remove_sql, "i", id));
}
