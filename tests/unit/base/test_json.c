/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static cJSON *parse(const char *text)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, &fault) < 0)
		fail_msg("%s at %s in %s", fault.text, fault.pointer, text);
	return json;
}

static void refuses_bytes(const char *text, size_t len, const char *pointer, const char *reason)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, len, &json, &fault), -EINVAL);
	assert_null(json);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, pointer);
	assert_string_equal(fault.text, reason);
}

static void refuses(const char *text, const char *pointer, const char *reason)
{
	refuses_bytes(text, strlen(text), pointer, reason);
}

static void exactly_one_value_is_parsed(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(" \t{\"a\":[1,true,null,\"x\"]}\r\n ");
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);

	assert_string_equal(text, "{\"a\":[1,true,null,\"x\"]}");
	refuses("{} {}", "", "more text after the JSON value, at byte 3");
	refuses("", "", "empty, not JSON");
	refuses("{\"a\":}", "", "not JSON at byte 5");
	refuses("{\"a\":1", "", "not JSON at byte 5");
}

static void the_text_need_not_end_with_a_nul(void **state)
{
	static const char text[] = { '{', '}', 'x' };
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, 2, &json, NULL), 0);
	json = vd_json_free(json);
	assert_null(json);
}

static void text_that_is_no_utf_8_is_refused(void **state)
{
	static const char *const bad[] = { "\"\x80\"",
					   "\"\xC0\x80\"",
					   "\"\xC3\"",
					   "\"\xED\xA0\x80\"",
					   "\"\xE2\x82\"",
					   "\"\xF4\x90\x80\x80\"",
					   "\"\xF0\x80\x80\x80\"",
					   "\"\xFF\"" };

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		refuses(bad[i], "", "byte 1 is not UTF-8 text");
	refuses_bytes("\"a\0b\"", 5, "", "byte 2 is not UTF-8 text");
	refuses("\"a\\u0000\"", "", "byte 2: \\u0000 is not allowed");
	VD_CLEANUP(vd_json_free)
	cJSON *good = parse("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\\\\u0000\"");
	assert_non_null(good);
}

static void a_key_twice_names_its_place(void **state)
{
	refuses("{\"a\":[{\"k\":1,\"l\":2,\"k\":3}]}", "/a/0/k", "this key stands twice");
	VD_CLEANUP(vd_json_free) cJSON *by_case = parse("{\"k\":1,\"K\":2}");
	assert_int_equal(vd_json_int(by_case, "K", 0), 2);
}

static void depth_ends_at_32_levels(void **state)
{
	char text[80];

	for (int depth = 31; depth <= 33; depth++) {
		struct vd_fault fault = { 0 };
		cJSON *json = NULL;

		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		assert_int_equal(vd_json_parse(text, (size_t)depth * 2, &json, &fault),
				 depth <= 32 ? 0 : -EINVAL);
		if (depth > 32)
			assert_string_equal(fault.text, "byte 32: deeper than 32 levels");
		vd_json_free(json);
	}
	VD_CLEANUP(vd_json_free)
	cJSON *in_text = parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"");
	assert_non_null(in_text);
}

static void a_number_too_large_names_its_place(void **state)
{
	refuses("{\"a\":[1,1e999]}", "/a/1", "the number is too large");
}

static void comments_are_for_configuration_files_only(void **state)
{
	static const char text[] = "// head\n{ /* a */ \"url\": \"http://x/*y*/\" } // end\n";
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse_commented(text, sizeof text - 1, &json, NULL), 0);
	assert_string_equal(vd_json_string(json, "url", ""), "http://x/*y*/");
	vd_json_free(json);
	json = NULL;
	assert_int_equal(vd_json_parse(text, sizeof text - 1, &json, NULL), -EINVAL);
	assert_int_equal(vd_json_parse_commented("{}\0", 3, &json, NULL), -EINVAL);
	assert_int_equal(vd_json_parse_commented("/* for ever", 11, &json, NULL), -EINVAL);
}

static void getters_fall_back_for_what_is_absent_or_of_another_type(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *json =
		parse("{\"s\":\"x\",\"n\":2.5,\"i\":-7,\"b\":true,\"o\":{},\"a\":[],\"z\":null}");

	assert_string_equal(vd_json_string(json, "s", "f"), "x");
	assert_string_equal(vd_json_string(json, "n", "f"), "f");
	assert_null(vd_json_string(json, "S", NULL));
	assert_true(vd_json_number(json, "n", 0) > 2.4);
	assert_int_equal(vd_json_int(json, "i", 0), -7);
	assert_int_equal(vd_json_int(json, "s", 5), 5);
	assert_true(vd_json_bool(json, "b", false));
	assert_true(vd_json_bool(json, "z", true));
	assert_non_null(vd_json_object(json, "o"));
	assert_null(vd_json_object(json, "a"));
	assert_non_null(vd_json_array(json, "a"));
	assert_null(vd_json_array(json, "o"));
	assert_null(vd_json_get(NULL, "x"));
	assert_null(vd_json_get(vd_json_get(json, "a"), "x"));
}

