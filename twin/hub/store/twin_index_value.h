/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/sql.h"
#include "twin/query/value.h"

/* Inside the store only: values as the index keeps them, in the same order as vd_query_value_compare. */

/* As the parameter of a statement; borrowed until it was stepped. -EIO. */
VD_MUST int vd_index_bind(sqlite3_stmt *statement, int parameter,
			  const struct vd_query_value *value);

/* 0, VD_STORE_NONE: nobody has this path, or -errno. */
VD_MUST int vd_twin_index_path_id(struct vd_store *store, bool of_modules, const char *path,
				  int64_t *ret_id);

/* Is it at or below one of the paths of an index that is built? */
bool vd_twin_index_has_path(struct vd_store *store, const char *path);
