/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/merge.h"

#include <errno.h>
#include <stdio.h>

#include "vd_test.h"

#include "random_json.h"

enum { DOCUMENTS = 3000, DEPTH = 4 };

static cJSON *parse(const char *text)
{
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, NULL) < 0)
		fail_msg("not JSON: %s", text);
	return json;
}

static cJSON *apply(const cJSON *target, const cJSON *patch)
{
	cJSON *result = NULL;

	assert_int_equal(vd_merge_apply(target, patch, &result), 0);
	return result;
}

static cJSON *diff(const cJSON *from, const cJSON *to)
{
	cJSON *patch = NULL;

	assert_int_equal(vd_merge_diff(from, to, &patch), 0);
	return patch;
}

static void assert_same(const cJSON *a, const cJSON *b)
{
	VD_CLEANUP(vd_free) char *left = vd_json_text(a);
	VD_CLEANUP(vd_free) char *right = vd_json_text(b);

	if (!vd_merge_is_equal(a, b))
		fail_msg("%s\nis not\n%s", left, right);
}

static void every_example_of_the_rfc_holds(void **state)
{
	static const char *const cases[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		  "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_json_free) cJSON *target = parse(cases[i][0]);
		VD_CLEANUP(vd_json_free) cJSON *patch = parse(cases[i][1]);
		VD_CLEANUP(vd_json_free) cJSON *result = apply(target, patch);
		VD_CLEANUP(vd_free) char *text = vd_json_text(result);

		assert_string_equal(text, cases[i][2]);
	}
}

static void nulls_within_arrays_stay(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *patch = parse("{\"a\":[null,{\"b\":null}]}");
	VD_CLEANUP(vd_json_free) cJSON *result = apply(NULL, patch);

	assert_same(result, patch);
}

static void keys_differ_by_case(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *from = parse("{\"fps\":1,\"FPS\":2}");
	VD_CLEANUP(vd_json_free) cJSON *to = parse("{\"FPS\":1}");
	VD_CLEANUP(vd_json_free) cJSON *patch = diff(from, to);
	VD_CLEANUP(vd_free) char *text = vd_json_text(patch);

	assert_string_equal(text, "{\"FPS\":1,\"fps\":null}");
}

static void a_change_in_the_last_bit_is_a_change(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *from = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *to = cJSON_CreateObject();

	assert_true(vd_json_add_number(from, "x", 1.0) &&
		    vd_json_add_number(to, "x", 1.0000000000000002));
	assert_false(vd_merge_is_equal(from, to));
	VD_CLEANUP(vd_json_free) cJSON *patch = diff(from, to);
	assert_non_null(vd_json_get(patch, "x"));
}

static void applying_the_difference_gives_the_other_document(void **state)
{
	struct random_json random = { .state = 20261121 };

	for (int i = 0; i < DOCUMENTS; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *b = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *patch = diff(a, b);
		VD_CLEANUP(vd_json_free) cJSON *result = apply(a, patch);

		assert_same(result, b);
	}
}

static cJSON *object_of_many(struct random_json *random)
{
	cJSON *object = cJSON_CreateObject();
	char key[16];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(key, sizeof key, "k%u", random_below(random, 300));
		if (!vd_json_get(object, key))
			cJSON_AddItemToObject(object, key, random_value(random, 2));
	}
	return object;
}

static void that_holds_for_objects_of_many_members_too(void **state)
{
	struct random_json random = { .state = 300 };

	for (int i = 0; i < 50; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = object_of_many(&random);
		VD_CLEANUP(vd_json_free) cJSON *b = object_of_many(&random);
		VD_CLEANUP(vd_json_free) cJSON *patch = diff(a, b);
		VD_CLEANUP(vd_json_free) cJSON *result = apply(a, patch);

		assert_same(result, b);
	}
}

static void nothing_differs_from_itself(void **state)
{
	struct random_json random = { .state = 7 };

	for (int i = 0; i < DOCUMENTS; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *patch = diff(a, a);

		assert_true(cJSON_IsObject(patch));
		assert_null(patch->child);
	}
}

/* Leaves out each member in turn: what is left of the patch must not do any more. */
static void assert_each_member_is_needed(const cJSON *a, const cJSON *b, const cJSON *patch)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, patch)
	{
		VD_CLEANUP(vd_json_free) cJSON *rest = cJSON_Duplicate(patch, 1);
		VD_CLEANUP(vd_json_free) cJSON *result = NULL;

		cJSON_DeleteItemFromObjectCaseSensitive(rest, member->string);
		result = apply(a, rest);
		if (vd_merge_is_equal(result, b))
			fail_msg("\"%s\" is too much", member->string);
	}
}