static void integers_beyond_2_to_the_53_fall_back(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *json = parse("{\"at\":9007199254740992,\"above\":9007199254740994,\"far\":-1e300}");

	assert_true(vd_json_int(json, "at", 0) == 9007199254740992);
	assert_int_equal(vd_json_int(json, "above", -1), -1);
	assert_int_equal(vd_json_int(json, "far", -1), -1);
}

/* The document of RFC 6901, section 5. */
static void pointers_lead_where_the_rfc_says(void **state)
{
	VD_CLEANUP(vd_json_free)
	cJSON *json = parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/"
			    "b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
			    "\"k\\\"l\":6,\" \":7,\"m~n\":8}");
	static const char *const pointers[] = { "/",     "/a~1b", "/c%d", "/e^f", "/g|h",
						"/i\\j", "/k\"l", "/ ",   "/m~0n" };

	for (size_t i = 0; i < VD_COUNT(pointers); i++)
		assert_int_equal((int)cJSON_GetNumberValue(vd_json_at(json, pointers[i])), i);
	assert_ptr_equal(vd_json_at(json, ""), json);
	assert_string_equal(cJSON_GetStringValue(vd_json_at(json, "/foo/1")), "baz");
}

static void pointers_to_nowhere_lead_nowhere(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse("{\"a\":[1,2],\"n\":null}");
	static const char *const pointers[] = { "a",
						"/b",
						"/a/2",
						"/a/-1",
						"/a/+1",
						"/a/ 1",
						"/a/01",
						"/a/",
						"/a/1x",
						"/a/4294967296",
						"/a/0/x",
						"/n/x",
						"/a/99999999999999999999",
						"/a/-" };

	for (size_t i = 0; i < VD_COUNT(pointers); i++)
		assert_null(vd_json_at(json, pointers[i]));
	assert_null(vd_json_at(NULL, "/a"));
}

static void *no_memory(size_t size)
{
	return NULL;
}

static void building_says_when_memory_is_out(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *object = cJSON_CreateObject();
	cJSON *taken = cJSON_CreateArray();
	cJSON_Hooks none = { .malloc_fn = no_memory, .free_fn = free };

	assert_true(vd_json_add_string(object, "s", "x") && vd_json_add_string(object, "z", NULL) &&
		    vd_json_add_number(object, "n", 1) && vd_json_add_bool(object, "b", false) &&
		    vd_json_add_copy(object, "c", object));
	cJSON_InitHooks(&none);
	assert_false(vd_json_add_string(object, "s2", "x"));
	assert_false(vd_json_add_number(object, "n2", 1));
	assert_false(vd_json_add_copy(object, "c2", object));
	assert_false(vd_json_add_take(object, "t", &taken));
	cJSON_InitHooks(NULL);
	assert_null(taken);
	VD_CLEANUP(vd_free) char *text = vd_json_text(object);
	assert_string_equal(text, "{\"s\":\"x\",\"z\":null,\"n\":1,\"b\":false,\"c\":{\"s\":\"x\","
				  "\"z\":null,\"n\":1,\"b\":false}}");
}

VD_TEST_MAIN(cmocka_unit_test(exactly_one_value_is_parsed),
	     cmocka_unit_test(the_text_need_not_end_with_a_nul),
	     cmocka_unit_test(text_that_is_no_utf_8_is_refused),
	     cmocka_unit_test(a_key_twice_names_its_place),
	     cmocka_unit_test(depth_ends_at_32_levels),
	     cmocka_unit_test(a_number_too_large_names_its_place),
	     cmocka_unit_test(comments_are_for_configuration_files_only),
	     cmocka_unit_test(getters_fall_back_for_what_is_absent_or_of_another_type),
	     cmocka_unit_test(integers_beyond_2_to_the_53_fall_back),
	     cmocka_unit_test(pointers_lead_where_the_rfc_says),
	     cmocka_unit_test(pointers_to_nowhere_lead_nowhere),
	     cmocka_unit_test(building_says_when_memory_is_out))
