/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/members.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 16 };

static int compare_members(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static int compare_key(const void *key, const void *member)
{
	return strcmp(key, (*(const cJSON *const *)member)->string);
}

struct vd_members vd_members_of(const cJSON *object)
{
	struct vd_members members = { .object = object };
	const cJSON *member;
	size_t count;

	if (!cJSON_IsObject(object))
		return members;
	count = (size_t)cJSON_GetArraySize(object);
	if (count > FEW)
		members.sorted = malloc(count * sizeof *members.sorted);
	if (!members.sorted)
		return members;
	cJSON_ArrayForEach(member, object) members.sorted[members.count++] = member;
	qsort(members.sorted, members.count, sizeof *members.sorted, compare_members);
	return members;
}

const cJSON *vd_members_get(const struct vd_members *members, const char *key)
{
	const cJSON *const *found;

	if (!members->sorted)
		return vd_json_get(members->object, key);
	found = bsearch(key, members->sorted, members->count, sizeof *members->sorted, compare_key);
	return found ? *found : NULL;
}

void vd_members_fini(struct vd_members *members)
{
	free(members->sorted);
	*members = (struct vd_members){ 0 };
}
