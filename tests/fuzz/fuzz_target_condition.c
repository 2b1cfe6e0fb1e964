/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "twin/query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_paths(const struct vd_query *condition)
{
	const char *const *paths;

	for (size_t i = vd_query_paths(condition, &paths); i-- > 0;)
		assert(!strncmp(paths[i], "tags.", 5) || !strcmp(paths[i], "deviceId") ||
		       !strncmp(paths[i], "properties.reported.", 20) ||
		       (vd_query_source(condition) == VD_QUERY_MODULES &&
			!strcmp(paths[i], "moduleId")));
}

/* A condition reads only what it may, says the same when printed, and its hints hide no match. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_query_free) struct vd_query *condition = NULL;
	VD_CLEANUP(vd_query_free) struct vd_query *again = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	const struct vd_query_hint *hints;
	struct vd_fault fault = { 0 };
	cJSON nothing = { .type = cJSON_Object };
	int r = vd_condition_parse((const char *)data, size, &condition, &fault);

	if (r < 0) {
		assert(r == -EINVAL && (fault.code == 400 || fault.code == 413) && *fault.text);
		return 0;
	}
	check_paths(condition);
	if (vd_query_matches(condition, &nothing))
		assert(vd_query_hints(condition, &hints) == 0);
	r = vd_query_print(condition, &out);
	assert(r == 0);
	if (out.len > VD_QUERY_BYTES)
		return 0;
	r = vd_condition_parse(out.len ? out.data : "", out.len, &again, NULL);
	assert(r == 0);
	assert(vd_query_matches(condition, &nothing) == vd_query_matches(again, &nothing));
	return 0;
}
