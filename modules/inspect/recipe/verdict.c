/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/recipe/step.h"

/* ---- cameras ---- */

static enum vd_camera_rule_kind camera_rule_kind(const char *name)
{
	for (int i = 0; i < VD_CAMERA_RULES; i++) {
		if (strcmp(vd_camera_rule_name((enum vd_camera_rule_kind)i), name) == 0)
			return (enum vd_camera_rule_kind)i;
	}
	return VD_ALL_OK;
}

static int parse_counts(struct vd_camera_rule *rule, const cJSON *json, struct vd_fault *fault)
{
	const int exactly = (int)vd_json_int(json, "exactly", -1);

	rule->min = (int)vd_json_int(json, "min", 0);
	rule->max = (int)vd_json_int(json, "max", -1);
	if (exactly >= 0 && (vd_json_get(json, "min") || vd_json_get(json, "max")))
		return vd_recipe_refuse(fault, "/exactly", "it stands instead of min and max",
					NULL);
	if (exactly >= 0)
		rule->min = rule->max = exactly;
	if (rule->max >= 0 && rule->min > rule->max)
		return vd_recipe_refuse(fault, "/min", "min is above max", NULL);
	return 0;
}

static int parse_scores(struct vd_camera_rule *rule, const cJSON *json, struct vd_fault *fault)
{
	rule->limits = (struct vd_limits){ vd_json_number(json, "min", NAN),
					   vd_json_number(json, "max", NAN),
					   vd_json_number(json, "warn", NAN) };
	return vd_limits_check(&rule->limits, fault);
}

static int parse_place(struct vd_camera_rule *rule, const cJSON *json, struct vd_fault *fault)
{
	rule->x = vd_json_number(json, "x", 0);
	rule->y = vd_json_number(json, "y", 0);
	rule->limits = (struct vd_limits){ NAN, vd_json_number(json, "tolerancePx", 0),
					   vd_json_number(json, "warnPx", NAN) };
	if (rule->limits.warn > rule->limits.max)
		return vd_recipe_refuse(fault, "/warnPx", "warnPx is above tolerancePx", NULL);
	return 0;
}

static int parse_labels(struct vd_camera_rule *rule, const cJSON *json)
{
	const cJSON *labels = vd_json_array(json, "labels"), *label;

	rule->along_y = strcmp(vd_json_string(json, "along", "x"), "y") == 0;
	rule->labels = calloc((size_t)cJSON_GetArraySize(labels) + 1, sizeof *rule->labels);
	if (!rule->labels)
		return -ENOMEM;
	cJSON_ArrayForEach(label, labels)
	{
		rule->labels[rule->label_count++] = label->valuestring;
	}
	return 0;
}

/* Somebody must find the objects, or the rule would look at none, always. */
static int check_finders(const struct vd_recipe *recipe, int camera, struct vd_camera_rule *rule,
			 const cJSON *json, struct vd_fault *fault)
{
	const char *id = vd_json_string(json, "step", NULL);
	bool is_found = false;

	rule->step = id ? vd_recipe_step(recipe, id) : -1;
	if (id && rule->step < 0)
		return vd_recipe_refuse(fault, "/step", "the recipe has no step", id);
	if (id && recipe->steps[rule->step].camera != camera)
		return vd_recipe_refuse(fault, "/step", "another camera's step:", id);
	for (int i = 0; i < recipe->step_count; i++) {
		if (recipe->steps[i].camera == camera && (rule->step < 0 || rule->step == i))
			is_found |= vd_tool_finds_objects(recipe->steps[i].tool);
	}
	if (is_found)
		return 0;
	return id ? vd_recipe_refuse(fault, "/step", "finds no objects: step", id)
		  : vd_recipe_refuse(fault, "/rule", "no step of the camera finds objects", NULL);
}

static int parse_camera_rule(const struct vd_recipe *recipe, int camera,
			     struct vd_camera_rule *rule, const cJSON *json, struct vd_fault *fault)
{
	int r = 0;

	rule->kind = camera_rule_kind(vd_json_string(json, "rule", "allOk"));
	rule->step = -1;
	rule->max = -1;
	rule->label = vd_json_string(json, "label", NULL);
	rule->every = strcmp(vd_json_string(json, "match", "any"), "all") == 0;
	if (rule->kind > VD_ANY_OK)
		r = check_finders(recipe, camera, rule, json, fault);
	if (r < 0)
		return r;
	switch (rule->kind) {
	case VD_OBJECTS:
		return parse_counts(rule, json, fault);
	case VD_SCORE:
		return parse_scores(rule, json, fault);
	case VD_POSITION:
		return parse_place(rule, json, fault);
	case VD_ORDER:
		return parse_labels(rule, json);
	default:
		return 0;
	}
}

/* One rule, or the list of "all". */
static int parse_rules_of(struct vd_recipe *recipe, int camera, const cJSON *json,
			  struct vd_fault *fault)
{
	const cJSON *list = vd_json_array(json, "rules"), *one;
	struct vd_camera_rules *rules = &recipe->camera_rules[camera];
	int r = 0;

	rules->list = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *rules->list);
	if (!rules->list)
		return -ENOMEM;
	if (!list)
		return parse_camera_rule(recipe, camera, &rules->list[rules->count++], json, fault);
	cJSON_ArrayForEach(one, list)
	{
		const int at = (int)rules->count;

		r = parse_camera_rule(recipe, camera, &rules->list[rules->count++], one, fault);
		if (r < 0) {
			vd_fault_under_index(fault, at);
			vd_fault_under(fault, "rules");
			break;
		}
	}
	return r;
}

