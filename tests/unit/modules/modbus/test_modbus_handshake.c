/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/handshake.h"

#include "vd_test.h"

static const struct vd_modbus_device press = { .name = "press" };
static const struct vd_modbus_output coil = { .name = "taken", .safe = 0, .active = 1 };
static const struct vd_modbus_event part = { .name = "part", .acknowledge = &coil };

static struct vd_modbus_handshake shake(void)
{
	return (struct vd_modbus_handshake){ .device = &press, .event = &part };
}

/* The value to write now; -1: none. It is then written. */
static int step(struct vd_modbus_handshake *handshake, uint64_t now_ms)
{
	double value;

	if (!vd_modbus_handshake_next(handshake, now_ms, &value))
		return -1;
	(void)vd_modbus_handshake_took(handshake, true, now_ms);
	return (int)value;
}

static void it_goes_on_when_handed_over_and_off_with_the_level(void **state)
{
	struct vd_modbus_handshake handshake = shake();

	assert_int_equal(step(&handshake, 0), -1);
	vd_modbus_handshake_edge(&handshake, 1);
	assert_int_equal(step(&handshake, 0), -1);
	vd_modbus_handshake_handed_over(&handshake, 1);
	assert_int_equal(step(&handshake, 0), 1);
	vd_modbus_handshake_level(&handshake, VD_MODBUS_LEVEL_ON);
	vd_modbus_handshake_handed_over(&handshake, 1);
	assert_int_equal(step(&handshake, 0), -1);
	vd_modbus_handshake_level(&handshake, VD_MODBUS_LEVEL_OFF);
	assert_int_equal(step(&handshake, 0), 0);
	vd_modbus_handshake_handed_over(&handshake, 1);
	assert_int_equal(step(&handshake, 0), -1);
}

static void an_answer_that_comes_too_late_acknowledges_no_other_edge(void **state)
{
	struct vd_modbus_handshake handshake = shake();

	vd_modbus_handshake_edge(&handshake, 1);
	vd_modbus_handshake_level(&handshake, VD_MODBUS_LEVEL_OFF);
	assert_int_equal(step(&handshake, 0), 0);
	vd_modbus_handshake_edge(&handshake, 2);
	vd_modbus_handshake_handed_over(&handshake, 1);
	assert_int_equal(step(&handshake, 0), -1);
	vd_modbus_handshake_handed_over(&handshake, 2);
	assert_int_equal(step(&handshake, 0), 1);
}

static void what_a_crash_left_on_is_cleared_with_the_level(void **state)
{
	struct vd_modbus_handshake handshake = shake();

	vd_modbus_handshake_level(&handshake, VD_MODBUS_LEVEL_ON);
	vd_modbus_handshake_level(&handshake, VD_MODBUS_LEVEL_UNKNOWN);
	assert_int_equal(step(&handshake, 0), -1);
	vd_modbus_handshake_level(&handshake, VD_MODBUS_LEVEL_OFF);
	assert_int_equal(step(&handshake, 0), 0);
}

static void after_a_reconnect_it_is_written_again(void **state)
{
	struct vd_modbus_handshake handshake = shake();

	vd_modbus_handshake_edge(&handshake, 1);
	vd_modbus_handshake_handed_over(&handshake, 1);
	assert_int_equal(step(&handshake, 0), 1);
	vd_modbus_handshake_forget(&handshake);
	assert_int_equal(step(&handshake, 100), 1);
}

static void a_write_that_fails_is_told_once_and_tried_until_done(void **state)
{
	struct vd_modbus_handshake handshake = shake();
	int told = 0, tries = 0;
	double value;

	vd_modbus_handshake_edge(&handshake, 1);
	vd_modbus_handshake_handed_over(&handshake, 1);
	for (uint64_t now = 0; now < 3000; now++) {
		if (!vd_modbus_handshake_next(&handshake, now, &value))
			continue;
		tries++;
		told += vd_modbus_handshake_took(&handshake, false, now);
	}
	assert_int_equal(told, 1);
	assert_int_equal(tries, 4);
	assert_int_equal(step(&handshake, 5000), 1);
	assert_true(vd_modbus_handshake_due_ms(&handshake) == UINT64_MAX);
}

VD_TEST_MAIN(cmocka_unit_test(it_goes_on_when_handed_over_and_off_with_the_level),
	     cmocka_unit_test(an_answer_that_comes_too_late_acknowledges_no_other_edge),
	     cmocka_unit_test(what_a_crash_left_on_is_cleared_with_the_level),
	     cmocka_unit_test(after_a_reconnect_it_is_written_again),
	     cmocka_unit_test(a_write_that_fails_is_told_once_and_tried_until_done))
