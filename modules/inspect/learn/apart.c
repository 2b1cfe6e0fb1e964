/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A larger factor accepts whatever a smaller one does, so that the pixels that stray at one factor
 * (one in a hundred or fewer of a good part) are all that trials at larger ones need to look at. And
 * where any defect makes the step NG, a trial at a factor that leaves many pixels outside ends at
 * the first rows that have one.
 */
#include "modules/inspect/learn/apart.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/learn/trial.h"
#include "modules/vision/blob.h"
#include "modules/vision/kernels.h"

enum { STRIP = 16 /* rows */ };

/* Trials at 1 and a little less are to be had without looking at all pixels again. */
static const double FIRST = 0.75;

/* A pixel outside what some factor accepts, which is bottom - factor * down .. top + factor * up. */
struct stray {
	float top, up, bottom, down;
	int x;
	uint8_t grey, sigma;
};

struct strays {
	struct stray *list;
	size_t count, room;
	size_t *ends;  /* of each row's */
	double factor; /* all that stray at it are here */
};

struct vd_apart {
	const struct vd_step *step;
	const struct vd_image *image; /* of the part at hand */
	struct vd_variation_model model;
	struct strays strays, fresh; /* whole, and being gathered */
	struct vd_excess excess, strip;
	struct vd_image sigma;
	uint8_t *suspects; /* of a row */
	bool any_is_ng;
};

/* Then an image is NG if a part of it holds a defect that needs no merging. */
static bool any_defect_is_ng(const struct vd_step *step)
{
	for (int i = 0; i < VD_MEASURES; i++) {
		const struct vd_limits *limit = &step->limits[i];

		if (i != VD_MEASURE_SCORE && i != VD_MEASURE_DEFECTS && i != VD_MEASURE_AREA &&
		    !(isnan(limit->min) && isnan(limit->max) && isnan(limit->warn)))
			return false;
	}
	return step->limits[VD_MEASURE_DEFECTS].max < 1;
}

int vd_apart_new(const struct vd_step *step, struct vd_apart **ret_apart)
{
	struct vd_apart *apart = calloc(1, sizeof *apart);

	if (!apart)
		return -ENOMEM;
	apart->step = step;
	apart->any_is_ng = any_defect_is_ng(step);
	*ret_apart = apart;
	return 0;
}

static void forget_shape(struct vd_apart *apart)
{
	free(apart->strays.ends);
	free(apart->fresh.ends);
	free(apart->suspects);
	apart->strays.ends = apart->fresh.ends = NULL;
	apart->suspects = NULL;
}

struct vd_apart *vd_apart_free(struct vd_apart *apart)
{
	if (!apart)
		return NULL;
	forget_shape(apart);
	free(apart->strays.list);
	free(apart->fresh.list);
	vd_variation_model_fini(&apart->model);
	vd_excess_fini(&apart->excess);
	vd_excess_fini(&apart->strip);
	vd_image_fini(&apart->sigma);
	free(apart);
	return NULL;
}

static int shape(struct vd_apart *apart, int width, int height)
{
	const size_t rows = (size_t)height;
	int r = vd_excess_shape(&apart->excess, width, height);

	if (r == 0)
		r = vd_excess_shape(&apart->strip, width, height < STRIP ? height : STRIP);
	if (r < 0 ||
	    (apart->suspects && apart->sigma.width == width && apart->sigma.height == height))
		return r;
	forget_shape(apart);
	apart->strays.ends = calloc(rows, sizeof *apart->strays.ends);
	apart->fresh.ends = calloc(rows, sizeof *apart->fresh.ends);
	apart->suspects = malloc((size_t)width);
	if (!apart->strays.ends || !apart->fresh.ends || !apart->suspects)
		return -ENOMEM;
	return vd_image_shape(&apart->sigma, width, height, VD_GREY);
}

/* ---- gathering ---- */

/* 0 inside; else by how much outside, with 1 (bright) or 2 (dark). */
static uint8_t leave(const struct stray *stray, float factor, uint8_t *ret_bit)
{
	const uint8_t upper = vd_to_grey(stray->top + factor * stray->up);
	const uint8_t lower = vd_to_grey(stray->bottom - factor * stray->down);

	*ret_bit = stray->grey > upper ? VD_BRIGHT : VD_DARK;
	if (stray->grey > upper)
		return (uint8_t)(stray->grey - upper);
	return stray->grey < lower ? (uint8_t)(lower - stray->grey) : 0;
}

static struct stray stray_at(const struct vd_apart *apart, int x, int y)
{
	const struct vd_allowed allowed =
		vd_variation_allow_at(&apart->model, &apart->step->variation, x, y);

	return (struct stray){ .top = allowed.mean + allowed.edge,
			       .up = allowed.up,
			       .bottom = allowed.mean - allowed.edge,
			       .down = allowed.down,
			       .x = x,
			       .grey = vd_image_row(apart->image, y)[x],
			       .sigma = vd_to_grey(4 * allowed.spread) };
}

