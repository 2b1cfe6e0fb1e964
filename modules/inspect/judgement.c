/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/judgement.h"

#include <stdio.h>

static struct vd_part part_of(const struct vd_step_result *result)
{
	return (struct vd_part){ .verdict = result->verdict,
				 .is_skipped = result->state == VD_STEP_SKIPPED &&
					       result->verdict == VD_OK };
}

/* An image that was made is neither for the part nor against it; one that was not is missing. */
static bool says_nothing(const struct vd_step *step, const struct vd_step_result *result)
{
	return step->tool == VD_IMAGE && result->verdict == VD_OK;
}

static size_t collect(const struct vd_recipe *recipe, int camera,
		      const struct vd_step_result *results,
		      struct vd_step_outcome outcomes[static VD_STEPS_MOST])
{
	size_t count = 0;

	for (int i = 0; i < recipe->step_count; i++) {
		if (recipe->steps[i].camera != camera ||
		    says_nothing(&recipe->steps[i], &results[i]))
			continue;
		outcomes[count++] = (struct vd_step_outcome){ .part = part_of(&results[i]),
							      .objects = &results[i].objects,
							      .pose = &results[i].pose,
							      .place = &results[i].place,
							      .step = i };
	}
	return count;
}

static struct vd_part judge_camera(const struct vd_recipe *recipe, int camera,
				   const struct vd_step_result *results)
{
	struct vd_step_outcome outcomes[VD_STEPS_MOST];
	const size_t count = collect(recipe, camera, results, outcomes);
	const struct vd_camera_rules *rules = &recipe->camera_rules[camera];

	return vd_camera_judge(rules->list, rules->count, outcomes, count);
}

static enum vd_verdict judge_by(const struct vd_recipe *recipe, const struct vd_item_rule *rule,
				const struct vd_step_result *results)
{
	struct vd_part parts[VD_STEPS_MOST], vetoes[VD_STEPS_MOST];
	size_t count = 0;

	for (int i = 0; !recipe->item_is_steps && i < recipe->camera_count; i++)
		parts[count++] = judge_camera(recipe, i, results);
	for (int i = 0; recipe->item_is_steps && i < recipe->item_step_count; i++)
		parts[count++] = part_of(&results[recipe->item_steps[i]]);
	for (int i = 0; i < recipe->veto_count; i++)
		vetoes[i] = part_of(&results[recipe->vetoes[i]]);
	return vd_item_judge(rule, parts, count, vetoes, (size_t)recipe->veto_count);
}

enum vd_verdict vd_judge(const struct vd_recipe *recipe, const struct vd_step_result *results)
{
	return judge_by(recipe, &recipe->item_rule, results);
}

bool vd_judge_is_forced(const struct vd_recipe *recipe, const struct vd_step_result *results)
{
	struct vd_item_rule rule = recipe->item_rule;

	rule.missing_is_ng = false;
	return judge_by(recipe, &rule, results) == VD_NG;
}

enum vd_verdict vd_judge_rule(const struct vd_recipe *recipe, int camera,
			      const struct vd_camera_rule *rule,
			      const struct vd_step_result *results,
			      char ret_text[static VD_RULE_TEXT])
{
	struct vd_step_outcome outcomes[VD_STEPS_MOST];
	const size_t count = collect(recipe, camera, results, outcomes);
	const enum vd_verdict verdict = vd_objects_judge(rule, outcomes, count);

	(void)snprintf(ret_text, VD_RULE_TEXT, "%s: %s%s%s%s%s says %s", recipe->cameras[camera],
		       vd_camera_rule_name(rule->kind), rule->label ? " " : "",
		       rule->label ? rule->label : "", rule->step < 0 ? "" : " of ",
		       rule->step < 0 ? "" : recipe->steps[rule->step].id,
		       vd_verdict_name(verdict));
	return verdict;
}
