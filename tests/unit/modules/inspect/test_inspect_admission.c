/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/admission.h"

#include "vd_test.h"

static void without_limits_every_trigger_is_one(void **state)
{
	const struct vd_admission_limits none = { 0 };
	struct vd_admission admission = { 0 };

	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(vd_admission_try(&admission, &none, 5), VD_ADMITTED);
	assert_int_equal(admission.admitted, 100);
}

static void a_contact_that_bounces_counts_once(void **state)
{
	const struct vd_admission_limits limits = { .min_interval_ms = 20 };
	struct vd_admission admission = { 0 };

	assert_int_equal(vd_admission_try(&admission, &limits, 0), VD_ADMITTED);
	assert_int_equal(vd_admission_try(&admission, &limits, 3), VD_BOUNCED);
	assert_int_equal(vd_admission_try(&admission, &limits, 19), VD_BOUNCED);
	assert_int_equal(vd_admission_try(&admission, &limits, 20), VD_ADMITTED);
	assert_int_equal(vd_admission_try(&admission, &limits, 39), VD_BOUNCED);
	assert_int_equal(admission.bounced, 3);
	assert_int_equal(admission.admitted, 2);
}

static void asking_beforehand_counts_nothing(void **state)
{
	const struct vd_admission_limits limits = { .min_interval_ms = 20, .per_second = 1 };
	struct vd_admission admission = { 0 };

	assert_int_equal(vd_admission_would(&admission, &limits, 0), VD_ADMITTED);
	assert_int_equal(vd_admission_try(&admission, &limits, 0), VD_ADMITTED);
	assert_int_equal(vd_admission_would(&admission, &limits, 5), VD_BOUNCED);
	assert_int_equal(vd_admission_would(&admission, &limits, 500), VD_OVER_RATE);
	assert_int_equal(vd_admission_would(&admission, &limits, 1000), VD_ADMITTED);
	assert_int_equal(admission.admitted, 1);
	assert_int_equal(admission.bounced + admission.over_rate, 0);
}

static void a_bounce_does_not_prolong_the_interval(void **state)
{
	const struct vd_admission_limits limits = { .min_interval_ms = 100 };
	struct vd_admission admission = { 0 };
	unsigned admitted = 0;

	for (uint64_t ms = 0; ms < 1000; ms += 10)
		admitted += vd_admission_try(&admission, &limits, ms) == VD_ADMITTED;
	assert_int_equal(admitted, 10);
}

static void a_rate_holds_in_the_long_run_and_lets_a_second_of_it_through_at_once(void **state)
{
	const struct vd_admission_limits limits = { .per_second = 5 };
	struct vd_admission admission = { 0 };
	unsigned admitted = 0;

	for (unsigned i = 0; i < 100; i++)
		admitted += vd_admission_try(&admission, &limits, 1000) == VD_ADMITTED;
	assert_int_equal(admitted, 5);
	for (uint64_t ms = 1001; ms <= 11000; ms++)
		admitted += vd_admission_try(&admission, &limits, ms) == VD_ADMITTED;
	assert_in_range(admitted, 54, 55);
	assert_int_equal(admission.admitted, admitted);
	assert_int_equal(admission.over_rate, 100 + 10000 - admitted);
}

static void a_rate_below_one_a_second_lets_single_ones_through(void **state)
{
	const struct vd_admission_limits limits = { .per_second = 0.5 };
	struct vd_admission admission = { 0 };

	assert_int_equal(vd_admission_try(&admission, &limits, 0), VD_ADMITTED);
	assert_int_equal(vd_admission_try(&admission, &limits, 1000), VD_OVER_RATE);
	assert_int_equal(vd_admission_try(&admission, &limits, 2000), VD_ADMITTED);
}

static void pressure_must_last_to_raise_and_to_clear(void **state)
{
	const struct vd_pressure_limits limits = { .share = 0.8, .for_ms = 1000 };
	struct vd_pressure pressure = { 0 };

	assert_false(vd_pressure_put(&pressure, &limits, 0.9, 0));
	assert_false(vd_pressure_put(&pressure, &limits, 0.7, 500));
	assert_false(vd_pressure_put(&pressure, &limits, 0.9, 600));
	assert_false(vd_pressure_put(&pressure, &limits, 0.9, 1599));
	assert_true(vd_pressure_put(&pressure, &limits, 0.8, 1600));
	assert_true(pressure.is_raised);
	assert_false(vd_pressure_put(&pressure, &limits, 0.4, 1700));
	assert_false(vd_pressure_put(&pressure, &limits, 0.5, 2000));
	assert_false(vd_pressure_put(&pressure, &limits, 0.1, 2100));
	assert_true(vd_pressure_put(&pressure, &limits, 0, 3100));
	assert_false(pressure.is_raised);
}

static void pressure_without_a_bound_is_never_raised_and_a_raised_one_clears(void **state)
{
	const struct vd_pressure_limits limits = { .share = 0.5, .for_ms = 0 }, never = { 0 };
	struct vd_pressure pressure = { 0 };

	assert_false(vd_pressure_put(&pressure, &never, 1, 0));
	assert_true(vd_pressure_put(&pressure, &limits, 1, 10));
	assert_true(vd_pressure_put(&pressure, &never, 1, 20));
	assert_false(pressure.is_raised);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits_every_trigger_is_one),
		cmocka_unit_test(a_contact_that_bounces_counts_once),
		cmocka_unit_test(asking_beforehand_counts_nothing),
		cmocka_unit_test(a_bounce_does_not_prolong_the_interval),
		cmocka_unit_test(
			a_rate_holds_in_the_long_run_and_lets_a_second_of_it_through_at_once),
		cmocka_unit_test(a_rate_below_one_a_second_lets_single_ones_through),
		cmocka_unit_test(pressure_must_last_to_raise_and_to_clear),
		cmocka_unit_test(pressure_without_a_bound_is_never_raised_and_a_raised_one_clears),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
