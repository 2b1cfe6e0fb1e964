/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/warp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/kernels.h"

enum { FRACTION_BITS = 6, TURN_BITS = 16 };

static int clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

/* Row y from column x, n samples, the border repeated. */
static void copy_clamped(const struct vd_image *image, int x, int y, int n, uint8_t *out)
{
	const uint8_t *row = vd_image_row(image, clamp(y, 0, image->height - 1));
	const int before = clamp(-x, 0, n), end = clamp(image->width - x, before, n);

	memset(out, row[0], (size_t)before);
	memcpy(out + before, row + x + before, (size_t)(end - before));
	memset(out + end, row[image->width - 1], (size_t)(n - end));
}

static int fixed(double v)
{
	return (int)lrint(fmin(fmax(v, -1e6), 1e6) * VD_BLEND_ONE);
}

void vd_warp_row(const struct vd_image *image, double x, double y, int n, uint8_t *out,
		 uint8_t *scratch)
{
	const int fx = fixed(x), fy = fixed(y);
	const int ix = fx >> FRACTION_BITS, iy = fy >> FRACTION_BITS;
	const uint8_t *upper, *lower;

	if (ix >= 0 && ix + n + 1 <= image->width && iy >= 0 && iy + 1 < image->height) {
		upper = vd_image_row(image, iy) + ix;
		lower = vd_image_row(image, iy + 1) + ix;
	} else {
		copy_clamped(image, ix, iy, n + 1, scratch);
		copy_clamped(image, ix, iy + 1, n + 1, scratch + n + 1);
		upper = scratch;
		lower = scratch + n + 1;
	}
	vd_row_blend(upper, lower, fx & (VD_BLEND_ONE - 1), fy & (VD_BLEND_ONE - 1), n, out);
}

static uint8_t sample(const struct vd_image *image, int64_t x, int64_t y)
{
	const int ix = clamp((int)(x >> TURN_BITS), -1, image->width - 1);
	const int iy = clamp((int)(y >> TURN_BITS), -1, image->height - 1);
	const uint8_t *upper = vd_image_row(image, iy < 0 ? 0 : iy);
	const uint8_t *lower = vd_image_row(image, clamp(iy + 1, 0, image->height - 1));
	const int left = ix < 0 ? 0 : ix, right = clamp(ix + 1, 0, image->width - 1);
	const int fx = (int)(x >> (TURN_BITS - 8)) & 255, fy = (int)(y >> (TURN_BITS - 8)) & 255;
	const int u = upper[left] * (256 - fx) + upper[right] * fx;
	const int l = lower[left] * (256 - fx) + lower[right] * fx;

	return (uint8_t)((u * (256 - fy) + l * fy + (1 << 15)) >> 16);
}

static void warp_turned(const struct vd_image *image, const struct vd_pose *pose,
			struct vd_rect where, struct vd_image *out)
{
	const double turn = pose->angle_deg * M_PI / 180, one = 1 << TURN_BITS;
	const int64_t step_x = llrint(cos(turn) * one), step_y = llrint(sin(turn) * one);

	for (int v = 0; v < where.height; v++) {
		uint8_t *row = vd_image_row(out, v);
		int64_t x, y;
		double start_x, start_y;

		vd_pose_map(pose, where.x, where.y + v, &start_x, &start_y);
		x = llrint(start_x * one);
		y = llrint(start_y * one);
		for (int u = 0; u < where.width; u++, x += step_x, y += step_y)
			row[u] = sample(image, x, y);
	}
}

static void warp_shifted(const struct vd_image *image, const struct vd_pose *pose,
			 struct vd_rect where, struct vd_image *out, uint8_t *scratch)
{
	for (int v = 0; v < where.height; v++)
		vd_warp_row(image, where.x + pose->dx, where.y + v + pose->dy, where.width,
			    vd_image_row(out, v), scratch);
}

int vd_warp(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
	    struct vd_image *out)
{
	VD_CLEANUP(vd_free) uint8_t *scratch = malloc(2 * ((size_t)where.width + 1));
	int r;

	if (!scratch)
		return -ENOMEM;
	r = vd_image_shape(out, where.width, where.height, VD_GREY);
	if (r < 0)
		return r;
	if (pose->angle_deg != 0)
		warp_turned(image, pose, where, out);
	else
		warp_shifted(image, pose, where, out, scratch);
	return 0;
}

bool vd_warp_inside(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where)
{
	for (int corner = 0; corner < 4; corner++) {
		const int u = corner & 1 ? where.x + where.width - 1 : where.x;
		const int v = corner & 2 ? where.y + where.height - 1 : where.y;
		double x, y;

		vd_pose_map(pose, u, v, &x, &y);
		if (!(x >= -1 && y >= -1 && x <= image->width && y <= image->height))
			return false;
	}
	return true;
}

int vd_image_halve(const struct vd_image *image, struct vd_image *out)
{
	int r = vd_image_shape(out, image->width / 2, image->height / 2, VD_GREY);

	if (r < 0)
		return r;
	for (int y = 0; y < out->height; y++)
		vd_row_halve(vd_image_row(image, 2 * y), vd_image_row(image, 2 * y + 1), out->width,
			     vd_image_row(out, y));
	return 0;
}
