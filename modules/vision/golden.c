/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/golden.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/kernels.h"
#include "modules/vision/warp.h"

struct vd_golden {
	struct vd_golden_options options;
	struct vd_rect where;
	struct vd_image reference;
	struct vd_band band;
};

struct vd_golden_options vd_golden_defaults(void)
{
	return (struct vd_golden_options){
		.tolerance_px = 1,
		.threshold = 30,
		.tiles = { .tile_px = 80, .search_px = 6 },
		.blobs = { .open_px = 3,
			   .merge_px = 10,
			   .min_area_px = 10,
			   .polarity = VD_BRIGHT_AND_DARK },
	};
}

typedef void (*row_fn)(uint8_t *io, const uint8_t *other, int n);

/* out = max or min of image over +-reach, border repeated. Separable: rows, then columns. */
static int spread(const struct vd_image *image, int reach, row_fn fn, struct vd_image *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image across = { 0 };
	const int width = image->width, height = image->height;
	int r = vd_image_shape(&across, width, height, VD_GREY);

	if (r == 0)
		r = vd_image_shape(out, width, height, VD_GREY);
	for (int y = 0; r == 0 && y < height; y++) {
		const uint8_t *from = vd_image_row(image, y);
		uint8_t *to = memcpy(vd_image_row(&across, y), from, (size_t)width);

		for (int k = 1; k <= reach && k < width; k++) {
			fn(to, from + k, width - k);
			fn(to + k, from, width - k);
		}
	}
	for (int y = 0; r == 0 && y < height; y++) {
		uint8_t *to = memcpy(vd_image_row(out, y), vd_image_row(&across, y), (size_t)width);

		for (int k = 1; k <= reach; k++) {
			if (y - k >= 0)
				fn(to, vd_image_row(&across, y - k), width);
			if (y + k < height)
				fn(to, vd_image_row(&across, y + k), width);
		}
	}
	return r;
}

static int make_band(struct vd_golden *golden)
{
	const struct vd_golden_options *options = &golden->options;
	const struct vd_image *reference = &golden->reference;
	struct vd_band *band = &golden->band;
	int r = spread(reference, options->tolerance_px, vd_row_max, &band->upper);

	if (r == 0)
		r = spread(reference, options->tolerance_px, vd_row_min, &band->lower);
	for (int y = 0; r == 0 && y < reference->height; y++) {
		vd_row_add(vd_image_row(&band->upper, y), (uint8_t)options->threshold,
			   reference->width);
		vd_row_subtract(vd_image_row(&band->lower, y), (uint8_t)options->threshold,
				reference->width);
	}
	band->window_px = options->window_px;
	return r < 0 ? r : vd_cells_measure(&band->cells, reference);
}

int vd_golden_new(const struct vd_image *image, struct vd_rect where,
		  const struct vd_golden_options *options, struct vd_golden **ret_golden)
{
	const struct vd_pose identity = vd_pose_identity();
	VD_CLEANUP(vd_golden_free) struct vd_golden *golden = NULL;
	int r;

	if (where.width < 1 || where.height < 1 || where.x < 0 || where.y < 0 ||
	    where.x > image->width - where.width || where.y > image->height - where.height)
		return -EINVAL;
	golden = calloc(1, sizeof *golden);
	if (!golden)
		return -ENOMEM;
	golden->options = *options;
	golden->where = where;
	r = vd_warp(image, &identity, where, &golden->reference);
	if (r == 0)
		r = make_band(golden);
	if (r == 0)
		*ret_golden = VD_TAKE(golden);
	return r;
}

struct vd_golden *vd_golden_free(struct vd_golden *golden)
{
	if (!golden)
		return NULL;
	vd_image_fini(&golden->reference);
	vd_band_fini(&golden->band);
	free(golden);
	return NULL;
}

void vd_golden_work_fini(struct vd_golden_work *work)
{
	vd_image_fini(&work->window);
	vd_image_fini(&work->registered);
	vd_field_fini(&work->field);
	vd_band_work_fini(&work->band);
}

static bool is_plain(const struct vd_golden *golden, const struct vd_image *image,
		     const struct vd_pose *pose)
{
	return pose->dx == 0 && pose->dy == 0 && pose->angle_deg == 0 && golden->where.x == 0 &&
	       golden->where.y == 0 && golden->where.width == image->width &&
	       golden->where.height == image->height;
}

/* Leaves the image in the template's place in work->registered. */
static int bring_together(const struct vd_golden *golden, const struct vd_image *image,
			  const struct vd_pose *pose, struct vd_golden_work *work)
{
	const struct vd_rect where = golden->where;
	const bool local = golden->options.tiles.search_px > 0;
	int r;

	if (!local)
		return vd_warp(image, pose, where, &work->registered);
	if (!is_plain(golden, image, pose)) {
		r = vd_warp(image, pose, where, &work->window);
		if (r < 0)
			return r;
		image = &work->window;
	}
	r = vd_field_register(&work->field, &golden->reference, image, &golden->options.tiles);
	if (r < 0)
		return r;
	if (work->field.sound * 4 < work->field.textured)
		return VD_GOLDEN_FOREIGN;
	return vd_field_warp(&work->field, image, where.width, where.height, &work->registered);
}

int vd_golden_compare(const struct vd_golden *golden, const struct vd_image *image,
		      const struct vd_pose *pose, struct vd_golden_work *work,
		      struct vd_blobs *ret_blobs)
{
	int r;

	if (!vd_warp_inside(image, pose, golden->where))
		return -EINVAL;
	r = bring_together(golden, image, pose, work);
	if (r != 0)
		return r;
	r = vd_band_compare(&golden->band, &work->registered, &work->band);
	if (r < 0)
		return r;
	return vd_blobs_find(&work->band.excess, NULL, &golden->options.blobs, ret_blobs);
}