static int add(struct strays *strays, const struct stray *stray)
{
	if (strays->count == strays->room) {
		const size_t room = strays->room ? 2 * strays->room : 4096;
		struct stray *list = realloc(strays->list, room * sizeof *list);

		if (!list)
			return -ENOMEM;
		strays->list = list;
		strays->room = room;
	}
	strays->list[strays->count++] = *stray;
	return 0;
}

static int gather_row(struct vd_apart *apart, int y, float factor)
{
	struct strays *fresh = &apart->fresh;
	const uint8_t *row = vd_image_row(apart->image, y), *suspects = apart->suspects;
	const uint8_t *end = suspects + apart->model.width, *at = suspects;
	int r = 0;

	if (!vd_variation_suspect(&apart->model, &apart->step->variation, row, y, factor,
				  apart->suspects))
		end = suspects;
	while (r == 0 && at < end && (at = memchr(at, 1, (size_t)(end - at)))) {
		const struct stray stray = stray_at(apart, (int)(at++ - suspects), y);
		uint8_t bit;

		if (leave(&stray, factor, &bit) > 0)
			r = add(fresh, &stray);
	}
	fresh->ends[y] = fresh->count;
	return r;
}

/* ---- judging ---- */

/* What row y has outside at this factor, into row `into`. */
static void lay_out(struct vd_apart *apart, const struct strays *strays, int y, float factor,
		    struct vd_excess *excess, int into)
{
	uint8_t *by = vd_image_row(&excess->excess, into),
		*bits = vd_image_row(&excess->bits, into);
	bool any = false;

	for (size_t i = y > 0 ? strays->ends[y - 1] : 0; i < strays->ends[y]; i++) {
		const struct stray *stray = &strays->list[i];
		uint8_t bit;
		const uint8_t out = leave(stray, factor, &bit);

		if (out == 0)
			continue;
		if (!any) {
			memset(by, 0, (size_t)excess->excess.width);
			memset(bits, 0, (size_t)excess->bits.width);
			any = true;
		}
		by[stray->x] = out;
		bits[stray->x] = bit;
		vd_image_row(&apart->sigma, y)[stray->x] = stray->sigma;
	}
	excess->any[into] = any;
}

static int judge(struct vd_apart *apart, const struct strays *strays, double factor)
{
	for (int y = 0; y < apart->image->height; y++)
		lay_out(apart, strays, y, (float)factor, &apart->excess, y);
	return vd_trial_judge(apart->step, &apart->excess, &apart->sigma);
}

/*
 * 1: the strip of fresh strays that ends with row y has a defect. Of the whole image it may be a
 * part, never less; were that crowded, it would be one defect, too.
 */
static int has_defect(struct vd_apart *apart, int y, double factor)
{
	struct vd_blob_options options = apart->step->variation.blobs;
	const int rows = apart->strip.bits.height;
	struct vd_blobs blobs;
	int r;

	options.merge_px = 0;
	for (int i = 0; i < rows; i++)
		lay_out(apart, &apart->fresh, y - rows + 1 + i, (float)factor, &apart->strip, i);
	r = vd_blobs_find(&apart->strip, NULL, &options, &blobs);
	if (r < 0)
		return r;
	r = blobs.count > 0 && !blobs.is_crowded;
	vd_blobs_fini(&blobs);
	return r;
}

/* Gathers what strays at this factor; 1: the image is NG at it, before all was seen. */
static int gather(struct vd_apart *apart, double factor, bool may_end_early)
{
	const int height = apart->image->height, rows = apart->strip.bits.height;
	int r = 0;

	apart->fresh.count = 0;
	apart->fresh.factor = factor;
	for (int y = 0; r == 0 && y < height; y++) {
		r = gather_row(apart, y, (float)factor);
		if (r == 0 && may_end_early && (y + 1) % rows == 0)
			r = has_defect(apart, y, factor);
	}
	if (r == 0) {
		const struct strays whole = apart->fresh;

		apart->fresh = apart->strays;
		apart->strays = whole;
	}
	return r;
}

static int rejects(void *argument, double factor)
{
	struct vd_apart *apart = argument;
	int r = 0;

	if (factor < apart->strays.factor)
		r = gather(apart, factor, apart->any_is_ng);
	return r != 0 ? r : judge(apart, &apart->strays, factor);
}

int vd_apart_factor(struct vd_apart *apart, const struct vd_variation_learner *learner,
		    const struct vd_image *normalised, double *ret_factor)
{
	int r = vd_variation_apart(learner, normalised, &apart->model);

	apart->image = normalised;
	if (r == 0)
		r = shape(apart, normalised->width, normalised->height);
	if (r == 0)
		r = gather(apart, FIRST, false);
	return r < 0 ? r : vd_trial_search(rejects, apart, ret_factor);
}
