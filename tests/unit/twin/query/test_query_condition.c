/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "query_of.h"

static void prints_as(const char *text, const char *canonical)
{
	VD_CLEANUP(vd_query_free) struct vd_query *condition = condition_of(text);
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert_int_equal(vd_query_print(condition, &out), 0);
	assert_string_equal(out.len ? out.data : "", canonical);
}

static void refuses(const char *text, const char *reason)
{
	struct vd_query *condition = NULL;
	struct vd_fault fault = { 0 };

	if (vd_condition_parse(text, strlen(text), &condition, &fault) != -EINVAL)
		fail_msg("%s was not refused", text);
	assert_null(condition);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.text, reason);
}

static bool matches(const char *text, const char *twin_text)
{
	VD_CLEANUP(vd_query_free) struct vd_query *condition = condition_of(text);
	VD_CLEANUP(vd_json_free) cJSON *twin = json_of(twin_text);

	return vd_query_matches(condition, twin);
}

static void azures_own_examples_are_read(void **state)
{
	static const char *const cases[][2] = {
		{ "deviceId ='linuxprod1'", "deviceId = 'linuxprod1'" },
		{ "tags.environment = 'prod' AND tags.location = 'westus'",
		  "tags.environment = 'prod' AND tags.location = 'westus'" },
		{ "tags.operator = 'John' AND tags.environment = 'prod' AND NOT deviceId = 'p1'",
		  "tags.operator = 'John' AND tags.environment = 'prod' AND NOT deviceId = 'p1'" },
		{ "properties.reported.devicemodel = '4000x'",
		  "properties.reported.devicemodel = '4000x'" },
		{ "deviceId='operator''sDevice'", "deviceId = 'operator\\'sDevice'" },
		{ "not is_defined(tags.retired)", "NOT IS_DEFINED(tags.retired)" },
		{ "from devices.modules where tags.environment='prod' and moduleId in ['a']",
		  "FROM devices.modules WHERE tags.environment = 'prod' AND moduleId IN ['a']" },
		{ " * ", "*" },
		{ "  ", "" },
		{ "true", "true" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		prints_as(cases[i][0], cases[i][1]);
		prints_as(cases[i][1], cases[i][1]);
	}
}

static void a_star_is_everybody_and_no_text_is_nobody(void **state)
{
	assert_true(matches("*", "{}"));
	assert_false(matches("", "{}"));
	assert_true(matches("tags.a = 'x'", "{'tags':{'a':'x'}}"));
	assert_false(matches("tags.a != 'x'", "{'tags':{}}"));
	assert_true(matches("NOT IS_DEFINED(tags.a) OR tags.a != 'x'", "{'tags':{}}"));
}

static void a_condition_knows_whether_it_is_about_modules(void **state)
{
	VD_CLEANUP(vd_query_free) struct vd_query *devices = condition_of("tags.a = 1");
	VD_CLEANUP(vd_query_free)
	struct vd_query *modules = condition_of("FROM devices.modules WHERE tags.a = 1");

	assert_int_equal(vd_query_source(devices), VD_QUERY_DEVICES);
	assert_int_equal(vd_query_source(modules), VD_QUERY_MODULES);
}

static void what_azure_refuses_is_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "tags.a = \"x\"", "position 10: a target condition has single quotes only" },
		{ "SELECT * FROM devices",
		  "position 1: a target condition is not a query: begin after WHERE" },
		{ "properties.desired.a = 1", "position 1: a target condition reads tags, "
					      "properties.reported and deviceId, not "
					      "properties.desired.a" },
		{ "tags.a = 1 AND status = 'enabled'",
		  "position 16: a target condition reads tags, properties.reported and deviceId, "
		  "not status" },
		{ "IS_DEFINED(tags)",
		  "position 12: a target condition reads tags, properties.reported and deviceId, "
		  "not tags" },
		{ "IS_DEFINED(properties.reported)",
		  "position 12: a target condition reads tags, properties.reported and deviceId, "
		  "not properties.reported" },
		{ "deviceId.x = 1", "position 1: a target condition reads tags, "
				    "properties.reported and deviceId, not "
				    "deviceId.x" },
		{ "moduleId = 'm'", "position 1: a target condition reads tags, "
				    "properties.reported and deviceId, not "
				    "moduleId" },
		{ "FROM devices.modules WHERE configurations.a = 1",
		  "position 28: a target condition reads tags, properties.reported and deviceId, "
		  "moduleId, not configurations.a" },
		{ "FROM devices.modules WHERE *",
		  "position 28: expected a condition, since * is for devices only, found '*'" },
		{ "FROM devices.modules", "position 21: expected WHERE, found the end" },
		{ "FROM devices WHERE tags.a = 1",
		  "position 14: expected devices.modules, found 'WHERE'" },
		{ "* AND tags.a = 1", "position 3: expected the end after *, found 'AND'" },
		{ "tags.a = 1 NOT tags.b = 2",
		  "position 12: expected an operator or the end, found 'NOT'" },
		{ "tags.a = 1 GROUP BY tags.a",
		  "position 12: expected an operator or the end, found 'GROUP'" },
		{ "'x'", "position 1: this is a value and not a condition" },
		{ "tags.a + 1", "position 1: this is a value and not a condition" },
		{ "tags.a = ", "position 10: expected a value, found the end" },
		{ "COUNT() > 1", "position 1: there is no function COUNT here, only IS_DEFINED" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++)
		refuses(cases[i][0], cases[i][1]);
}

