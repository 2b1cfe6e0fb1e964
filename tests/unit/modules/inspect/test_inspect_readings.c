/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/readings.h"

#include <string.h>

#include "vd_test.h"

static const char PARAMETERS[] =
	"{\"values\":{\"temp\":{\"from\":\"bus/samples\",\"pointer\":\"/samples/t/value\","
	"\"withinMs\":500},\"door\":{\"pointer\":\"/door\",\"withinMs\":100}}}";

struct fixture {
	struct vd_readings_options options;
	struct vd_readings readings;
};

static cJSON *json_of(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

static struct fixture begin(void)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = json_of(PARAMETERS);
	struct fixture f = { .options = { .count = 0 } };

	vd_readings_options_parse(parameters, &f.options);
	assert_int_equal(f.options.count, 2);
	return f;
}

static void take(struct fixture *f, const char *from, const char *text, uint64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *body = json_of(text);

	vd_readings_take(&f->readings, &f->options, from, body, now_ms);
}

static cJSON *joined(const struct fixture *f, uint64_t trigger_ms)
{
	cJSON *body = cJSON_CreateObject();

	assert_true(vd_readings_add(&f->readings, &f->options, trigger_ms, body));
	return body;
}

static void the_reading_nearest_to_the_trigger_is_joined(void **state)
{
	struct fixture f = begin();
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;

	take(&f, "bus/samples", "{\"samples\":{\"t\":{\"value\":20.5}}}", 1000);
	take(&f, "bus/samples", "{\"samples\":{\"t\":{\"value\":21.5}}}", 1400);
	take(&f, "bus/samples", "{\"samples\":{\"t\":{\"value\":22.5}}}", 1800);
	take(&f, "gate/state", "{\"door\":true}", 1550);
	body = joined(&f, 1500);
	assert_true(vd_json_number(vd_json_at(body, "/values/temp"), "value", 0) == 21.5);
	assert_int_equal(vd_json_int(vd_json_at(body, "/values/temp"), "offsetMs", 0), -100);
	assert_int_equal(vd_json_int(vd_json_at(body, "/values/door"), "value", 0), 1);
	assert_int_equal(vd_json_int(vd_json_at(body, "/values/door"), "offsetMs", 0), 50);
}

static void a_reading_too_far_off_or_of_another_module_or_without_a_number_is_null(void **state)
{
	struct fixture f = begin();
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;

	take(&f, "bus/samples", "{\"samples\":{\"t\":{\"value\":20.5}}}", 1000);
	take(&f, "other/samples", "{\"samples\":{\"t\":{\"value\":1}}}", 1900);
	take(&f, "bus/samples", "{\"samples\":{\"t\":{\"value\":null}}}", 1900);
	take(&f, "x/y", "{\"door\":\"open\"}", 2000);
	body = joined(&f, 2000);
	assert_true(cJSON_IsNull(vd_json_at(body, "/values/temp")));
	assert_true(cJSON_IsNull(vd_json_at(body, "/values/door")));
}

static void only_the_last_ones_are_remembered(void **state)
{
	struct fixture f = begin();
	VD_CLEANUP(vd_json_free) cJSON *old = NULL, *young = NULL;

	for (uint64_t ms = 1000; ms < 1000 + 10 * (VD_READINGS + 20); ms += 10)
		take(&f, "gate/state", "{\"door\":false}", ms);
	old = joined(&f, 1000);
	young = joined(&f, 1400);
	assert_true(cJSON_IsNull(vd_json_at(old, "/values/door")));
	assert_int_equal(vd_json_int(vd_json_at(young, "/values/door"), "offsetMs", 9), 0);
}

static void without_parameters_nothing_is_said(void **state)
{
	const struct fixture f = { .options = { .count = 0 } };
	VD_CLEANUP(vd_json_free) cJSON *body = joined(&f, 0);

	assert_null(vd_json_get(body, "values"));
}

/* As vedette-modbus(8) publishes them: all its devices on one output, old values told again. */
static void samples_of_one_device_are_told_from_another_s_and_old_ones_are_none(void **state)
{
	static const char parameters_text[] =
		"{\"values\":{\"temp\":{\"from\":\"bus/samples\",\"pointer\":\"/samples/t/value\","
		"\"when\":{\"pointer\":\"/device\",\"equals\":\"oven\"},\"withinMs\":500}}}";
	VD_CLEANUP(vd_json_free) cJSON *parameters = json_of(parameters_text);
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct fixture f = { .options = { .count = 0 } };

	vd_readings_options_parse(parameters, &f.options);
	take(&f, "bus/samples",
	     "{\"device\":\"oven\",\"samples\":{\"t\":{\"value\":180,\"quality\":\"good\"}}}",
	     1000);
	take(&f, "bus/samples",
	     "{\"device\":\"oven\",\"samples\":{\"t\":{\"value\":180,\"quality\":\"stale\"}}}",
	     1090);
	take(&f, "bus/samples",
	     "{\"device\":\"press\",\"samples\":{\"t\":{\"value\":20,\"quality\":\"good\"}}}",
	     1100);
	body = joined(&f, 1100);
	assert_int_equal(vd_json_int(vd_json_at(body, "/values/temp"), "value", 0), 180);
	assert_int_equal(vd_json_int(vd_json_at(body, "/values/temp"), "offsetMs", 0), -100);
}

VD_TEST_MAIN(
	cmocka_unit_test(samples_of_one_device_are_told_from_another_s_and_old_ones_are_none),

	cmocka_unit_test(the_reading_nearest_to_the_trigger_is_joined),
	cmocka_unit_test(a_reading_too_far_off_or_of_another_module_or_without_a_number_is_null),
	cmocka_unit_test(only_the_last_ones_are_remembered),
	cmocka_unit_test(without_parameters_nothing_is_said))
