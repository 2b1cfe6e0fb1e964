/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/inspect/result.h"
#include "modules/inspect/tools/rig.h"

/*
 * Runs a step on the box of each object that another step found. The verdict is the worst one, and
 * the measures are those of the object it comes from; objects found on the way are collected. No
 * object at all, and more than are to be looked at, have outcomes of their own.
 *
 * results: one a step; that of the other step is there.
 */
void vd_each_run(const struct vd_runner *runner, const struct vd_recipe *recipe, int step,
		 const struct vd_step_view *view, const struct vd_step_result *results,
		 struct vd_step_result *ret_result);
