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

/* ---- softly, shifted: the phase across is the same in all rows ---- */

static int phase_of(int position)
{
	return (position + VD_BLEND_ONE / 2) & (VD_BLEND_ONE - 1);
}

static int nearest_of(int position)
{
	return (position + VD_BLEND_ONE / 2) >> FRACTION_BITS;
}

int vd_sampler_init(struct vd_sampler *sampler, const struct vd_image *image, double x, int n)
{
	const int fx = fixed(x);

	*sampler = (struct vd_sampler){ .image = image,
					.n = n,
					.x = nearest_of(fx) - 1,
					.phase = phase_of(fx),
					.y = { INT_MIN, INT_MIN, INT_MIN } };
	sampler->across[0] = malloc(3 * (size_t)n * sizeof *sampler->across[0]);
	sampler->edge = malloc((size_t)n + 2);
	if (!sampler->across[0] || !sampler->edge) {
		vd_sampler_fini(sampler);
		return -ENOMEM;
	}
	sampler->across[1] = sampler->across[0] + n;
	sampler->across[2] = sampler->across[1] + n;
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
	const int slot = (y % 3 + 3) % 3;
	const uint8_t *row;

	if (sampler->y[slot] == y)
		return sampler->across[slot];
	if (sampler->x >= 0 && sampler->x + sampler->n + 2 <= image->width) {
		row = vd_image_row(image, clamp(y, 0, image->height - 1)) + sampler->x;
	} else {
		copy_clamped(image, sampler->x, y, sampler->n + 2, sampler->edge);
		row = sampler->edge;
	}
	vd_row_across(row, sampler->phase, sampler->n, sampler->across[slot]);
	sampler->y[slot] = y;
	return sampler->across[slot];
}

struct vd_triple vd_sampler_take(struct vd_sampler *sampler, double y)
{
	const int fy = fixed(y), middle = nearest_of(fy);

	return (struct vd_triple){ take_across(sampler, middle - 1), take_across(sampler, middle),
				   take_across(sampler, middle + 1), phase_of(fy) };
}

static int warp_softly(const struct vd_image *image, const struct vd_pose *pose,
		       struct vd_rect where, struct vd_image *out)
{
	VD_CLEANUP(vd_sampler_fini) struct vd_sampler sampler = { 0 };
	int r = vd_sampler_init(&sampler, image, where.x + pose->dx, where.width);

	for (int v = 0; r == 0 && v < where.height; v++) {
		const struct vd_triple triple = vd_sampler_take(&sampler, where.y + v + pose->dy);

		vd_row_down(triple.above, triple.middle, triple.below, triple.phase, where.width,
			    vd_image_row(out, v));
	}
	return r;
}

static int warp_shifted(const struct vd_image *image, const struct vd_pose *pose,
			struct vd_rect where, struct vd_image *out)
{
	VD_CLEANUP(vd_free) uint8_t *scratch = malloc(2 * ((size_t)where.width + 1));

	for (int v = 0; scratch && v < where.height; v++)
		vd_warp_row(image, where.x + pose->dx, where.y + v + pose->dy, where.width,
			    vd_image_row(out, v), scratch);
	return scratch ? 0 : -ENOMEM;
}

/* ---- turned: in pieces along which neither row nor offset of the column changes ---- */

/*
 * Positions in 1/65536 pixel; x less the column itself, so that it hardly changes. Soft ones are
 * half a pixel further, so that their whole part is the nearest pixel.
 */
struct turn {
	int64_t x, y, step_x, step_y;
	bool is_soft;
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

/* Far outside, columns and rows stay within what an int holds. */
static uint8_t sample_soft(const struct vd_image *image, int64_t x, int64_t y)
{
	const int ix = clamp((int)(x >> TURN_BITS), -2, image->width + 1);
	const int iy = clamp((int)(y >> TURN_BITS), -2, image->height + 1);
	const int fx = (int)(x >> (TURN_BITS - FRACTION_BITS)) & (VD_BLEND_ONE - 1);
	const int fy = (int)(y >> (TURN_BITS - FRACTION_BITS)) & (VD_BLEND_ONE - 1);
	int sum = 0;

	for (int j = -1; j <= 1; j++) {
		const uint8_t *row = vd_image_row(image, clamp(iy + j, 0, image->height - 1));
		int line = 0;

		for (int i = -1; i <= 1; i++)
			line += vd_soft_weight(fx, i) * row[clamp(ix + i, 0, image->width - 1)];
		sum += vd_soft_weight(fy, j) * ((line + 8) >> 4);
	}
	return (uint8_t)((sum + 128) >> 8);
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
	const int before = turn->is_soft ? 1 : 0;
	const struct vd_slant slant = { (uint16_t)turn->x, (uint16_t)turn->y,
					(uint16_t)turn->step_x, (uint16_t)turn->step_y };

	if (x >= before && x + n + 1 <= image->width && y >= before && y + 1 < image->height) {
		const uint8_t *row = vd_image_row(image, (int)y) + x - before;

		if (turn->is_soft)
			vd_row_slant_soft(row - image->stride, row, row + image->stride, slant, n,
					  out);
		else
			vd_row_slant(row, row + image->stride, slant, n, out);
		return;
	}
	for (int i = 0; i < n; i++) {
		const int64_t at_x =
			turn->x + i * turn->step_x + (int64_t)(u + i) * (1 << TURN_BITS);
		const int64_t at_y = turn->y + i * turn->step_y;

		out[i] = turn->is_soft ? sample_soft(image, at_x, at_y) : sample(image, at_x, at_y);
	}
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
			struct vd_rect where, bool is_soft, struct vd_image *out)
{
	const double angle = pose->angle_deg * M_PI / 180, one = 1 << TURN_BITS;
	const int64_t half = (1 << (TURN_BITS - FRACTION_BITS - 1)) /* nearest 1/64 pixel */ +
			     (is_soft ? 1 << (TURN_BITS - 1) : 0);

	for (int v = 0; v < where.height; v++) {
		struct turn turn = { .step_x = llrint((cos(angle) - 1) * one),
				     .step_y = llrint(sin(angle) * one),
				     .is_soft = is_soft };
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
	warp_turned(image, pose, where, false, out);
	return 0;
}

int vd_warp_soft(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
		 struct vd_image *out)
{
	const int r = vd_image_shape(out, where.width, where.height, VD_GREY);

	if (r < 0)
		return r;
	if (pose->angle_deg == 0)
		return warp_softly(image, pose, where, out);
	warp_turned(image, pose, where, true, out);
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
