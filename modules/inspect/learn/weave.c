/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What texture steps need of fitting. Their factor is the score of the worst cell, and their scale
 * the threshold that good parts keep below. A defect changes the cells around it through three
 * levels of a pyramid, so the whole region is measured anew for each painted one.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/learn/fitting.h"
#include "modules/vision/statistic.h"

enum { PROBES = 4, PLACES = 8 };

static const double TENTH = 0.1, SURELY = 1.2;

int vd_fitting_score(struct pupil *pupil, const struct vd_texture *texture,
		     const struct vd_image *image, double *ret_score)
{
	struct vd_texture_result result;
	const int r = vd_texture_find(texture, image, INFINITY, &pupil->texture_work, &result);

	if (r < 0)
		return r;
	vd_blobs_fini(&result.blobs);
	*ret_score = result.score;
	return 0;
}

int vd_fitting_score_apart(struct pupil *pupil, const struct vd_image *image, double *ret_score)
{
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = NULL;
	int r = vd_texture_unlearn(pupil->texture, image);

	if (r < 0)
		return r;
	r = vd_texture_finish(pupil->texture, &texture);
	if (r == 0)
		r = vd_fitting_score(pupil, texture, image, ret_score);
	return vd_texture_learn(pupil->texture, image) < 0 ? -ENOMEM : r;
}

/* ---- painted defects ---- */

struct easel {
	struct pupil *pupil;
	const struct vd_step *step;
	const struct vd_image *image; /* the region of the part at hand */
	struct vd_texture *texture;
	struct vd_image canvas;
	int side, levels;
};

static void easel_fini_p(struct easel *easel)
{
	(void)vd_texture_free(easel->texture);
	vd_image_fini(&easel->canvas);
}

static int set_up(struct fitting *fitting, int step, struct easel *easel)
{
	easel->pupil = &fitting->lesson->pupils[step];
	easel->step = &fitting->lesson->recipe->steps[step];
	easel->image = vd_fitting_region(fitting, step);
	easel->levels = fitting->lesson->recipe->learning.challenge_levels;
	return vd_texture_finish(easel->pupil->texture, &easel->texture);
}

/* The nth defect on the part at hand. */
static int paint(struct easel *easel, unsigned n, struct vd_challenge *challenge, double *ret_score)
{
	const struct vd_image *image = easel->image;
	const int r = vd_fitting_copy(image, &easel->canvas);

	if (r < 0)
		return r;
	*challenge = vd_challenge_nth(easel->step, image, easel->side, easel->levels, n);
	vd_challenge_paint(challenge, &easel->canvas);
	return vd_fitting_score(easel->pupil, easel->texture, &easel->canvas, ret_score);
}

int vd_fitting_challenge_texture(struct fitting *fitting, int step)
{
	VD_CLEANUP(easel_fini) struct easel easel = { 0 };
	const struct vd_lesson *lesson = fitting->lesson;
	double scores[PROBES * PLACES];
	struct vd_challenge challenge;
	size_t count = 0;
	int r = set_up(fitting, step, &easel), seen = 0;

	for (int i = 0; r == 0 && i < lesson->parts && seen < PROBES; i++) {
		if (lesson->samples[i].is_out)
			continue;
		r = vd_fitting_see(fitting, &lesson->samples[i]);
		easel.side = vd_fitting_side(fitting, easel.image);
		for (unsigned n = 0; r == 0 && n < PLACES; n++)
			r = paint(&easel, (unsigned)seen * PLACES + n, &challenge,
				  &scores[count++]);
		seen++;
	}
	if (r == 0)
		easel.pupil->challenge = vd_quantile(scores, count, TENTH);
	return r;
}

/* ---- a place for the challenge set ---- */

static int place_texture(struct fitting *fitting, int step, unsigned polarity,
			 struct vd_challenge *ret_challenge)
{
	VD_CLEANUP(easel_fini) struct easel easel = { 0 };
	int r = set_up(fitting, step, &easel);

	easel.side = vd_fitting_side(fitting, easel.image);
	for (unsigned n = polarity; r == 0 && n < 2 * VD_PLACES; n += 2) {
		double score = 0;

		r = paint(&easel, n, ret_challenge, &score);
		if (r == 0 && score > easel.pupil->scale * SURELY)
			return 1;
	}
	return r;
}

static int place_variation(struct fitting *fitting, int i, unsigned polarity,
			   struct vd_challenge *ret_challenge)
{
	struct pupil *pupil = &fitting->lesson->pupils[i];
	const struct vd_step *step = &fitting->lesson->recipe->steps[i];
	const struct vd_image *image = vd_fitting_region(fitting, i);
	VD_CLEANUP(vd_image_fini) struct vd_image canvas = { 0 };

	if (vd_fitting_copy(image, &canvas) < 0)
		return 0;
	for (unsigned n = polarity; n < 4 * VD_PLACES; n += 2) {
		const struct vd_challenge challenge =
			vd_challenge_nth(step, image, vd_fitting_side(fitting, image),
					 fitting->lesson->recipe->learning.challenge_levels, n);
		const struct vd_rect window = vd_challenge_window(&challenge, step, image);
		int r;

		vd_challenge_paint(&challenge, &canvas);
		r = vd_trial_rejects(pupil->trial, &canvas, window, pupil->scale * SURELY);
		vd_fitting_restore(&canvas, image, window);
		if (r <= 0)
			continue;
		*ret_challenge = challenge;
		return 1;
	}
	return 0;
}

int vd_fitting_find_place(struct fitting *fitting, int step, unsigned polarity,
			  struct vd_challenge *ret_challenge)
{
	return fitting->lesson->pupils[step].texture
		       ? place_texture(fitting, step, polarity, ret_challenge)
		       : place_variation(fitting, step, polarity, ret_challenge);
}
