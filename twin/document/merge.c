/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why not cJSON_Utils, which has both operations: Debian builds libcjson without it, and it would
 * not do. Its diff sorts the inputs in place, compares numbers with a tolerance, so that a change
 * in the last digits is lost, and says "no difference" and "no memory" with the same NULL; when an
 * allocation fails half-way the diff lacks members without a word, and the merge has consumed its
 * target.
 *
 * The recursion is bounded by VD_JSON_DEPTH, which vd_json_parse enforces.
 */
#include "twin/document/merge.h"

#include <errno.h>
#include <string.h>

#include "twin/document/members.h"

static int copy_value(const cJSON *value, cJSON **ret_copy)
{
	*ret_copy = cJSON_Duplicate(value, 1);
	return *ret_copy ? 0 : -ENOMEM;
}

static int add_copy(cJSON *object, const cJSON *member)
{
	return vd_json_add_copy(object, member->string, member) ? 0 : -ENOMEM;
}

static int add_applied(cJSON *result, const cJSON *old, const cJSON *patch)
{
	cJSON *value = NULL;
	int r = vd_merge_apply(old, patch, &value);

	if (r == 0 && !vd_json_add_take(result, patch->string, &value))
		r = -ENOMEM;
	return r;
}

static int apply_to_members(cJSON *result, const cJSON *target, const cJSON *patch)
{
	VD_CLEANUP(vd_members_fini) struct vd_members changes = vd_members_of(patch);
	const cJSON *old, *change;
	int r = 0;

	cJSON_ArrayForEach(old, target)
	{
		change = vd_members_get(&changes, old->string);
		if (!change)
			r = add_copy(result, old);
		else if (!cJSON_IsNull(change))
			r = add_applied(result, old, change);
		if (r < 0)
			break;
	}
	return r;
}

static int add_new_members(cJSON *result, const cJSON *target, const cJSON *patch)
{
	VD_CLEANUP(vd_members_fini) struct vd_members present = vd_members_of(target);
	const cJSON *change;
	int r = 0;

	cJSON_ArrayForEach(change, patch)
	{
		if (!cJSON_IsNull(change) && !vd_members_get(&present, change->string))
			r = add_applied(result, NULL, change);
		if (r < 0)
			break;
	}
	return r;
}

int vd_merge_apply(const cJSON *target, const cJSON *patch, cJSON **ret_result)
{
	VD_CLEANUP(vd_json_free) cJSON *result = NULL;
	int r;

	if (!cJSON_IsObject(patch))
		return copy_value(patch, ret_result);
	if (!cJSON_IsObject(target))
		target = NULL;
	result = cJSON_CreateObject();
	if (!result)
		return -ENOMEM;
	r = target ? apply_to_members(result, target, patch) : 0;
	if (r == 0)
		r = add_new_members(result, target, patch);
	if (r == 0)
		*ret_result = VD_TAKE(result);
	return r;
}

static bool are_lists_equal(const cJSON *a, const cJSON *b)
{
	const cJSON *left = a->child, *right = b->child;

	for (; left && right; left = left->next, right = right->next) {
		if (!vd_merge_is_equal(left, right))
			return false;
	}
	return !left && !right;
}

static bool are_objects_equal(const cJSON *a, const cJSON *b)
{
	VD_CLEANUP(vd_members_fini) struct vd_members others = vd_members_of(b);
	const cJSON *left, *right;

	if (cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
		return false;
	cJSON_ArrayForEach(left, a)
	{
		right = vd_members_get(&others, left->string);
		if (!right || !vd_merge_is_equal(left, right))
			return false;
	}
	return true;
}

bool vd_merge_is_equal(const cJSON *a, const cJSON *b)
{
	if (!a || !b || (a->type & 0xFF) != (b->type & 0xFF))
		return a == b;
	if (cJSON_IsNumber(a))
		return !(a->valuedouble < b->valuedouble) && !(a->valuedouble > b->valuedouble);
	if (cJSON_IsString(a))
		return !strcmp(a->valuestring, b->valuestring);
	if (cJSON_IsArray(a))
		return are_lists_equal(a, b);
	return !cJSON_IsObject(a) || are_objects_equal(a, b);
}

static int diff_objects(const cJSON *from, const cJSON *to, cJSON **ret_patch);

static int add_difference(cJSON *patch, const cJSON *old, const cJSON *new)
{
	VD_CLEANUP(vd_json_free) cJSON *inner = NULL;
	int r;

	if (!cJSON_IsObject(old) || !cJSON_IsObject(new))
		return vd_merge_is_equal(old, new) ? 0 : add_copy(patch, new);
	r = diff_objects(old, new, &inner);
	if (r < 0 || !inner->child)
		return r;
	return vd_json_add_take(patch, new->string, &inner) ? 0 : -ENOMEM;
}

static int add_removals(cJSON *patch, const cJSON *from, const cJSON *to)
{
	VD_CLEANUP(vd_members_fini) struct vd_members wanted = vd_members_of(to);
	const cJSON *old;

	cJSON_ArrayForEach(old, from)
	{
		if (!vd_members_get(&wanted, old->string) &&
		    !vd_json_add_string(patch, old->string, NULL))
			return -ENOMEM;
	}
	return 0;
}

static int diff_objects(const cJSON *from, const cJSON *to, cJSON **ret_patch)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();
	VD_CLEANUP(vd_members_fini) struct vd_members present = vd_members_of(from);
	const cJSON *new;
	int r = patch ? 0 : -ENOMEM;

	cJSON_ArrayForEach(new, to)
	{
		if (r == 0)
			r = add_difference(patch, vd_members_get(&present, new->string), new);
	}
	if (r == 0)
		r = add_removals(patch, from, to);
	if (r == 0)
		*ret_patch = VD_TAKE(patch);
	return r;
}

int vd_merge_diff(const cJSON *from, const cJSON *to, cJSON **ret_patch)
{
	if (cJSON_IsObject(from) && cJSON_IsObject(to))
		return diff_objects(from, to, ret_patch);
	return copy_value(to, ret_patch);
}
