/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/simulator/scenario.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/schema.h"
#include "vd_test.h"

extern const char vd_scenario_schema_json[];
extern const size_t vd_scenario_schema_json_len;

static void its_schema_is_understood_whole(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;

	assert_int_equal(
		vd_json_parse(vd_scenario_schema_json, vd_scenario_schema_json_len, &schema, NULL),
		0);
	assert_int_equal(vd_schema_verify(schema, NULL), 0);
}

static void nothing_said_is_a_thousand_of_each(void **state)
{
	VD_CLEANUP(vd_scenario_free) struct vd_scenario *scenario = NULL;

	assert_int_equal(vd_scenario_new("{}", 2, &scenario, NULL), 0);
	assert_int_equal(scenario->sizes[VD_MODBUS_HOLDING], 1000);
	assert_int_equal(scenario->sizes[VD_MODBUS_DISCRETE], 1000);
	assert_int_equal(scenario->fault_register, -1);
}

static double at(enum vd_wave_shape shape, uint64_t t_ms)
{
	struct vd_wave wave = {
		.shape = shape, .low = 10, .high = 30, .step = 2, .period_ms = 1000
	};

	wave.at = 20;
	wave.random = 1;
	return vd_wave_at(&wave, t_ms);
}

static void waves_have_their_shapes(void **state)
{
	assert_true(at(VD_WAVE_CONSTANT, 777) == 10);
	assert_true(at(VD_WAVE_SINE, 0) == 20);
	assert_true(fabs(at(VD_WAVE_SINE, 250) - 30) < 1e-9);
	assert_true(fabs(at(VD_WAVE_SINE, 750) - 10) < 1e-9);
	assert_true(at(VD_WAVE_RAMP, 500) == 20);
	assert_true(at(VD_WAVE_SQUARE, 499) == 30);
	assert_true(at(VD_WAVE_SQUARE, 500) == 10);
	assert_true(at(VD_WAVE_COUNTER, 5999) == 20);
}

static void a_walk_is_the_same_each_time_and_keeps_its_bounds(void **state)
{
	struct vd_wave one = { .shape = VD_WAVE_WALK,
			       .low = 0,
			       .high = 5,
			       .step = 3,
			       .period_ms = 10,
			       .at = 2,
			       .random = 9 };
	struct vd_wave other = one;

	for (uint64_t t = 0; t < 10000; t += 10) {
		double value = vd_wave_at(&one, t);

		assert_true(value >= 0 && value <= 5);
		assert_true(t % 50 || vd_wave_at(&other, t) == value);
	}
}

static void commands_switch_faults(void **state)
{
	struct vd_scenario_faults faults = { 0 };

	assert_int_equal(vd_scenario_command(&faults, "delay 250", NULL), 0);
	assert_int_equal(faults.delay_ms, 250);
	assert_int_equal(vd_scenario_command(&faults, "silent on", NULL), 0);
	assert_true(faults.is_silent);
	assert_int_equal(vd_scenario_command(&faults, "exception holding 10 5 2", NULL), 0);
	assert_int_equal(vd_scenario_exception(&faults, VD_MODBUS_HOLDING, 8, 3), 2);
	assert_int_equal(vd_scenario_exception(&faults, VD_MODBUS_HOLDING, 8, 2), 0);
	assert_int_equal(vd_scenario_exception(&faults, VD_MODBUS_HOLDING, 15, 1), 0);
	assert_int_equal(vd_scenario_exception(&faults, VD_MODBUS_INPUT, 10, 1), 0);
	assert_int_equal(vd_scenario_command(&faults, "heal", NULL), 0);
	assert_false(faults.is_silent);
	assert_int_equal(faults.exception_count, 0);
	vd_scenario_register(&faults, 2);
	assert_true(faults.is_garbage);
	vd_scenario_register(&faults, 300);
	assert_true(!faults.is_garbage && faults.delay_ms == 300);
}

static void other_commands_are_refused(void **state)
{
	static const char *const bad[] = { "",
					   "delay",
					   "delay x",
					   "delay 5 6",
					   "silent",
					   "silent maybe",
					   "exception holding 1 0 2",
					   "exception attic 1 1 2",
					   "exception holding 1 1 99",
					   "explode" };
	struct vd_scenario_faults faults = { 0 };

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_int_equal(vd_scenario_command(&faults, bad[i], NULL), -EINVAL);
}

static void what_is_wrong_is_named_by_its_place(void **state)
{
	static const struct {
		const char *text, *pointer;
	} table[] = {
		{ "{\"waves\":[{\"address\":1,\"wave\":\"saw\"}]}", "/waves/0/wave" },
		{ "{\"waves\":[{\"address\":999,\"wave\":\"sine\",\"type\":\"float32\"}]}",
		  "/waves/0/address" },
		{ "{\"waves\":[{\"address\":1,\"wave\":\"sine\",\"area\":\"coil\",\"type\":"
		  "\"int16\"}]}",
		  "/waves/0/type" },
		{ "{\"values\":[{\"address\":999,\"words\":[1,2]}]}", "/values/0/address" },
		{ "{\"sizes\":{\"holding\":70000}}", "/sizes/holding" },
	};

	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_scenario *scenario = NULL;
		struct vd_fault fault = { 0 };

		assert_int_equal(
			vd_scenario_new(table[i].text, strlen(table[i].text), &scenario, &fault),
			-EINVAL);
		assert_string_equal(fault.pointer, table[i].pointer);
	}
}

VD_TEST_MAIN(cmocka_unit_test(its_schema_is_understood_whole),
	     cmocka_unit_test(nothing_said_is_a_thousand_of_each),
	     cmocka_unit_test(waves_have_their_shapes),
	     cmocka_unit_test(a_walk_is_the_same_each_time_and_keeps_its_bounds),
	     cmocka_unit_test(commands_switch_faults), cmocka_unit_test(other_commands_are_refused),
	     cmocka_unit_test(what_is_wrong_is_named_by_its_place))
