/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/model.h"
#include "modules/inspect/rig.h"

/*
 * Learning a recipe from good parts. The first part teaches the patches of the locate steps and
 * is the frame of reference; each part is located, its regions are registered and learnt.
 */
struct vd_lesson;

VD_MUST int vd_lesson_new(const struct vd_recipe *recipe, struct vd_lesson **ret_lesson);
struct vd_lesson *vd_lesson_free(struct vd_lesson *lesson);
VD_DEFINE_CLEANUP(struct vd_lesson, vd_lesson_free)

enum vd_lesson_outcome {
	VD_LESSON_PASSED = 1, /* the part was not learnt from; text says why */
};

/*
 * frames: one a camera of the recipe. A part counts for all steps or for none. rig: for steps
 * whose templates come from files. -ENOMEM.
 */
VD_MUST int vd_lesson_add(struct vd_lesson *lesson, struct vd_rig *rig,
			  const struct vd_image *const *frames, const char *serial,
			  char text[static VD_STEP_TEXT]);

int vd_lesson_parts(const struct vd_lesson *lesson);

/* The model, with this version. -EAGAIN: fewer than 2 parts; -ENOMEM. */
VD_MUST int vd_lesson_finish(const struct vd_lesson *lesson, int version,
			     struct vd_model **ret_model);
