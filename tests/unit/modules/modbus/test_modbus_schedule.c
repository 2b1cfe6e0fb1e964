/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/schedule.h"

#include "modules/modbus/quality.h"
#include "vd_test.h"

static void ticks_never_drift(void **state)
{
	struct vd_modbus_schedule schedule;

	vd_modbus_schedule_init(&schedule, 5000, 1000);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(
			vd_modbus_schedule_wait(&schedule, 5000 + i * 1000 - (i ? 400 : 0)),
			i ? 400 : 0);
		assert_int_equal(vd_modbus_schedule_take(&schedule, 5000 + i * 1000 + 300), 0);
	}
	assert_int_equal(schedule.next_us, 5000 + 1000 * 1000);
	assert_int_equal(vd_modbus_schedule_late_mean_us(&schedule), 300);
	assert_int_equal(schedule.late_max_us, 300);
}

static void missed_ticks_are_skipped_and_counted(void **state)
{
	struct vd_modbus_schedule schedule;

	vd_modbus_schedule_init(&schedule, 0, 100);
	assert_int_equal(vd_modbus_schedule_take(&schedule, 0), 0);
	assert_int_equal(vd_modbus_schedule_take(&schedule, 450), 3);
	assert_int_equal(schedule.missed, 3);
	assert_int_equal(schedule.next_us, 500);
	assert_int_equal(vd_modbus_schedule_wait(&schedule, 450), 50);
}

static void back_off_doubles_to_its_ceiling_and_forgets_at_success(void **state)
{
	struct vd_modbus_backoff backoff = { .first_ms = 100, .most_ms = 500 };
	static const uint64_t waits[] = { 100, 200, 400, 500, 500 };

	for (size_t i = 0; i < VD_COUNT(waits); i++) {
		vd_modbus_backoff_failed(&backoff, 1000);
		assert_int_equal(backoff.until_ms, 1000 + waits[i]);
	}
	vd_modbus_backoff_succeeded(&backoff);
	assert_int_equal(backoff.until_ms, 0);
	vd_modbus_backoff_failed(&backoff, 0);
	assert_int_equal(backoff.until_ms, 100);
}

static void a_device_of_which_nothing_was_read_is_unknown(void **state)
{
	assert_int_equal(vd_modbus_status_of(0, 0), VD_MODBUS_UNKNOWN);
	assert_int_equal(vd_modbus_status_of(3, 0), VD_MODBUS_DEAD);
	assert_int_equal(vd_modbus_status_of(3, 2), VD_MODBUS_PARTIAL);
	assert_int_equal(vd_modbus_status_of(3, 3), VD_MODBUS_OK);
}

static void names_are_those_of_the_manual(void **state)
{
	assert_string_equal(vd_modbus_quality_name(VD_MODBUS_GOOD), "good");
	assert_string_equal(vd_modbus_quality_name(VD_MODBUS_BAD_ADDRESS), "bad_address");
	assert_string_equal(vd_modbus_quality_name(VD_MODBUS_DISCONNECTED), "disconnected");
	assert_string_equal(vd_modbus_status_name(VD_MODBUS_UNKNOWN), "unknown");
	assert_string_equal(vd_modbus_status_name(VD_MODBUS_DEAD), "dead");
}

VD_TEST_MAIN(cmocka_unit_test(ticks_never_drift),
	     cmocka_unit_test(missed_ticks_are_skipped_and_counted),
	     cmocka_unit_test(back_off_doubles_to_its_ceiling_and_forgets_at_success),
	     cmocka_unit_test(a_device_of_which_nothing_was_read_is_unknown),
	     cmocka_unit_test(names_are_those_of_the_manual))
