/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/automation/settings.h"

#include <errno.h>
#include <string.h>

#include "twin/document/limits.h"
#include "twin/document/merge.h"

static const char root[] = "properties.desired";
enum { ROOT_LEN = sizeof root - 1, PATHS_MAX = 1000 };

/* "properties.desired.a.b" -> "a.b"; "properties.desired" -> ""; else NULL. */
static const char *inside(const char *path)
{
	if (strncmp(path, root, ROOT_LEN) != 0)
		return NULL;
	if (path[ROOT_LEN] == '\0')
		return path + ROOT_LEN;
	return path[ROOT_LEN] == '.' ? path + ROOT_LEN + 1 : NULL;
}

/* Is path the same as upper, or below it? */
static bool is_covered(const char *path, const char *upper)
{
	size_t len = strlen(upper);

	return strncmp(path, upper, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

static bool is_covered_by_any(const char *path, const cJSON *settings)
{
	for (const cJSON *upper = settings->child; upper; upper = upper->next) {
		if (is_covered(path, upper->string))
			return true;
	}
	return false;
}

/* --- checking --- */

static bool has_null(const cJSON *value)
{
	if (cJSON_IsNull(value))
		return true;
	for (const cJSON *child = value->child; child; child = child->next) {
		if (has_null(child))
			return true;
	}
	return false;
}

static int refuse(struct vd_fault *fault, const char *path, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	vd_fault_under(fault, path);
	return -EINVAL;
}

static int check_path(const char *path, struct vd_fault *fault)
{
	const char *at = inside(path);
	char key[VD_LIMITS_KEY_BYTES + 1];
	int depth = 0;

	if (!at)
		return refuse(fault, path, "is not properties.desired or a path below it");
	while (*at || (at != path + ROOT_LEN && at[-1] == '.')) {
		size_t len = strcspn(at, ".");

		if (len == 0 || len >= sizeof key || ++depth > VD_LIMITS_DEPTH)
			return refuse(fault, path, "has an empty or too long name, or too many");
		(void)memcpy(key, at, len);
		key[len] = '\0';
		if (vd_limits_check_key(key, fault) < 0) {
			vd_fault_under(fault, path);
			return -EINVAL;
		}
		at += len;
		if (*at == '.')
			at++;
	}
	return 0;
}

static int check_value(const cJSON *item, struct vd_fault *fault)
{
	cJSON holder = { .type = cJSON_Object };
	cJSON value = *item;
	int r;

	if (has_null(item))
		return refuse(fault, item->string, "a setting has no null");
	if (!inside(item->string)[0] && !cJSON_IsObject(item))
		return refuse(fault, item->string, "all desired properties are an object");
	value.next = value.prev = NULL;
	value.string = (char[]){ "value" };
	holder.child = &value;
	r = vd_limits_check(inside(item->string)[0] ? &holder : item, VD_LIMITS_SECTION_BYTES,
			    fault);
	if (r < 0)
		vd_fault_under(fault, item->string);
	return r;
}

int vd_settings_check(const cJSON *settings, struct vd_fault *fault)
{
	int count = 0;

	if (!cJSON_IsObject(settings)) {
		vd_fault_set(fault, 400, "", "is not an object");
		return -EINVAL;
	}
	for (const cJSON *item = settings->child; item; item = item->next) {
		int r = check_path(item->string, fault);

		if (r == 0)
			r = check_value(item, fault);
		if (r < 0)
			return r;
		if (++count > PATHS_MAX)
			return refuse(fault, item->string, "is one path too many");
		for (const cJSON *other = settings->child; other; other = other->next) {
			if (other != item && is_covered(item->string, other->string))
				return refuse(fault, item->string, "another path contains it");
		}
	}
	return 0;
}

/* --- setting a value in a tree --- */

/* The member, made an object if it is none. */
static cJSON *enter(cJSON *object, const char *key)
{
	cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);

	if (cJSON_IsObject(member))
		return member;
	if (member)
		cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	return cJSON_AddObjectToObject(object, key);
}

static int put_member(cJSON *object, const char *key, const cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	return vd_json_add_copy(object, key, value) ? 0 : -ENOMEM;
}

/* Copies the next name of the path into key (it was checked to fit) and returns the rest. */
static const char *next_name(const char *at, char key[static VD_LIMITS_KEY_BYTES + 1])
{
	size_t len = strcspn(at, ".");

	if (len > VD_LIMITS_KEY_BYTES)
		len = VD_LIMITS_KEY_BYTES;
	(void)memcpy(key, at, len);
	key[len] = '\0';
	return at[len] == '.' ? at + len + 1 : NULL;
}

static int put_at(cJSON *tree, const char *at, const cJSON *value)
{
	char key[VD_LIMITS_KEY_BYTES + 1];

	for (;;) {
		at = next_name(at, key);
		if (!at)
			return put_member(tree, key, value);
		tree = enter(tree, key);
		if (!tree)
			return -ENOMEM;
	}
}

static void remove_at(cJSON *tree, const char *at)
{
	char key[VD_LIMITS_KEY_BYTES + 1];

	while (cJSON_IsObject(tree)) {
		at = next_name(at, key);
		if (!at) {
			cJSON_DeleteItemFromObjectCaseSensitive(tree, key);
			return;
		}
		tree = cJSON_GetObjectItemCaseSensitive(tree, key);
	}
}

/* --- merging --- */

static void remove_below(cJSON *settings, const char *path)
{
	cJSON *next;

	for (cJSON *item = settings->child; item; item = next) {
		next = item->next;
		if (is_covered(item->string, path))
			cJSON_Delete(cJSON_DetachItemViaPointer(settings, item));
	}
}

static cJSON *find_above(cJSON *settings, const char *path)
{
	for (cJSON *item = settings->child; item; item = item->next) {
		if (is_covered(path, item->string))
			return item;
	}
	return NULL;
}

static int lay(cJSON *settings, const cJSON *item)
{
	cJSON *above;

	remove_below(settings, item->string);
	above = find_above(settings, item->string);
	if (!above)
		return vd_json_add_copy(settings, item->string, item) ? 0 : -ENOMEM;
	if (!cJSON_IsObject(above)) {
		cJSON *object = cJSON_CreateObject();

		if (!object ||
		    !cJSON_ReplaceItemInObjectCaseSensitive(settings, above->string, object))
			return -ENOMEM;
		above = object;
	}
	return put_at(above, item->string + strlen(above->string) + 1, item);
}

static bool survives(const struct vd_settings_layer *layers, size_t count, size_t index)
{
	for (const cJSON *item = layers[index].settings->child; item; item = item->next) {
		size_t i = index + 1;

		while (i < count && !is_covered_by_any(item->string, layers[i].settings))
			i++;
		if (i == count)
			return true;
	}
	return false;
}

int vd_settings_merge(struct vd_settings_layer *layers, size_t count, cJSON **ret_settings)
{
	VD_CLEANUP(vd_json_free) cJSON *settings = cJSON_CreateObject();
	int r = settings ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++) {
		for (const cJSON *item = layers[i].settings->child; r == 0 && item;
		     item = item->next)
			r = lay(settings, item);
		layers[i].is_in_force = survives(layers, count, i);
	}
	if (r == 0)
		*ret_settings = VD_TAKE(settings);
	return r;
}

