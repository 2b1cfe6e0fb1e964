/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/tools/edited.h"
#include "modules/inspect/object.h"
#include "modules/inspect/recipe/recipe.h"

/* What a step found out about an item. */
enum { VD_STEP_TEXT = 160, VD_READ_TEXT = 200 };

enum vd_step_state {
	VD_STEP_RAN,     /* whatever came of it */
	VD_STEP_SKIPPED, /* nothing was wanted of it: condition false, no object */
	VD_STEP_NOT_RUN, /* something was, and could not be had; verdict is NO_DECISION */
	VD_STEP_SPARED   /* the item was decided already; verdict is NO_DECISION */
};

const char *vd_step_state_name(enum vd_step_state state);

/* What a step said about one of the objects it was run on. */
struct vd_step_run {
	struct vd_object object; /* of the other step */
	enum vd_verdict verdict;
	char text[VD_STEP_TEXT];
	double value; /* the deciding one; NaN: none */
};

struct vd_step_result {
	enum vd_step_state state;
	enum vd_verdict verdict;
	/* "" when OK; NO_DECISION begins with a code: "not_located: …"; skipped: why */
	char text[VD_STEP_TEXT];
	double values[VD_MEASURES];    /* NaN: the tool does not measure it */
	enum vd_measure deciding;      /* the measure closest to, or furthest over, its limit */
	struct vd_pose pose;           /* in the image that the step looked at */
	struct vd_place place;         /* of that image */
	struct vd_blobs blobs;         /* boxes in the frame's pixels */
	struct vd_object_list objects; /* blobs are among them */
	struct vd_step_run *runs;      /* foreach: one an object looked at */
	size_t run_count;
	char read[VD_READ_TEXT]; /* VD_CODE: what was read, for people; "": nothing */
	const char *read_kind;   /* static; NULL: nothing */
	/* VD_IMAGE: what it made, until its rig runs the step again or is freed; NULL: nothing */
	const struct vd_edited *edited;
	int width, height; /* of it */
	double ms;
};

/* No measures, nothing found, the part where it was taught. */
void vd_step_result_init(struct vd_step_result *result);
void vd_step_result_fini(struct vd_step_result *result);

/* Sets NO_DECISION and "code: text". */
void vd_step_undecided(struct vd_step_result *result, const char *code, const char *format, ...)
	VD_PRINTF(3, 4);

/* Sets that nothing was looked at, why, and what that counts as. */
void vd_step_skipped(struct vd_step_result *result, enum vd_stead stead, const char *format, ...)
	VD_PRINTF(3, 4);

/* Adds the objects that result->blobs are, with their polarity as label. -ENOMEM. */
VD_MUST int vd_step_add_blobs(struct vd_step_result *result);

/* Puts the measures against the step's limits: verdict, deciding measure and text. */
void vd_step_judge(const struct vd_step *step, struct vd_step_result *result);

/* Boxes that were found in the region `where` now stand where the pose has them in the image. */
void vd_step_move_boxes(struct vd_step_result *result, struct vd_rect where);

/* Blobs and objects, from the image that the step looked at to the frame. */
void vd_step_place_boxes(struct vd_step_result *result);
