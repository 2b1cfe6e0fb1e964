/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"
#include "twin/query/value.h"

/*
 * The index of queries: for each scalar below the indexed paths, who has which value there. Tags are
 * always indexed, properties only below the paths that the operator names: a tag changes
 * when somebody changes it, a reported property with every report, and each entry that changes
 * costs two pages of the disk. Entries are written with the twin, in its transaction, and only
 * those that changed; texts are kept by their first VD_INDEX_TEXT_BYTES. What the registry knows
 * by columns (connectionState, status 'disabled', configurations.ID.status) is found as well.
 *
 * It only says where to look: the twin decides. So too many entries cost time; a missing one would
 * hide a twin, which vd_twin_index_check finds. Results as in store.h.
 */
enum { VD_INDEX_PATHS = 32, VD_INDEX_TEXT_BYTES = 96 };

/*
 * Below which paths, as queries spell them; others than before empty the index. Once, behind
 * vd_store_open, which goes on with the paths of last time. count 0: there is none, for comparisons.
 */
VD_MUST int vd_twin_index_set(struct vd_store *store, const char *const *paths, size_t count);

/* Adds entries for up to limit twins more. Before it is done, nothing is found by the index. */
VD_MUST int vd_twin_index_build(struct vd_store *store, int limit, bool *ret_is_done);
VD_MUST int vd_twin_index_empty(struct vd_store *store);

struct vd_twin_index_report {
	int64_t twins, entries;
	int64_t missing; /* entries that should be there */
	int64_t stale;   /* and should not */
	bool is_built;
};
VD_MUST int vd_twin_index_check(struct vd_store *store, struct vd_twin_index_report *ret_report);

/* Values from low to high, both included and of one type; undefined is open on that side. */
struct vd_index_range {
	const char *path;
	bool of_modules;
	struct vd_query_value low, high;
};
bool vd_index_range_is_one_value(const struct vd_index_range *range);

/* Are all that have such a value found by the index? */
bool vd_twin_index_serves(struct vd_store *store, const struct vd_index_range *range);

/* How many, counted up to limit. */
VD_MUST int vd_twin_index_count(struct vd_store *store, const struct vd_index_range *range,
				int limit, int64_t *ret_count);

/*
 * Up to limit of them from this name on; in the order of names if the range is one value, else in
 * none. Not 0 from fn ends it and is returned.
 */
typedef int (*vd_name_fn)(const struct vd_name *name, void *argument);
VD_MUST int vd_twin_index_names(struct vd_store *store, const struct vd_index_range *range,
				const struct vd_name *from, int limit, vd_name_fn fn,
				void *argument);
