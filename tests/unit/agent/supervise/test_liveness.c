/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/liveness.h"

#include "vd_test.h"

static struct vd_liveness begun(uint64_t now_ms)
{
	struct vd_liveness l = { .heartbeat_ms = 1000, .misses = 3, .work_deadline_ms = 5000 };

	vd_liveness_begin(&l, now_ms);
	return l;
}

static void silence_is_noticed_after_three_heartbeats_and_not_before(void **state)
{
	struct vd_liveness l = begun(10000);

	assert_int_equal(vd_liveness_deadline_ms(&l), 13000);
	assert_int_equal(vd_liveness_check(&l, 12999), VD_LIFE_GOOD);
	assert_int_equal(vd_liveness_check(&l, 13000), VD_LIFE_SILENT);
}

static void each_alive_gives_three_more_heartbeats(void **state)
{
	struct vd_liveness l = begun(0);

	for (uint64_t now = 1000; now < 3600000; now += 1000) {
		vd_liveness_alive(&l, now, 0, false);
		assert_int_equal(vd_liveness_deadline_ms(&l), now + 3000);
		assert_int_equal(vd_liveness_check(&l, now + 999), VD_LIFE_GOOD);
	}
}

static void due_work_that_stands_still_is_stuck_though_the_module_is_alive(void **state)
{
	static const struct {
		uint64_t now_ms, work;
		bool is_due;
		enum vd_life life;
	} steps[] = {
		{ 1000, 0, true, VD_LIFE_GOOD },  { 3000, 0, true, VD_LIFE_GOOD },
		{ 5000, 0, true, VD_LIFE_GOOD },  { 5999, 0, true, VD_LIFE_GOOD },
		{ 6000, 0, true, VD_LIFE_STUCK },
	};
	struct vd_liveness l = begun(0);

	for (size_t i = 0; i < VD_COUNT(steps); i++) {
		vd_liveness_alive(&l, steps[i].now_ms, steps[i].work, steps[i].is_due);
		assert_int_equal(vd_liveness_check(&l, steps[i].now_ms), steps[i].life);
	}
}

static void any_progress_or_a_moment_without_due_work_starts_the_clock_again(void **state)
{
	struct vd_liveness l = begun(0);

	vd_liveness_alive(&l, 1000, 0, true);
	vd_liveness_alive(&l, 5900, 1, true); /* progress */
	assert_int_equal(vd_liveness_check(&l, 6100), VD_LIFE_GOOD);
	vd_liveness_alive(&l, 10800, 1, false); /* nothing due */
	assert_int_equal(vd_liveness_check(&l, 10900), VD_LIFE_GOOD);
	vd_liveness_alive(&l, 11000, 1, true);
	vd_liveness_alive(&l, 15900, 1, true);
	assert_int_equal(vd_liveness_deadline_ms(&l), 16000);
	assert_int_equal(vd_liveness_check(&l, 16000), VD_LIFE_STUCK);
}

static void a_count_that_goes_backwards_is_progress_too(void **state)
{
	struct vd_liveness l = begun(0);

	vd_liveness_alive(&l, 1000, UINT64_MAX, true);
	vd_liveness_alive(&l, 5000, 0, true);
	assert_int_equal(vd_liveness_deadline_ms(&l), 8000);
}

static void without_a_work_deadline_work_is_not_watched(void **state)
{
	struct vd_liveness l = { .heartbeat_ms = 1000, .misses = 3 };

	vd_liveness_begin(&l, 0);
	for (uint64_t now = 0; now < 1000000; now += 1000)
		vd_liveness_alive(&l, now, 5, true);
	assert_int_equal(vd_liveness_check(&l, 1000000), VD_LIFE_GOOD);
}

static void a_check_that_comes_far_too_late_blames_nobody_once(void **state)
{
	struct vd_liveness l = begun(0);

	/* The machine slept for an hour. */
	assert_int_equal(vd_liveness_check(&l, 3603000), VD_LIFE_GOOD);
	assert_int_equal(vd_liveness_deadline_ms(&l), 3606000);
	assert_int_equal(vd_liveness_check(&l, 3606000), VD_LIFE_SILENT);
}

static void a_check_that_comes_a_little_late_still_judges(void **state)
{
	struct vd_liveness l = begun(0);

	assert_int_equal(vd_liveness_check(&l, 4000), VD_LIFE_SILENT);
	assert_int_equal(vd_liveness_check(&l, 4001), VD_LIFE_GOOD);
}

VD_TEST_MAIN(cmocka_unit_test(silence_is_noticed_after_three_heartbeats_and_not_before),
	     cmocka_unit_test(each_alive_gives_three_more_heartbeats),
	     cmocka_unit_test(due_work_that_stands_still_is_stuck_though_the_module_is_alive),
	     cmocka_unit_test(any_progress_or_a_moment_without_due_work_starts_the_clock_again),
	     cmocka_unit_test(a_count_that_goes_backwards_is_progress_too),
	     cmocka_unit_test(without_a_work_deadline_work_is_not_watched),
	     cmocka_unit_test(a_check_that_comes_far_too_late_blames_nobody_once),
	     cmocka_unit_test(a_check_that_comes_a_little_late_still_judges))
