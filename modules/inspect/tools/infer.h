/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/tools/package.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/result.h"

/*
 * Runs the steps that ask a model: what it answers becomes objects, measures and a verdict. A model
 * that is not there, fails, takes too long or is not sure leaves the step without a decision.
 */

/* image: the region, grey or RGB, turned as the step wants it. where: the region as it was taught; result->pose moves it. */
void vd_infer(struct vd_answer *answer, const struct vd_step *step, const struct vd_image *image,
	      struct vd_rect where, struct vd_step_result *result);
