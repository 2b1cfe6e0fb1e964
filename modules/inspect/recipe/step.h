/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"

/* The steps of a recipe: reading them, and checking what they refer to. Part of recipe.h. */

/* Fills recipe->steps; the cameras must be there already. 400 in fault and -EINVAL; -ENOMEM. */
VD_MUST int vd_recipe_parse_steps(struct vd_recipe *recipe, const cJSON *steps,
				  struct vd_fault *fault);

/* Sets 400, the pointer and `text "what"` (what may be NULL); returns -EINVAL. */
int vd_recipe_refuse(struct vd_fault *fault, const char *pointer, const char *text,
		     const char *what);

/* Of an array of four integers, as the schema has it. */
struct vd_rect vd_step_area(const cJSON *array);

/* Are min, max and warn in an order that makes sense? 400 in fault and -EINVAL. */
VD_MUST int vd_limits_check(const struct vd_limits *limits, struct vd_fault *fault);

/*
 * The parameters of a tool that gauges, after its region and limits. 400 in fault and -EINVAL for
 * what a schema cannot say; -ENOMEM.
 */
VD_MUST int vd_step_parse_gauge(struct vd_step *step, const cJSON *json, struct vd_fault *fault);

/* The same for a tool that asks a model. */
VD_MUST int vd_step_parse_model(struct vd_step *step, const cJSON *json, struct vd_fault *fault);

/* The same for a step that makes an image. */
VD_MUST int vd_step_parse_image(struct vd_step *step, const cJSON *json, struct vd_fault *fault);

/*
 * After all steps are read: fills their inputs; no image is made of itself. The pointer begins with
 * the step's name.
 */
VD_MUST int vd_recipe_resolve_inputs(struct vd_recipe *recipe, const cJSON *steps,
				     struct vd_fault *fault);

/* Then: are regions and crops inside what they look at, as far as its size is known? Likewise. */
VD_MUST int vd_recipe_check_regions(const struct vd_recipe *recipe, struct vd_fault *fault);
