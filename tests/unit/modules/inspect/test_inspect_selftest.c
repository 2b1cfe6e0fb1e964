/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/selftest.h"

#include <string.h>

#include "vd_test.h"

static struct vd_selftest_options options_of(const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_selftest_options options = { .every_ms = 1 };

	assert_int_equal(vd_json_parse(text, strlen(text), &parameters, NULL), 0);
	assert_int_equal(vd_selftest_options_parse(parameters, &options), 0);
	return options;
}

static const char EVERY_MINUTE[] =
	"{\"selfTest\":{\"everyS\":60,\"frames\":{\"top\":\"/a.jpg\"},\"expect\":\"NG\"}}";

static void it_runs_at_once_and_then_in_its_interval(void **state)
{
	struct vd_selftest_options options = options_of(EVERY_MINUTE);
	struct vd_selftest test = { .due_ms = 0 };

	assert_true(vd_selftest_start(&test, &options, 1000));
	assert_false(vd_selftest_start(&test, &options, 100000)); /* still in hand */
	(void)vd_selftest_end(&test, &options, "NG");
	assert_false(vd_selftest_start(&test, &options, 60999));
	assert_true(vd_selftest_start(&test, &options, 61000));
	vd_selftest_options_fini(&options);
}

static void without_parameters_it_never_runs(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	struct vd_selftest_options options = options_of("{}");
	struct vd_selftest test = { .due_ms = 0 };

	assert_false(vd_selftest_start(&test, &options, 1000));
	assert_true(vd_selftest_add(&test, &options, json));
	assert_true(cJSON_IsNull(vd_json_get(json, "selfTest")));
	vd_selftest_options_fini(&options);
}

static void only_a_change_of_its_outcome_is_told(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	struct vd_selftest_options options = options_of(EVERY_MINUTE);
	struct vd_selftest test = { .due_ms = 0 };

	assert_false(vd_selftest_end(&test, &options, "NG"));
	assert_true(vd_selftest_end(&test, &options, "OK"));
	assert_true(test.is_failing);
	assert_false(vd_selftest_end(&test, &options, "NO_DECISION"));
	assert_true(vd_selftest_end(&test, &options, "NG"));
	assert_true(vd_selftest_add(&test, &options, json));
	assert_int_equal(vd_json_int(vd_json_object(json, "selfTest"), "passed", 0), 2);
	assert_int_equal(vd_json_int(vd_json_object(json, "selfTest"), "failed", 0), 2);
	vd_selftest_options_fini(&options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_runs_at_once_and_then_in_its_interval),
		cmocka_unit_test(without_parameters_it_never_runs),
		cmocka_unit_test(only_a_change_of_its_outcome_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
