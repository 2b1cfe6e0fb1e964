/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"

/*
 * Recipes that include fragments become recipes that do not: the fragments' steps, under their
 * prefix, stand before the recipe's own. Where a fragment's steps name one another (needs,
 * alignTo, foreach, condition) the prefix is put there too; a fragment knows no other steps.
 */
struct vd_origins {
	int include[VD_STEPS_MOST]; /* of each step: the entry of include it came by; -1: its own */
	int count;
};

/*
 * Changes recipe's steps. fragments: may be NULL. 400 in fault, pointing into recipe, and -EINVAL
 * for a fragment that is not there or has another revision, that includes itself, for a name
 * that stands twice; -ENOMEM.
 */
VD_MUST int vd_include_flatten(cJSON *recipe, const cJSON *fragments,
			       struct vd_origins *ret_origins, struct vd_fault *fault);

/* A fault in a step that came by an include points at that, and names the step in its text. */
void vd_include_explain(const cJSON *recipe, const struct vd_origins *origins,
			struct vd_fault *fault);
