/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image is sampled into the taught patch's frame (shift, and turn where asked) and compared
 * there, so that one code serves all levels: at a quarter of the size every shift and angle, at a
 * half and at full size the neighbourhood, and last Gauss-Newton on the patch's gradient with
 * gain and offset taken out, which a parabola on the correlation alone cannot reach.
 */
#include "modules/vision/locate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/kernels.h"
#include "modules/vision/ncc.h"
#include "modules/vision/warp.h"

enum { LEVELS = 3, SIDE_LEAST = 16, SAMPLES_MOST = 1 << 15, SEARCH_MOST = 512, REFINE_STEPS = 4 };

struct level {
	struct vd_image pixels; /* the patch at this size */
	struct vd_patch patch;
};

struct vd_locator {
	struct vd_rect where; /* at full size, sides multiples of 4 */
	struct vd_locate_options options;
	struct level levels[LEVELS]; /* 0: full size, 1: half, 2: quarter */
	int16_t *gx, *gy, *turn;     /* gradient of the full-size patch, doubled; of turning it */
	double normal[3][3];         /* products of the three, summed over the sampled rows */
	double sums[3];              /* of each, and its products with the patch */
	double with_patch[3];
};

void vd_pose_map(const struct vd_pose *pose, double x, double y, double *ret_x, double *ret_y)
{
	const double turn = pose->angle_deg * M_PI / 180;
	const double c = cos(turn), s = sin(turn), u = x - pose->cx, v = y - pose->cy;

	*ret_x = c * u - s * v + pose->cx + pose->dx;
	*ret_y = s * u + c * v + pose->cy + pose->dy;
}

struct vd_pose vd_pose_identity(void)
{
	return (struct vd_pose){ .score = 1 };
}

/* ---- teaching ---- */

static int build_levels(struct vd_locator *locator, const struct vd_image *image)
{
	const struct vd_pose identity = vd_pose_identity();
	int r = vd_warp(image, &identity, locator->where, &locator->levels[0].pixels);

	for (int i = 1; r == 0 && i < LEVELS; i++)
		r = vd_image_halve(&locator->levels[i - 1].pixels, &locator->levels[i].pixels);
	for (int i = 0; r == 0 && i < LEVELS; i++) {
		struct level *level = &locator->levels[i];

		level->patch = vd_patch_of(
			&level->pixels,
			(struct vd_rect){ 0, 0, level->pixels.width, level->pixels.height },
			SAMPLES_MOST);
	}
	return r;
}

/* Turning by one radian over the half diagonal moves a corner by it: scaled to keep 16 bits. */
static double turn_scale(const struct vd_locator *locator)
{
	return 2.0 / hypot(locator->where.width, locator->where.height);
}

static void gradient_row(struct vd_locator *locator, int y)
{
	const struct vd_image *pixels = &locator->levels[0].pixels;
	const size_t at = (size_t)y * (size_t)pixels->width;
	const uint8_t *row = vd_image_row(pixels, y);
	const uint8_t *above = vd_image_row(pixels, y - 1), *below = vd_image_row(pixels, y + 1);
	const double scale = turn_scale(locator);
	const double v = y - (pixels->height - 1) / 2.0;

	for (int x = 1; x + 1 < pixels->width; x++) {
		const double u = x - (pixels->width - 1) / 2.0;

		locator->gx[at + (size_t)x] = (int16_t)(row[x + 1] - row[x - 1]);
		locator->gy[at + (size_t)x] = (int16_t)(below[x] - above[x]);
		locator->turn[at + (size_t)x] = (int16_t)lrint(
			(locator->gy[at + (size_t)x] * u - locator->gx[at + (size_t)x] * v) *
			scale / 2);
	}
}

static void sum_gradient_row(struct vd_locator *locator, int y)
{
	const int width = locator->where.width;
	const size_t at = (size_t)y * (size_t)width;
	const int16_t *slopes[3] = { locator->gx + at, locator->gy + at, locator->turn + at };
	const uint8_t *row = vd_image_row(&locator->levels[0].pixels, y);

	for (int a = 0; a < 3; a++) {
		for (int x = 0; x < width; x++) {
			locator->sums[a] += slopes[a][x];
			locator->with_patch[a] += slopes[a][x] * row[x];
			for (int b = 0; b < 3; b++)
				locator->normal[a][b] += slopes[a][x] * slopes[b][x];
		}
	}
}

static int build_gradient(struct vd_locator *locator)
{
	const int height = locator->where.height, step = locator->levels[0].patch.row_step;
	const size_t count = (size_t)locator->where.width * (size_t)height;

	locator->gx = calloc(count, sizeof *locator->gx);
	locator->gy = calloc(count, sizeof *locator->gy);
	locator->turn = calloc(count, sizeof *locator->turn);
	if (!locator->gx || !locator->gy || !locator->turn)
		return -ENOMEM;
	for (int y = 0; y < height; y += step) {
		if (y > 0 && y + 1 < height)
			gradient_row(locator, y);
		sum_gradient_row(locator, y);
	}
	return 0;
}

