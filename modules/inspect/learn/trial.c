/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/trial.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "modules/vision/blob.h"
#include "modules/vision/kernels.h"
#include "modules/inspect/tools/rig.h"

enum { HALVINGS = 10 /* 8 / 2^10 is 1/128 */ };

struct vd_trial {
	const struct vd_step *step;
	int width, height;
	float *top, *up, *bottom, *down; /* mean + edge, mean - edge, and what the factor scales */
	struct vd_image sigma;
	struct vd_excess excess;
	uint8_t *upper, *lower;
	float *scratch; /* rows of an allowance */
	double *columns;
};

static float *maps(size_t count)
{
	return calloc(count, sizeof(float));
}

int vd_trial_new(const struct vd_step *step, const struct vd_variation_model *model,
		 struct vd_trial **ret_trial)
{
	VD_CLEANUP(vd_trial_free) struct vd_trial *trial = calloc(1, sizeof *trial);
	const size_t width = (size_t)model->width, count = width * (size_t)model->height;

	if (!trial)
		return -ENOMEM;
	trial->step = step;
	trial->width = model->width;
	trial->height = model->height;
	trial->top = maps(count);
	trial->up = maps(count);
	trial->bottom = maps(count);
	trial->down = maps(count);
	trial->scratch = maps(3 * width);
	trial->columns = calloc(width, sizeof *trial->columns);
	trial->upper = calloc(2, width);
	if (!trial->top || !trial->up || !trial->bottom || !trial->down || !trial->scratch ||
	    !trial->columns || !trial->upper ||
	    vd_image_shape(&trial->sigma, model->width, model->height, VD_GREY) < 0)
		return -ENOMEM;
	trial->lower = trial->upper + width;
	vd_trial_set(trial, model);
	*ret_trial = VD_TAKE(trial);
	return 0;
}

struct vd_trial *vd_trial_free(struct vd_trial *trial)
{
	if (!trial)
		return NULL;
	free(trial->top);
	free(trial->up);
	free(trial->bottom);
	free(trial->down);
	free(trial->scratch);
	free(trial->columns);
	free(trial->upper);
	vd_image_fini(&trial->sigma);
	vd_excess_fini(&trial->excess);
	free(trial);
	return NULL;
}

void vd_trial_set(struct vd_trial *trial, const struct vd_variation_model *model)
{
	const size_t width = (size_t)trial->width;
	float *mean = trial->scratch, *edge = mean + width, *spread = edge + width;

	for (int y = 0; y < trial->height; y++) {
		const size_t at = (size_t)y * width;
		const struct vd_allowance row = { mean, edge, trial->up + at, trial->down + at,
						  spread };

		vd_variation_allow(model, &trial->step->variation, y, trial->columns, &row);
		for (size_t x = 0; x < width; x++) {
			trial->top[at + x] = mean[x] + edge[x];
			trial->bottom[at + x] = mean[x] - edge[x];
			vd_image_row(&trial->sigma, y)[x] = vd_to_grey(4 * spread[x]);
		}
	}
}

/* n accepted greys from i on. */
static void lay_out(struct vd_trial *trial, size_t i, int n, float factor)
{
	const float *top = trial->top + i, *up = trial->up + i;
	const float *bottom = trial->bottom + i, *down = trial->down + i;
	uint8_t *restrict upper = trial->upper, *restrict lower = trial->lower;

	for (int x = 0; x < n; x++) {
		upper[x] = vd_to_grey(top[x] + factor * up[x]);
		lower[x] = vd_to_grey(bottom[x] - factor * down[x]);
	}
}

static void compare_row(struct vd_trial *trial, const struct vd_image *image, struct vd_rect window,
			float factor, int y)
{
	const size_t at = (size_t)(window.y + y) * (size_t)trial->width + (size_t)window.x;
	const uint8_t *row = vd_image_row(image, window.y + y) + window.x;
	struct vd_excess *excess = &trial->excess;

	lay_out(trial, at, window.width, factor);
	excess->any[y] = vd_row_compare(row, trial->upper, trial->lower, window.width,
					vd_image_row(&excess->excess, y)) != 0;
	if (excess->any[y])
		vd_row_polarity(row, trial->upper, vd_image_row(&excess->excess, y), window.width,
				vd_image_row(&excess->bits, y));
}

static void result_fini_p(struct vd_step_result *result)
{
	vd_step_result_fini(result);
}

int vd_trial_judge(const struct vd_step *step, struct vd_excess *excess,
		   const struct vd_image *sigma)
{
	VD_CLEANUP(result_fini) struct vd_step_result result = { 0 };
	const int r = vd_blobs_find(excess, sigma, &step->variation.blobs, &result.blobs);

	if (r < 0)
		return r;
	for (int i = 0; i < VD_MEASURES; i++)
		result.values[i] = NAN;
	result.values[VD_MEASURE_SCORE] = result.blobs.score;
	result.values[VD_MEASURE_DEFECTS] = (double)result.blobs.count;
	result.values[VD_MEASURE_AREA] = (double)result.blobs.area_px;
	vd_step_judge(step, &result);
	return result.verdict == VD_NG;
}

