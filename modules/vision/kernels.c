/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian's amd64 baseline is SSE2; AVX2 makes these loops 1.3 to 2.6 times faster. The clones
 * are resolved before the sanitizers' run-time is up, so that builds with one use the baseline.
 * This file is compiled with -O3 -ffp-contract=off: a fused multiply-add would give the one
 * loop on floats (learning) other bits on other machines. With VD_KERNELS_BASELINE there are no
 * clones: a test compares both.
 */
#include "modules/vision/kernels.h"

#include <math.h>

#if defined(__x86_64__) && !defined(VD_KERNELS_BASELINE) && !defined(__SANITIZE_ADDRESS__) &&      \
	!defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define CLONES
#endif

CLONES void vd_row_blend(const uint8_t *restrict upper, const uint8_t *restrict lower, int fx,
			 int fy, int n, uint8_t *restrict out)
{
	const uint16_t right = (uint16_t)fx, left = (uint16_t)(VD_BLEND_ONE - fx);
	const uint16_t below = (uint16_t)fy, above = (uint16_t)(VD_BLEND_ONE - fy);

	for (int i = 0; i < n; i++) {
		uint16_t u =
			(uint16_t)((uint16_t)(upper[i] * left) + (uint16_t)(upper[i + 1] * right));
		uint16_t l =
			(uint16_t)((uint16_t)(lower[i] * left) + (uint16_t)(lower[i + 1] * right));
		uint16_t mixed;

		/* Quarter grey levels in between: 16 bits hold every step. */
		u = (uint16_t)((uint16_t)(u + 8) >> 4);
		l = (uint16_t)((uint16_t)(l + 8) >> 4);
		mixed = (uint16_t)((uint16_t)(u * above) + (uint16_t)(l * below));
		out[i] = (uint8_t)((uint16_t)(mixed + 128) >> 8);
	}
}

/* What the samples before, in and after the middle count: b^2 / 2 of each, and the rest. */
struct taps {
	uint16_t before, middle, after;
};

static inline struct taps taps_at(uint16_t phase)
{
	const uint16_t to_go = (uint16_t)(VD_BLEND_ONE - phase);
	const uint16_t before = (uint16_t)((uint16_t)(to_go * to_go + 64) >> 7);
	const uint16_t after = (uint16_t)((uint16_t)(phase * phase + 64) >> 7);

	return (struct taps){ before, (uint16_t)(VD_BLEND_ONE - before - after), after };
}

static inline uint16_t weigh(uint16_t a, uint16_t b, uint16_t c, struct taps taps)
{
	return (uint16_t)((uint16_t)(a * taps.before) + (uint16_t)(b * taps.middle) +
			  (uint16_t)(c * taps.after));
}

int vd_soft_weight(int phase, int tap)
{
	const struct taps taps = taps_at((uint16_t)phase);

	return tap < 0 ? taps.before : tap > 0 ? taps.after : taps.middle;
}

CLONES void vd_row_across(const uint8_t *restrict row, int phase, int n, uint16_t *restrict out)
{
	const struct taps taps = taps_at((uint16_t)phase);

	for (int i = 0; i < n; i++)
		out[i] = (uint16_t)((uint16_t)(weigh(row[i], row[i + 1], row[i + 2], taps) + 8) >>
				    4);
}

CLONES void vd_row_down(const uint16_t *restrict above, const uint16_t *restrict middle,
			const uint16_t *restrict below, int phase, int n, uint8_t *restrict out)
{
	const struct taps taps = taps_at((uint16_t)phase);

	for (int i = 0; i < n; i++)
		out[i] = (uint8_t)((uint16_t)(weigh(above[i], middle[i], below[i], taps) + 128) >>
				   8);
}

CLONES void vd_row_slant(const uint8_t *restrict upper, const uint8_t *restrict lower,
			 struct vd_slant slant, int n, uint8_t *restrict out)
{
	for (int i = 0; i < n; i++) {
		const uint16_t k = (uint16_t)i;
		const uint16_t right =
			(uint16_t)((uint16_t)(slant.x + (uint16_t)(k * slant.step_x)) >> 10);
		const uint16_t below =
			(uint16_t)((uint16_t)(slant.y + (uint16_t)(k * slant.step_y)) >> 10);
		const uint16_t left = (uint16_t)(VD_BLEND_ONE - right);
		const uint16_t above = (uint16_t)(VD_BLEND_ONE - below);
		uint16_t u =
			(uint16_t)((uint16_t)(upper[i] * left) + (uint16_t)(upper[i + 1] * right));
		uint16_t l =
			(uint16_t)((uint16_t)(lower[i] * left) + (uint16_t)(lower[i + 1] * right));
		uint16_t mixed;

		u = (uint16_t)((uint16_t)(u + 8) >> 4);
		l = (uint16_t)((uint16_t)(l + 8) >> 4);
		mixed = (uint16_t)((uint16_t)(u * above) + (uint16_t)(l * below));
		out[i] = (uint8_t)((uint16_t)(mixed + 128) >> 8);
	}
}

