/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/kernels.h"

#include <string.h>

#include "vd_test.h"

/* The plain formula beside what the compiler made of the loops: every bit, at every length. */
enum { MOST = 300, SEEDS = 40 };

static uint8_t a[MOST + 64], b[MOST + 64], c[MOST + 64], out[MOST + 64], wanted[MOST + 64];

static void fill(uint8_t *row, uint32_t seed)
{
	for (int i = 0; i < MOST + 64; i++) {
		seed = seed * 1664525 + 1013904223;
		row[i] = (uint8_t)(seed >> 24);
	}
}

static void fill_all(uint32_t seed)
{
	fill(a, seed);
	fill(b, seed + 1000);
	fill(c, seed + 2000);
	memset(out, 0, sizeof out);
	memset(wanted, 0, sizeof wanted);
}

static void blending_equals_its_formula(void **state)
{
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST), fx = (int)(seed * 11 % 64);
		const int fy = (int)(seed * 29 % 64);

		fill_all(seed);
		for (volatile int i = 0; i < n; i++) {
			const int u = (a[i] * (64 - fx) + a[i + 1] * fx + 8) / 16;
			const int l = (b[i] * (64 - fx) + b[i + 1] * fx + 8) / 16;

			wanted[i] = (uint8_t)((u * (64 - fy) + l * fy + 128) / 256);
		}
		vd_row_blend(a, b, fx, fy, n, out);
		assert_memory_equal(out, wanted, sizeof out);
	}
}

static void blending_without_a_fraction_copies(void **state)
{
	for (int v = 0; v < 256; v++)
		a[v] = (uint8_t)v;
	vd_row_blend(a, b, 0, 0, 256, out);
	assert_memory_equal(out, a, 256);
}

static int weigh(int x, int y, int z, int phase)
{
	const int before = ((64 - phase) * (64 - phase) + 64) / 128;
	const int after = (phase * phase + 64) / 128;

	return x * before + y * (64 - before - after) + z * after;
}

static uint8_t soften(int i, int fx, int fy)
{
	const int above = (weigh(a[i], a[i + 1], a[i + 2], fx) + 8) / 16;
	const int middle = (weigh(b[i], b[i + 1], b[i + 2], fx) + 8) / 16;
	const int below = (weigh(c[i], c[i + 1], c[i + 2], fx) + 8) / 16;

	return (uint8_t)((weigh(above, middle, below, fy) + 128) / 256);
}

static void soft_sampling_equals_its_formula_in_two_steps_as_on_a_slant(void **state)
{
	static uint16_t rows[3][MOST];

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST), fx = (int)(seed * 11 % 64);
		const int fy = (int)(seed * 29 % 64);
		const struct vd_slant level = { (uint16_t)(fx << 10), (uint16_t)(fy << 10), 0, 0 };

		fill_all(seed);
		for (volatile int i = 0; i < n; i++)
			wanted[i] = soften(i, fx, fy);
		vd_row_across(a, fx, n, rows[0]);
		vd_row_across(b, fx, n, rows[1]);
		vd_row_across(c, fx, n, rows[2]);
		vd_row_down(rows[0], rows[1], rows[2], fy, n, out);
		assert_memory_equal(out, wanted, sizeof out);
		vd_row_slant_soft(a, b, c, level, n, out);
		assert_memory_equal(out, wanted, sizeof out);
	}
}

static void a_soft_sample_counts_each_row_and_column_once(void **state)
{
	for (int phase = 0; phase < 64; phase++) {
		assert_int_equal(vd_soft_weight(phase, -1) + vd_soft_weight(phase, 0) +
					 vd_soft_weight(phase, 1),
				 VD_BLEND_ONE);
		for (int tap = -1; tap <= 1; tap++)
			assert_int_equal(vd_soft_weight(phase, tap),
					 weigh(tap<0, tap == 0, tap> 0, phase));
	}
}

