/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/lanes.h"
#include "modules/inspect/learn/model.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/result.h"

/*
 * The tools of one recipe, set up: locators and variation models from what was learnt, golden
 * templates from their files (read when first needed, a few kept).
 *
 * Threads: several steps may run at once, each on a lane of its own; one step never runs twice at
 * once. So what belongs to a step needs no lock, and what steps share is kept once a lane.
 */
struct vd_rig;

/* model: NULL, or one whose key is the recipe's. Both must outlive the rig. -ENOMEM, -EINVAL. */
VD_MUST int vd_rig_new(const struct vd_recipe *recipe, const struct vd_model *model,
		       struct vd_rig **ret_rig);
struct vd_rig *vd_rig_free(struct vd_rig *rig);
VD_DEFINE_CLEANUP(struct vd_rig, vd_rig_free)

/* What a step looks at; all of it is borrowed. */
struct vd_step_view {
	const struct vd_image *frame;  /* grey; of the camera, or what another step made of it */
	const struct vd_image *colour; /* the same in RGB; NULL or without pixels: none */
	const struct vd_place *place;  /* of such an image; NULL: it is the camera's frame */
	const char *serial;
	const struct vd_step_result
		*located; /* of the step it aligns to; NULL: it aligns to none */
	const struct vd_rect
		*region; /* of the camera's frame, instead of the step's own; NULL: its own */
	int lane;        /* 0 to VD_LANES_MOST - 1 */
};

/*
 * Runs one step. Whatever goes wrong is NO_DECISION in the result. A region given at run time (the
 * box of an object) is clipped to the frame; one that has less than 2 x 2 px inside is refused
 * with bad_region, as is one that an edited image does not show whole, or for a tool that cannot be
 * run on any region: it never becomes the whole frame. Objects come out in the whole frame's pixels
 * all the same, whatever was looked at; what is measured is in the pixels of that image.
 */
void vd_rig_run(struct vd_rig *rig, int step, const struct vd_step_view *view,
		struct vd_step_result *ret_result);

/* What runs a step's tool on what there is to see: the rig, or whatever a test puts there. */
struct vd_runner {
	void (*run)(void *argument, int step, const struct vd_step_view *view,
		    struct vd_step_result *ret_result);
	void *argument;
};

struct vd_runner vd_rig_runner(struct vd_rig *rig);

/* Can the step's tool be run on a region given at run time? Not what is learnt for a place. */
bool vd_step_takes_regions(const struct vd_step *step);
