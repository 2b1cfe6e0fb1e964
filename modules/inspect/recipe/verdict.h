/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"

/* The rules of a recipe (rules.h): reading them, and checking what they refer to. */

/* After the steps. 400 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_recipe_parse_verdict(struct vd_recipe *recipe, const cJSON *json,
				    struct vd_fault *fault);
void vd_recipe_free_verdict(struct vd_recipe *recipe);

/* Is there a rule over what the camera's steps find? */
bool vd_recipe_judges_objects(const struct vd_recipe *recipe, int camera);
