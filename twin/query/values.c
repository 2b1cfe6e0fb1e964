/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/values.h"

#include <string.h>

#include "base/json.h"
#include "twin/query/ast.h"

struct walk {
	struct vd_buf path;
	vd_values_fn fn;
	void *argument;
	int depth;
};

static int visit(struct walk *walk, const cJSON *json);

static int visit_member(struct walk *walk, const cJSON *member) /* NOLINT(misc-no-recursion) */
{
	size_t len = walk->path.len;
	int r = vd_path_append(&walk->path, member->string, len == 0);

	if (r == 0)
		r = visit(walk, member);
	walk->path.len = len;
	return r;
}

static int visit(struct walk *walk, const cJSON *json) /* NOLINT(misc-no-recursion) */
{
	struct vd_query_value value = vd_query_value_of(json);
	const cJSON *member;
	int r = 0;

	if (value.type != VD_QUERY_COMPOSITE)
		return walk->path.len ? walk->fn(walk->path.data, &value, walk->argument) : 0;
	if (!cJSON_IsObject(json) || walk->depth >= VD_QUERY_SEGMENTS)
		return 0;
	walk->depth++;
	cJSON_ArrayForEach(member, json)
	{
		if (r == 0 && strcmp(member->string, "$metadata") != 0)
			r = visit_member(walk, member);
	}
	walk->depth--;
	return r;
}

int vd_values_each(const cJSON *twin, vd_values_fn fn, void *argument)
{
	struct walk walk = { .fn = fn, .argument = argument };
	int r = twin ? visit(&walk, twin) : 0;

	vd_buf_fini(&walk.path);
	return r;
}
