/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/warp.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/kernels.h"

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

/* ---- shifted: the fraction across is the same in all rows ---- */

int vd_sampler_init(struct vd_sampler *sampler, const struct vd_image *image, double x, int n)
{
	const int fx = fixed(x);

	*sampler = (struct vd_sampler){ .image = image,
					.n = n,
					.x = fx >> FRACTION_BITS,
					.fx = fx & (VD_BLEND_ONE - 1),
					.y = { INT_MIN, INT_MIN } };
	sampler->across[0] = malloc(2 * (size_t)n * sizeof *sampler->across[0]);
	sampler->edge = malloc((size_t)n + 1);
	if (!sampler->across[0] || !sampler->edge) {
		vd_sampler_fini(sampler);
		return -ENOMEM;
	}
	sampler->across[1] = sampler->across[0] + n;
	return 0;
}

void vd_sampler_fini(struct vd_sampler *sampler)
{
	free(sampler->across[0]);
	free(sampler->edge);
	*sampler = (struct vd_sampler){ 0 };
}

static const uint16_t *take_across(struct vd_sampler *sampler, int y)
{
	const struct vd_image *image = sampler->image;
	const int slot = y & 1;
	const uint8_t *row;

	if (sampler->y[slot] == y)
		return sampler->across[slot];
	if (sampler->x >= 0 && sampler->x + sampler->n + 1 <= image->width) {
		row = vd_image_row(image, clamp(y, 0, image->height - 1)) + sampler->x;
	} else {
		copy_clamped(image, sampler->x, y, sampler->n + 1, sampler->edge);
		row = sampler->edge;
	}
	vd_row_across(row, sampler->fx, sampler->n, sampler->across[slot]);
	sampler->y[slot] = y;
	return sampler->across[slot];
}

int vd_sampler_take(struct vd_sampler *sampler, double y, const uint16_t **ret_above,
		    const uint16_t **ret_below)
{
	const int fy = fixed(y), iy = fy >> FRACTION_BITS;

	*ret_above = take_across(sampler, iy);
	*ret_below = take_across(sampler, iy + 1);
	return fy & (VD_BLEND_ONE - 1);
}

void vd_sampler_row(struct vd_sampler *sampler, double y, uint8_t *out)
{
	const uint16_t *above, *below;
	const int fy = vd_sampler_take(sampler, y, &above, &below);

	vd_row_down(above, below, fy, sampler->n, out);
}

static int warp_shifted(const struct vd_image *image, const struct vd_pose *pose,
			struct vd_rect where, struct vd_image *out)
{
	VD_CLEANUP(vd_sampler_fini) struct vd_sampler sampler = { 0 };
	int r = vd_sampler_init(&sampler, image, where.x + pose->dx, where.width);

	for (int v = 0; r == 0 && v < where.height; v++)
		vd_sampler_row(&sampler, where.y + v + pose->dy, vd_image_row(out, v));
	return r;
}

/* ---- turned: in pieces along which neither row nor offset of the column changes ---- */

/* Positions in 1/65536 pixel; x less the column itself, so that it hardly changes. */
struct turn {
	int64_t x, y, step_x, step_y;
};

static uint8_t sample(const struct vd_image *image, int64_t x, int64_t y)
{
	const int ix = clamp((int)(x >> TURN_BITS), -1, image->width - 1);
	const int iy = clamp((int)(y >> TURN_BITS), -1, image->height - 1);
	const uint8_t *upper = vd_image_row(image, iy < 0 ? 0 : iy);
	const uint8_t *lower = vd_image_row(image, clamp(iy + 1, 0, image->height - 1));
	const int left = ix < 0 ? 0 : ix, right = clamp(ix + 1, 0, image->width - 1);
	const int fx = (int)(x >> (TURN_BITS - FRACTION_BITS)) & (VD_BLEND_ONE - 1);
	const int fy = (int)(y >> (TURN_BITS - FRACTION_BITS)) & (VD_BLEND_ONE - 1);
	const int u = (upper[left] * (VD_BLEND_ONE - fx) + upper[right] * fx + 8) >> 4;
	const int l = (lower[left] * (VD_BLEND_ONE - fx) + lower[right] * fx + 8) >> 4;

	return (uint8_t)((u * (VD_BLEND_ONE - fy) + l * fy + 128) >> 8);
}

/* How many steps until at passes into another pixel. */
static int64_t steps_within(int64_t at, int64_t step)
{
	const int64_t one = (int64_t)1 << TURN_BITS, fraction = at & (one - 1);

	if (step == 0)
		return INT_MAX;
	return step > 0 ? (one - fraction + step - 1) / step : fraction / -step + 1;
}

static int piece_length(const struct turn *turn, int most)
{
	const int64_t across = steps_within(turn->x, turn->step_x);
	const int64_t down = steps_within(turn->y, turn->step_y);
	const int64_t length = across < down ? across : down;

	return length < most ? (int)length : most;
}

/* n samples from column u on, none of which passes into another pixel. */
static void sample_piece(const struct vd_image *image, const struct turn *turn, int u, int n,
			 uint8_t *out)
{
	const int64_t x = (turn->x >> TURN_BITS) + u, y = turn->y >> TURN_BITS;
	const struct vd_slant slant = { (uint16_t)turn->x, (uint16_t)turn->y,
					(uint16_t)turn->step_x, (uint16_t)turn->step_y };

	if (x >= 0 && x + n + 1 <= image->width && y >= 0 && y + 1 < image->height) {
		vd_row_slant(vd_image_row(image, (int)y) + x, vd_image_row(image, (int)y + 1) + x,
			     slant, n, out);
		return;
	}
	for (int i = 0; i < n; i++)
		out[i] = sample(image, turn->x + i * turn->step_x + ((int64_t)(u + i) << TURN_BITS),
				turn->y + i * turn->step_y);
}

static void sample_turned(const struct vd_image *image, struct turn turn, int n, uint8_t *out)
{
	for (int u = 0; u < n;) {
		const int length = piece_length(&turn, n - u);

		sample_piece(image, &turn, u, length, out + u);
		turn.x += length * turn.step_x;
		turn.y += length * turn.step_y;
		u += length;
	}
}

static void warp_turned(const struct vd_image *image, const struct vd_pose *pose,
			struct vd_rect where, struct vd_image *out)
{
	const double angle = pose->angle_deg * M_PI / 180, one = 1 << TURN_BITS;
	const int64_t half = 1 << (TURN_BITS - FRACTION_BITS - 1); /* nearest 1/64 pixel */

	for (int v = 0; v < where.height; v++) {
		struct turn turn = { .step_x = llrint((cos(angle) - 1) * one),
				     .step_y = llrint(sin(angle) * one) };
		double x, y;

		vd_pose_map(pose, where.x, where.y + v, &x, &y);
		turn.x = llrint(fmin(fmax(x, -1e6), 1e6) * one) + half;
		turn.y = llrint(fmin(fmax(y, -1e6), 1e6) * one) + half;
		sample_turned(image, turn, where.width, vd_image_row(out, v));
	}
}

int vd_warp(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
	    struct vd_image *out)
{
	const int r = vd_image_shape(out, where.width, where.height, VD_GREY);

	if (r < 0)
		return r;
	if (pose->angle_deg == 0)
		return warp_shifted(image, pose, where, out);
	warp_turned(image, pose, where, out);
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
