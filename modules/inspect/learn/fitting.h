/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/inspect/lanes.h"
#include "modules/inspect/learn/lesson.h"
#include "modules/inspect/learn/pupil.h"

/* What fitting a model (fit.c) and writing it with its evidence (proof.c) share; nobody else includes it. */
enum {
	VD_TRIED_MOST = 64,  /* parts left out one by one */
	VD_FENCED_LEAST = 8, /* fewer say nothing about what is far away */
	VD_PLACES = 16,      /* that defects are painted at, on each part */
	VD_LEVELS = 6
};

extern const int vd_fitting_levels[VD_LEVELS]; /* contrasts of painted defects, grey levels */

struct sensitivity {
	int area_px, levels; /* 0: nothing is found */
};

struct fitting {
	struct vd_lesson *lesson;
	struct vd_rig *rig;
	vd_progress_fn progress;
	void *argument;
	struct vd_fit *fit;
	struct vd_lanes *lanes;
	struct sensitivity least[VD_LEVELS];
	int out, tried;
};

int vd_fitting_usable(const struct fitting *fitting); /* parts not left out */
bool vd_fitting_has(const struct fitting *fitting, int step, enum vd_tool tool);
bool vd_fitting_compares(const struct fitting *fitting, int step); /* variation or texture */

/* weave.c: how bad a texture's worst cell is, by what was learnt. */
VD_MUST int vd_fitting_score(struct pupil *pupil, const struct vd_texture *texture,
			     const struct vd_image *image, double *ret_score);
/* The same by what was learnt from the others. */
VD_MUST int vd_fitting_score_apart(struct pupil *pupil, const struct vd_image *image,
				   double *ret_score);
/* The tenth of painted defects that scores least. */
VD_MUST int vd_fitting_challenge_texture(struct fitting *fitting, int step);
/* The first place where a painted defect is found; 0: none is. */
VD_MUST int vd_fitting_find_place(struct fitting *fitting, int step, unsigned polarity,
				  struct vd_challenge *ret_challenge);

/* What is done one by one: the sample's frames, into the first hand's looks. */
VD_MUST int vd_fitting_decode(struct fitting *fitting, const struct vd_sample *sample);
/* And its regions as they were learnt, into the first hand. */
VD_MUST int vd_fitting_see(struct fitting *fitting, const struct vd_sample *sample);

const struct vd_image *vd_fitting_region(const struct fitting *fitting, int step);

VD_MUST int vd_fitting_copy(const struct vd_image *image, struct vd_image *out);
void vd_fitting_restore(struct vd_image *image, const struct vd_image *from, struct vd_rect where);

/* Of the square that must be found, as far as the region has room. */
int vd_fitting_side(const struct fitting *fitting, const struct vd_image *image);

/* The statement's size and contrast; NULL: nothing is found. */
const struct sensitivity *vd_fitting_usual(const struct fitting *fitting);

/* proof.c: fill fitting->fit's report and text, and its model. -ENOMEM, -errno. */
VD_MUST int vd_fitting_report(struct fitting *fitting, bool is_valid);
VD_MUST int vd_fitting_model(struct fitting *fitting, int version);
