/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/result.h"

/* What a verdict's body says about a step. Part of record.h. */

/* Adds recipe's step under its name; boxes: of objects, defects and runs, about so many. false: no memory. */
bool vd_record_add_step(cJSON *steps, const struct vd_recipe *recipe, int index,
			const struct vd_step_result *result, size_t boxes);

/* Three decimals are enough for people, and keep the record small. Not finite: nothing. */
bool vd_record_add_rounded(cJSON *json, const char *key, double value);
