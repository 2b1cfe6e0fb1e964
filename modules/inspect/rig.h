/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/learn/model.h"
#include "modules/inspect/recipe.h"

/*
 * The tools of one recipe, set up: locators and variation models from what was learnt, golden
 * templates from their files (read when first needed, a few kept). Used by one thread.
 */
enum { VD_STEP_TEXT = 160, VD_READ_TEXT = 200 };

struct vd_step_result {
	enum vd_verdict verdict;
	char text[VD_STEP_TEXT]; /* "" when OK; NO_DECISION begins with a code: "not_located: …" */
	double values[VD_MEASURES]; /* NaN: the tool does not measure it */
	enum vd_measure deciding;   /* the measure closest to, or furthest over, its limit */
	struct vd_pose pose;
	struct vd_blobs blobs;   /* boxes in the frame's pixels */
	char read[VD_READ_TEXT]; /* VD_CODE: what was read, for people; "": nothing */
	const char *read_kind;   /* static; NULL: nothing */
	double ms;
};

void vd_step_result_fini(struct vd_step_result *result);

/* Sets NO_DECISION and "code: text". */
void vd_step_undecided(struct vd_step_result *result, const char *code, const char *format, ...)
	VD_PRINTF(3, 4);

struct vd_rig;

/* model: NULL, or one whose key is the recipe's. Both must outlive the rig. -ENOMEM, -EINVAL. */
VD_MUST int vd_rig_new(const struct vd_recipe *recipe, const struct vd_model *model,
		       struct vd_rig **ret_rig);
struct vd_rig *vd_rig_free(struct vd_rig *rig);
VD_DEFINE_CLEANUP(struct vd_rig, vd_rig_free)

/*
 * Runs one step on its camera's frame. colour: the same in RGB, NULL or without pixels if it has no
 * colours or no step wants them. located: the result of the step it aligns to, NULL if it
 * aligns to none. Whatever goes wrong is NO_DECISION in the result.
 */
void vd_rig_run(struct vd_rig *rig, int step, const struct vd_image *frame,
		const struct vd_image *colour, const char *serial,
		const struct vd_step_result *located, struct vd_step_result *ret_result);

/* Puts the measures against the step's limits: verdict, deciding measure and text. */
void vd_step_judge(const struct vd_step *step, struct vd_step_result *result);

/* Boxes that were found in the region `where` now stand where the pose has them in the frame. */
void vd_step_move_boxes(struct vd_step_result *result, struct vd_rect where);
