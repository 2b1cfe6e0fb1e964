/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vd_test.h"

static void refuses(const char *text, const char *reason)
{
	struct vd_route route;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_route_parse(text, &route, &fault), -EINVAL);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, "");
	assert_string_equal(fault.text, reason);
}

static struct vd_route parsed(const char *text)
{
	struct vd_route route = { 0 };
	struct vd_fault fault = { 0 };

	if (vd_route_parse(text, &route, &fault) < 0)
		fail_msg("%s", fault.text);
	return route;
}

static void a_route_between_modules_is_taken_apart(void **state)
{
	struct vd_route route = parsed("FROM cam-top/frame INTO station_3/frame");

	assert_string_equal(route.source_module, "cam-top");
	assert_string_equal(route.source_output, "frame");
	assert_false(route.is_upstream);
	assert_string_equal(route.sink_module, "station_3");
	assert_string_equal(route.sink_input, "frame");
	assert_null(route.class);
}

static void a_route_upstream_has_no_sink(void **state)
{
	struct vd_route route = parsed("FROM a/b INTO $upstream");

	assert_true(route.is_upstream);
	assert_string_equal(route.sink_module, "");
	assert_string_equal(route.sink_input, "");
}

static void keywords_have_any_case_and_words_any_space(void **state)
{
	struct vd_route route = parsed(" \tfrom  a/b\tInto   $Upstream ");

	assert_true(route.is_upstream);
	assert_string_equal(route.source_module, "a");
}

static void names_keep_their_case(void **state)
{
	struct vd_route route = parsed("FROM From/INTO INTO into/From");

	assert_string_equal(route.source_module, "From");
	assert_string_equal(route.source_output, "INTO");
	assert_string_equal(route.sink_module, "into");
}

static void each_mistake_has_its_reason(void **state)
{
	static const char form[] =
		"must be FROM <module>/<output> INTO $upstream or <module>/<input>";

	refuses("", form);
	refuses("FROM", form);
	refuses("FROM a/b", form);
	refuses("FROM a/b INTO", form);
	refuses("a/b INTO $upstream", "a route begins with FROM");
	refuses("FROM a/b TO $upstream", "after FROM <module>/<output> comes INTO");
	refuses("FROM a/b INTO $upstream now", "more text after the end of the route");
	refuses("FROM a/b INTO c/d e f g", "more text after the end of the route");
	refuses("FROM a INTO $upstream", "\"a\" must be <module>/<output>");
	refuses("FROM a/b INTO $cloud", "\"$cloud\" must be $upstream or <module>/<input>");
	refuses("FROM $upstream INTO a/b", "\"$upstream\" must be <module>/<output>");
	refuses("FROM a/ INTO b/c",
		"\"\" is not a name: 1 to 128 letters, digits, '_' and '-', not '-' first");
	refuses("FROM a/b/c INTO b/c",
		"\"b/c\" is not a name: 1 to 128 letters, digits, '_' and '-', not '-' first");
	refuses("FROM a/b INTO -c/d",
		"\"-c\" is not a name: 1 to 128 letters, digits, '_' and '-', not '-' first");
	refuses("FROM a\n/b INTO c/d",
		"\"a\n\" is not a name: 1 to 128 letters, digits, '_' and '-', not '-' first");
	refuses("FROM ../b INTO c/d",
		"\"..\" is not a name: 1 to 128 letters, digits, '_' and '-', not '-' first");
}

static void a_name_has_at_most_128_characters(void **state)
{
	char text[400];
	struct vd_route route;

	for (int n = 127; n <= 129; n++) {
		(void)snprintf(text, sizeof text, "FROM a/%0*d INTO %0*d/x", n, 0, n, 0);
		assert_int_equal(vd_route_parse(text, &route, NULL), n <= 128 ? 0 : -EINVAL);
	}
	assert_false(vd_route_is_name(""));
	assert_true(vd_route_is_name("a-b_C9"));
}

static int read(const char *text, struct vd_route *route, struct vd_fault *fault)
{
	static cJSON *json;

	json = vd_json_free(json);
	assert_int_equal(vd_json_parse(text, strlen(text), &json, NULL), 0);
	int r = vd_route_read(json, route, fault);
	if (r == 0 && route->class)
		assert_string_equal(route->class, "verdict");
	json = vd_json_free(json);
	return r;
}

static void a_member_is_a_text_or_an_object_with_a_class(void **state)
{
	struct vd_route route;
	struct vd_fault fault = { 0 };

	assert_int_equal(read("\"FROM a/b INTO $upstream\"", &route, &fault), 0);
	assert_null(route.class);
	assert_int_equal(read("{\"route\":\"FROM a/b INTO $upstream\",\"class\":\"verdict\"}",
			      &route, &fault),
			 0);
	assert_non_null(route.class);
}

static void the_pointer_names_the_part_of_the_member(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"route\":\"FROM a INTO $upstream\"}", "/route" },
		{ "{\"class\":\"verdict\"}", "/route" },
		{ "{\"route\":\"FROM a/b INTO c/d\",\"class\":\"verdict\"}", "/class" },
		{ "{\"route\":\"FROM a/b INTO $upstream\",\"class\":\"secret\"}", "/class" },
		{ "{\"route\":\"FROM a/b INTO $upstream\",\"class\":1}", "/class" },
		{ "7", "" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_route route;
		struct vd_fault fault = { 0 };

		assert_int_equal(read(cases[i][0], &route, &fault), -EINVAL);
		assert_string_equal(fault.pointer, cases[i][1]);
	}
}

VD_TEST_MAIN(cmocka_unit_test(a_route_between_modules_is_taken_apart),
	     cmocka_unit_test(a_route_upstream_has_no_sink),
	     cmocka_unit_test(keywords_have_any_case_and_words_any_space),
	     cmocka_unit_test(names_keep_their_case), cmocka_unit_test(each_mistake_has_its_reason),
	     cmocka_unit_test(a_name_has_at_most_128_characters),
	     cmocka_unit_test(a_member_is_a_text_or_an_object_with_a_class),
	     cmocka_unit_test(the_pointer_names_the_part_of_the_member))