static void a_condition_lists_what_it_reads(void **state)
{
	VD_CLEANUP(vd_query_free)
	struct vd_query *condition =
		condition_of("tags.site = 'x' AND (tags.a > 1 OR tags.site = 'y') AND "
			     "IS_DEFINED(properties.reported.[[a b]]) AND deviceId NIN ['d']");
	const char *const *paths;

	assert_int_equal(vd_query_paths(condition, &paths), 4);
	assert_string_equal(paths[0], "deviceId");
	assert_string_equal(paths[1], "properties.reported.[[a b]]");
	assert_string_equal(paths[2], "tags.a");
	assert_string_equal(paths[3], "tags.site");
}

static void only_a_change_of_what_it_reads_touches_a_condition(void **state)
{
	static const struct {
		const char *patch;
		bool is_touched;
	} cases[] = {
		{ "{'tags':{'site':'y'}}", true },
		{ "{'tags':{'site':null}}", true },
		{ "{'tags':{'other':1}}", false },
		{ "{'tags':null}", true },
		{ "{'tags':{}}", false },
		{ "{'tags':{'place':5}}", true },
		{ "{'tags':{'place':{'floor':1}}}", false },
		{ "{'tags':{'place':{'hall':'A'}}}", true },
		{ "{'properties':{'reported':{'mode':{'deep':1}}}}", true },
		{ "{'properties':{'reported':{'fan':1}}}", false },
		{ "{'properties':{'desired':{'mode':1}}}", false },
	};
	VD_CLEANUP(vd_query_free)
	struct vd_query *condition = condition_of(
		"tags.site = 'x' OR tags.place.hall = 'A' OR properties.reported.mode = 'auto'");
	VD_CLEANUP(vd_query_free) struct vd_query *star = condition_of("*");

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_json_free) cJSON *patch = json_of(cases[i].patch);

		if (vd_query_is_touched_by(condition, patch) != cases[i].is_touched)
			fail_msg("%s", cases[i].patch);
		assert_false(vd_query_is_touched_by(star, patch));
	}
}

VD_TEST_MAIN(cmocka_unit_test(azures_own_examples_are_read),
	     cmocka_unit_test(a_star_is_everybody_and_no_text_is_nobody),
	     cmocka_unit_test(a_condition_knows_whether_it_is_about_modules),
	     cmocka_unit_test(what_azure_refuses_is_refused),
	     cmocka_unit_test(a_condition_lists_what_it_reads),
	     cmocka_unit_test(only_a_change_of_what_it_reads_touches_a_condition))