static bool are_options_sound(const struct vd_image *image, struct vd_rect where,
			      const struct vd_locate_options *options)
{
	return where.x >= 0 && where.y >= 0 && where.width >= SIDE_LEAST &&
	       where.height >= SIDE_LEAST && where.width <= VD_PRODUCTS_MOST &&
	       where.x <= image->width - where.width && where.y <= image->height - where.height &&
	       options->search_px >= 1 && options->search_px <= SEARCH_MOST &&
	       options->angle_deg >= 0 && options->angle_deg <= 45;
}

int vd_locator_new(const struct vd_image *image, struct vd_rect where,
		   const struct vd_locate_options *options, struct vd_locator **ret_locator)
{
	VD_CLEANUP(vd_locator_free) struct vd_locator *locator = NULL;
	int r;

	if (!are_options_sound(image, where, options))
		return -EINVAL;
	locator = calloc(1, sizeof *locator);
	if (!locator)
		return -ENOMEM;
	where.width -= where.width % 4;
	where.height -= where.height % 4;
	locator->where = where;
	locator->options = *options;
	r = build_levels(locator, image);
	if (r == 0 && vd_patch_variance(&locator->levels[2].patch) < 4)
		r = -ENODATA;
	if (r == 0)
		r = build_gradient(locator);
	if (r == 0)
		*ret_locator = VD_TAKE(locator);
	return r;
}

void vd_locator_place(struct vd_locator *locator, int x, int y)
{
	locator->where.x = x;
	locator->where.y = y;
}

struct vd_locator *vd_locator_free(struct vd_locator *locator)
{
	if (!locator)
		return NULL;
	for (int i = 0; i < LEVELS; i++)
		vd_image_fini(&locator->levels[i].pixels);
	free(locator->gx);
	free(locator->gy);
	free(locator->turn);
	free(locator);
	return NULL;
}

/* ---- finding ---- */

struct search {
	const struct vd_locator *locator;
	const struct vd_image *image;
	struct vd_image window, half,
		quarter; /* the image around the patch, in the patch's frame */
	struct vd_pose pose;
};

/* Fills window, and what is smaller, with margin pixels (a multiple of 4) around the patch. */
static int sample_window(struct search *search, int margin, int level)
{
	const struct vd_rect where = search->locator->where;
	const struct vd_rect wide = { where.x - margin, where.y - margin, where.width + 2 * margin,
				      where.height + 2 * margin };
	int r = vd_warp(search->image, &search->pose, wide, &search->window);

	if (r == 0 && level >= 1)
		r = vd_image_halve(&search->window, &search->half);
	if (r == 0 && level >= 2)
		r = vd_image_halve(&search->half, &search->quarter);
	return r;
}

/* A shift found in the patch's frame, as the pose has it: turned with it. */
static void move(struct vd_pose *pose, double dx, double dy)
{
	const double turn = pose->angle_deg * M_PI / 180;

	pose->dx += cos(turn) * dx - sin(turn) * dy;
	pose->dy += sin(turn) * dx + cos(turn) * dy;
}

/* The best shift within reach at this level; changes pose by it and sets the score. */
static int search_level(struct search *search, int level, int reach)
{
	const int scale = 1 << level, margin = (reach * scale + 3) / 4 * 4;
	const struct vd_image *images[] = { &search->window, &search->half, &search->quarter };
	struct vd_match match;
	int r = sample_window(search, margin, level);

	if (r < 0)
		return r;
	match = vd_patch_search(&search->locator->levels[level].patch, images[level],
				margin / scale, margin / scale, reach, 0);
	move(&search->pose, (match.x - margin / scale) * scale, (match.y - margin / scale) * scale);
	search->pose.score = match.score;
	return 0;
}

/* An angle at which a corner of the quarter-size patch moves by one pixel. */
static double angle_step(const struct vd_locator *locator)
{
	return 2 * 4 / hypot(locator->where.width, locator->where.height) * 180 / M_PI;
}

static int search_coarse(struct search *search)
{
	const struct vd_locate_options *options = &search->locator->options;
	const struct vd_pose start = search->pose;
	const int reach = (options->search_px + 3) / 4;
	const double step = angle_step(search->locator);
	const int turns = (int)ceil(options->angle_deg / step);
	struct vd_pose best = { .score = -3 };

	for (int i = -turns; i <= turns; i++) {
		int r;

		search->pose = start;
		search->pose.angle_deg = turns ? options->angle_deg * i / turns : 0;
		r = search_level(search, 2, reach);
		if (r < 0)
			return r;
		if (search->pose.score > best.score)
			best = search->pose;
	}
	search->pose = best;
	return 0;
}

