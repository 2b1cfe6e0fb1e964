/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/item.h"
#include "modules/inspect/look.h"
#include "modules/inspect/learn/model.h"
#include "modules/inspect/tools/rig.h"

/*
 * Learning a recipe from good parts. While collecting, the first part teaches the patches of the
 * locate steps and each part must be found by them; the frames are kept as they came. With the
 * last part the model is fitted (vd_lesson_fit):
 *   - the best-connected part becomes the frame of reference, and all are aligned to it; then all
 *     are aligned once more, to the mean of the patches so found, and learnt;
 *   - each part is judged by a model that was learnt without it, and those far from the others
 *     (Q3 + 3 IQR) are left out;
 *   - thresholds are widened until the wished share of good parts passes (the largest seen, and
 *     Gumbel's distribution through what was seen);
 *   - painted defects say what will be found; if the wanted one cannot be told from good
 *     parts, the model is not fit to judge.
 */
struct vd_lesson;

/* Called now and then while fitting, on the caller's thread: work goes on. */
typedef void (*vd_progress_fn)(void *argument);

VD_MUST int vd_lesson_new(const struct vd_recipe *recipe, struct vd_lesson **ret_lesson);
struct vd_lesson *vd_lesson_free(struct vd_lesson *lesson);
VD_DEFINE_CLEANUP(struct vd_lesson, vd_lesson_free)

enum vd_lesson_outcome {
	VD_LESSON_PASSED = 1, /* the part was not taken; text says why */
	VD_LESSON_FULL = 2,   /* no room for more: VD_LESSON_BYTES */
};

enum { VD_LESSON_BYTES = 256 << 20 }; /* of the frames kept */

/*
 * looks, shots: one a camera of the recipe, looks good; frames are copied. A part counts for all
 * steps or for none. rig: for steps whose templates come from files. -ENOMEM.
 */
VD_MUST int vd_lesson_add(struct vd_lesson *lesson, struct vd_rig *rig, const struct vd_look *looks,
			  const struct vd_shot *shots, const char *serial,
			  char text[static VD_STEP_TEXT]);

/*
 * How many threads fit: by itself one, or two where there are as many processors. Results are the
 * same.
 */
void vd_lesson_set_threads(struct vd_lesson *lesson, int threads);

int vd_lesson_parts(const struct vd_lesson *lesson);

/* One after the other. */
enum vd_fit_stage { VD_FIT_ALIGN, VD_FIT_TRY, VD_FIT_PROBE, VD_FIT_PROVE, VD_FIT_STAGES };

/* "align": both passes of aligning and learning; "try": leaving one out; "probe"; "prove". */
const char *vd_fit_stage_name(enum vd_fit_stage stage);

struct vd_fit {
	enum vd_fit_stage stage; /* what progress is made with */
	struct vd_model *model;  /* NULL: not fit to judge */
	cJSON *report;           /* what was found out; also in the model */
	char text[VD_STEP_TEXT]; /* why there is no model; else the statement on sensitivity */
};

void vd_fit_fini(struct vd_fit *fit);

/* -EAGAIN: fewer than 2 parts; -ENOMEM. progress may be NULL. */
VD_MUST int vd_lesson_fit(struct vd_lesson *lesson, struct vd_rig *rig, int version,
			  vd_progress_fn progress, void *argument, struct vd_fit *ret_fit);