static void slanted_blending_equals_its_formula(void **state)
{
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST);
		const int step_x = (int)(seed % 5) - 2, step_y = (int)(seed * 13 % 401) - 200;
		const int x = step_x < 0 ? 65535 : (int)(seed * 517 % 60000);
		const int y = step_y < 0 ? 65535 : 100;

		fill_all(seed);
		for (volatile int i = 0; i < n; i++) {
			const int fx = (x + i * step_x) >> 10, fy = (y + i * step_y) >> 10;
			const int u = (a[i] * (64 - fx) + a[i + 1] * fx + 8) / 16;
			const int l = (b[i] * (64 - fx) + b[i + 1] * fx + 8) / 16;

			wanted[i] = (uint8_t)((u * (64 - fy) + l * fy + 128) / 256);
		}
		vd_row_slant(a, b,
			     (struct vd_slant){ (uint16_t)x, (uint16_t)y, (uint16_t)step_x,
						(uint16_t)step_y },
			     n, out);
		assert_memory_equal(out, wanted, sizeof out);
	}
}

static void gain_equals_its_formula(void **state)
{
	uint16_t gain[MOST];

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST);

		fill_all(seed);
		for (volatile int i = 0; i < n; i++) {
			int v;

			gain[i] = (uint16_t)(b[i] * 8 + c[i]);
			v = ((a[i] * 128 * gain[i] >> 16) + 1) / 2;
			wanted[i] = (uint8_t)(v < 255 ? v : 255);
		}
		memcpy(out, a, (size_t)n);
		vd_row_gain(out, gain, n);
		assert_memory_equal(out, wanted, sizeof out);
	}
}

static void comparison_equals_its_formula(void **state)
{
	uint8_t bits[MOST + 64];

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST);
		uint8_t any = 0;

		fill_all(seed);
		for (volatile int i = 0; i < n; i++) {
			const uint8_t low = b[i] < c[i] ? b[i] : c[i];
			const uint8_t high = b[i] < c[i] ? c[i] : b[i];

			b[i] = high;
			c[i] = low;
			wanted[i] = (uint8_t)(a[i] > high  ? a[i] - high
					      : a[i] < low ? low - a[i]
							   : 0);
			any |= wanted[i];
		}
		assert_int_equal(vd_row_compare(a, b, c, n, out), any);
		assert_memory_equal(out, wanted, sizeof out);
		vd_row_polarity(a, b, out, n, bits);
		for (int i = 0; i < n; i++)
			assert_int_equal(bits[i], a[i] > b[i] ? 1 : a[i] < c[i] ? 2 : 0);
	}
}

static void judging_in_one_pass_gives_the_bits_of_its_three_steps(void **state)
{
	static uint16_t above[MOST], middle[MOST], below[MOST], gain[MOST];
	static uint8_t row[MOST + 64];

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST), fy = (int)(seed * 29 % 64);
		uint8_t any;

		fill_all(seed);
		for (int i = 0; i < n; i++)
			gain[i] = (uint16_t)(512 + c[i] * 4);
		vd_row_across(a, 17, n, above);
		vd_row_across(b, 17, n, middle);
		vd_row_across(c, 17, n, below);
		fill(b, seed + 7);
		vd_row_down(above, middle, below, fy, n, row);
		vd_row_gain(row, gain, n);
		any = vd_row_compare(row, b, c, n, wanted);
		assert_int_equal(vd_row_judge(above, middle, below, fy, gain, b, c, n, out), any);
		assert_memory_equal(out, wanted, sizeof out);
	}
}

static void ramps_cells_and_sums_equal_their_formulas(void **state)
{
	static uint32_t knots[MOST / 16 + 2], cells[MOST / 16];
	static uint16_t ramps[MOST], sums[MOST];
	static uint8_t most[MOST];

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int count = (int)(seed * 3 % (MOST / 16)), n = count * 16;

		fill_all(seed);
		for (int k = 0; k <= count; k++)
			knots[k] = (uint32_t)a[k] * 257;
		vd_row_ramps(knots, count, ramps);
		for (volatile int i = 0; i < n; i++)
			assert_int_equal(ramps[i], (knots[i / 16] * (16 - (uint32_t)i % 16) +
						    knots[i / 16 + 1] * ((uint32_t)i % 16)) /
							   256);
		for (int i = 0; i < n / 4; i++)
			sums[i] = (uint16_t)(b[i] * 16);
		memset(most, 0, sizeof most);
		vd_row_accumulate(sums, most, a, (size_t)n / 4, n / 4);
		for (volatile int i = 0; i < n / 4; i++)
			assert_int_equal(sums[i], b[i] * 16 + a[i] + a[n / 4 + i] + a[n / 2 + i] +
							  a[n / 4 * 3 + i]);
		for (volatile int i = 0; i < n / 4; i++)
			assert_true(most[i] >= a[i] && most[i] >= a[n / 4 + i] &&
				    most[i] >= a[n / 2 + i] && most[i] >= a[n / 4 * 3 + i]);
		vd_row_cells(ramps, count, cells);
		for (int k = 0; k < count; k++) {
			uint32_t sum = 0;

			for (volatile int i = 0; i < 16; i++)
				sum += ramps[16 * k + i];
			assert_int_equal(cells[k], sum);
		}
	}
}

