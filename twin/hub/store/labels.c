/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/labels.h"

#include <errno.h>

#include "twin/hub/store/sql.h"

static const char add_sql[] = "INSERT INTO labels (device_id, item_id, sha256, created_ms, author,"
			      " body) VALUES (?, ?, ?, ?, ?, ?) RETURNING id";
static const char each_sql[] =
	"SELECT id, device_id, item_id, sha256, created_ms, author, body FROM labels"
	" WHERE id > ?1 AND (?2 IS NULL OR device_id = ?2) AND (?3 IS NULL OR item_id = ?3)"
	" AND (?4 IS NULL OR sha256 = ?4) ORDER BY id LIMIT ?5";

int vd_store_label_add(struct vd_store *s, const struct vd_label *l, int64_t *ret_id)
{
	sqlite3_stmt *q = vd_sql(s, add_sql, "tttitt", l->device, l->item, l->sha256, l->created_ms,
				 l->author, l->body);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_id = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

static const char *text(sqlite3_stmt *q, int column)
{
	const unsigned char *value = sqlite3_column_text(q, column);

	return value ? (const char *)value : "";
}

int vd_store_label_each(struct vd_store *s, const struct vd_label_filter *f, vd_label_fn fn,
			void *argument)
{
	sqlite3_stmt *q = vd_sql(s, each_sql, "ittti", f->after, f->device, f->item, f->sha256,
				 (int64_t)f->limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		const struct vd_label label = { .id = sqlite3_column_int64(q, 0),
						.device = text(q, 1),
						.item = text(q, 2),
						.sha256 = text(q, 3),
						.created_ms = sqlite3_column_int64(q, 4),
						.author = text(q, 5),
						.body = text(q, 6) };

		r = fn(&label, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}
