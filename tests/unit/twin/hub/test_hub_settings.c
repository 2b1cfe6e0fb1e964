/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/merge.h"
#include "twin/hub/automation/settings.h"

#define P "properties.desired"

static cJSON *json_of(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

static void check_merge(const char *low, const char *high, const char *expected, bool low_counts)
{
	cJSON *a = json_of(low), *b = json_of(high), *wanted = json_of(expected), *got = NULL;
	struct vd_settings_layer layers[] = { { .settings = a }, { .settings = b } };

	assert_int_equal(vd_settings_merge(layers, 2, &got), 0);
	assert_true(vd_merge_is_equal(got, wanted));
	assert_int_equal(layers[0].is_in_force, low_counts);
	assert_true(layers[1].is_in_force);
	(void)vd_json_free(a);
	(void)vd_json_free(b);
	(void)vd_json_free(wanted);
	(void)vd_json_free(got);
}

static void the_upper_layer_wins_path_by_path(void **state)
{
	check_merge("{\"" P ".a\":1,\"" P ".b\":2}", "{\"" P ".b\":3}",
		    "{\"" P ".a\":1,\"" P ".b\":3}", true);
	check_merge("{\"" P ".b\":2}", "{\"" P ".b\":3}", "{\"" P ".b\":3}", false);
}

static void a_path_above_takes_everything_below_it(void **state)
{
	check_merge("{\"" P ".a.x\":1,\"" P ".a.y\":2}", "{\"" P ".a\":{\"z\":3}}",
		    "{\"" P ".a\":{\"z\":3}}", false);
	check_merge("{\"" P ".ab\":1}", "{\"" P ".a\":2}", "{\"" P ".ab\":1,\"" P ".a\":2}", true);
}

static void a_path_below_changes_a_part_of_what_stands_above(void **state)
{
	check_merge("{\"" P "\":{\"m\":{\"x\":1,\"y\":2}}}", "{\"" P ".m.x\":{\"deep\":[1]}}",
		    "{\"" P "\":{\"m\":{\"x\":{\"deep\":[1]},\"y\":2}}}", true);
	check_merge("{\"" P ".a\":5}", "{\"" P ".a.b\":6}", "{\"" P ".a\":{\"b\":6}}", true);
}

static void check_refused(const char *text, const char *reason)
{
	cJSON *settings = json_of(text);
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_settings_check(settings, &fault), -EINVAL);
	if (!strstr(fault.text, reason))
		fail_msg("%s: %s", text, fault.text);
	(void)vd_json_free(settings);
}

static void what_is_no_path_or_no_value_is_refused(void **state)
{
	cJSON *good = json_of("{\"" P ".a.b\":{\"c\":[1,{\"d\":true}]},\"" P ".x\":\"\"}");

	assert_int_equal(vd_settings_check(good, NULL), 0);
	(void)vd_json_free(good);
	check_refused("[]", "not an object");
	check_refused("{\"tags.a\":1}", "not properties.desired");
	check_refused("{\"" P "x\":1}", "not properties.desired");
	check_refused("{\"" P ".\":1}", "empty");
	check_refused("{\"" P ".a..b\":1}", "empty");
	check_refused("{\"" P ".a.\":1}", "empty");
	check_refused("{\"" P ".$version\":1}", "");
	check_refused("{\"" P ".a\":{\"b\":null}}", "no null");
	check_refused("{\"" P "\":5}", "are an object");
	check_refused("{\"" P ".a\":1,\"" P ".a.b\":2}", "contains it");
	check_refused("{\"" P ".a\":1,\"" P "\":{}}", "contains it");
	check_refused("{\"" P ".a\":{\"b c\":1}}", "");
}

/* --- properties, over random documents and layers --- */

static unsigned dice(unsigned sides)
{
	return (unsigned)random() % sides;
}

static cJSON *random_value(int depth)
{
	cJSON *object;

	if (depth == 0 || dice(3) == 0)
		return cJSON_CreateNumber(dice(4));
	object = cJSON_CreateObject();
	for (unsigned i = dice(4); i > 0; i--) {
		char key[] = { (char)('a' + (int)dice(3)), '\0' };

		if (!cJSON_GetObjectItem(object, key))
			assert_true(cJSON_AddItemToObject(object, key, random_value(depth - 1)));
	}
	return object;
}

static cJSON *random_document(void)
{
	for (;;) {
		cJSON *value = random_value(4);

		if (cJSON_IsObject(value))
			return value;
		(void)vd_json_free(value);
	}
}

