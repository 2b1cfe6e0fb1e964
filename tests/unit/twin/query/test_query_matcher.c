/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/matcher.h"

#include <errno.h>
#include <stdio.h>

#include "query_of.h"

static int ask(const char *condition, const struct vd_query_part *parts, size_t count)
{
	char text[1024];
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = NULL;
	bool matches = false;

	(void)snprintf(text, sizeof text, "SELECT * FROM devices WHERE %s", condition);
	query = query_of(text);
	assert_int_equal(vd_matcher_new(query, &matcher), 0);
	int r = vd_matcher_ask(matcher, parts, count, &matches);
	return r < 0 ? r : matches;
}

static int ask_text(const char *condition, const char *text)
{
	struct vd_query_part part = { "", text, strlen(text) };

	return ask(condition, &part, 1);
}

static void every_kind_of_value_is_read(void **state)
{
	static const char text[] =
		" { \"deviceId\" : \"d\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\n\" , \"n\" : -1.5e2 "
		",\"t\":true,"
		"\"f\" :false,\"z\": "
		"null,\"skip\":[{\"a\":\"]}\\\"\"},2],\"o\":{\"a\\\"b\":{\"c\":7}},"
		"\"e\":{},\"l\":[1], \"last\":0 }";
	static const char *const holds[] = {
		"deviceId = 'd\xc3\xa9\xf0\x9f\x98\x80\"\\\\/\\u000a'",
		"n = -150",
		"t = true AND f = false AND z = null",
		"o.[[a\"b]].c = 7",
		"IS_DEFINED(skip) AND IS_DEFINED(o.[[a\"b]]) AND IS_DEFINED(e) AND IS_DEFINED(l)",
		"NOT IS_DEFINED(skip.a) AND NOT IS_DEFINED(n.a) AND NOT IS_DEFINED(e.a)",
		"last = 0",
		"NOT IS_DEFINED(las) AND NOT IS_DEFINED(lasts)",
		"o.[[a\"b]].c = 7 AND NOT o",
	};

	for (size_t i = 0; i < VD_COUNT(holds); i++) {
		if (ask_text(holds[i], text) != 1)
			fail_msg("%s", holds[i]);
	}
}

static void sections_stand_where_they_are_said_to(void **state)
{
	static const struct vd_query_part parts[] = {
		{ "", "{\"deviceId\":\"d\"}", 16 },
		{ "tags", "{\"a\":1}", 7 },
		{ "properties.desired", "{\"a\":2}", 7 },
		{ "properties.reported", "{\"a\":{\"b\":3}}", 13 },
	};
	static const char *const holds[] = {
		"tags.a + properties.desired.a = properties.reported.a.b AND deviceId = 'd'",
		"IS_DEFINED(properties) AND IS_DEFINED(tags) AND IS_DEFINED(properties.reported)",
		"NOT IS_DEFINED(a) AND NOT IS_DEFINED(tags.b) AND NOT IS_DEFINED(status)",
	};

	for (size_t i = 0; i < VD_COUNT(holds); i++)
		assert_int_equal(ask(holds[i], parts, VD_COUNT(parts)), 1);
}

static void a_part_that_is_not_read_is_not_looked_at(void **state)
{
	static const struct vd_query_part parts[] = { { "tags", "{\"a\":1}", 7 },
						      { "properties.reported", "broken", 6 } };
	VD_CLEANUP(vd_query_free)
	struct vd_query *query =
		query_of("SELECT * FROM devices WHERE tags.a = 1 AND IS_DEFINED(capabilities)");
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = NULL;

	assert_int_equal(ask("tags.a = 1", parts, 2), 1);
	assert_int_equal(ask("properties.reported.a = 1", parts, 2), -EINVAL);
	assert_int_equal(vd_matcher_new(query, &matcher), 0);
	assert_true(vd_matcher_reads(matcher, ""));
	assert_true(vd_matcher_reads(matcher, "tags"));
	assert_true(vd_matcher_reads(matcher, "tags.a.b"));
	assert_true(vd_matcher_reads(matcher, "capabilities"));
	assert_false(vd_matcher_reads(matcher, "tag"));
	assert_false(vd_matcher_reads(matcher, "tags.ab"));
	assert_false(vd_matcher_reads(matcher, "properties.reported"));
}

