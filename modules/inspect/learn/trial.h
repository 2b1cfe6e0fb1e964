/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/vision/variation.h"

/*
 * A variation step on trial: with which factor on its thresholds would it still reject this
 * image? The factor is one number a good part or a challenge defect that can be compared, fitted
 * and set: 1 is the recipe's own threshold. Judged as in production: bands rounded to grey
 * levels, opening, merging, filters and the step's limits.
 */
struct vd_trial;

/* The step and its options are borrowed and must outlive the trial. -ENOMEM. */
VD_MUST int vd_trial_new(const struct vd_step *step, const struct vd_variation_model *model,
			 struct vd_trial **ret_trial);
struct vd_trial *vd_trial_free(struct vd_trial *trial);
VD_DEFINE_CLEANUP(struct vd_trial, vd_trial_free)

/* Another model of the same shape (one part left out, say). */
void vd_trial_set(struct vd_trial *trial, const struct vd_variation_model *model);

/* 1: the step would be NG on this part of the normalised image at this factor; 0: not; -ENOMEM. */
VD_MUST int vd_trial_rejects(struct vd_trial *trial, const struct vd_image *image,
			     struct vd_rect window, double factor);

/* Larger factors are not told apart. */
#define VD_FACTOR_MOST 8.0

/* Are pixels with such an excess NG in the step's eyes? excess->bits is changed. 1, 0, -ENOMEM. */
VD_MUST int vd_trial_judge(const struct vd_step *step, struct vd_excess *excess,
			   const struct vd_image *sigma);

/*
 * The least factor (to 1/128) at which rejects says 0, tried in an order that is always the same;
 * rejects: 1, 0 or -errno, which is passed up.
 */
typedef int (*vd_rejects_fn)(void *argument, double factor);
VD_MUST int vd_trial_search(vd_rejects_fn rejects, void *argument, double *ret_factor);

/* The least factor at which the part of the image is not NG. -ENOMEM. */
VD_MUST int vd_trial_factor(struct vd_trial *trial, const struct vd_image *image,
			    struct vd_rect window, double *ret_factor);

/* --- Challenge defects: synthetic, for a statement on what is found --- */

struct vd_challenge {
	int side_px, levels; /* a square, so much brighter (negative: darker) */
	int x, y;            /* its top left corner */
};

/* Paints it, clipped to 0 .. 255 and to the image. */
void vd_challenge_paint(const struct vd_challenge *challenge, struct vd_image *image);

/* What of the image can be changed by it in the step's eyes. */
struct vd_rect vd_challenge_window(const struct vd_challenge *challenge, const struct vd_step *step,
				   const struct vd_image *image);

/*
 * The nth of a fixed sequence of places, spread over the region (R2, M. Roberts' quasirandom
 * sequence), with a polarity that the step looks for and that the grey level there has room for.
 */
struct vd_challenge vd_challenge_nth(const struct vd_step *step, const struct vd_image *image,
				     int side_px, int levels, unsigned n);
