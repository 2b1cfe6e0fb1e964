/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/queries/query_count.h"

#include <string.h>

#include "twin/hub/store/twin_index.h"

enum { COUNTED_AT_ONCE = 20000 };

/* Longer texts may share an entry's beginning. */
static bool is_whole(const struct vd_query_value *value)
{
	return value->type != VD_QUERY_STRING ||
	       strnlen(value->string, VD_INDEX_TEXT_BYTES) < VD_INDEX_TEXT_BYTES;
}

int vd_query_count(struct vd_store *store, const struct vd_query *query, int64_t *ret_count)
{
	const bool of_modules = vd_query_source(query) == VD_QUERY_MODULES;
	const struct vd_query_hint *hint;
	int64_t total = 0;
	int r = 0;

	if (vd_query_is_all(query))
		return vd_store_twin_count(store, of_modules, ret_count);
	if (!vd_query_is_hint_all(query) || vd_query_hints(query, &hint) != 1)
		return VD_STORE_NONE;
	for (size_t i = 0; r == 0 && i < hint->value_count; i++) {
		const struct vd_index_range range = { hint->path, of_modules, hint->values[i],
						      hint->values[i] };
		int64_t count = 0;

		if (!is_whole(&hint->values[i]) || !vd_twin_index_serves(store, &range))
			return VD_STORE_NONE;
		r = vd_twin_index_count(store, &range, COUNTED_AT_ONCE, &count);
		total += count;
		if (total >= COUNTED_AT_ONCE)
			return VD_STORE_NONE;
	}
	if (r == 0)
		*ret_count = total;
	return r;
}