CLONES void vd_row_slant_soft(const uint8_t *restrict above, const uint8_t *restrict middle,
			      const uint8_t *restrict below, struct vd_slant slant, int n,
			      uint8_t *restrict out)
{
	for (int i = 0; i < n; i++) {
		const uint16_t k = (uint16_t)i;
		const struct taps across = taps_at(
			(uint16_t)((uint16_t)(slant.x + (uint16_t)(k * slant.step_x)) >> 10));
		const struct taps down = taps_at(
			(uint16_t)((uint16_t)(slant.y + (uint16_t)(k * slant.step_y)) >> 10));
		const uint16_t a = weigh(above[i], above[i + 1], above[i + 2], across);
		const uint16_t m = weigh(middle[i], middle[i + 1], middle[i + 2], across);
		const uint16_t b = weigh(below[i], below[i + 1], below[i + 2], across);
		const uint16_t mixed = weigh((uint16_t)((uint16_t)(a + 8) >> 4),
					     (uint16_t)((uint16_t)(m + 8) >> 4),
					     (uint16_t)((uint16_t)(b + 8) >> 4), down);

		out[i] = (uint8_t)((uint16_t)(mixed + 128) >> 8);
	}
}

static inline uint8_t brighten(uint8_t v, uint16_t gain)
{
	const uint16_t scaled = (uint16_t)(v << 7);
	const uint16_t doubled = (uint16_t)(((uint32_t)scaled * gain) >> 16);
	const uint16_t rounded = (uint16_t)((uint16_t)(doubled + 1) >> 1);

	return (uint8_t)(rounded < 255 ? rounded : 255);
}

CLONES void vd_row_gain(uint8_t *restrict row, const uint16_t *restrict gain, int n)
{
	for (int i = 0; i < n; i++)
		row[i] = brighten(row[i], gain[i]);
}

CLONES void vd_row_ramps(const uint32_t *restrict knots, int count, uint16_t *restrict out)
{
	for (int k = 0; k < count; k++) {
		const uint32_t from = knots[k], to = knots[k + 1];

		for (uint32_t i = 0; i < 16; i++)
			out[16 * k + (int)i] = (uint16_t)((from * 16 + (to - from) * i) >> 8);
	}
}

/* max(a, b) - b: two instructions a vector, where a comparison takes five. */
static inline uint8_t above_by(uint8_t a, uint8_t b)
{
	const uint8_t most = a > b ? a : b;

	return (uint8_t)(most - b);
}

CLONES uint8_t vd_row_compare(const uint8_t *restrict row, const uint8_t *restrict upper,
			      const uint8_t *restrict lower, int n, uint8_t *restrict excess)
{
	uint8_t any = 0;

	for (int i = 0; i < n; i++) {
		const uint8_t e = above_by(row[i], upper[i]) | above_by(lower[i], row[i]);

		excess[i] = e;
		any |= e;
	}
	return any;
}

CLONES uint8_t vd_row_judge(const uint16_t *restrict above, const uint16_t *restrict middle,
			    const uint16_t *restrict below, int phase,
			    const uint16_t *restrict gain, const uint8_t *restrict upper,
			    const uint8_t *restrict lower, int n, uint8_t *restrict excess)
{
	const struct taps taps = taps_at((uint16_t)phase);
	uint8_t any = 0;

	for (int i = 0; i < n; i++) {
		const uint16_t mixed = (uint16_t)(weigh(above[i], middle[i], below[i], taps) + 128);
		const uint8_t v = brighten((uint8_t)(mixed >> 8), gain[i]);
		const uint8_t e = above_by(v, upper[i]) | above_by(lower[i], v);

		excess[i] = e;
		any |= e;
	}
	return any;
}

CLONES void vd_row_polarity(const uint8_t *restrict row, const uint8_t *restrict upper,
			    const uint8_t *restrict excess, int n, uint8_t *restrict bits)
{
	for (int i = 0; i < n; i++)
		bits[i] = (uint8_t)(excess[i] == 0 ? 0 : row[i] > upper[i] ? 1 : 2);
}

CLONES void vd_row_products(const uint8_t *restrict a, const uint8_t *restrict b, int n,
			    struct vd_products *sums)
{
	int32_t sum = 0, squares = 0, products = 0;

	for (int i = 0; i < n; i++) {
		const int16_t x = a[i], y = b[i];

		sum += y;
		squares += y * y;
		products += x * y;
	}
	sums->b += sum;
	sums->bb += squares;
	sums->ab += products;
}

CLONES int64_t vd_row_weighted(const int16_t *restrict g, const uint8_t *restrict b, int n)
{
	int32_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += g[i] * (int16_t)b[i];
	return sum;
}

