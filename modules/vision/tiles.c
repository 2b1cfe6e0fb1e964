/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coarse to fine: one shift for the whole image at quarter size, each tile around it at half
 * size, then +-1 at full size and a parabola. A weak pull towards the coarser answer decides
 * where texture alone cannot (parallel tracks).
 */
#include "modules/vision/tiles.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/ncc.h"
#include "modules/vision/warp.h"

enum { COARSE_SAMPLES = 1 << 16, TILE_SAMPLES = 8192 };

static const double PULL = 0.0005, SOUND_SCORE = 0.6, SOUND_VARIANCE = 16;

struct pyramid {
	struct vd_image half, quarter;
};

static void pyramid_fini(struct pyramid *pyramid)
{
	vd_image_fini(&pyramid->half);
	vd_image_fini(&pyramid->quarter);
}

static int pyramid_build(struct pyramid *pyramid, const struct vd_image *image)
{
	int r = vd_image_halve(image, &pyramid->half);

	return r < 0 ? r : vd_image_halve(&pyramid->half, &pyramid->quarter);
}

struct registration {
	const struct vd_image *reference, *image;
	struct pyramid reference_levels, image_levels;
	struct vd_tile_options options;
	int dx, dy; /* of the whole image, at full size */
};

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* The part of where (at the given place) that can move by reach and stay inside both images. */
static struct vd_rect keep_inside(struct vd_rect where, int dx, int dy, int reach,
				  const struct vd_image *reference, const struct vd_image *image)
{
	const int left = larger(where.x, reach - dx), top = larger(where.y, reach - dy);
	const int right = smaller(smaller(where.x + where.width, reference->width),
				  image->width - reach - dx);
	const int bottom = smaller(smaller(where.y + where.height, reference->height),
				   image->height - reach - dy);

	return (struct vd_rect){ left, top, right - left, bottom - top };
}

static void register_whole(struct registration *reg)
{
	const struct vd_image *reference = &reg->reference_levels.quarter;
	const struct vd_image *image = &reg->image_levels.quarter;
	const int reach = (reg->options.search_px + 3) / 4;
	const struct vd_rect where =
		keep_inside((struct vd_rect){ 0, 0, reference->width, reference->height }, 0, 0,
			    reach, reference, image);
	struct vd_patch patch;
	struct vd_match match;

	if (where.width < 8 || where.height < 8)
		return;
	patch = vd_patch_of(reference, where, COARSE_SAMPLES);
	match = vd_patch_search(&patch, image, where.x, where.y, reach, PULL);
	reg->dx = 4 * (match.x - where.x);
	reg->dy = 4 * (match.y - where.y);
}

static int half_of(int v)
{
	return (int)floor(v / 2.0);
}

/* A tile's whole shift at half size, in full-size pixels. */
static void register_coarse(const struct registration *reg, struct vd_rect tile, int *dx, int *dy)
{
	const struct vd_image *reference = &reg->reference_levels.half;
	const struct vd_image *image = &reg->image_levels.half;
	const int reach = (reg->options.search_px + 1) / 2;
	const struct vd_rect where = keep_inside(
		(struct vd_rect){ tile.x / 2, tile.y / 2, tile.width / 2, tile.height / 2 },
		half_of(reg->dx), half_of(reg->dy), reach, reference, image);
	struct vd_patch patch;
	struct vd_match match;

	*dx = reg->dx;
	*dy = reg->dy;
	if (where.width < 8 || where.height < 8)
		return;
	patch = vd_patch_of(reference, where, TILE_SAMPLES);
	match = vd_patch_search(&patch, image, where.x + half_of(reg->dx),
				where.y + half_of(reg->dy), reach, PULL);
	*dx = 2 * (match.x - where.x);
	*dy = 2 * (match.y - where.y);
}

static struct vd_shift register_tile(const struct registration *reg, struct vd_rect tile,
				     int *textured)
{
	struct vd_shift shift = { reg->dx, reg->dy, 0 };
	struct vd_rect where;
	struct vd_patch patch;
	struct vd_match match;
	double x, y;
	int dx, dy;

	register_coarse(reg, tile, &dx, &dy);
	where = keep_inside(tile, dx, dy, 3, reg->reference, reg->image);
	if (where.width < 8 || where.height < 8)
		return shift;
	patch = vd_patch_of(reg->reference, where, TILE_SAMPLES);
	if (vd_patch_variance(&patch) < SOUND_VARIANCE)
		return shift;
	++*textured;
	match = vd_patch_search(&patch, reg->image, where.x + dx, where.y + dy, 2, PULL);
	if (match.score < SOUND_SCORE)
		return shift;
	vd_patch_subpixel(&patch, reg->image, &match, &x, &y);
	return (struct vd_shift){ x - where.x, y - where.y, match.score };
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, by_value);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The median of the sound tiles among the eight neighbours and the tile; false: none. */
static bool neighbours_median(const struct vd_field *field, int column, int row,
			      struct vd_shift *ret_median)
{
	double dx[9], dy[9];
	int count = 0;

