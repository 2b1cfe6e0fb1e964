/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"

/*
 * What a station of this program, on this machine, can do: its tools and rules, the libraries that
 * are there, its bounds. It stands in reported state, so that whoever writes recipes can look; and
 * recipes are held against it before they are in force.
 */

/* Adds "inventory"; false: no memory. */
bool vd_inventory_add(cJSON *json);

/*
 * 400 in fault, pointing at the step, and -EINVAL for a set that wants what is not there: codes
 * without the library that reads them. Models: shelf.h.
 */
VD_MUST int vd_inventory_check(const struct vd_recipe_set *set, struct vd_fault *fault);