static void every_member_of_a_difference_is_needed(void **state)
{
	struct random_json random = { .state = 99 };

	for (int i = 0; i < DOCUMENTS / 4; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = random_object(&random, 2);
		VD_CLEANUP(vd_json_free) cJSON *b = random_object(&random, 2);
		VD_CLEANUP(vd_json_free) cJSON *patch = diff(a, b);
		const cJSON *inner;

		assert_each_member_is_needed(a, b, patch);
		cJSON_ArrayForEach(inner, patch)
		{
			const cJSON *old = vd_json_get(a, inner->string);

			/* One level down, as documents of their own. */
			if (!cJSON_IsObject(inner) || !cJSON_IsObject(old))
				continue;
			assert_non_null(inner->child);
			assert_each_member_is_needed(old, vd_json_get(b, inner->string), inner);
		}
	}
}

static void applying_a_patch_twice_is_applying_it_once(void **state)
{
	struct random_json random = { .state = 4711, .with_nulls = true };

	for (int i = 0; i < DOCUMENTS; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *patch = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *once = apply(a, patch);
		VD_CLEANUP(vd_json_free) cJSON *twice = apply(once, patch);

		assert_same(once, twice);
	}
}

static void inputs_are_left_as_they_were(void **state)
{
	struct random_json random = { .state = 31 };

	for (int i = 0; i < 200; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *b = random_object(&random, DEPTH);
		VD_CLEANUP(vd_free) char *a_before = vd_json_text(a);
		VD_CLEANUP(vd_free) char *b_before = vd_json_text(b);
		VD_CLEANUP(vd_json_free) cJSON *patch = diff(a, b);
		VD_CLEANUP(vd_json_free) cJSON *result = apply(a, patch);
		VD_CLEANUP(vd_free) char *a_after = vd_json_text(a);
		VD_CLEANUP(vd_free) char *b_after = vd_json_text(b);

		assert_same(result, b);
		assert_string_equal(a_before, a_after);
		assert_string_equal(b_before, b_after);
	}
}

static void equality_does_not_depend_on_the_order_of_members(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *a = parse("{\"x\":1,\"y\":{\"p\":[1,2],\"q\":null}}");
	VD_CLEANUP(vd_json_free) cJSON *b = parse("{\"y\":{\"q\":null,\"p\":[1,2]},\"x\":1}");
	VD_CLEANUP(vd_json_free) cJSON *c = parse("{\"y\":{\"q\":null,\"p\":[2,1]},\"x\":1}");

	assert_true(vd_merge_is_equal(a, b));
	assert_false(vd_merge_is_equal(a, c));
	assert_true(vd_merge_is_equal(NULL, NULL));
	assert_false(vd_merge_is_equal(NULL, a));
}

/* Fails the 1st, 2nd, 3rd … allocation until the operation succeeds. */
static void survives_every_failed_allocation(int (*operation)(const cJSON *, const cJSON *,
							      cJSON **))
{
	struct random_json random = { .state = 555 };

	for (int i = 0; i < 20; i++) {
		VD_CLEANUP(vd_json_free) cJSON *a = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *b = random_object(&random, DEPTH);
		VD_CLEANUP(vd_json_free) cJSON *wanted = NULL;
		VD_CLEANUP(vd_json_free) cJSON *result = NULL;
		int r = -ENOMEM;

		assert_int_equal(operation(a, b, &wanted), 0);
		for (int count = 0; r == -ENOMEM; count++) {
			assert_true(count < 10000);
			limit_allocations(count);
			r = operation(a, b, &result);
			unlimit_allocations();
			assert_true(r == 0 ? result != NULL : result == NULL);
		}
		assert_int_equal(r, 0);
		assert_same(result, wanted);
	}
}

static void a_failed_allocation_never_gives_half_a_merge(void **state)
{
	survives_every_failed_allocation(vd_merge_apply);
}

static void a_failed_allocation_never_gives_half_a_difference(void **state)
{
	survives_every_failed_allocation(vd_merge_diff);
}

VD_TEST_MAIN(cmocka_unit_test(every_example_of_the_rfc_holds),
	     cmocka_unit_test(nulls_within_arrays_stay), cmocka_unit_test(keys_differ_by_case),
	     cmocka_unit_test(a_change_in_the_last_bit_is_a_change),
	     cmocka_unit_test(applying_the_difference_gives_the_other_document),
	     cmocka_unit_test(that_holds_for_objects_of_many_members_too),
	     cmocka_unit_test(nothing_differs_from_itself),
	     cmocka_unit_test(every_member_of_a_difference_is_needed),
	     cmocka_unit_test(applying_a_patch_twice_is_applying_it_once),
	     cmocka_unit_test(inputs_are_left_as_they_were),
	     cmocka_unit_test(equality_does_not_depend_on_the_order_of_members),
	     cmocka_unit_test(a_failed_allocation_never_gives_half_a_merge),
	     cmocka_unit_test(a_failed_allocation_never_gives_half_a_difference))
