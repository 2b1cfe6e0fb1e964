/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "vd_test.h"

static cJSON *parse(const char *text)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, &fault) < 0)
		fail_msg("%s at %s in %s", fault.text, fault.pointer, text);
	return json;
}

static void sizes(const char *text, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(text);

	assert_int_equal(vd_limits_size(json), size);
}

static void refuses(const cJSON *json, int code, const char *pointer, const char *text)
{
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_limits_check(json, VD_LIMITS_SECTION_BYTES, &fault), -EINVAL);
	assert_int_equal(fault.code, code);
	assert_string_equal(fault.pointer, pointer);
	assert_string_equal(fault.text, text);
}

static void refuses_text(const char *json_text, const char *pointer, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(json_text);

	refuses(json, 400, pointer, text);
}

static void accepts(const cJSON *json)
{
	struct vd_fault fault = { 0 };

	if (vd_limits_check(json, VD_LIMITS_SECTION_BYTES, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
}

static void accepts_text(const char *json_text)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(json_text);

	accepts(json);
}

static char *repeated(char c, size_t count)
{
	char *text = malloc(count + 1);

	assert_non_null(text);
	memset(text, c, count);
	text[count] = '\0';
	return text;
}

static void the_size_is_keys_and_values_by_the_formula(void **state)
{
	sizes("{}", 0);
	sizes("{\"abc\":1}", 3 + 8);
	sizes("{\"abc\":true,\"d\":false}", 3 + 4 + 1 + 4);
	sizes("{\"k\":\"text\"}", 1 + 4);
	sizes("{\"k\":null}", 1);
	sizes("{\"k\":{\"l\":[1,\"x\",{\"m\":true}]}}", 1 + 1 + 8 + 1 + 1 + 4);
	sizes("{\"\xC3\xA9\":\"\xE2\x82\xAC\"}", 2 + 3);
	/* Control characters of C0 and C1 are free; DEL and what follows C1 is not. */
	sizes("{\"k\":\"a\\n\\u001f\\u0080\\u009f\"}", 1 + 1);
	sizes("{\"k\":\"\\u007f\\u00a0\"}", 1 + 1 + 2);
	sizes("{\"$version\":7,\"$metadata\":{\"a\":{\"$lastUpdated\":\"x\"}},\"a\":1}", 1 + 8);
}

/* A document of exactly size bytes, in texts that are each within bounds. */
static cJSON *document_of(size_t size)
{
	cJSON *json = cJSON_CreateObject();
	char key[16];

	for (int n = 10; size > 0; n++) {
		size_t len = size > 4000 ? 3000 : size - 2;
		VD_CLEANUP(vd_free) char *text = repeated('x', len);

		(void)snprintf(key, sizeof key, "%02d", n);
		assert_true(vd_json_add_string(json, key, text));
		size -= len + 2;
	}
	return json;
}

static void a_document_may_fill_its_size_and_not_one_byte_more(void **state)
{
	static const size_t limits[] = { VD_LIMITS_SECTION_BYTES, VD_LIMITS_TAGS_BYTES };

	for (size_t i = 0; i < VD_COUNT(limits); i++) {
		VD_CLEANUP(vd_json_free) cJSON *below = document_of(limits[i] - 1);
		VD_CLEANUP(vd_json_free) cJSON *at = document_of(limits[i]);
		VD_CLEANUP(vd_json_free) cJSON *above = document_of(limits[i] + 1);
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_limits_size(at), limits[i]);
		assert_int_equal(vd_limits_check(below, limits[i], &fault), 0);
		assert_int_equal(vd_limits_check(at, limits[i], &fault), 0);
		assert_int_equal(vd_limits_check(above, limits[i], &fault), -EINVAL);
		assert_int_equal(fault.code, 413);
	}
	VD_CLEANUP(vd_json_free) cJSON *over = document_of(32769);
	refuses(over, 413, "", "32769 bytes, at most 32768 are allowed");
}

static cJSON *nested(int levels, bool as_array)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_buf_printf(&text, "{\"a\":");

	for (int i = 0; i < levels; i++)
		r |= vd_buf_printf(&text, as_array ? "[" : i + 1 < levels ? "{\"a\":" : "{");
	for (int i = 0; i < levels; i++)
		r |= vd_buf_printf(&text, as_array ? "]" : "}");
	r |= vd_buf_printf(&text, "}");
	assert_int_equal(r, 0);
	return parse(text.data);
}

