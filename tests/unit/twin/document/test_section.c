/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/section.h"

#include <errno.h>
#include <stdio.h>

#include "twin/document/merge.h"
#include "vd_test.h"

#include "random_json.h"

/* 2026-11-21T23:49:30.123Z, and a second later. */
enum { SECOND = 1000 };
static const int64_t t0 = 1795304970123, t1 = 1795304971123;
#define T0 "2026-11-21T23:49:30.1230000Z"
#define T1 "2026-11-21T23:49:31.1230000Z"

static cJSON *parse(const char *text)
{
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse(text, strlen(text), &json, &fault) < 0)
		fail_msg("%s at %s in %s", fault.text, fault.pointer, text);
	return json;
}

static struct vd_section *fresh(enum vd_section_kind kind)
{
	struct vd_section *section = NULL;

	assert_int_equal(vd_section_new(kind, &section), 0);
	return section;
}

static void patch(struct vd_section *section, const char *text, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(text);
	struct vd_fault fault = { 0 };

	if (vd_section_patch(section, json, VD_SECTION_ANY_VERSION, now_ms, &fault) != 0)
		fail_msg("%s %s", fault.pointer, fault.text);
}

static void assert_json(const struct vd_section *section, bool with_metadata, const char *wanted)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;

	assert_int_equal(vd_section_json(section, with_metadata, &json), 0);
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);
	assert_string_equal(text, wanted);
}

static void a_new_section_is_empty_at_version_1(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);

	assert_json(section, true,
		    "{\"$metadata\":{\"$lastUpdated\":\"0001-01-01T00:00:00Z\"},\"$version\":1}");
	assert_json(section, false, "{\"$version\":1}");
}

static void desired_is_stamped_with_time_and_version_at_every_level(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);

	patch(section, "{\"fps\":30,\"roi\":{\"x\":1,\"list\":[{\"k\":1}]}}", t0);
	assert_json(section, true,
		    "{\"fps\":30,\"roi\":{\"x\":1,\"list\":[{\"k\":1}]},\"$metadata\":{\"$"
		    "lastUpdated\":\"" T0
		    "\",\"$lastUpdatedVersion\":2,\"fps\":{\"$lastUpdated\":\"" T0
		    "\",\"$lastUpdatedVersion\":2},\"roi\":{\"$lastUpdated\":\"" T0
		    "\",\"$lastUpdatedVersion\":2,\"x\":{\"$lastUpdated\":\"" T0
		    "\",\"$lastUpdatedVersion\":2},\"list\":{\"$lastUpdated\":\"" T0
		    "\",\"$lastUpdatedVersion\":2}}},\"$version\":2}");
	assert_json(section, false,
		    "{\"fps\":30,\"roi\":{\"x\":1,\"list\":[{\"k\":1}]},\"$version\":2}");
}

static void reported_is_stamped_with_the_time_only(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_REPORTED);

	patch(section, "{\"a\":1}", t0);
	assert_json(section, true,
		    "{\"a\":1,\"$metadata\":{\"$lastUpdated\":\"" T0
		    "\",\"a\":{\"$lastUpdated\":\"" T0 "\"}},\"$version\":2}");
}

static void a_patch_stamps_what_it_names_and_nothing_else(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_REPORTED);

	patch(section, "{\"a\":1,\"b\":{\"c\":1,\"d\":2}}", t0);
	patch(section, "{\"b\":{\"d\":2}}", t1);
	assert_json(section, true,
		    "{\"a\":1,\"b\":{\"c\":1,\"d\":2},\"$metadata\":{\"$lastUpdated\":\"" T1
		    "\",\"a\":{\"$lastUpdated\":\"" T0 "\"},\"b\":{\"$lastUpdated\":\"" T1
		    "\",\"c\":{\"$lastUpdated\":\"" T0 "\"},\"d\":{\"$lastUpdated\":\"" T1
		    "\"}}},\"$version\":3}");
}

static void a_removal_stamps_the_level_that_held_it(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_REPORTED);

	patch(section, "{\"a\":{\"b\":1,\"c\":2}}", t0);
	patch(section, "{\"a\":{\"b\":null},\"gone\":null}", t1);
	assert_json(section, true,
		    "{\"a\":{\"c\":2},\"$metadata\":{\"$lastUpdated\":\"" T1
		    "\",\"a\":{\"$lastUpdated\":\"" T1 "\",\"c\":{\"$lastUpdated\":\"" T0
		    "\"}}},\"$version\":3}");
}

