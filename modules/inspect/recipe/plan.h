/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"

/*
 * The order of a recipe's steps: a graph without cycles, found when the recipe is read.
 *
 * A step needs what it says (needs), the locate step it aligns to, the step whose image it looks
 * at, the step whose objects it is run on, and the steps that its condition speaks of. Among those
 * that could be next, locate steps come first, then the order of the recipe. A gate stops the steps
 * that need it, directly or not; in a recipe where no step says what it needs, it stops all that
 * stand behind it in that order.
 */

/*
 * After all steps are read: fills their turns and the recipe's order. 400 in fault, the pointer
 * beginning with the step's name, and -EINVAL; -ENOMEM.
 */
VD_MUST int vd_plan_make(struct vd_recipe *recipe, const cJSON *steps, struct vd_fault *fault);