static void ten_levels_are_allowed_and_eleven_are_not(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *nine = nested(9, false);
	VD_CLEANUP(vd_json_free) cJSON *ten = nested(10, false);
	VD_CLEANUP(vd_json_free) cJSON *eleven = nested(11, false);
	VD_CLEANUP(vd_json_free) cJSON *ten_arrays = nested(10, true);
	VD_CLEANUP(vd_json_free) cJSON *eleven_arrays = nested(11, true);

	accepts(nine);
	accepts(ten);
	refuses(eleven, 400, "/a/a/a/a/a/a/a/a/a/a/a", "deeper than 10 levels");
	accepts(ten_arrays);
	refuses(eleven_arrays, 400, "/a/0/0/0/0/0/0/0/0/0/0", "deeper than 10 levels");
}

static void a_key_has_at_most_1024_bytes(void **state)
{
	for (size_t len = 1023; len <= 1025; len++) {
		VD_CLEANUP(vd_free) char *key = repeated('k', len);
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_limits_check_key(key, &fault), len <= 1024 ? 0 : -EINVAL);
		assert_int_equal(fault.code, len <= 1024 ? 0 : 400);
	}
}

static void a_key_has_no_reserved_character(void **state)
{
	static const char *const bad[] = { "a.b",          "$a",           "a#",       "a b",
					   "a\tb",         "\x7F",         "\xC2\x85", "\xC2\xA0",
					   "\xE2\x80\x83", "\xE3\x80\x80", "\x01" };
	static const char *const good[] = {
		"", "a-b_c", "\xC3\xA9", "a/b", "\xF0\x9F\x98\x80", "\xE2\x82\xAC", "\"\\"
	};

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_int_equal(vd_limits_check_key(bad[i], NULL), -EINVAL);
	for (size_t i = 0; i < VD_COUNT(good); i++)
		assert_int_equal(vd_limits_check_key(good[i], NULL), 0);
	refuses_text("{\"a\":[{\"x.y\":1}]}", "/a/0/x.y", "'.' is not allowed in a key");
	refuses_text("{\"a\":{\"$version\":1}}", "/a/$version", "'$' is not allowed in a key");
	refuses_text("{\"$other\":1}", "/$other", "'$' is not allowed in a key");
	refuses_text("{\"a b\":1}", "/a b", "white space is not allowed in a key");
	accepts_text("{\"$version\":1,\"$metadata\":{\"$lastUpdated\":\"t\"}}");
}

static void a_text_has_at_most_4096_bytes(void **state)
{
	for (size_t len = 4095; len <= 4097; len++) {
		VD_CLEANUP(vd_free) char *text = repeated('x', len);
		VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

		assert_true(vd_json_add_string(json, "k", text));
		if (len <= 4096)
			accepts(json);
		else
			refuses(json, 400, "/k",
				"the text has 4097 bytes, at most 4096 are allowed");
	}
}

static void integers_stay_within_two_to_the_52(void **state)
{
	accepts_text("{\"k\":4503599627370494}");
	accepts_text("{\"k\":4503599627370495}");
	refuses_text("{\"k\":4503599627370496}", "/k",
		     "the integer 4503599627370496 is beyond 2^52; a text can hold it");
	accepts_text("{\"k\":-4503599627370495}");
	accepts_text("{\"k\":-4503599627370496}");
	refuses_text("{\"k\":[-4503599627370497]}", "/k/0",
		     "the integer -4503599627370497 is beyond 2^52; a text can hold it");
	accepts_text("{\"k\":0.1,\"l\":1e300,\"m\":-1e-300}");
}

static void null_is_allowed_in_objects_and_not_inside_of_arrays(void **state)
{
	accepts_text("{\"a\":null,\"b\":{\"c\":null}}");
	refuses_text("{\"a\":[1,null]}", "/a/1", "null is not allowed inside of an array");
	refuses_text("{\"a\":[{\"b\":{\"c\":null}}]}", "/a/0/b/c",
		     "null is not allowed inside of an array");
}

static void a_document_is_an_object(void **state)
{
	refuses_text("[]", "", "must be an object");
	refuses_text("null", "", "must be an object");
	refuses(NULL, 400, "", "must be an object");
}

VD_TEST_MAIN(cmocka_unit_test(the_size_is_keys_and_values_by_the_formula),
	     cmocka_unit_test(a_document_may_fill_its_size_and_not_one_byte_more),
	     cmocka_unit_test(ten_levels_are_allowed_and_eleven_are_not),
	     cmocka_unit_test(a_key_has_at_most_1024_bytes),
	     cmocka_unit_test(a_key_has_no_reserved_character),
	     cmocka_unit_test(a_text_has_at_most_4096_bytes),
	     cmocka_unit_test(integers_stay_within_two_to_the_52),
	     cmocka_unit_test(null_is_allowed_in_objects_and_not_inside_of_arrays),
	     cmocka_unit_test(a_document_is_an_object))
