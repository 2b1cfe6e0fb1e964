/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/include.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/expression/expression.h"
#include "modules/inspect/recipe/step.h"

enum { DEPTH_MOST = 8, INCLUDES_MOST = 256 };

/* The fragment at hand, and those it is included by. */
struct level {
	const struct level *outer;
	const char *name;
	char prefix[VD_NAME_BYTES];
	const char *camera; /* NULL: what the steps say */
	int depth;
};

struct flattening {
	const cJSON *fragments;
	cJSON *steps; /* what it becomes */
	struct vd_origins *origins;
	struct vd_fault *fault;
	int origin, includes;
};

/* ---- one step ---- */

static int prefixed(const char *prefix, const char *id, char name[static VD_NAME_BYTES],
		    struct vd_fault *fault)
{
	const int n = snprintf(name, VD_NAME_BYTES, "%s%s", prefix, id);

	return n > 0 && n < VD_NAME_BYTES
		       ? 0
		       : vd_recipe_refuse(fault, "", "with its prefix a name is too long:", id);
}

/* The text at key, if there is one, gets the prefix. */
static int rename_at(cJSON *json, const char *key, const char *prefix, struct vd_fault *fault)
{
	const char *id = vd_json_string(json, key, NULL);
	char name[VD_NAME_BYTES];
	cJSON *text;
	int r;

	if (!id)
		return 0;
	r = prefixed(prefix, id, name, fault);
	if (r < 0)
		return r;
	text = cJSON_CreateString(name);
	return text && cJSON_ReplaceItemInObjectCaseSensitive(json, key, text) ? 0 : -ENOMEM;
}

static int rename_needs(cJSON *json, const char *prefix, struct vd_fault *fault)
{
	cJSON *needs = cJSON_GetObjectItemCaseSensitive(json, "needs");
	const int count = cJSON_GetArraySize(needs);
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		char name[VD_NAME_BYTES];
		cJSON *text;

		r = prefixed(prefix, cJSON_GetArrayItem(needs, i)->valuestring, name, fault);
		if (r < 0)
			return r;
		text = cJSON_CreateString(name);
		r = text && cJSON_ReplaceItemInArray(needs, i, text) ? 0 : -ENOMEM;
	}
	return r;
}

static int rename_in_condition(cJSON *json, const char *prefix, struct vd_fault *fault)
{
	VD_CLEANUP(vd_expression_free) struct vd_expression *expression = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	const char *condition = vd_json_string(json, "condition", NULL);
	cJSON *text;
	int r;

	if (!condition)
		return 0;
	r = vd_expression_parse(condition, strlen(condition), NULL, &expression, fault);
	if (r == 0)
		r = vd_expression_print(expression, prefix, &out);
	if (r < 0)
		return r;
	text = cJSON_CreateString(out.data);
	return text && cJSON_ReplaceItemInObjectCaseSensitive(json, "condition", text) ? 0
										       : -ENOMEM;
}

static int change_step(cJSON *json, const struct level *level, struct vd_fault *fault)
{
	cJSON *foreach = cJSON_GetObjectItemCaseSensitive(json, "foreach"), *camera;
	int r = rename_at(json, "alignTo", level->prefix, fault);

	if (r == 0)
		r = rename_at(json, "input", level->prefix, fault);
	if (r == 0)
		r = rename_needs(json, level->prefix, fault);
	if (r == 0 && foreach)
		r = rename_at(foreach, "step", level->prefix, fault);
	if (r == 0)
		r = rename_in_condition(json, level->prefix, fault);
	if (r < 0 || !level->camera)
		return r;
	camera = cJSON_CreateString(level->camera);
	return camera && cJSON_ReplaceItemInObjectCaseSensitive(json, "camera", camera) ? 0
											: -ENOMEM;
}

/* Takes json. */
static int add_step(struct flattening *flattening, const char *name, cJSON *json)
{
	struct vd_origins *origins = flattening->origins;
	int r = -ENOMEM;

	if (cJSON_GetObjectItemCaseSensitive(flattening->steps, name))
		r = vd_recipe_refuse(flattening->fault, "", "step stands twice:", name);
	else if (origins->count == VD_STEPS_MOST)
		r = vd_recipe_refuse(flattening->fault, "", "too many steps", NULL);
	else if (json && cJSON_AddItemToObject(flattening->steps, name, json))
		r = 0;
	if (r < 0) {
		(void)vd_json_free(json);
		return r;
	}
	origins->include[origins->count++] = flattening->origin;
	return 0;
}

static int take_step(struct flattening *flattening, const cJSON *step, const struct level *level)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_Duplicate(step, true);
	char name[VD_NAME_BYTES];
	int r = json ? prefixed(level->prefix, step->string, name, flattening->fault) : -ENOMEM;

	if (r == 0)
		r = change_step(json, level, flattening->fault);
	if (r < 0) {
		vd_fault_prefix(flattening->fault, "%s", step->string);
		return r;
	}
	return add_step(flattening, name, VD_TAKE(json));
}

/* ---- fragments ---- */

static const cJSON *find_fragment(const struct flattening *flattening, const cJSON *include,
				  const struct level *outer)
{
	const char *name = vd_json_string(include, "fragment", "");
	const cJSON *fragment = vd_json_object(flattening->fragments, name);
	const int64_t rev = vd_json_int(include, "rev", -1);

	for (const struct level *level = outer; level; level = level->outer) {
		if (level->name && strcmp(level->name, name) == 0) {
			(void)vd_recipe_refuse(flattening->fault, "/fragment",
					       "the fragment includes itself:", name);
			return NULL;
		}
	}
	if (!fragment)
		(void)vd_recipe_refuse(flattening->fault, "/fragment", "there is no fragment",
				       name);
	else if (vd_json_int(fragment, "rev", -1) != rev)
		vd_fault_set(flattening->fault, 400, "/rev", "fragment \"%.64s\" has rev %lld",
			     name, (long long)vd_json_int(fragment, "rev", -1));
	else
		return fragment;
	return NULL;
}