/* --- applying --- */

static int wanted_document(const cJSON *desired, const cJSON *before, const cJSON *after,
			   cJSON **ret_wanted)
{
	VD_CLEANUP(vd_json_free) cJSON *wanted = cJSON_Duplicate(desired, true);
	int r = wanted ? 0 : -ENOMEM;

	for (const cJSON *item = before ? before->child : NULL; r == 0 && item; item = item->next) {
		const char *at = inside(item->string);

		if (at && at[0]) {
			remove_at(wanted, at);
		} else {
			(void)vd_json_free(wanted);
			wanted = cJSON_CreateObject();
			r = wanted ? 0 : -ENOMEM;
		}
	}
	for (const cJSON *item = after->child; r == 0 && item; item = item->next) {
		const char *at = inside(item->string);

		if (at && at[0]) {
			r = put_at(wanted, at, item);
		} else {
			(void)vd_json_free(wanted);
			wanted = cJSON_Duplicate(item, true);
			r = wanted ? 0 : -ENOMEM;
		}
	}
	if (r == 0)
		*ret_wanted = VD_TAKE(wanted);
	return r;
}

int vd_settings_patch(const cJSON *desired, const cJSON *before, const cJSON *after,
		      cJSON **ret_patch)
{
	VD_CLEANUP(vd_json_free) cJSON *wanted = NULL;
	int r = wanted_document(desired, before, after, &wanted);

	return r < 0 ? r : vd_merge_diff(desired, wanted, ret_patch);
}