static cJSON *random_settings(void)
{
	for (;;) {
		cJSON *settings = cJSON_CreateObject();

		for (unsigned i = 1 + dice(3); i > 0; i--) {
			char path[64] = P;

			for (unsigned depth = dice(12) == 0 ? 0 : 1 + dice(3); depth > 0; depth--) {
				size_t len = strlen(path);

				(void)snprintf(path + len, sizeof path - len, ".%c",
					       'a' + (int)dice(3));
			}
			if (!cJSON_GetObjectItemCaseSensitive(settings, path))
				assert_true(cJSON_AddItemToObject(
					settings, path,
					strcmp(path, P) ? random_value(2) : random_document()));
		}
		if (vd_settings_check(settings, NULL) == 0)
			return settings;
		(void)vd_json_free(settings);
	}
}

/* The document after the settings were put in force in it, by way of the patch. */
static cJSON *applied(const cJSON *document, const cJSON *before, const cJSON *after)
{
	cJSON *patch = NULL, *result = NULL;

	assert_int_equal(vd_settings_patch(document, before, after, &patch), 0);
	assert_int_equal(vd_merge_apply(document, patch, &result), 0);
	(void)vd_json_free(patch);
	return result;
}

static void assert_equal(cJSON **a, cJSON **b)
{
	assert_true(vd_merge_is_equal(*a, *b));
	*a = vd_json_free(*a);
	*b = vd_json_free(*b);
}

static void merged_at_once_is_the_same_as_one_after_the_other(void **state)
{
	for (int i = 0; i < 3000; i++) {
		cJSON *start = random_document(), *step = cJSON_Duplicate(start, true);
		cJSON *none = cJSON_CreateObject(), *merged = NULL, *at_once;
		struct vd_settings_layer layers[4] = { 0 };
		size_t count = 1 + dice(4);

		for (size_t k = 0; k < count; k++) {
			cJSON *settings = random_settings(), *next = applied(step, none, settings);

			layers[k].settings = settings;
			(void)vd_json_free(step);
			step = next;
		}
		assert_int_equal(vd_settings_merge(layers, count, &merged), 0);
		assert_int_equal(vd_settings_check(merged, NULL), 0);
		at_once = applied(start, none, merged);
		assert_equal(&at_once, &step);
		assert_true(layers[count - 1].is_in_force);
		for (size_t k = 0; k < count; k++)
			(void)vd_json_free((cJSON *)(uintptr_t)layers[k].settings);
		(void)vd_json_free(merged);
		(void)vd_json_free(none);
		(void)vd_json_free(start);
	}
}

/* A layer that is not in force may go, and nobody sees a difference. */
static void a_layer_that_is_not_in_force_changes_nothing(void **state)
{
	for (int i = 0; i < 3000; i++) {
		cJSON *low = random_settings(), *high = random_settings();
		cJSON *both = NULL, *alone = NULL;
		struct vd_settings_layer layers[] = { { .settings = low }, { .settings = high } };

		assert_int_equal(vd_settings_merge(layers, 2, &both), 0);
		if (!layers[0].is_in_force) {
			assert_int_equal(vd_settings_merge(&layers[1], 1, &alone), 0);
			assert_true(vd_merge_is_equal(both, alone));
		}
		(void)vd_json_free(low);
		(void)vd_json_free(high);
		(void)vd_json_free(both);
		(void)vd_json_free(alone);
	}
}

/* Whatever held before and whatever somebody wrote meanwhile. */
static void applying_again_changes_nothing_and_taking_back_leaves_no_path(void **state)
{
	for (int i = 0; i < 3000; i++) {
		cJSON *document = random_document(), *old = random_settings();
		cJSON *new = random_settings(), *none = cJSON_CreateObject();
		cJSON *now = applied(document, old, new), *patch = NULL, *without, *again;

		assert_int_equal(vd_settings_patch(now, new, new, &patch), 0);
		assert_null(patch->child);
		without = applied(now, new, none);
		again = applied(without, new, none);
		assert_true(vd_merge_is_equal(without, again));
		(void)vd_json_free(again);
		again = applied(without, none, new);
		assert_equal(&again, &now);
		(void)vd_json_free(patch);
		(void)vd_json_free(without);
		(void)vd_json_free(none);
		(void)vd_json_free(new);
		(void)vd_json_free(old);
		(void)vd_json_free(document);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_upper_layer_wins_path_by_path),
		cmocka_unit_test(a_path_above_takes_everything_below_it),
		cmocka_unit_test(a_path_below_changes_a_part_of_what_stands_above),
		cmocka_unit_test(what_is_no_path_or_no_value_is_refused),
		cmocka_unit_test(merged_at_once_is_the_same_as_one_after_the_other),
		cmocka_unit_test(a_layer_that_is_not_in_force_changes_nothing),
		cmocka_unit_test(applying_again_changes_nothing_and_taking_back_leaves_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
