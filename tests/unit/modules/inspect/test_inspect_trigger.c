/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/trigger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/schema.h"
#include "vd_test.h"

extern const char vd_inspect_schema_json[];

static cJSON *filled(const char *more)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	struct vd_fault fault = { 0 };
	cJSON *parameters = NULL;
	char text[2048];

	(void)snprintf(text, sizeof text,
		       "{\"active\":\"a\",\"recipes\":{\"a\":{\"rev\":1,\"cameras\":[\"c\"],"
		       "\"steps\":{\"s\":{\"camera\":\"c\",\"tool\":\"variation\"}}}}%s}",
		       more);
	assert_int_equal(vd_json_parse(vd_inspect_schema_json, strlen(vd_inspect_schema_json),
				       &schema, &fault),
			 0);
	assert_int_equal(vd_schema_verify(schema, &fault), 0);
	assert_int_equal(vd_json_parse(text, strlen(text), &parameters, &fault), 0);
	if (vd_schema_check(schema, parameters, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(vd_schema_fill(schema, parameters), 0);
	return parameters;
}

static struct vd_trigger_options options_of(const char *more)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = filled(more);
	struct vd_trigger_options options = { .when = { .is_set = false } };
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_trigger_options_parse(parameters, &options, &fault), 0);
	return options;
}

static int refusal_of(const char *more, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = filled(more);
	struct vd_trigger_options options;

	return vd_trigger_options_parse(parameters, &options, fault);
}

static cJSON *json_of(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

static void with_nothing_said_calls_messages_and_cameras_trigger(void **state)
{
	struct vd_trigger_options options = options_of("");

	assert_true(options.is_on[VD_BY_CALL] && options.is_on[VD_BY_MESSAGE] &&
		    options.is_on[VD_BY_CAMERA] && options.is_on[VD_BY_REINSPECT]);
	assert_false(options.is_on[VD_BY_TIMER] || options.is_on[VD_BY_FILE]);
	assert_string_equal(options.serial_pointer, "/serial");
	assert_false(options.camera_is_durable || options.when.is_set);
	assert_true(options.pressure.share == 0.75);
	assert_false(options.selects_by_call || options.selects_by_message);
	vd_trigger_options_fini(&options);
}

static void each_source_has_its_own_limits(void **state)
{
	struct vd_trigger_options options =
		options_of(",\"trigger\":{\"call\":{\"enabled\":false},"
			   "\"message\":{\"minIntervalMs\":20,\"perSecond\":2.5},"
			   "\"timer\":{\"intervalMs\":500},\"file\":{\"folder\":\"/in\","
			   "\"doneFolder\":\"/out\",\"frame\":\"capture\"}}");

	assert_false(options.is_on[VD_BY_CALL]);
	assert_true(options.is_on[VD_BY_TIMER] && options.is_on[VD_BY_FILE]);
	assert_int_equal(options.limits[VD_BY_MESSAGE].min_interval_ms, 20);
	assert_true(options.limits[VD_BY_MESSAGE].per_second == 2.5);
	assert_int_equal(options.interval_ms, 500);
	assert_string_equal(options.folder, "/in");
	assert_string_equal(options.done_folder, "/out");
	assert_false(options.file_is_frame);
	vd_trigger_options_fini(&options);
}

static void a_message_is_a_trigger_when_its_condition_holds(void **state)
{
	struct vd_trigger_options options =
		options_of(",\"trigger\":{\"message\":{\"serialPointer\":\"/part/no\","
			   "\"when\":{\"pointer\":\"/value\",\"equals\":\"1\"}}}");
	VD_CLEANUP(vd_json_free) cJSON *on = json_of("{\"value\":1,\"part\":{\"no\":41007}}");
	VD_CLEANUP(vd_json_free) cJSON *off = json_of("{\"value\":0}");
	VD_CLEANUP(vd_json_free) cJSON *other = json_of("[]");
	char serial[16];

	assert_true(vd_trigger_holds(&options.when, on));
	assert_false(vd_trigger_holds(&options.when, off));
	assert_false(vd_trigger_holds(&options.when, other));
	assert_true(vd_trigger_text_at(on, options.serial_pointer, serial, sizeof serial));
	assert_string_equal(serial, "41007");
	assert_false(vd_trigger_text_at(off, options.serial_pointer, serial, sizeof serial));
	assert_false(vd_trigger_text_at(on, options.serial_pointer, serial, 3));
	vd_trigger_options_fini(&options);
}

static void a_register_selects_a_recipe_by_its_value(void **state)
{
	struct vd_trigger_options options = options_of(
		",\"select\":{\"by\":[\"message\"],\"pointer\":\"/v\",\"values\":{\"3\":\"a\"},"
		"\"when\":{\"pointer\":\"/event\",\"equals\":\"recipe\"}}");
	VD_CLEANUP(vd_json_free) cJSON *three = json_of("{\"v\":3}");
	VD_CLEANUP(vd_json_free) cJSON *four = json_of("{\"v\":4}");
	char recipe[65];

	assert_true(options.selects_by_message);
	assert_true(options.select_when.is_set);
	assert_string_equal(options.select_when.equals, "recipe");
	assert_false(options.selects_by_call);
	assert_true(vd_trigger_recipe(&options, three, recipe, sizeof recipe));
	assert_string_equal(recipe, "a");
	assert_false(vd_trigger_recipe(&options, four, recipe, sizeof recipe));
	vd_trigger_options_fini(&options);
}

static void what_cannot_work_is_refused_with_its_place(void **state)
{
	struct vd_fault fault = { 0 };

	assert_int_equal(refusal_of(",\"select\":{\"values\":{\"3\":\"b\"}}", &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/select/values/3");
	assert_int_equal(refusal_of(",\"trigger\":{\"file\":{\"folder\":\"/x\","
				    "\"doneFolder\":\"/x\"}}",
				    &fault),
			 -EINVAL);
	assert_string_equal(fault.pointer, "/trigger/file/doneFolder");
}

static void a_file_s_name_gives_the_serial_number(void **state)
{
	static const char *const cases[][2] = { { "00041.jpg", "00041" },
						{ "a.b.jpeg", "a.b" },
						{ "plain", "plain" } };
	char serial[32];

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		vd_trigger_file_serial(cases[i][0], serial, sizeof serial);
		assert_string_equal(serial, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_nothing_said_calls_messages_and_cameras_trigger),
		cmocka_unit_test(each_source_has_its_own_limits),
		cmocka_unit_test(a_message_is_a_trigger_when_its_condition_holds),
		cmocka_unit_test(a_register_selects_a_recipe_by_its_value),
		cmocka_unit_test(what_cannot_work_is_refused_with_its_place),
		cmocka_unit_test(a_file_s_name_gives_the_serial_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