static void a_broken_text_is_an_error_where_it_is_read(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{",
		"{\"a\"",
		"{\"a\":",
		"{\"b\":1",
		"{\"a\":x}",
		"{\"a\":\"",
		"{\"a\":\"\\",
		"{\"a\":\"\\x\"}",
		"{\"a\":tru}",
		"{\"a\":-}",
		"{\"b\":[",
		"{a:1}",
		"{\"a\":1e999}",
		"{\"a\":\"\\ud800\"}",
	};

	for (size_t i = 0; i < VD_COUNT(texts); i++) {
		if (ask_text("a = 1", texts[i]) != -EINVAL)
			fail_msg("%s", texts[i]);
	}
}

static void more_paths_than_fit_into_one_pass_are_read_in_several(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf condition = { 0 }, text = { 0 };
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = NULL;
	struct vd_query_part part = { .below = "tags" };
	bool matches;
	int r = 0;

	for (int i = 0; r == 0 && i < 150; i++) {
		r = vd_buf_printf(&condition, "%stags.a%d = 'v%d' AND NOT IS_DEFINED(tags.a%d.x)",
				  i ? " AND " : "", i, i, i);
		if (r == 0)
			r = vd_buf_printf(&text, "%s\"a%d\":\"\\u0076%d\"", i ? "," : "{", i, i);
	}
	assert_int_equal(r, 0);
	assert_int_equal(vd_buf_append(&text, "}", 1), 0);
	assert_int_equal(vd_condition_parse(condition.data, condition.len, &query, NULL), 0);
	assert_int_equal(vd_matcher_new(query, &matcher), 0);
	part.text = text.data;
	part.len = text.len;
	assert_int_equal(vd_matcher_ask(matcher, &part, 1, &matches), 0);
	assert_true(matches);
	text.data[text.len - 3] = 'x';
	assert_int_equal(vd_matcher_ask(matcher, &part, 1, &matches), 0);
	assert_false(matches);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void a_text_matches_when_its_document_does(void **state)
{
	static const char *const values[] = { "1",
					      "0.5",
					      "\"x\"",
					      "true",
					      "null",
					      "[1,{}]",
					      "\"\\u0078\"",
					      "{\"b\":{\"c\":1}}",
					      "{\"b\":\"x\"}",
					      "{}" };
	static const char *const conditions[] = {
		"a = 1 OR a.b = 'x'",
		"a.b.c = 1 AND IS_DEFINED(a.b)",
		"b = 'x' AND NOT a = true",
		"a = b",
		"a.b.c < 2 OR b.b = 'x' OR a IN [0.5, 'x']",
		"NOT IS_DEFINED(b.b) AND a != null",
	};
	uint32_t random = 99;

	for (int i = 0; i < 6000; i++) {
		const char *condition = conditions[next_random(&random) % VD_COUNT(conditions)];
		VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
		VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
		char text[256], where[256];

		(void)snprintf(text, sizeof text, "{\"c\":%s,\"a\":%s,\"b\" : %s}",
			       values[next_random(&random) % VD_COUNT(values)],
			       values[next_random(&random) % VD_COUNT(values)],
			       values[next_random(&random) % VD_COUNT(values)]);
		(void)snprintf(where, sizeof where, "SELECT * FROM devices WHERE %s", condition);
		assert_int_equal(vd_json_parse(text, strlen(text), &twin, NULL), 0);
		query = query_of(where);
		if (ask_text(condition, text) != vd_query_matches(query, twin))
			fail_msg("%s of %s", condition, text);
	}
}

VD_TEST_MAIN(cmocka_unit_test(every_kind_of_value_is_read),
	     cmocka_unit_test(sections_stand_where_they_are_said_to),
	     cmocka_unit_test(a_part_that_is_not_read_is_not_looked_at),
	     cmocka_unit_test(a_broken_text_is_an_error_where_it_is_read),
	     cmocka_unit_test(more_paths_than_fit_into_one_pass_are_read_in_several),
	     cmocka_unit_test(a_text_matches_when_its_document_does))
