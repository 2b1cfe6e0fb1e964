/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/reported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static cJSON *parse(const char *text)
{
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	return json;
}

static struct vd_reported *known(const char *text)
{
	struct vd_reported *r = NULL;
	cJSON *hub = parse(text);

	assert_int_equal(vd_reported_new(&r), 0);
	assert_int_equal(vd_reported_learn(r, hub), 0);
	vd_json_free(hub);
	return r;
}

/* Asserts what next answers, and the patch if it is one; returns the id. */
static uint64_t expect_next(struct vd_reported *r, uint64_t now_ms, const char *wanted, int outcome,
			    const char *patch, uint64_t wait_ms)
{
	cJSON *json = parse(wanted);
	char *text = NULL;
	uint64_t id = 0, wait = 999;

	assert_int_equal(vd_reported_next(r, now_ms, json, &text, &id, &wait), outcome);
	if (patch)
		assert_string_equal(text, patch);
	if (outcome == VD_REPORTED_WAIT)
		assert_int_equal(wait, wait_ms);
	free(text);
	vd_json_free(json);
	return id;
}

static void nothing_is_sent_before_the_hub_told_what_it_holds(void **state)
{
	struct vd_reported *r = NULL;

	assert_int_equal(vd_reported_new(&r), 0);
	(void)expect_next(r, 5, "{\"a\":1}", VD_REPORTED_WAIT, NULL, 0);
	vd_reported_free(r);
}

static void only_the_difference_is_sent_with_nulls_for_what_went(void **state)
{
	struct vd_reported *r =
		known("{\"a\":1,\"old\":{\"x\":2},\"$version\":7,\"$metadata\":{}}");

	(void)expect_next(r, 5, "{\"a\":1,\"b\":{\"c\":3}}", 0, "{\"b\":{\"c\":3},\"old\":null}",
			  0);
	vd_reported_free(r);
}

static void one_patch_is_under_way_at_most_and_the_next_builds_on_it(void **state)
{
	struct vd_reported *r = known("{}");
	uint64_t id = expect_next(r, 1000, "{\"a\":1}", 0, "{\"a\":1}", 0);

	(void)expect_next(r, 5000, "{\"a\":2}", VD_REPORTED_WAIT, NULL, 0);
	assert_int_equal(vd_reported_answered(r, id, 204), 0);
	(void)expect_next(r, 5000, "{\"a\":1}", VD_REPORTED_NOTHING, NULL, 0);
	(void)expect_next(r, 5000, "{\"a\":2}", 0, "{\"a\":2}", 0);
	vd_reported_free(r);
}

static void a_few_patches_may_come_at_once_and_then_they_keep_a_distance(void **state)
{
	struct vd_reported *r = known("{}");
	char wanted[32];

	for (int i = 0; i < VD_REPORTED_BURST; i++) {
		(void)snprintf(wanted, sizeof wanted, "{\"a\":%d}", i);
		assert_int_equal(
			vd_reported_answered(r, expect_next(r, 1000, wanted, 0, wanted, 0), 204),
			0);
	}
	(void)expect_next(r, 1100, "{\"a\":9}", VD_REPORTED_WAIT, NULL, VD_REPORTED_GAP_MS - 100);
	(void)expect_next(r, 1000 + VD_REPORTED_GAP_MS, "{\"a\":9}", 0, "{\"a\":9}", 0);
	vd_reported_free(r);
}

static void a_refused_patch_makes_the_hub_unknown_and_a_late_answer_changes_nothing(void **state)
{
	struct vd_reported *r = known("{}");
	uint64_t id = expect_next(r, 1000, "{\"a\":1}", 0, NULL, 0);

	assert_int_equal(vd_reported_answered(r, id + 1, 400), 0);
	assert_true(vd_reported_is_known(r));
	assert_int_equal(vd_reported_answered(r, id, 413), VD_REPORTED_UNKNOWN);
	assert_false(vd_reported_is_known(r));
	assert_int_equal(vd_reported_answered(r, id, 204), 0);
	assert_false(vd_reported_is_known(r));
	vd_reported_free(r);
}

/* A document of `count` modules that report and ended with about `bytes` each. */
static cJSON *talkative(int count, size_t bytes)
{
	cJSON *document = parse("{\"modules\":{}}"),
	      *modules = cJSON_GetObjectItem(document, "modules");
	char *text = calloc(1, bytes + 1);

	memset(text, 'x', bytes);
	for (int i = 0; i < count; i++) {
		cJSON *module = parse("{\"state\":\"ready\",\"report\":{},\"lastExit\":{}}");
		char id[16];

		(void)snprintf(id, sizeof id, "m%d", i);
		assert_true(
			vd_json_add_string(cJSON_GetObjectItem(module, "report"), "text", text));
		assert_true(
			vd_json_add_string(cJSON_GetObjectItem(module, "lastExit"), "text", text));
		assert_true(vd_json_add_take(modules, id, &module));
	}
	free(text);
	return document;
}

static void what_a_twin_cannot_hold_is_left_out_and_said_so(void **state)
{
	static const struct {
		int count;
		size_t bytes;
		const char *left_out;
		bool has_report, has_exit;
	} cases[] = { { 4, 1000, "", true, true },
		      { 20, 1000, "report", false, true },
		      { 20, 3000, "lastExit", false, false } };

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		cJSON *document = talkative(cases[i].count, cases[i].bytes);

		assert_int_equal(vd_reported_fit(document), 0);
		assert_string_equal(vd_json_string(document, "leftOut", ""), cases[i].left_out);
		assert_int_equal(vd_json_at(document, "/modules/m3/report") != NULL,
				 cases[i].has_report);
		assert_int_equal(vd_json_at(document, "/modules/m3/lastExit") != NULL,
				 cases[i].has_exit);
		assert_non_null(vd_json_at(document, "/modules/m3/state"));
		vd_json_free(document);
	}
}

VD_TEST_MAIN(
	cmocka_unit_test(what_a_twin_cannot_hold_is_left_out_and_said_so),

	cmocka_unit_test(nothing_is_sent_before_the_hub_told_what_it_holds),
	cmocka_unit_test(only_the_difference_is_sent_with_nulls_for_what_went),
	cmocka_unit_test(one_patch_is_under_way_at_most_and_the_next_builds_on_it),
	cmocka_unit_test(a_few_patches_may_come_at_once_and_then_they_keep_a_distance),
	cmocka_unit_test(a_refused_patch_makes_the_hub_unknown_and_a_late_answer_changes_nothing))
