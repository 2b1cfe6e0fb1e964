/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/recipe/condition.h"
#include "modules/inspect/tools/rig.h"
#include "modules/inspect/recipe/step.h"

static uint32_t bit(int step)
{
	return UINT32_C(1) << step;
}

static enum vd_stead stead_of(const cJSON *json, const char *key)
{
	const char *name = vd_json_string(json, key, "noDecision");

	return strcmp(name, "ok") == 0   ? VD_STEAD_OK
	       : strcmp(name, "ng") == 0 ? VD_STEAD_NG
					 : VD_STEAD_NO_DECISION;
}

/* ---- what a step needs ---- */

static int read_needs(const struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
		      struct vd_fault *fault)
{
	const cJSON *id;
	int i = 0;

	cJSON_ArrayForEach(id, vd_json_array(json, "needs"))
	{
		const int target = vd_recipe_step(recipe, id->valuestring);

		if (target < 0 || (step->turn.needs & bit(target))) {
			(void)vd_recipe_refuse(fault, "",
					       target < 0 ? "the recipe has no step"
							  : "step stands twice:",
					       id->valuestring);
			vd_fault_under_index(fault, i);
			vd_fault_under(fault, "needs");
			return -EINVAL;
		}
		step->turn.needs |= bit(target);
		i++;
	}
	return 0;
}

static int read_each(const struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
		     struct vd_fault *fault)
{
	const cJSON *foreach = vd_json_object(json, "foreach");
	const char *id = vd_json_string(foreach, "step", "");
	struct vd_each *each = &step->turn.each;

	if (!foreach)
		return 0;
	each->step = vd_recipe_step(recipe, id);
	if (each->step < 0)
		return vd_recipe_refuse(fault, "/foreach/step", "the recipe has no step", id);
	if (!vd_tool_finds_objects(recipe->steps[each->step].tool))
		return vd_recipe_refuse(fault, "/foreach/step", "finds no objects: step", id);
	if (recipe->steps[each->step].camera != step->camera)
		return vd_recipe_refuse(fault, "/foreach/step", "another camera's step:", id);
	if (step->align_to >= 0)
		return vd_recipe_refuse(fault, "/alignTo", "the objects say where, not",
					recipe->steps[step->align_to].id);
	if (step->roi.width > 0 || !vd_step_takes_regions(step))
		return vd_recipe_refuse(fault, "/foreach", "the objects say where; no place of its",
					"own");
	(void)snprintf(each->label, sizeof each->label, "%s", vd_json_string(foreach, "label", ""));
	each->max = (int)vd_json_int(foreach, "max", 16);
	each->when_empty = stead_of(foreach, "whenEmpty");
	step->turn.needs |= bit(each->step);
	return 0;
}

static int read_condition(const struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
			  struct vd_fault *fault)
{
	const struct vd_scope scope = vd_condition_scope(recipe);
	const char *text = vd_json_string(json, "condition", NULL);
	int r;

	step->turn.when_skipped = stead_of(json, "whenSkipped");
	if (!text)
		return 0;
	r = vd_expression_parse(text, strlen(text), &scope, &step->turn.condition, fault);
	if (r == 0 && vd_expression_is_constant(step->turn.condition))
		r = vd_recipe_refuse(fault, "", "it speaks of nothing that could change", NULL);
	if (r < 0)
		vd_fault_under(fault, "condition");
	else
		step->turn.needs |= vd_expression_steps(step->turn.condition);
	return r;
}

static int read_turn(const struct vd_recipe *recipe, struct vd_step *step, const cJSON *json,
		     struct vd_fault *fault)
{
	int r = read_needs(recipe, step, json, fault);

	step->turn.max_ms = (int)vd_json_int(json, "maxMs", 0);
	if (step->align_to >= 0)
		step->turn.needs |= bit(step->align_to);
	if (step->input >= 0)
		step->turn.needs |= bit(step->input);
	if (r == 0)
		r = read_each(recipe, step, json, fault);
	return r < 0 ? r : read_condition(recipe, step, json, fault);
}

/* ---- the order ---- */

/* The first, locate steps before others, that has all it needs and is not done; -1: none. */
static int next_step(const struct vd_recipe *recipe, uint32_t done)
{
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < recipe->step_count; i++) {
			const struct vd_step *step = &recipe->steps[i];

			if ((step->tool == VD_LOCATE) == (pass == 0) && !(done & bit(i)) &&
			    !(step->turn.needs & ~done))
				return i;
		}
	}
	return -1;
}

/* Each step that is left needs one that is left: following those must come round. */
static int refuse_cycle(const struct vd_recipe *recipe, uint32_t done, struct vd_fault *fault)
{
	uint32_t seen = 0;
	char text[200] = "";
	int at = 0, n = 0;

	while (done & bit(at))
		at++;
	while (!(seen & bit(at))) { /* into the cycle */
		seen |= bit(at);
		at = __builtin_ctz(recipe->steps[at].turn.needs & ~done);
	}
	for (int i = at; n >= 0 && (size_t)n < sizeof text;) {
		const int next = __builtin_ctz(recipe->steps[i].turn.needs & ~done);

		n += snprintf(text + n, sizeof text - (size_t)n, "%.64s needs ",
			      recipe->steps[i].id);
		i = next;
		if (i == at)
			break;
	}
	vd_fault_set(fault, 400, "/needs", "a circle: %s%.64s", text, recipe->steps[at].id);
	vd_fault_under(fault, recipe->steps[at].id);
	return -EINVAL;
}

static int make_order(struct vd_recipe *recipe, struct vd_fault *fault)
{
	uint32_t done = 0;

	for (int n = 0; n < recipe->step_count; n++) {
		const int step = next_step(recipe, done);

		if (step < 0)
			return refuse_cycle(recipe, done, fault);
		recipe->order[n] = step;
		done |= bit(step);
	}
	return 0;
}

/* ---- gates ---- */

static bool says_needs(const cJSON *steps)
{
	const cJSON *json;

	cJSON_ArrayForEach(json, steps)
	{
		if (vd_json_array(json, "needs"))
			return true;
	}
	return false;
}

/* In the order that is there already, so that no circle can come of it. */
static void place_gates(struct vd_recipe *recipe, bool stops_all)
{
	uint32_t before = 0;

	for (int n = 0; n < recipe->step_count; n++) {
		const int i = recipe->order[n];
		struct vd_turn *turn = &recipe->steps[i].turn;

		if (stops_all)
			turn->needs |= before;
		for (int k = 0; k < n; k++) {
			const int earlier = recipe->order[k];

			if (turn->needs & bit(earlier))
				turn->gates |= recipe->steps[earlier].turn.gates |
					       (recipe->steps[earlier].gate ? bit(earlier) : 0);
		}
		if (recipe->steps[i].gate)
			before |= bit(i);
	}
}

int vd_plan_make(struct vd_recipe *recipe, const cJSON *steps, struct vd_fault *fault)
{
	const cJSON *json;
	int i = 0, r = 0;

	cJSON_ArrayForEach(json, steps)
	{
		r = read_turn(recipe, &recipe->steps[i++], json, fault);
		if (r < 0) {
			vd_fault_under(fault, json->string);
			return r;
		}
	}
	r = make_order(recipe, fault);
	if (r == 0)
		place_gates(recipe, !says_needs(steps));
	return r;
}