int vd_trial_rejects(struct vd_trial *trial, const struct vd_image *image, struct vd_rect window,
		     double factor)
{
	struct vd_image sigma = trial->sigma;
	const int r = vd_excess_shape(&trial->excess, window.width, window.height);

	for (int y = 0; r == 0 && y < window.height; y++)
		compare_row(trial, image, window, (float)factor, y);
	sigma.pixels = vd_image_row(&trial->sigma, window.y) + window.x;
	sigma.width = window.width;
	sigma.height = window.height;
	return r < 0 ? r : vd_trial_judge(trial->step, &trial->excess, &sigma);
}

/* 1 or 0 as rejects; narrows the bracket. */
static int halve(vd_rejects_fn rejects, void *argument, double at, double bracket[static 2])
{
	const int r = rejects(argument, at);

	if (r >= 0)
		bracket[r > 0 ? 0 : 1] = at;
	return r;
}

/* Most are near 1, and looking at a low factor takes long: nearly every pixel is beyond it. */
int vd_trial_search(vd_rejects_fn rejects, void *argument, double *ret_factor)
{
	double bracket[2] = { 0, VD_FACTOR_MOST };
	int r = halve(rejects, argument, 1, bracket);

	if (r >= 0)
		r = halve(rejects, argument, r > 0 ? 2 : 0.5, bracket);
	while (r >= 0 && bracket[1] - bracket[0] > VD_FACTOR_MOST / (1 << HALVINGS))
		r = halve(rejects, argument, (bracket[0] + bracket[1]) / 2, bracket);
	if (r < 0)
		return r;
	*ret_factor = bracket[1];
	return 0;
}

struct glance {
	struct vd_trial *trial;
	const struct vd_image *image;
	struct vd_rect window;
};

static int glance_rejects(void *argument, double factor)
{
	const struct glance *glance = argument;

	return vd_trial_rejects(glance->trial, glance->image, glance->window, factor);
}

int vd_trial_factor(struct vd_trial *trial, const struct vd_image *image, struct vd_rect window,
		    double *ret_factor)
{
	struct glance glance = { trial, image, window };

	return vd_trial_search(glance_rejects, &glance, ret_factor);
}

/* ---- challenge defects ---- */

static int clamp(int v, int least, int most)
{
	return v < least ? least : v > most ? most : v;
}

void vd_challenge_paint(const struct vd_challenge *challenge, struct vd_image *image)
{
	const int bottom = clamp(challenge->y + challenge->side_px, 0, image->height);
	const int right = clamp(challenge->x + challenge->side_px, 0, image->width);

	for (int y = clamp(challenge->y, 0, image->height); y < bottom; y++) {
		for (int x = clamp(challenge->x, 0, image->width); x < right; x++) {
			uint8_t *pixel = vd_image_row(image, y) + x;

			*pixel = (uint8_t)clamp(*pixel + challenge->levels, 0, 255);
		}
	}
}

struct vd_rect vd_challenge_window(const struct vd_challenge *challenge, const struct vd_step *step,
				   const struct vd_image *image)
{
	const struct vd_blob_options *blobs = &step->variation.blobs;
	const int margin = 2 * blobs->open_px + clamp(blobs->merge_px, 0, 16) + 2;
	const int left = clamp(challenge->x - margin, 0, image->width - 1);
	const int top = clamp(challenge->y - margin, 0, image->height - 1);
	const int end = challenge->side_px + margin;

	return (struct vd_rect){ left, top,
				 clamp(challenge->x + end, left + 1, image->width) - left,
				 clamp(challenge->y + end, top + 1, image->height) - top };
}

static int place(double at, int side, int length)
{
	return length <= side ? 0 : (int)((at - floor(at)) * (length - side + 1));
}

struct vd_challenge vd_challenge_nth(const struct vd_step *step, const struct vd_image *image,
				     int side_px, int levels, unsigned n)
{
	const enum vd_polarity polarity = step->variation.blobs.polarity;
	struct vd_challenge challenge = {
		.side_px = side_px,
		.levels = levels,
		.x = place(0.5 + n * 0.75487766624669276, side_px, image->width),
		.y = place(0.5 + n * 0.56984029099805327, side_px, image->height),
	};
	const int grey = vd_image_row(image, challenge.y)[challenge.x];
	bool is_dark = n % 2 == 1;

	if (grey + levels > 250)
		is_dark = true;
	else if (grey - levels < 5)
		is_dark = false;
	if (polarity != VD_BRIGHT_AND_DARK)
		is_dark = polarity == VD_DARK;
	if (is_dark)
		challenge.levels = -levels;
	return challenge;
}
