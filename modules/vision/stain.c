/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grid of segment means, one a quarter of a segment; then running maxima and minima of travel
 * neighbours along each direction, row by row.
 */
#include "modules/vision/stain.h"

#include <errno.h>
#include <string.h>

#include "modules/vision/kernels.h"

struct vd_stain_options vd_stain_defaults(void)
{
	return (struct vd_stain_options){ .segment_px = 4,
					  .travel = 4,
					  .direction = VD_STAIN_XY,
					  .level = 20,
					  .min_area_px = 1,
					  .merge_px = 8 };
}

void vd_stain_work_fini(struct vd_stain_work *work)
{
	vd_integral_fini(&work->integral);
	vd_image_fini(&work->high);
	vd_image_fini(&work->low);
	vd_image_fini(&work->row);
	vd_excess_fini(&work->excess);
}

static int step_of(const struct vd_stain_options *options)
{
	return options->segment_px < 8 ? 1 : options->segment_px / 4;
}

enum { RECIPROCAL_BITS = 42 };

/* Means of one row of segments. The reciprocal is exact: sums are below 2^24, areas to 2^16. */
static void measure_row(const struct vd_integral *integral, int side, int step, int y, int n,
			uint8_t *out)
{
	const uint32_t area = (uint32_t)(side * side);
	const uint64_t reciprocal = ((uint64_t)1 << RECIPROCAL_BITS) / area + 1;

	for (int x = 0; x < n; x++) {
		const uint64_t sum =
			vd_integral_sum(integral, x * step, y, x * step + side, y + side) +
			area / 2;

		out[x] = (uint8_t)(sum * reciprocal >> RECIPROCAL_BITS);
	}
}

static int measure_means(const struct vd_image *image, const struct vd_stain_options *options,
			 struct vd_stain_work *work)
{
	const int side = options->segment_px, step = step_of(options);
	const int columns = (image->width - side) / step + 1;
	const int rows = (image->height - side) / step + 1;
	int r = vd_integral_measure(&work->integral, image);

	if (r == 0)
		r = vd_image_shape(&work->high, columns, rows, VD_GREY);
	if (r == 0)
		r = vd_image_shape(&work->low, columns, rows, VD_GREY);
	if (r == 0)
		r = vd_image_shape(&work->row, columns, 1, VD_GREY);
	for (int y = 0; r == 0 && y < rows; y++) {
		uint8_t *out = vd_image_row(&work->high, y);

		measure_row(&work->integral, side, step, y * step, columns, out);
		memcpy(vd_image_row(&work->low, y), out, (size_t)columns);
	}
	return r;
}

typedef void (*row_fn)(uint8_t *io, const uint8_t *other, int n);

/* Each of the first n - travel + 1 values becomes the extreme of travel values from it on. */
static void run_along_x(struct vd_image *grid, int travel, row_fn fn, uint8_t *copy)
{
	const int n = grid->width - travel + 1;

	for (int y = 0; y < grid->height; y++) {
		uint8_t *row = vd_image_row(grid, y);

		memcpy(copy, row, (size_t)grid->width);
		for (int k = 1; k < travel; k++)
			fn(row, copy + k, n);
	}
}

static void run_along_y(struct vd_image *grid, int travel, row_fn fn)
{
	for (int y = 0; y + travel <= grid->height; y++) {
		for (int k = 1; k < travel; k++)
			fn(vd_image_row(grid, y), vd_image_row(grid, y + k), grid->width);
	}
}

static void run(struct vd_stain_work *work, const struct vd_stain_options *options)
{
	if (options->direction & VD_STAIN_X) {
		run_along_x(&work->high, options->travel, vd_row_max, work->row.pixels);
		run_along_x(&work->low, options->travel, vd_row_min, work->row.pixels);
	}
	if (options->direction & VD_STAIN_Y) {
		run_along_y(&work->high, options->travel, vd_row_max);
		run_along_y(&work->low, options->travel, vd_row_min);
	}
}

/* The largest level; the places above the limit stand in work->excess. */
static int threshold(struct vd_stain_work *work, int width, int height, int limit)
{
	int largest = 0;

	for (int y = 0; y < height; y++) {
		const uint8_t *high = vd_image_row(&work->high, y);
		const uint8_t *low = vd_image_row(&work->low, y);
		uint8_t *excess = vd_image_row(&work->excess.excess, y);
		uint8_t *bits = vd_image_row(&work->excess.bits, y);
		uint8_t row_largest = 0;

		for (int x = 0; x < width; x++) {
			const uint8_t level = (uint8_t)(high[x] - low[x]);

			row_largest = level > row_largest ? level : row_largest;
			excess[x] = (uint8_t)(level > limit ? level - limit : 0);
			bits[x] = level > limit ? VD_BRIGHT : 0;
		}
		work->excess.any[y] = row_largest > limit;
		largest = row_largest > largest ? row_largest : largest;
	}
	return largest;
}

/* From the grid to the image's pixels: a place stands for all segments compared there. */
static void scale(struct vd_blobs *blobs, const struct vd_stain_options *options)
{
	const int step = step_of(options), side = options->segment_px;
	const int reach = (options->travel - 1) * step;

	blobs->area_px *= step * step;
	for (size_t i = 0; i < blobs->count; i++) {
		struct vd_defect *defect = &blobs->defects[i];
		struct vd_rect *box = &defect->box;
		const int more_x = options->direction & VD_STAIN_X ? reach : 0;
		const int more_y = options->direction & VD_STAIN_Y ? reach : 0;

		*box = (struct vd_rect){ box->x * step, box->y * step,
					 (box->width - 1) * step + side + more_x,
					 (box->height - 1) * step + side + more_y };
		defect->area_px *= step * step;
	}
}

int vd_stain_find(const struct vd_image *image, const struct vd_stain_options *options,
		  struct vd_stain_work *work, struct vd_stains *ret_stains)
{
	const int step = step_of(options), cell = step * step;
	const struct vd_blob_options blobs = {
		.open_px = 1,
		.merge_px = (options->merge_px + step - 1) / step,
		.min_area_px = (options->min_area_px + cell - 1) / cell,
		.polarity = VD_BRIGHT,
	};
	const int across = options->direction & VD_STAIN_X ? options->travel - 1 : 0;
	const int down = options->direction & VD_STAIN_Y ? options->travel - 1 : 0;
	struct vd_stains stains = { .level = 0 };
	int width, height, r;

	if (image->width < options->segment_px + across * step ||
	    image->height < options->segment_px + down * step)
		return -EINVAL;
	r = measure_means(image, options, work);
	if (r < 0)
		return r;
	width = work->high.width - across;
	height = work->high.height - down;
	r = vd_excess_shape(&work->excess, width, height);
	if (r < 0)
		return r;
	run(work, options);
	stains.level = threshold(work, width, height, options->level);
	r = vd_blobs_find(&work->excess, NULL, &blobs, &stains.blobs);
	if (r < 0)
		return r;
	scale(&stains.blobs, options);
	*ret_stains = stains;
	return 0;
}