/* Solves the normal equations of `count` unknowns; false: singular. */
static bool solve(double m[3][4], int count)
{
	for (int k = 0; k < count; k++) {
		if (!(fabs(m[k][k]) > 1e-6))
			return false;
		for (int row = 0; row < count; row++) {
			const double factor = m[row][k] / m[k][k];

			for (int column = k; row != k && column < 4; column++)
				m[row][column] -= factor * m[k][column];
		}
	}
	for (int k = 0; k < count; k++)
		m[k][3] /= m[k][k];
	return true;
}

struct moments {
	struct vd_products products;
	double slopes[3];
};

static struct moments measure(const struct vd_locator *locator, const struct vd_image *window)
{
	const struct vd_patch *patch = &locator->levels[0].patch;
	struct moments m = { 0 };

	for (int y = 0; y < patch->height; y += patch->row_step) {
		const size_t at = (size_t)y * (size_t)patch->width;
		const uint8_t *row = vd_image_row(window, y);

		vd_row_products(patch->pixels + (size_t)y * patch->stride, row, patch->width,
				&m.products);
		m.slopes[0] += (double)vd_row_weighted(locator->gx + at, row, patch->width);
		m.slopes[1] += (double)vd_row_weighted(locator->gy + at, row, patch->width);
		m.slopes[2] += (double)vd_row_weighted(locator->turn + at, row, patch->width);
	}
	return m;
}

/* One Gauss-Newton step; false when there is nothing to gain. */
static bool refine_step(struct search *search)
{
	const struct vd_locator *locator = search->locator;
	const struct vd_patch *patch = &locator->levels[0].patch;
	const struct moments m = measure(locator, &search->window);
	const int unknowns = locator->options.angle_deg > 0 ? 3 : 2;
	const double n = (double)patch->samples;
	const double own = (double)patch->squares - (double)patch->sum * (double)patch->sum / n;
	const double other =
		(double)m.products.bb - (double)m.products.b * (double)m.products.b / n;
	const double gain = other > 0 ? sqrt(own / other) : 1;
	const double offset = ((double)patch->sum - gain * (double)m.products.b) / n;
	double system[3][4] = { { 0 } };

	for (int a = 0; a < unknowns; a++) {
		for (int b = 0; b < unknowns; b++)
			system[a][b] = locator->normal[a][b];
		/* Slopes are doubled, hence the factor: patch(x + d) = patch + slope / 2 * d. */
		system[a][3] = -2 * (gain * m.slopes[a] + offset * locator->sums[a] -
				     locator->with_patch[a]);
	}
	if (!solve(system, unknowns) || fabs(system[0][3]) > 2 || fabs(system[1][3]) > 2)
		return false;
	move(&search->pose, system[0][3], system[1][3]);
	if (unknowns == 3)
		search->pose.angle_deg += system[2][3] * turn_scale(locator) / 2 * 180 / M_PI;
	return fabs(system[0][3]) > 0.01 || fabs(system[1][3]) > 0.01 ||
	       (unknowns == 3 && fabs(system[2][3]) > 0.01);
}

static int refine(struct search *search)
{
	const struct vd_patch *patch = &search->locator->levels[0].patch;
	bool again = true;
	int r = 0;

	for (int i = 0; r == 0 && again && i < REFINE_STEPS; i++) {
		r = sample_window(search, 0, 0);
		if (r == 0)
			again = refine_step(search);
	}
	if (r == 0)
		r = sample_window(search, 0, 0);
	if (r == 0)
		search->pose.score = vd_patch_score(patch, &search->window, 0, 0);
	return r;
}

static int find(struct search *search)
{
	const struct vd_locator *locator = search->locator;
	int r = search_coarse(search);

	if (r == 0)
		r = search_level(search, 1, 2);
	if (r == 0)
		r = search_level(search, 0, 1);
	if (r == 0 && search->pose.score >= locator->options.min_score - 0.3)
		r = refine(search);
	return r;
}

static bool is_within_search(const struct vd_locator *locator, const struct vd_pose *pose)
{
	const double most = locator->options.search_px + 4;

	return fabs(pose->dx) <= most && fabs(pose->dy) <= most;
}

int vd_locator_find(const struct vd_locator *locator, const struct vd_image *image,
		    struct vd_pose *ret_pose)
{
	struct search search = {
		.locator = locator,
		.image = image,
		.pose = { .cx = locator->where.x + (locator->where.width - 1) / 2.0,
			  .cy = locator->where.y + (locator->where.height - 1) / 2.0 },
	};
	int r;

	if (image->width < locator->where.width || image->height < locator->where.height)
		return -EINVAL;
	r = find(&search);
	vd_image_fini(&search.window);
	vd_image_fini(&search.half);
	vd_image_fini(&search.quarter);
	if (r < 0)
		return r;
	*ret_pose = search.pose;
	return search.pose.score >= locator->options.min_score &&
			       is_within_search(locator, &search.pose)
		       ? 0
		       : VD_NOT_LOCATED;
}
