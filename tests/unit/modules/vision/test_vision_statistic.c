/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/statistic.h"

#include <math.h>
#include <stdlib.h>

#include "vd_test.h"

static void check_near(double value, double wanted, double tolerance)
{
	if (!(fabs(value - wanted) <= tolerance))
		fail_msg("%.9g is not %.9g +- %.3g", value, wanted, tolerance);
}

static void quantiles_lie_between_order_statistics(void **state)
{
	static const double values[] = { 4, 1, 3, 2 };

	check_near(vd_quantile(values, 4, 0), 1, 0);
	check_near(vd_quantile(values, 4, 0.25), 1.75, 1e-12);
	check_near(vd_quantile(values, 4, 0.5), 2.5, 1e-12);
	check_near(vd_quantile(values, 4, 1), 4, 0);
	check_near(vd_quantile(values, 1, 0.9), 4, 0);
	assert_true(isnan(vd_quantile(values, 0, 0.5)));
}

static void one_far_value_lies_beyond_the_fence_and_the_others_within(void **state)
{
	double values[20];
	double fence;

	for (int i = 0; i < 20; i++)
		values[i] = 0.5 + 0.01 * i;
	values[7] = 3;
	fence = vd_fence(values, 20, 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(values[i] > fence, i == 7);
}

static void equal_values_are_no_outliers_for_the_fence_has_a_least_width(void **state)
{
	static const double values[] = { 1, 1, 1, 1, 1, 1, 1, 1.2 };

	check_near(vd_fence(values, 8, 0.1), 1.3, 1e-12);
}

/* Drawn by the inverse of the distribution at evenly spread shares, the fit finds it again. */
static void gumbel_is_found_again_from_its_own_values(void **state)
{
	enum { COUNT = 4000 };
	VD_CLEANUP(vd_free) double *values = malloc(COUNT * sizeof *values);
	const struct vd_gumbel truth = { 0.6, 0.05 };
	struct vd_gumbel found;

	assert_non_null(values);
	for (int i = 0; i < COUNT; i++)
		values[i] = vd_gumbel_quantile(&truth, (i + 0.5) / COUNT);
	found = vd_gumbel_fit(values, COUNT);
	check_near(found.mu, 0.6, 0.001);
	check_near(found.beta, 0.05, 0.001);
	for (double rate = 0.0001; rate < 0.5; rate *= 3)
		check_near(vd_gumbel_above(&truth, vd_gumbel_quantile(&truth, 1 - rate)), rate,
			   rate * 1e-6);
}

static void gumbel_of_equal_values_is_a_step(void **state)
{
	static const double values[] = { 0.5, 0.5, 0.5 };
	const struct vd_gumbel found = vd_gumbel_fit(values, 3);

	check_near(vd_gumbel_above(&found, 0.6), 0, 0);
	check_near(vd_gumbel_above(&found, 0.4), 1, 0);
	check_near(vd_gumbel_quantile(&found, 0.999), 0.5, 1e-12);
}

static void nothing_missed_in_three_hundred_proves_little_more_than_one_percent(void **state)
{
	check_near(vd_wilson_upper(0, 300), 0.01264, 0.0001);
	check_near(vd_wilson_lower(0, 300), 0, 1e-12);
	check_near(vd_wilson_lower(90, 100), 0.8256, 0.0005);
	check_near(vd_wilson_upper(90, 100), 0.9448, 0.0005);
}

VD_TEST_MAIN(cmocka_unit_test(quantiles_lie_between_order_statistics),
	     cmocka_unit_test(one_far_value_lies_beyond_the_fence_and_the_others_within),
	     cmocka_unit_test(equal_values_are_no_outliers_for_the_fence_has_a_least_width),
	     cmocka_unit_test(gumbel_is_found_again_from_its_own_values),
	     cmocka_unit_test(gumbel_of_equal_values_is_a_step),
	     cmocka_unit_test(nothing_missed_in_three_hundred_proves_little_more_than_one_percent))
