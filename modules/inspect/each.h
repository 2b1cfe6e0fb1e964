/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/inspect/result.h"
#include "modules/inspect/rig.h"

/*
 * Runs a step on the box of each object that another step found. The verdict is the worst one, and
 * the measures are those of the object it comes from; objects found on the way are collected. No
 * object at all, and more than are to be looked at, have outcomes of their own.
 *
 * source: what the other step, called `name`, found.
 */
void vd_each_run(struct vd_rig *rig, int step, const struct vd_step_view *view, const char *name,
		 const struct vd_step_result *source, struct vd_step_result *ret_result);