static int enter(struct level *level, const struct level *outer, const cJSON *include,
		 struct vd_fault *fault)
{
	const char *prefix = vd_json_string(include, "prefix", "");

	*level = (struct level){ .outer = outer,
				 .name = vd_json_string(include, "fragment", ""),
				 .camera = outer->camera ? outer->camera
							 : vd_json_string(include, "camera", NULL),
				 .depth = outer->depth + 1 };
	if (level->depth > DEPTH_MOST)
		return vd_recipe_refuse(fault, "", "fragments are nested too deep", NULL);
	if (prefix[0] && !vd_name_is_plain(prefix))
		return vd_recipe_refuse(fault, "/prefix",
					"a prefix has letters, digits, '.', '_', '-':", prefix);
	return prefix[0] || outer->prefix[0] ? prefixed(outer->prefix, prefix, level->prefix, fault)
					     : 0;
}

static int take_includes(struct flattening *flattening, const cJSON *includes,
			 const struct level *level);

static int take_fragment(struct flattening *flattening, const cJSON *include,
			 const struct level *outer) /* NOLINT(misc-no-recursion) */
{
	const cJSON *fragment = find_fragment(flattening, include, outer), *step;
	struct level level;
	int r = fragment ? enter(&level, outer, include, flattening->fault) : -EINVAL;

	if (r == 0 && ++flattening->includes > INCLUDES_MOST)
		r = vd_recipe_refuse(flattening->fault, "", "too many fragments", NULL);
	if (r == 0)
		r = take_includes(flattening, vd_json_array(fragment, "include"), &level);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(step, vd_json_object(fragment, "steps"))
	{
		r = take_step(flattening, step, &level);
		if (r < 0)
			break;
	}
	return r;
}

/* level: who includes. Faults deeper inside point at the recipe's own entry. */
static int take_includes(struct flattening *flattening, const cJSON *includes,
			 const struct level *level) /* NOLINT(misc-no-recursion) */
{
	const cJSON *include;
	int i = 0, r = 0;

	cJSON_ArrayForEach(include, includes)
	{
		if (level->depth == 0)
			flattening->origin = i;
		r = take_fragment(flattening, include, level);
		if (r == -EINVAL && level->depth > 0) {
			if (flattening->fault)
				flattening->fault->pointer[0] = '\0';
			vd_fault_prefix(flattening->fault, "fragment %s", level->name);
		} else if (r == -EINVAL) {
			vd_fault_under_index(flattening->fault, i);
			vd_fault_under(flattening->fault, "include");
		}
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

static int take_own(struct flattening *flattening, cJSON *recipe)
{
	cJSON *steps = cJSON_GetObjectItemCaseSensitive(recipe, "steps");
	int r = 0;

	flattening->origin = -1;
	while (r == 0 && steps && steps->child) {
		cJSON *step = cJSON_DetachItemViaPointer(steps, steps->child);
		VD_CLEANUP(vd_free) char *name = strdup(step->string);

		r = name ? add_step(flattening, name, step) : -ENOMEM;
		if (r == -EINVAL) {
			vd_fault_under(flattening->fault, name);
			vd_fault_under(flattening->fault, "steps");
		}
		if (!name)
			(void)vd_json_free(step);
	}
	return r;
}

int vd_include_flatten(cJSON *recipe, const cJSON *fragments, struct vd_origins *ret_origins,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *steps = cJSON_CreateObject();
	struct flattening flattening = { fragments, steps, ret_origins, fault, -1, 0 };
	const struct level outermost = { .depth = 0 };
	int r;

	*ret_origins = (struct vd_origins){ .count = 0 };
	if (!steps)
		return -ENOMEM;
	r = take_includes(&flattening, vd_json_array(recipe, "include"), &outermost);
	if (r == 0)
		r = take_own(&flattening, recipe);
	if (r == 0 && !steps->child)
		r = vd_recipe_refuse(fault, "/steps", "the recipe has no steps", NULL);
	if (r < 0)
		return r;
	cJSON_DeleteItemFromObjectCaseSensitive(recipe, "steps");
	return cJSON_AddItemToObject(recipe, "steps", VD_TAKE(steps)) ? 0 : -ENOMEM;
}

/* ---- faults ---- */

static bool is_under(const struct vd_fault *fault, const char *step, size_t *ret_len)
{
	struct vd_fault place = { 0 };

	vd_fault_set(&place, 400, "", "%s", "");
	vd_fault_under(&place, step);
	vd_fault_under(&place, "steps");
	*ret_len = strlen(place.pointer);
	return strncmp(fault->pointer, place.pointer, *ret_len) == 0 &&
	       (fault->pointer[*ret_len] == '/' || fault->pointer[*ret_len] == '\0');
}

void vd_include_explain(const cJSON *recipe, const struct vd_origins *origins,
			struct vd_fault *fault)
{
	const cJSON *step;
	size_t len;
	int i = 0;

	if (!fault)
		return;
	cJSON_ArrayForEach(step, vd_json_object(recipe, "steps"))
	{
		const int origin = i < origins->count ? origins->include[i] : -1;

		i++;
		if (origin < 0 || !is_under(fault, step->string, &len))
			continue;
		vd_fault_prefix(fault, "%s%s", step->string, fault->pointer + len);
		fault->pointer[0] = '\0';
		vd_fault_under_index(fault, origin);
		vd_fault_under(fault, "include");
		return;
	}
}
