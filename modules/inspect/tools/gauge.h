/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/tools/rig.h"

/*
 * Runs the steps that measure a frame directly: caliper, blob, presence, stain, colour, focus and
 * code. Memory is used again from step to step. One thread.
 */
struct vd_gauge;

/* -ENOMEM. */
VD_MUST int vd_gauge_new(struct vd_gauge **ret_gauge);
struct vd_gauge *vd_gauge_free(struct vd_gauge *gauge);
VD_DEFINE_CLEANUP(struct vd_gauge, vd_gauge_free)

struct vd_gauge_view {
	const struct vd_image *frame;  /* grey; or what a step made of it */
	const struct vd_image *colour; /* RGB; NULL: none */
	const struct vd_image *patch;  /* VD_PRESENCE, of the size of the region; NULL: none */
};

/* result->pose says where the part lies. Whatever goes wrong is NO_DECISION in result. */
void vd_gauge_run(struct vd_gauge *gauge, const struct vd_step *step,
		  const struct vd_gauge_view *view, struct vd_step_result *result);