static inline uint8_t larger(uint8_t a, uint8_t b)
{
	return a > b ? a : b;
}

CLONES void vd_row_accumulate(uint16_t *restrict sums, uint8_t *restrict most,
			      const uint8_t *restrict rows, size_t stride, int n)
{
	const uint8_t *restrict a = rows, *restrict b = rows + stride;
	const uint8_t *restrict c = b + stride, *restrict d = c + stride;

	for (int i = 0; i < n; i++) {
		sums[i] = (uint16_t)(sums[i] +
				     (uint16_t)((uint16_t)(a[i] + b[i]) + (uint16_t)(c[i] + d[i])));
		most[i] = larger(most[i], larger(larger(a[i], b[i]), larger(c[i], d[i])));
	}
}

CLONES void vd_row_cells(const uint16_t *restrict sums, int count, uint32_t *restrict out)
{
	for (int k = 0; k < count; k++) {
		uint32_t sum = 0;

		for (int i = 0; i < 16; i++)
			sum += sums[16 * k + i];
		out[k] = sum;
	}
}

CLONES uint32_t vd_row_sum(const uint8_t *row, int n)
{
	uint32_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += row[i];
	return sum;
}

CLONES void vd_row_halve(const uint8_t *restrict upper, const uint8_t *restrict lower, int n,
			 uint8_t *restrict out)
{
	for (int i = 0; i < n; i++) {
		const uint16_t sum = (uint16_t)(upper[2 * i] + upper[2 * i + 1] + lower[2 * i] +
						lower[2 * i + 1]);

		out[i] = (uint8_t)((uint16_t)(sum + 2) >> 2);
	}
}

CLONES void vd_row_max(uint8_t *restrict io, const uint8_t *restrict other, int n)
{
	for (int i = 0; i < n; i++)
		io[i] = io[i] > other[i] ? io[i] : other[i];
}

CLONES void vd_row_min(uint8_t *restrict io, const uint8_t *restrict other, int n)
{
	for (int i = 0; i < n; i++)
		io[i] = io[i] < other[i] ? io[i] : other[i];
}

CLONES void vd_row_and(uint8_t *restrict io, const uint8_t *restrict other, int n)
{
	for (int i = 0; i < n; i++)
		io[i] &= other[i];
}

CLONES void vd_row_or(uint8_t *restrict io, const uint8_t *restrict other, int n)
{
	for (int i = 0; i < n; i++)
		io[i] |= other[i];
}

CLONES void vd_row_add(uint8_t *row, uint8_t add, int n)
{
	for (int i = 0; i < n; i++)
		row[i] = (uint8_t)(row[i] > 255 - add ? 255 : row[i] + add);
}

CLONES void vd_row_subtract(uint8_t *row, uint8_t subtract, int n)
{
	for (int i = 0; i < n; i++)
		row[i] = above_by(row[i], subtract);
}

CLONES void vd_row_learn(const uint8_t *restrict row, float *restrict mean, float *restrict m2,
			 int count, int n)
{
	const float share = 1.0F / (float)count;

	for (int i = 0; i < n; i++) {
		const float x = (float)row[i], delta = x - mean[i];

		mean[i] += delta * share;
		m2[i] += delta * (x - mean[i]);
	}
}

CLONES void vd_row_apart(const uint8_t *restrict row, const float *restrict mean,
			 const float *restrict m2, int left, int n, uint16_t *restrict ret_mean,
			 uint16_t *restrict ret_spread)
{
	for (int i = 0; i < n; i++) {
		const float v = row[i], with = mean[i];
		const float without = with + (with - v) / (float)left;
		const float squares = m2[i] - (v - with) * (v - without);

		ret_mean[i] = vd_to_fixed(without);
		ret_spread[i] = vd_to_fixed(sqrtf((squares > 0 ? squares : 0) / (float)(left - 1)));
	}
}

static inline float larger_of(float a, float b)
{
	return a > b ? a : b;
}

CLONES uint8_t vd_row_stray(const uint8_t *restrict row, const uint16_t *restrict mean,
			    const uint16_t *restrict spread, const struct vd_leash *leash, int n,
			    uint8_t *restrict stray)
{
	const struct vd_leash own = *leash;
	uint8_t any = 0;

	for (int i = 0; i < n; i++) {
		const float middle = (float)mean[i] / 256;
		const float wide = larger_of((float)spread[i] / 256, 1);
		const float up = larger_of(own.least[0], own.times[0] * wide);
		const float down = larger_of(own.least[1], own.times[1] * wide);
		const uint8_t upper = vd_to_grey(middle + own.scale * up);
		const uint8_t lower = vd_to_grey(middle - own.scale * down);
		const uint8_t out = row[i] > upper || row[i] < lower;

		stray[i] = out;
		any |= out;
	}
	return any;
}
