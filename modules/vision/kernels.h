/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * The inner loops of inspection: one row of 8-bit samples each, integers only, so that every
 * instruction set gives the same bits. Plain C that the compiler vectorises; on x86-64 each
 * has a second clone for AVX2, chosen when the program is loaded.
 * Lengths n are pixels, at least 0. Outputs never overlap inputs unless said.
 */
enum { VD_BLEND_ONE = 64, VD_GAIN_ONE = 1024, VD_PRODUCTS_MOST = 16384, VD_CLIPPED = 250 };

/*
 * out[i] = bilinear sample between upper[i], upper[i+1], lower[i], lower[i+1] at the fractions
 * fx, fy in 0 .. VD_BLEND_ONE - 1. Reads n + 1 samples of both rows.
 */
void vd_row_blend(const uint8_t *upper, const uint8_t *lower, int fx, int fy, int n, uint8_t *out);

/*
 * Soft sampling: the quadratic B-spline over 3 x 3 samples. It blurs nearly alike wherever between
 * pixels a sample falls, where a bilinear one is sharp on a pixel and soft between two; of that
 * difference sharp detail makes residuals that look like defects. phase: 0 .. VD_BLEND_ONE - 1, the
 * middle sample is half a pixel after at 0. In two steps, so that a row is taken across only once.
 * across: quarter grey levels; reads n + 2 samples.
 */
void vd_row_across(const uint8_t *row, int phase, int n, uint16_t *out);
void vd_row_down(const uint16_t *above, const uint16_t *middle, const uint16_t *below, int phase,
		 int n, uint8_t *out);

/*
 * vd_row_blend along a slanted line: fractions of 1/65536 that begin at x, y and grow by step_x,
 * step_y (modulo 65536; negative steps as their complement) from sample to sample, of which the
 * upper 6 bits count. They must not pass a whole pixel within n.
 */
struct vd_slant {
	uint16_t x, y, step_x, step_y;
};
void vd_row_slant(const uint8_t *upper, const uint8_t *lower, struct vd_slant slant, int n,
		  uint8_t *out);

/* The same softly, between three rows; reads n + 2 samples of each. */
void vd_row_slant_soft(const uint8_t *above, const uint8_t *middle, const uint8_t *below,
		       struct vd_slant slant, int n, uint8_t *out);

/* row[i] = row[i] * gain[i] / VD_GAIN_ONE, rounded, at most 255. gain <= 8 * VD_GAIN_ONE. In place. */
void vd_row_gain(uint8_t *row, const uint16_t *gain, int n);

/*
 * Straight lines of 16 samples each from knot to knot, count of them; count + 1 knots, at most 2^20:
 * out[16 * k + i] = (knots[k] * (16 - i) + knots[k + 1] * i) / 256.
 */
void vd_row_ramps(const uint32_t *knots, int count, uint16_t *out);

/*
 * excess[i] = by how much row[i] leaves lower[i] .. upper[i], 0 inside. Returns the OR of all:
 * 0 says that the whole row lies inside.
 */
uint8_t vd_row_compare(const uint8_t *row, const uint8_t *upper, const uint8_t *lower, int n,
		       uint8_t *excess);

/* What the sample before (-1), in (0) and after (1) the middle counts in that, of VD_BLEND_ONE. */
int vd_soft_weight(int phase, int tap);

/*
 * vd_row_down, vd_row_gain and vd_row_compare in one, without the row itself: hardly a row of a
 * good part is needed any further.
 */
uint8_t vd_row_judge(const uint16_t *above, const uint16_t *middle, const uint16_t *below,
		     int phase, const uint16_t *gain, const uint8_t *upper, const uint8_t *lower,
		     int n, uint8_t *excess);

/* bits[i] = 0 where excess[i] is 0, else 1 where row[i] > upper[i], else 2. */
void vd_row_polarity(const uint8_t *row, const uint8_t *upper, const uint8_t *excess, int n,
		     uint8_t *bits);

/* Sums of b, b*b and a*b; n <= VD_PRODUCTS_MOST. Adds to the sums. */
struct vd_products {
	int64_t b, bb, ab;
};
void vd_row_products(const uint8_t *a, const uint8_t *b, int n, struct vd_products *sums);

/* Sum of g[i] * b[i]; n <= VD_PRODUCTS_MOST, |g| <= 255. */
int64_t vd_row_weighted(const int16_t *g, const uint8_t *b, int n);

/* sums[i] += the samples i of four rows, at most 256 rows; most[i] = the largest so far. */
void vd_row_accumulate(uint16_t *sums, uint8_t *most, const uint8_t *rows, size_t stride, int n);

/* out[k] = sums[16 * k] + ... + sums[16 * k + 15]. */
void vd_row_cells(const uint16_t *sums, int count, uint32_t *out);

uint32_t vd_row_sum(const uint8_t *row, int n);

/* out[i] = mean of the 2x2 samples of two rows of 2n, rounded. */
void vd_row_halve(const uint8_t *upper, const uint8_t *lower, int n, uint8_t *out);

/* io[i] = max or min of io[i] and other[i]; and the same bitwise. In place. */
void vd_row_max(uint8_t *io, const uint8_t *other, int n);
void vd_row_min(uint8_t *io, const uint8_t *other, int n);
void vd_row_and(uint8_t *io, const uint8_t *other, int n);
void vd_row_or(uint8_t *io, const uint8_t *other, int n);

/* row[i] + add, at most 255; row[i] - subtract, at least 0. In place. */
void vd_row_add(uint8_t *row, uint8_t add, int n);
void vd_row_subtract(uint8_t *row, uint8_t subtract, int n);

/* Welford's step for sample number count (1, 2, ...): mean and m2 in float, one row. */
void vd_row_learn(const uint8_t *row, float *mean, float *m2, int count, int n);

/* Rounded: to a grey level, and to 1/256 of one. */
VD_UNUSED static inline uint8_t vd_to_grey(float v)
{
	const float least = v > 0 ? v : 0, most = least < 255 ? least : 255;

	return (uint8_t)(int)(most + 0.5F);
}

VD_UNUSED static inline uint16_t vd_to_fixed(float v)
{
	const float scaled = v * 256 + 0.5F;

	return (uint16_t)(int)(scaled < UINT16_MAX ? scaled : UINT16_MAX);
}

/*
 * mean and spread, in 1/256 grey level, as if row had not been among the left + 1 samples of
 * vd_row_learn: Welford's step backwards. left: at least 2.
 */
void vd_row_apart(const uint8_t *row, const float *mean, const float *m2, int left, int n,
		  uint16_t *ret_mean, uint16_t *ret_spread);

/*
 * stray[i] = 1 where row[i] is further from mean[i] than scale * max(least, times * max(1,
 * spread[i])), rounded to grey levels; [0] above, [1] below. mean and spread in 1/256 grey level.
 * Returns the OR of all.
 */
struct vd_leash {
	float least[2], times[2], scale;
};
uint8_t vd_row_stray(const uint8_t *row, const uint16_t *mean, const uint16_t *spread,
		     const struct vd_leash *leash, int n, uint8_t *stray);