static int parse_camera_rules(struct vd_recipe *recipe, const cJSON *verdict,
			      struct vd_fault *fault)
{
	const cJSON *rule;

	cJSON_ArrayForEach(rule, vd_json_object(verdict, "cameras"))
	{
		const int camera = vd_recipe_camera(recipe, rule->string);
		int r = camera < 0 ? vd_recipe_refuse(fault, "", "the recipe has no camera",
						      rule->string)
				   : parse_rules_of(recipe, camera, rule, fault);

		if (r < 0) {
			vd_fault_under(fault, rule->string);
			vd_fault_under(fault, "cameras");
			return r;
		}
	}
	return 0;
}

void vd_recipe_free_verdict(struct vd_recipe *recipe)
{
	for (int i = 0; i < recipe->camera_count; i++) {
		struct vd_camera_rules *rules = &recipe->camera_rules[i];

		for (size_t k = 0; k < rules->count; k++)
			free(rules->list[k].labels);
		free(rules->list);
		*rules = (struct vd_camera_rules){ 0 };
	}
}

bool vd_recipe_judges_objects(const struct vd_recipe *recipe, int camera)
{
	for (size_t i = 0; i < recipe->camera_rules[camera].count; i++) {
		if (recipe->camera_rules[camera].list[i].kind > VD_ANY_OK)
			return true;
	}
	return false;
}

/* ---- items ---- */

static int parse_step_list(const struct vd_recipe *recipe, const cJSON *json, const char *key,
			   int *steps, int *ret_count, struct vd_fault *fault)
{
	const cJSON *id;
	int count = 0;

	cJSON_ArrayForEach(id, vd_json_array(json, key))
	{
		const int step = vd_recipe_step(recipe, id->valuestring);
		const bool judges = step < 0 || recipe->steps[step].tool != VD_IMAGE;
		bool twice = false;

		for (int i = 0; i < count; i++)
			twice |= steps[i] == step;
		if (step >= 0 && judges && !twice && count < VD_STEPS_MOST) {
			steps[count++] = step;
			continue;
		}
		(void)vd_recipe_refuse(fault, "",
				       twice    ? "step stands twice:"
				       : judges ? "the recipe has no step"
						: "makes an image and judges nothing: step",
				       id->valuestring);
		vd_fault_under_index(fault, count);
		vd_fault_under(fault, key);
		return -EINVAL;
	}
	*ret_count = count;
	return 0;
}

static enum vd_item_rule_kind item_rule_kind(const char *name)
{
	for (int i = 0; i < VD_ITEM_RULES; i++) {
		if (strcmp(vd_item_rule_name((enum vd_item_rule_kind)i), name) == 0)
			return (enum vd_item_rule_kind)i;
	}
	return VD_ITEM_ALL_OK;
}

static int check_item_rule(const struct vd_recipe *recipe, const cJSON *item,
			   struct vd_fault *fault)
{
	const int parts = recipe->item_is_steps ? recipe->item_step_count : recipe->camera_count;
	const struct vd_item_rule *rule = &recipe->item_rule;

	if (rule->kind == VD_ITEM_MIN_OK && !vd_json_get(item, "min"))
		return vd_recipe_refuse(fault, "/min", "minOk needs min", NULL);
	if (rule->kind == VD_ITEM_MIN_OK && rule->count > parts)
		return vd_recipe_refuse(fault, "/min", "more than there are parts", NULL);
	if (rule->kind == VD_ITEM_MAX_NG && !vd_json_get(item, "max"))
		return vd_recipe_refuse(fault, "/max", "maxNg needs max", NULL);
	if (rule->kind == VD_ITEM_MAX_NG && rule->count >= parts)
		return vd_recipe_refuse(fault, "/max", "every part could be NG", NULL);
	if (rule->kind == VD_ITEM_MIN_OK_RATIO && !vd_json_get(item, "ratio"))
		return vd_recipe_refuse(fault, "/ratio", "minOkRatio needs ratio", NULL);
	return 0;
}

static int parse_item_rule(struct vd_recipe *recipe, const cJSON *item, struct vd_fault *fault)
{
	struct vd_item_rule *rule = &recipe->item_rule;
	int r;

	rule->kind = item_rule_kind(vd_json_string(item, "rule", "allOk"));
	rule->count = (int)vd_json_int(item, rule->kind == VD_ITEM_MIN_OK ? "min" : "max", 0);
	rule->ratio = vd_json_number(item, "ratio", 1);
	rule->max_warn = (int)vd_json_int(item, "maxWarn", -1);
	recipe->stops_early = strcmp(vd_json_string(item, "evidence", "all"), "untilDecided") == 0;
	recipe->item_is_steps = vd_json_array(item, "steps") != NULL;
	r = parse_step_list(recipe, item, "steps", recipe->item_steps, &recipe->item_step_count,
			    fault);
	if (r == 0)
		r = parse_step_list(recipe, item, "veto", recipe->vetoes, &recipe->veto_count,
				    fault);
	return r < 0 ? r : check_item_rule(recipe, item, fault);
}

int vd_recipe_parse_verdict(struct vd_recipe *recipe, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *verdict = vd_json_object(json, "verdict");
	int r;

	recipe->item_rule.missing_is_ng =
		strcmp(vd_json_string(verdict, "onNoDecision", "NO_DECISION"), "NG") == 0;
	r = parse_camera_rules(recipe, verdict, fault);
	if (r == 0) {
		r = parse_item_rule(recipe, vd_json_object(verdict, "item"), fault);
		if (r < 0)
			vd_fault_under(fault, "item");
	}
	if (r < 0)
		vd_fault_under(fault, "verdict");
	return r;
}