static void a_change_of_kind_starts_metadata_anew(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_REPORTED);

	patch(section, "{\"a\":{\"b\":1}}", t0);
	patch(section, "{\"a\":5}", t1);
	assert_json(section, true,
		    "{\"a\":5,\"$metadata\":{\"$lastUpdated\":\"" T1
		    "\",\"a\":{\"$lastUpdated\":\"" T1 "\"}},\"$version\":3}");
	patch(section, "{\"a\":{\"c\":1,\"d\":null}}", t1 + SECOND);
	assert_int_equal(cJSON_GetArraySize(vd_json_get(vd_section_metadata(section), "a")), 2);
}

static void versions_grow_by_one_even_without_effect(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_REPORTED);

	for (int64_t version = 2; version < 10; version++) {
		patch(section, "{}", t0);
		assert_int_equal(vd_section_version(section), version);
	}
}

static void version_and_metadata_of_a_client_are_ignored(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free)
	cJSON *sent = parse("{\"a\":1,\"$version\":99,\"$metadata\":{\"x\":1}}");
	VD_CLEANUP(vd_json_free) cJSON *notice = NULL;
	VD_CLEANUP(vd_json_free) cJSON *effect = NULL;

	assert_int_equal(vd_section_patch(section, sent, VD_SECTION_ANY_VERSION, t0, NULL), 0);
	assert_json(section, false, "{\"a\":1,\"$version\":2}");
	assert_int_equal(vd_section_notice(section, sent, &notice), 0);
	VD_CLEANUP(vd_free) char *text = vd_json_text(notice);
	assert_string_equal(text, "{\"a\":1,\"$version\":2}");
	assert_int_equal(
		vd_section_replace(section, sent, VD_SECTION_ANY_VERSION, t0, &effect, NULL), 0);
	assert_null(effect->child);
	assert_json(section, false, "{\"a\":1,\"$version\":3}");
}

static void another_base_version_is_a_conflict_and_changes_nothing(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free) cJSON *change = parse("{\"a\":1}");
	VD_CLEANUP(vd_json_free) cJSON *effect = NULL;

	assert_int_equal(vd_section_patch(section, change, 2, t0, NULL), VD_SECTION_CONFLICT);
	assert_int_equal(vd_section_replace(section, change, 0, t0, &effect, NULL),
			 VD_SECTION_CONFLICT);
	assert_null(effect);
	assert_json(section, false, "{\"$version\":1}");
	assert_int_equal(vd_section_patch(section, change, 1, t0, NULL), 0);
	assert_json(section, false, "{\"a\":1,\"$version\":2}");
}

static void a_bad_patch_changes_nothing(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free) cJSON *bad = parse("{\"ok\":1,\"a\":{\"b.c\":1}}");
	VD_CLEANUP(vd_json_free) cJSON *no_object = parse("[]");
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_section_patch(section, bad, VD_SECTION_ANY_VERSION, t0, &fault),
			 -EINVAL);
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, "/a/b.c");
	assert_int_equal(vd_section_patch(section, no_object, VD_SECTION_ANY_VERSION, t0, &fault),
			 -EINVAL);
	assert_json(section, false, "{\"$version\":1}");
}

static cJSON *document_of(int members)
{
	cJSON *json = cJSON_CreateObject();
	char key[16], text[1021];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < members; i++) {
		(void)snprintf(key, sizeof key, "%04d", i);
		assert_true(vd_json_add_string(json, key, text));
	}
	return json;
}

static void what_would_grow_too_large_is_refused_with_413(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_REPORTED);
	VD_CLEANUP(vd_json_free) cJSON *full = document_of(32);
	VD_CLEANUP(vd_json_free) cJSON *more = parse("{\"k\":\"\"}");
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_section_patch(section, full, VD_SECTION_ANY_VERSION, t0, &fault), 0);
	assert_int_equal(vd_section_patch(section, more, VD_SECTION_ANY_VERSION, t0, &fault),
			 -EINVAL);
	assert_int_equal(fault.code, 413);
	assert_string_equal(fault.text, "32769 bytes, at most 32768 are allowed");
	assert_int_equal(vd_section_version(section), 2);
}

static void a_full_section_can_be_replaced_by_another_full_one(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free) cJSON *full = document_of(32);
	VD_CLEANUP(vd_json_free) cJSON *small = parse("{\"k\":\"\"}");
	VD_CLEANUP(vd_json_free) cJSON *effect = NULL;
	VD_CLEANUP(vd_json_free) cJSON *back = NULL;

	assert_int_equal(vd_section_patch(section, full, VD_SECTION_ANY_VERSION, t0, NULL), 0);
	assert_int_equal(
		vd_section_replace(section, small, VD_SECTION_ANY_VERSION, t0, &effect, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(effect), 33);
	assert_int_equal(vd_section_replace(section, full, VD_SECTION_ANY_VERSION, t0, &back, NULL),
			 0);
	assert_int_equal(vd_section_version(section), 4);
}

