/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/condition.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OF_ITEM = -1 };

enum item_name { ITEM_SERIAL, ITEM_RECIPE, ITEM_SOURCE };

/* Beside the measures, which keep their own numbers. */
enum step_name { STEP_VERDICT = VD_MEASURES, STEP_LABEL, STEP_LABELS, STEP_OBJECTS, STEP_CODE };

/* ---- names ---- */

static bool find_item(const char *what, struct vd_name *name, char text[static VD_EXPRESSION_TEXT])
{
	static const char *const names[] = { "serial", "recipe", "source" };

	for (size_t i = 0; i < VD_COUNT(names); i++) {
		if (strcmp(names[i], what) != 0)
			continue;
		*name = (struct vd_name){ VD_TYPE_TEXT, OF_ITEM, (int)i };
		return true;
	}
	(void)snprintf(text, VD_EXPRESSION_TEXT,
		       "an item has serial, recipe, source; not \"%.60s\"", what);
	return false;
}

static bool has(const struct vd_step *step, int what)
{
	switch (what) {
	case STEP_LABEL:
	case STEP_LABELS:
	case STEP_OBJECTS:
		return vd_tool_finds_objects(step->tool);
	case STEP_CODE:
		return step->tool == VD_CODE || step->tool == VD_OCR;
	default:
		return true;
	}
}

static int what_of(const struct vd_step *step, const char *what, enum vd_type *type)
{
	static const struct {
		const char *name;
		enum vd_type type;
	} names[] = { { "verdict", VD_TYPE_TEXT },
		      { "label", VD_TYPE_TEXT },
		      { "labels", VD_TYPE_LABELS },
		      { "objects", VD_TYPE_NUMBER },
		      { "code", VD_TYPE_TEXT } };

	for (int i = 0; i < (int)VD_COUNT(names); i++) {
		*type = names[i].type;
		if (strcmp(names[i].name, what) == 0)
			return has(step, STEP_VERDICT + i) ? STEP_VERDICT + i : -1;
	}
	*type = VD_TYPE_NUMBER;
	for (int i = 0; i < VD_MEASURES; i++) {
		if (strcmp(vd_measure_name((enum vd_measure)i), what) == 0)
			return vd_tool_measures(step->tool, (enum vd_measure)i) ? i : -1;
	}
	return -1;
}

static bool find_step(const struct vd_recipe *recipe, const char *id, const char *what,
		      struct vd_name *name, char text[static VD_EXPRESSION_TEXT])
{
	name->of = vd_recipe_step(recipe, id);
	if (name->of < 0) {
		(void)snprintf(text, VD_EXPRESSION_TEXT, "the recipe has no step \"%.64s\"", id);
		return false;
	}
	name->what = what_of(&recipe->steps[name->of], what, &name->type);
	if (name->what >= 0)
		return true;
	(void)snprintf(text, VD_EXPRESSION_TEXT, "step \"%.64s\" (%s) has no \"%.40s\"", id,
		       vd_tool_name(recipe->steps[name->of].tool), what);
	return false;
}

static bool find(void *argument, const char *const *parts, int count, struct vd_name *name,
		 char text[static VD_EXPRESSION_TEXT])
{
	if (count == 2 && strcmp(parts[0], "item") == 0)
		return find_item(parts[1], name, text);
	if (count == 3 && strcmp(parts[0], "steps") == 0)
		return find_step(argument, parts[1], parts[2], name, text);
	(void)snprintf(text, VD_EXPRESSION_TEXT, "a name is item.X or steps.STEP.X");
	return false;
}

struct vd_scope vd_condition_scope(const struct vd_recipe *recipe)
{
	return (struct vd_scope){ find, (void *)(uintptr_t)recipe };
}

/* ---- values ---- */

struct facts {
	const struct vd_item *item;
	const struct vd_step_result *results;
};

static struct vd_value text_value(const char *text)
{
	return (struct vd_value){ .is_missing = !text || !text[0], .text = text };
}

static struct vd_value number_value(double number)
{
	return (struct vd_value){ .is_missing = !isfinite(number), .number = number };
}

static struct vd_value look_up_item(const struct vd_item *item, int what)
{
	switch ((enum item_name)what) {
	case ITEM_SERIAL:
		return text_value(item->serial);
	case ITEM_RECIPE:
		return text_value(item->recipe->name);
	case ITEM_SOURCE:
		break;
	}
	return text_value(vd_json_string(item->trigger, "source", NULL));
}

static bool is_lost(const struct vd_step_result *result)
{
	return result->verdict == VD_NO_DECISION || result->state != VD_STEP_RAN;
}

static struct vd_value look_up(void *argument, const struct vd_name *name)
{
	const struct facts *facts = argument;
	const struct vd_step_result *result;

	if (name->of == OF_ITEM)
		return look_up_item(facts->item, name->what);
	result = &facts->results[name->of];
	if (is_lost(result))
		return (struct vd_value){ .is_missing = true };
	switch (name->what) {
	case STEP_VERDICT:
		return text_value(vd_verdict_name(result->verdict));
	case STEP_LABEL:
		return text_value(result->objects.count ? result->objects.list[0].label : NULL);
	case STEP_LABELS:
		return (struct vd_value){ .is_missing = false };
	case STEP_OBJECTS:
		return number_value((double)(result->objects.count + result->objects.left_out));
	case STEP_CODE:
		return text_value(result->read);
	default:
		return number_value(result->values[name->what]);
	}
}

static enum vd_truth has_label(void *argument, const struct vd_name *name, const char *label)
{
	const struct facts *facts = argument;
	const struct vd_step_result *result = &facts->results[name->of];

	if (is_lost(result))
		return VD_UNKNOWN;
	for (size_t i = 0; i < result->objects.count; i++) {
		if (strcmp(result->objects.list[i].label, label) == 0)
			return VD_TRUE;
	}
	return result->objects.left_out > 0 ? VD_UNKNOWN : VD_FALSE;
}

enum vd_truth vd_condition_holds(const struct vd_step *step, const struct vd_item *item,
				 const struct vd_step_result *results, char *ret_missing,
				 size_t size)
{
	struct facts known = { item, results };
	const struct vd_facts facts = { look_up, has_label, &known };

	return vd_expression_evaluate(step->turn.condition, &facts, ret_missing, size);
}
