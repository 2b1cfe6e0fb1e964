/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store_query.h"

#include <stdio.h>

#include "twin/hub/store_sql.h"

/* In pages, so that a long walk does not hold an old state of the database. */
enum { PAGE = 200 };
static const char devices_sql[] = "SELECT device_id, module_id, tags, desired, reported FROM twins"
				  " WHERE (device_id, module_id) > (?, ?) AND module_id = ''"
				  " ORDER BY device_id, module_id LIMIT ?";
static const char modules_sql[] = "SELECT device_id, module_id, tags, desired, reported FROM twins"
				  " WHERE (device_id, module_id) > (?, ?) AND module_id > ''"
				  " ORDER BY device_id, module_id LIMIT ?";

static const char *column(sqlite3_stmt *q, int index, size_t *ret_len)
{
	const char *text = (const char *)sqlite3_column_text(q, index);

	*ret_len = (size_t)sqlite3_column_bytes(q, index);
	return text ? text : "";
}

static int walk_page(struct vd_store *s, sqlite3_stmt *q, struct vd_name *last, int *ret_count,
		     vd_twin_text_fn fn, void *argument)
{
	int r;

	*ret_count = 0;
	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_twin_text twin = { 0 };

		vd_sql_copy(q, 0, twin.name.device, sizeof twin.name.device);
		vd_sql_copy(q, 1, twin.name.module, sizeof twin.name.module);
		twin.tags = column(q, 2, &twin.tags_len);
		twin.desired = column(q, 3, &twin.desired_len);
		twin.reported = column(q, 4, &twin.reported_len);
		*last = twin.name;
		++*ret_count;
		r = fn(&twin, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_twin_texts(struct vd_store *s, bool of_modules, const struct vd_name *after,
			vd_twin_text_fn fn, void *argument)
{
	struct vd_name last = *after;
	int count, r;

	do {
		const struct vd_name from = last; /* bound while last changes */

		r = walk_page(s,
			      vd_sql(s, of_modules ? modules_sql : devices_sql, "tti", from.device,
				     from.module, (int64_t)PAGE),
			      &last, &count, fn, argument);
	} while (r == 0 && count == PAGE);
	return r;
}