static void a_replacement_tells_the_device_what_went(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free) cJSON *document = parse("{\"a\":1,\"b\":{\"d\":3},\"none\":null}");
	VD_CLEANUP(vd_json_free) cJSON *effect = NULL;

	patch(section, "{\"a\":1,\"b\":{\"c\":2},\"e\":[1]}", t0);
	assert_int_equal(vd_section_replace(section, document, 2, t1, &effect, NULL), 0);
	VD_CLEANUP(vd_free) char *text = vd_json_text(effect);
	assert_string_equal(text, "{\"b\":{\"d\":3,\"c\":null},\"e\":null}");
	assert_json(section, false, "{\"a\":1,\"b\":{\"d\":3},\"$version\":3}");
	/* What did not change keeps its time. */
	assert_string_equal(
		vd_json_string(vd_json_get(vd_section_metadata(section), "a"), "$lastUpdated", ""),
		T0);
}

static void a_section_comes_back_as_it_was_stored(void **state)
{
	struct random_json random = { .state = 12, .with_nulls = true };

	for (int i = 0; i < 300; i++) {
		enum vd_section_kind kind = i % 2 ? VD_SECTION_DESIRED : VD_SECTION_REPORTED;
		VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(kind);
		VD_CLEANUP(vd_section_free) struct vd_section *loaded = NULL;
		VD_CLEANUP(vd_json_free) cJSON *stored = NULL;

		for (int n = 0; n < 4; n++) {
			VD_CLEANUP(vd_json_free) cJSON *change = random_object(&random, 4);

			assert_int_equal(vd_section_patch(section, change, VD_SECTION_ANY_VERSION,
							  t0 + n * SECOND, NULL),
					 0);
		}
		assert_int_equal(vd_section_json(section, true, &stored), 0);
		assert_int_equal(vd_section_load(kind, stored, &loaded, NULL), 0);
		VD_CLEANUP(vd_free) char *text = vd_json_text(stored);
		assert_json(loaded, true, text);
	}
}

/* Each level of data has one of metadata, and no level of metadata is left over. */
static void assert_same_shape(const cJSON *data, const cJSON *metadata)
{
	const cJSON *member;

	assert_non_null(vd_json_get(metadata, "$lastUpdated"));
	cJSON_ArrayForEach(member, (cJSON_IsObject(data) ? metadata : NULL))
		assert_true(member->string[0] == '$' || vd_json_get(data, member->string));
	for (member = cJSON_IsObject(data) ? data->child : NULL; member; member = member->next)
		assert_same_shape(member, vd_json_get(metadata, member->string));
}

static void metadata_always_has_the_shape_of_the_data(void **state)
{
	struct random_json random = { .state = 77, .with_nulls = true };
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);

	for (int i = 0; i < 1000; i++) {
		VD_CLEANUP(vd_json_free) cJSON *change = random_object(&random, 4);
		VD_CLEANUP(vd_json_free) cJSON *effect = NULL;

		if (i % 5 == 0)
			assert_int_equal(vd_section_replace(section, change, VD_SECTION_ANY_VERSION,
							    t0, &effect, NULL),
					 0);
		else
			assert_int_equal(
				vd_section_patch(section, change, VD_SECTION_ANY_VERSION, t0, NULL),
				0);
		assert_same_shape(vd_section_data(section), vd_section_metadata(section));
		assert_int_equal(vd_section_version(section), i + 2);
	}
}

static void a_device_that_follows_the_notices_has_the_same_document(void **state)
{
	struct random_json random = { .state = 1234, .with_nulls = true };
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free) cJSON *device = cJSON_CreateObject();

	for (int i = 0; i < 500; i++) {
		VD_CLEANUP(vd_json_free) cJSON *change = random_object(&random, 3);
		VD_CLEANUP(vd_json_free) cJSON *effect = NULL;
		VD_CLEANUP(vd_json_free) cJSON *old = VD_TAKE(device);

		if (i % 2)
			assert_int_equal(vd_section_replace(section, change, VD_SECTION_ANY_VERSION,
							    t0, &effect, NULL),
					 0);
		else
			assert_int_equal(
				vd_section_patch(section, change, VD_SECTION_ANY_VERSION, t0, NULL),
				0);
		assert_int_equal(vd_merge_apply(old, effect ? effect : change, &device), 0);
		assert_true(vd_merge_is_equal(device, vd_section_data(section)));
	}
}

