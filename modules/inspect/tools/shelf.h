/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/recipe/recipe.h"

/*
 * The model packages of this process. A set of recipes is given its packages before it is in
 * force, beside those that still judge; items hold their set, and so switch between one and the
 * next. The last packages no longer used stay loaded, so that going back to them costs nothing.
 * Any thread.
 */
enum { VD_SHELF_PLACES = 64, VD_SHELF_SPARE = 2 };

/*
 * Loads what the set's steps ask for. In fault, with the pointer: as vd_package_load, and 400 where a
 * step expects what its model cannot answer. On failure the set has no new packages.
 */
VD_MUST int vd_recipe_set_equip(struct vd_recipe_set *set, struct vd_fault *fault);

/* Adds "packages": name, version, digest and backend by step; false: no memory. */
bool vd_recipe_add_packages(const struct vd_recipe *recipe, cJSON *json);

/* Forgets packages that nobody uses. */
void vd_shelf_clear(void);
