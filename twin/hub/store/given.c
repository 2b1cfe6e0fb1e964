/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/given.h"
#include "twin/hub/store/sql.h"

static const char get_sql[] = "SELECT version, sure_version, given_ms FROM desired_given"
			      " WHERE device_id = ? AND module_id = ?";
static const char set_sql[] = "INSERT OR REPLACE INTO desired_given VALUES (?, ?, ?, ?, ?)";

int vd_store_given_get(struct vd_store *s, const struct vd_name *name, struct vd_given *ret_given)
{
	sqlite3_stmt *q = vd_sql(s, get_sql, "tt", name->device, name->module);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	ret_given->version = sqlite3_column_int64(q, 0);
	ret_given->sure_version = sqlite3_column_int64(q, 1);
	ret_given->given_ms = sqlite3_column_int64(q, 2);
	vd_sql_done(q);
	return 0;
}

int vd_store_given_set(struct vd_store *s, const struct vd_name *name, const struct vd_given *given)
{
	return vd_sql_run_relaxed(s, vd_sql(s, set_sql, "ttiii", name->device, name->module,
					    given->version, given->sure_version, given->given_ms));
}