static void what_is_no_section_is_not_loaded(void **state)
{
	static const char *const bad[] = { "{}",
					   "[]",
					   "{\"$version\":0}",
					   "{\"$version\":\"1\"}",
					   "{\"$version\":1.5}",
					   "{\"$version\":1,\"a.b\":1}" };

	for (size_t i = 0; i < VD_COUNT(bad); i++) {
		VD_CLEANUP(vd_json_free) cJSON *json = parse(bad[i]);
		VD_CLEANUP(vd_section_free) struct vd_section *section = NULL;
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_section_load(VD_SECTION_DESIRED, json, &section, &fault),
				 -EINVAL);
		assert_int_equal(fault.code, 400);
	}
}

static void a_document_without_metadata_is_loaded_as_never_written(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse("{\"a\":{\"b\":1},\"$version\":7}");
	VD_CLEANUP(vd_section_free) struct vd_section *section = NULL;

	assert_int_equal(vd_section_load(VD_SECTION_DESIRED, json, &section, NULL), 0);
	assert_same_shape(vd_section_data(section), vd_section_metadata(section));
	assert_int_equal(vd_section_version(section), 7);
}

static void times_have_seven_decimals(void **state)
{
	char text[VD_SECTION_TIME_TEXT];

	assert_string_equal(vd_section_time(t0, text), T0);
	assert_string_equal(vd_section_time(0, text), "1970-01-01T00:00:00.0000000Z");
}

/* Fails each allocation in turn; the section is then as it was. */
static void a_failed_allocation_leaves_the_section_as_it_was(void **state)
{
	VD_CLEANUP(vd_section_free) struct vd_section *section = fresh(VD_SECTION_DESIRED);
	VD_CLEANUP(vd_json_free)
	cJSON *change = parse("{\"a\":{\"b\":2,\"c\":null},\"d\":[1,2],\"$version\":1}");
	VD_CLEANUP(vd_json_free) cJSON *before = NULL;
	int count = 0, r = -ENOMEM;

	patch(section, "{\"a\":{\"b\":1,\"c\":1},\"e\":\"text\"}", t0);
	assert_int_equal(vd_section_json(section, true, &before), 0);
	VD_CLEANUP(vd_free) char *text = vd_json_text(before);
	for (; r == -ENOMEM; count++) {
		VD_CLEANUP(vd_json_free) cJSON *effect = NULL;

		assert_json(section, true, text);
		limit_allocations(count);
		r = vd_section_replace(section, change, 2, t1, &effect, NULL);
		unlimit_allocations();
	}
	assert_int_equal(r, 0);
	assert_true(count > 20);
	assert_int_equal(vd_section_version(section), 3);
}

VD_TEST_MAIN(cmocka_unit_test(a_new_section_is_empty_at_version_1),
	     cmocka_unit_test(desired_is_stamped_with_time_and_version_at_every_level),
	     cmocka_unit_test(reported_is_stamped_with_the_time_only),
	     cmocka_unit_test(a_patch_stamps_what_it_names_and_nothing_else),
	     cmocka_unit_test(a_removal_stamps_the_level_that_held_it),
	     cmocka_unit_test(a_change_of_kind_starts_metadata_anew),
	     cmocka_unit_test(versions_grow_by_one_even_without_effect),
	     cmocka_unit_test(version_and_metadata_of_a_client_are_ignored),
	     cmocka_unit_test(another_base_version_is_a_conflict_and_changes_nothing),
	     cmocka_unit_test(a_bad_patch_changes_nothing),
	     cmocka_unit_test(what_would_grow_too_large_is_refused_with_413),
	     cmocka_unit_test(a_full_section_can_be_replaced_by_another_full_one),
	     cmocka_unit_test(a_replacement_tells_the_device_what_went),
	     cmocka_unit_test(a_section_comes_back_as_it_was_stored),
	     cmocka_unit_test(metadata_always_has_the_shape_of_the_data),
	     cmocka_unit_test(a_device_that_follows_the_notices_has_the_same_document),
	     cmocka_unit_test(what_is_no_section_is_not_loaded),
	     cmocka_unit_test(a_document_without_metadata_is_loaded_as_never_written),
	     cmocka_unit_test(times_have_seven_decimals),
	     cmocka_unit_test(a_failed_allocation_leaves_the_section_as_it_was))
