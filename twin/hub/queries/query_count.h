/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"
#include "twin/query/query.h"

/*
 * How many twins match, where registry or index know it without a look at twins: no WHERE at all, or
 * one that names values at one indexed path. VD_STORE_NONE: they do not, or it would take long.
 */
VD_MUST int vd_query_count(struct vd_store *store, const struct vd_query *query,
			   int64_t *ret_count);
