/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/result.h"

/* From the results of a recipe's steps to the item's verdict, by the recipe's rules (rules.h). */

/* results: one a step. */
enum vd_verdict vd_judge(const struct vd_recipe *recipe, const struct vd_step_result *results);

/*
 * Is the item NG whatever the steps say that have no decision yet, whatever the policy for those
 * that never get one?
 */
bool vd_judge_is_forced(const struct vd_recipe *recipe, const struct vd_step_result *results);

/* What a rule over objects says, and "top: unexpectedLabel hair says NG". */
enum { VD_RULE_TEXT = 256 };
enum vd_verdict vd_judge_rule(const struct vd_recipe *recipe, int camera,
			      const struct vd_camera_rule *rule,
			      const struct vd_step_result *results,
			      char ret_text[static VD_RULE_TEXT]);
