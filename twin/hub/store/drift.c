/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/drift.h"

#include <errno.h>

#include "twin/hub/store/sql.h"

/* A document that was never changed asks for nothing. Limited before anything is looked into. */
static const char each_sql[] =
	"WITH some AS (SELECT device_id, desired, reported FROM twins WHERE device_id > ?1"
	" AND module_id = '' ORDER BY device_id LIMIT ?2),"
	" said AS (SELECT device_id, desired ->> '$.\"$version\"' AS wanted,"
	" coalesce(reported ->> '$.desired.inForce', -1) AS has,"
	" coalesce(reported ->> '$.desired.code', 0) AS code FROM some)"
	" SELECT device_id, wanted, has, code, wanted > max(has, 1),"
	" CASE WHEN wanted > max(has, 1) THEN (SELECT min(changed_ms) FROM desired_history h"
	" WHERE h.device_id = said.device_id AND h.module_id = '' AND version > max(has, 1)) END"
	" FROM said ORDER BY device_id";

int vd_store_drift_each(struct vd_store *s, const char *after, int limit, vd_drift_fn fn,
			void *argument)
{
	sqlite3_stmt *q = vd_sql(s, each_sql, "ti", after, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_drift_row row = {
			.desired_version = sqlite3_column_int64(q, 1),
			.in_force = sqlite3_column_int64(q, 2),
			.code = sqlite3_column_int64(q, 3),
			.is_behind = sqlite3_column_int(q, 4) != 0,
			.since_ms = sqlite3_column_int64(q, 5),
		};

		vd_sql_copy(q, 0, row.name.device, sizeof row.name.device);
		r = fn(&row, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}