	for (int y = larger(row - 1, 0); y <= smaller(row + 1, field->rows - 1); y++) {
		for (int x = larger(column - 1, 0); x <= smaller(column + 1, field->columns - 1);
		     x++) {
			const struct vd_shift *shift = &field->shifts[y * field->columns + x];

			if (shift->score <= 0)
				continue;
			dx[count] = shift->dx;
			dy[count++] = shift->dy;
		}
	}
	if (count == 0)
		return false;
	*ret_median = (struct vd_shift){ median(dx, count), median(dy, count), 0 };
	return true;
}

/* Tiles that could not be registered, and lone ones far from all around them, follow those. */
static int smooth(struct vd_field *field)
{
	const size_t count = (size_t)field->columns * (size_t)field->rows;
	VD_CLEANUP(vd_free) struct vd_shift *smoothed = malloc(count * sizeof *smoothed);
	struct vd_shift around;

	if (!smoothed)
		return -ENOMEM;
	memcpy(smoothed, field->shifts, count * sizeof *smoothed);
	for (int row = 0; row < field->rows; row++) {
		for (int column = 0; column < field->columns; column++) {
			struct vd_shift *shift = &smoothed[row * field->columns + column];

			if (!neighbours_median(field, column, row, &around))
				continue;
			if (shift->score <= 0 || fabs(shift->dx - around.dx) > 2 ||
			    fabs(shift->dy - around.dy) > 2)
				*shift = around;
			else
				field->sound++;
		}
	}
	memcpy(field->shifts, smoothed, count * sizeof *smoothed);
	return 0;
}

static int prepare(struct registration *reg, struct vd_field *field)
{
	const int tile = reg->options.tile_px;
	const int width = reg->reference->width, height = reg->reference->height;
	int r = pyramid_build(&reg->reference_levels, reg->reference);

	if (r == 0)
		r = pyramid_build(&reg->image_levels, reg->image);
	if (r < 0)
		return r;
	vd_field_fini(field);
	field->tile_px = tile;
	field->columns = (width + tile - 1) / tile;
	field->rows = (height + tile - 1) / tile;
	field->shifts = calloc((size_t)field->columns * (size_t)field->rows, sizeof *field->shifts);
	return field->shifts ? 0 : -ENOMEM;
}

static bool options_are_sound(const struct vd_tile_options *options, const struct vd_image *a,
			      const struct vd_image *b)
{
	return options->tile_px >= 16 && options->tile_px <= 1024 && options->search_px >= 1 &&
	       options->search_px <= 64 && smaller(a->width, b->width) >= options->tile_px &&
	       smaller(a->height, b->height) >= options->tile_px;
}

static int register_all(struct registration *reg, struct vd_field *field)
{
	const int tile = reg->options.tile_px;
	int r = prepare(reg, field);

	if (r < 0)
		return r;
	register_whole(reg);
	for (int row = 0; row < field->rows; row++) {
		for (int column = 0; column < field->columns; column++)
			field->shifts[row * field->columns + column] = register_tile(
				reg, (struct vd_rect){ column * tile, row * tile, tile, tile },
				&field->textured);
	}
	return smooth(field);
}

int vd_field_register(struct vd_field *field, const struct vd_image *reference,
		      const struct vd_image *image, const struct vd_tile_options *options)
{
	struct registration reg = { .reference = reference, .image = image, .options = *options };
	int r;

	if (!options_are_sound(options, reference, image))
		return -EINVAL;
	r = register_all(&reg, field);
	pyramid_fini(&reg.reference_levels);
	pyramid_fini(&reg.image_levels);
	return r;
}

void vd_field_fini(struct vd_field *field)
{
	free(field->shifts);
	*field = (struct vd_field){ 0 };
}

int vd_field_warp(const struct vd_field *field, const struct vd_image *image, int width, int height,
		  struct vd_image *out)
{
	const int tile = field->tile_px;
	VD_CLEANUP(vd_free) uint8_t *scratch = malloc(2 * ((size_t)tile + 1));
	int r;

	if (!scratch)
		return -ENOMEM;
	r = vd_image_shape(out, width, height, VD_GREY);
	if (r < 0)
		return r;
	for (int y = 0; y < height; y++) {
		const struct vd_shift *shifts = &field->shifts[y / tile * field->columns];

		for (int column = 0; column < field->columns; column++) {
			const int x = column * tile;

			vd_warp_row(image, x + shifts[column].dx, y + shifts[column].dy,
				    smaller(tile, width - x), vd_image_row(out, y) + x, scratch);
		}
	}
	return 0;
}
