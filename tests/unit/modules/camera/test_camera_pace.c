/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/pace.h"

#include "vd_test.h"

static void the_first_tick_is_due_at_once(void **state)
{
	struct vd_pace pace = { 0 };
	uint64_t tick_us;

	vd_pace_start(&pace, 100000, 5000000);
	assert_true(vd_pace_due(&pace, 5000000, &tick_us));
	assert_int_equal(tick_us, 5000000);
	assert_int_equal(pace.ticks, 1);
	assert_false(vd_pace_due(&pace, 5099999, &tick_us));
	assert_true(vd_pace_due(&pace, 5100000, &tick_us));
}

static void being_late_does_not_delay_the_ticks_that_follow(void **state)
{
	struct vd_pace pace = { 0 };
	uint64_t tick_us;

	vd_pace_start(&pace, 100, 1000);
	assert_true(vd_pace_due(&pace, 1099, &tick_us));
	assert_int_equal(tick_us, 1000);
	assert_true(vd_pace_due(&pace, 1100, &tick_us));
	assert_int_equal(tick_us, 1100);
	assert_int_equal(pace.missed, 0);
}

static void ticks_that_passed_are_skipped_and_counted(void **state)
{
	struct vd_pace pace = { 0 };
	uint64_t tick_us;

	vd_pace_start(&pace, 100, 1000);
	assert_true(vd_pace_due(&pace, 1350, &tick_us));
	assert_int_equal(tick_us, 1300);
	assert_int_equal(pace.ticks, 4);
	assert_int_equal(pace.missed, 3);
	assert_false(vd_pace_due(&pace, 1399, &tick_us));
}

static void the_wait_is_rounded_up_to_the_millisecond(void **state)
{
	struct vd_pace pace = { 0 };
	uint64_t tick_us;

	vd_pace_start(&pace, 33333, 0);
	assert_int_equal(vd_pace_wait_ms(&pace, 0), 0);
	assert_true(vd_pace_due(&pace, 0, &tick_us));
	assert_int_equal(vd_pace_wait_ms(&pace, 0), 34);
	assert_int_equal(vd_pace_wait_ms(&pace, 33332), 1);
	assert_int_equal(vd_pace_wait_ms(&pace, 33333), 0);
}

static void reopening_backs_off_to_two_seconds_and_never_gives_up(void **state)
{
	assert_int_equal(vd_reopen_delay_ms(1), 100);
	assert_int_equal(vd_reopen_delay_ms(2), 200);
	assert_int_equal(vd_reopen_delay_ms(5), 1600);
	assert_int_equal(vd_reopen_delay_ms(6), 2000);
	assert_int_equal(vd_reopen_delay_ms(UINT32_MAX), 2000);
}

VD_TEST_MAIN(cmocka_unit_test(the_first_tick_is_due_at_once),
	     cmocka_unit_test(being_late_does_not_delay_the_ticks_that_follow),
	     cmocka_unit_test(ticks_that_passed_are_skipped_and_counted),
	     cmocka_unit_test(the_wait_is_rounded_up_to_the_millisecond),
	     cmocka_unit_test(reopening_backs_off_to_two_seconds_and_never_gives_up))
