/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/canonical.h"

#include <errno.h>

#include "twin/document/merge.h"
#include "vd_test.h"

#include "random_json.h"

static cJSON *parse(const char *text)
{
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, NULL) < 0)
		fail_msg("not JSON: %s", text);
	return json;
}

static void assert_canonical(const cJSON *json, const char *wanted)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert_int_equal(vd_canonical_write(json, &out), 0);
	assert_string_equal(out.data, wanted);
}

static void becomes(const char *text, const char *wanted)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(text);

	assert_canonical(json, wanted);
}

static void members_are_sorted_and_white_space_goes(void **state)
{
	becomes(" { \"b\" : [ 1 , true , null ] , \"a\" : { } } ",
		"{\"a\":{},\"b\":[1,true,null]}");
	becomes("{\"\":0,\"aa\":1,\"a\":2,\"B\":3}", "{\"\":0,\"B\":3,\"a\":2,\"aa\":1}");
}

/* The example of RFC 8785, 3.2.3. */
static void keys_are_sorted_by_utf_16_code_units(void **state)
{
	becomes("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew "
		"Letter Dalet With Dagesh\","
		"\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
		"\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
		"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
		"\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro "
		"Sign\","
		"\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
		"\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

static void texts_have_the_fewest_escapes(void **state)
{
	becomes("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\\b\\f\\r\\t\\u007f\"",
		"\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\\r\\t\x7F\"");
}

/* From RFC 8785, appendix B. */
static void numbers_are_the_shortest_that_read_back(void **state)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ -0.0, "0" },
		{ 5e-324, "5e-324" },
		{ -5e-324, "-5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 9007199254740992, "9007199254740992" },
		{ -9007199254740992, "-9007199254740992" },
		{ 295147905179352830000.0, "295147905179352830000" },
		{ 9.999999999999997e22, "9.999999999999997e+22" },
		{ 1e23, "1e+23" },
		{ 999999999999999700000.0, "999999999999999700000" },
		{ 999999999999999900000.0, "999999999999999900000" },
		{ 1e21, "1e+21" },
		{ 9.999999999999997e-7, "9.999999999999997e-7" },
		{ 0.000001, "0.000001" },
		{ 333333333.3333332, "333333333.3333332" },
		{ 333333333.33333325, "333333333.33333325" },
		{ 333333333.3333333, "333333333.3333333" },
		{ -0.0000033333333333333333, "-0.0000033333333333333333" },
		{ 1424953923781206.2, "1424953923781206.2" },
		{ 0.1, "0.1" },
		{ 100, "100" },
		{ 1e-7, "1e-7" },
		{ 12.5, "12.5" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateNumber(cases[i].number);

		assert_canonical(json, cases[i].text);
	}
}

static void canonical_text_reads_back_as_the_same_value(void **state)
{
	struct random_json random = { .state = 8, .with_nulls = true };

	for (int i = 0; i < 1000; i++) {
		VD_CLEANUP(vd_json_free) cJSON *json = random_object(&random, 4);
		VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
		VD_CLEANUP(vd_json_free) cJSON *again = NULL;

		assert_int_equal(vd_canonical_write(json, &text), 0);
		again = parse(text.data);
		assert_true(vd_merge_is_equal(json, again));
		assert_canonical(again, text.data);
	}
}

static void the_digest_depends_on_the_value_only(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *a = parse("{\"x\":1.0,\"y\":[true]}");
	VD_CLEANUP(vd_json_free) cJSON *b = parse("{ \"y\": [ true ], \"x\": 1 }");
	char digest_a[VD_SHA256_TEXT], digest_b[VD_SHA256_TEXT];

	assert_int_equal(vd_canonical_digest(a, digest_a), 0);
	assert_int_equal(vd_canonical_digest(b, digest_b), 0);
	assert_string_equal(digest_a, digest_b);
	/* printf '{"x":1,"y":[true]}' | sha256sum */
	assert_string_equal(digest_a,
			    "d729e37e945a4d101a4f12653a82721575ee6f2543b6d18236971ddb86f518ad");
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { .limit = 8 };
	VD_CLEANUP(vd_json_free) cJSON *json = parse("{\"a\":\"12345678\"}");

	assert_int_equal(vd_buf_printf(&out, "x"), 0);
	assert_int_equal(vd_canonical_write(json, &out), -E2BIG);
	assert_string_equal(out.data, "x");
}

VD_TEST_MAIN(cmocka_unit_test(members_are_sorted_and_white_space_goes),
	     cmocka_unit_test(keys_are_sorted_by_utf_16_code_units),
	     cmocka_unit_test(texts_have_the_fewest_escapes),
	     cmocka_unit_test(numbers_are_the_shortest_that_read_back),
	     cmocka_unit_test(canonical_text_reads_back_as_the_same_value),
	     cmocka_unit_test(the_digest_depends_on_the_value_only),
	     cmocka_unit_test(a_full_buffer_is_left_as_it_was))
