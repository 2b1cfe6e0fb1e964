/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/restart.h"

#include <errno.h>

#include "vd_test.h"

static struct vd_restart some(uint32_t failures)
{
	return (struct vd_restart){
		.first_ms = 100, .limit_ms = 350, .healthy_ms = 10000, .failures = failures
	};
}

static void the_first_failure_restarts_at_once_then_the_delay_doubles_to_its_ceiling(void **state)
{
	static const struct {
		uint32_t before;
		uint64_t ran_ms;
		uint32_t delay_ms, after;
	} cases[] = {
		{ 0, 5, 0, 1 },        { 1, 5, 100, 2 },        { 2, 5, 200, 3 },
		{ 3, 5, 350, 4 },      { 4, 5, 350, 5 },        { 1000, 9999, 350, 1001 },
		{ 1000, 10000, 0, 1 }, { 1, UINT64_MAX, 0, 1 }, { UINT32_MAX, 0, 350, UINT32_MAX },
	};
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_restart r = some(cases[i].before);
		uint32_t delay_ms = 77;

		assert_int_equal(vd_restart_next(&r, VD_RESTART_ALWAYS, VD_ENDING_FAILED,
						 cases[i].ran_ms, &delay_ms),
				 0);
		assert_int_equal(delay_ms, cases[i].delay_ms);
		assert_int_equal(r.failures, cases[i].after);
	}
}

static void each_policy_restarts_after_its_endings_only(void **state)
{
	static const struct {
		enum vd_restart_policy policy;
		int clean, failed, unhealthy;
	} cases[] = {
		{ VD_RESTART_NEVER, 1, 1, 1 },
		{ VD_RESTART_ON_FAILURE, 1, 0, 1 },
		{ VD_RESTART_ON_UNHEALTHY, 1, 0, 0 },
		{ VD_RESTART_ALWAYS, 0, 0, 0 },
	};
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		const int wanted[] = { cases[i].clean, cases[i].failed, cases[i].unhealthy };

		for (int ending = VD_ENDING_CLEAN; ending <= VD_ENDING_UNHEALTHY; ending++) {
			struct vd_restart r = some(0);
			uint32_t delay_ms;

			assert_int_equal(vd_restart_next(&r, cases[i].policy,
							 (enum vd_ending)ending, 0, &delay_ms),
					 wanted[ending]);
		}
	}
}

static void staying_down_leaves_the_delay_untouched_but_counts(void **state)
{
	struct vd_restart r = some(4);
	uint32_t delay_ms = 77;

	assert_int_equal(vd_restart_next(&r, VD_RESTART_NEVER, VD_ENDING_FAILED, 0, &delay_ms),
			 VD_RESTART_STAY_DOWN);
	assert_int_equal(delay_ms, 77);
	assert_int_equal(r.failures, 5);
}

static void always_never_gives_up_in_a_year_of_crashes(void **state)
{
	struct vd_restart r = { .first_ms = 100, .limit_ms = 60000, .healthy_ms = 10000 };
	uint32_t delay_ms, previous_ms = 0;

	for (int i = 0; i < 525600; i++) {
		assert_int_equal(
			vd_restart_next(&r, VD_RESTART_ALWAYS, VD_ENDING_UNHEALTHY, 50, &delay_ms),
			0);
		assert_true(delay_ms >= previous_ms && delay_ms <= 60000);
		previous_ms = delay_ms;
	}
	assert_int_equal(delay_ms, 60000);
}

static void a_huge_ceiling_does_not_overflow(void **state)
{
	struct vd_restart r = { .first_ms = 1 << 30, .limit_ms = UINT32_MAX, .healthy_ms = 1 };
	uint32_t delay_ms = 0;

	for (int i = 0; i < 100; i++)
		assert_int_equal(
			vd_restart_next(&r, VD_RESTART_ALWAYS, VD_ENDING_FAILED, 0, &delay_ms), 0);
	assert_int_equal(delay_ms, UINT32_MAX);
}

static void contradicting_limits_are_refused(void **state)
{
	assert_int_equal(vd_restart_check(&(struct vd_restart){ .first_ms = 500, .limit_ms = 100 }),
			 -EINVAL);
	assert_int_equal(vd_restart_check(&(struct vd_restart){ .first_ms = 0, .limit_ms = 100 }),
			 -EINVAL);
	assert_int_equal(vd_restart_check(&(struct vd_restart){ .first_ms = 1, .limit_ms = 1 }), 0);
}

static void policies_have_the_names_of_the_desired_document(void **state)
{
	static const char *const names[] = { "never", "on-failure", "on-unhealthy", "always" };
	enum vd_restart_policy policy;

	for (size_t i = 0; i < VD_COUNT(names); i++) {
		assert_int_equal(vd_restart_policy_parse(names[i], &policy), 0);
		assert_string_equal(vd_restart_policy_name(policy), names[i]);
	}
	assert_int_equal(vd_restart_policy_parse("Always", &policy), -EINVAL);
	assert_int_equal(vd_restart_policy_parse("", &policy), -EINVAL);
}

VD_TEST_MAIN(
	cmocka_unit_test(the_first_failure_restarts_at_once_then_the_delay_doubles_to_its_ceiling),
	cmocka_unit_test(each_policy_restarts_after_its_endings_only),
	cmocka_unit_test(staying_down_leaves_the_delay_untouched_but_counts),
	cmocka_unit_test(always_never_gives_up_in_a_year_of_crashes),
	cmocka_unit_test(a_huge_ceiling_does_not_overflow),
	cmocka_unit_test(contradicting_limits_are_refused),
	cmocka_unit_test(policies_have_the_names_of_the_desired_document))
