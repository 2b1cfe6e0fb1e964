/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/expression/expression.h"
#include "modules/inspect/item.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/result.h"

/*
 * What conditions may speak of:
 *   item.serial, item.recipe, item.source (of the trigger)    texts
 *   steps.NAME.verdict, .label (of the first object), .code   texts
 *   steps.NAME.labels                                         labels, for "in"
 *   steps.NAME.objects, and every measure of its tool         numbers
 * All of a step without a decision is missing, so that a condition about it is unknown.
 */
struct vd_scope vd_condition_scope(const struct vd_recipe *recipe);

/* results: one a step; those that the condition speaks of are there. ret_missing: as evaluate's. */
enum vd_truth vd_condition_holds(const struct vd_step *step, const struct vd_item *item,
				 const struct vd_step_result *results, char *ret_missing,
				 size_t size);