static void products_equal_their_sums(void **state)
{
	int16_t g[MOST];

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % MOST);
		struct vd_products sums = { 1, 2, 3 };
		int64_t sum = 1, squares = 2, products = 3, weighted = 0;

		fill_all(seed);
		for (volatile int i = 0; i < n; i++) {
			g[i] = (int16_t)(c[i] * 2 - 255);
			sum += b[i];
			squares += b[i] * b[i];
			products += a[i] * b[i];
			weighted += g[i] * b[i];
		}
		vd_row_products(a, b, n, &sums);
		assert_int_equal(sums.b, sum);
		assert_int_equal(sums.bb, squares);
		assert_int_equal(sums.ab, products);
		assert_int_equal(vd_row_weighted(g, b, n), weighted);
	}
}

static void sums_hold_the_longest_row_of_the_brightest_pixels(void **state)
{
	static uint8_t bright[VD_PRODUCTS_MOST];
	struct vd_products sums = { 0 };

	memset(bright, 255, sizeof bright);
	vd_row_products(bright, bright, VD_PRODUCTS_MOST, &sums);
	assert_int_equal(sums.bb, (int64_t)VD_PRODUCTS_MOST * 255 * 255);
	assert_int_equal(sums.ab, (int64_t)VD_PRODUCTS_MOST * 255 * 255);
}

static void halving_rounds_the_mean_of_four(void **state)
{
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		const int n = (int)(seed * 7 % (MOST / 2));

		fill_all(seed);
		for (volatile int i = 0; i < n; i++)
			wanted[i] =
				(uint8_t)((a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1] + 2) /
					  4);
		vd_row_halve(a, b, n, out);
		assert_memory_equal(out, wanted, sizeof out);
	}
}

static void adding_and_subtracting_stop_at_the_ends(void **state)
{
	for (int add = 0; add < 256; add++) {
		for (int v = 0; v < 256; v++)
			a[v] = b[v] = (uint8_t)v;
		vd_row_add(a, (uint8_t)add, 256);
		vd_row_subtract(b, (uint8_t)add, 256);
		for (int v = 0; v < 256; v++) {
			assert_int_equal(a[v], v + add > 255 ? 255 : v + add);
			assert_int_equal(b[v], v < add ? 0 : v - add);
		}
	}
}

VD_TEST_MAIN(cmocka_unit_test(blending_equals_its_formula),
	     cmocka_unit_test(blending_without_a_fraction_copies),
	     cmocka_unit_test(soft_sampling_equals_its_formula_in_two_steps_as_on_a_slant),
	     cmocka_unit_test(a_soft_sample_counts_each_row_and_column_once),
	     cmocka_unit_test(slanted_blending_equals_its_formula),
	     cmocka_unit_test(gain_equals_its_formula),
	     cmocka_unit_test(judging_in_one_pass_gives_the_bits_of_its_three_steps),
	     cmocka_unit_test(ramps_cells_and_sums_equal_their_formulas),
	     cmocka_unit_test(comparison_equals_its_formula),
	     cmocka_unit_test(products_equal_their_sums),
	     cmocka_unit_test(sums_hold_the_longest_row_of_the_brightest_pixels),
	     cmocka_unit_test(halving_rounds_the_mean_of_four),
	     cmocka_unit_test(adding_and_subtracting_stop_at_the_ends))
