/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "twin/document/section.h"
#include "twin/hub/refusal.h"
#include "unit/twin/hub/hub_fixture.h"

static int update(struct fixture *f, const char *id, const char *body, bool is_replace,
		  const char *if_match, struct vd_fault *fault)
{
	struct vd_name name = name_of(id);
	cJSON *json = json_of(body), *twin = NULL;
	const struct vd_twin_update change = {
		.body = json,
		.is_replace = is_replace,
		.if_match = if_match,
		.author = "service",
		.now_ms = 2000,
	};
	int r = vd_twins_update(f->twins, &name, &change, &twin, fault);

	(void)vd_json_free(json);
	(void)vd_json_free(twin);
	return r;
}

static int report(struct fixture *f, const char *patch, int64_t base, int64_t *version,
		  struct vd_fault *fault)
{
	struct vd_name name = name_of("d1");
	cJSON *json = json_of(patch);
	int r = vd_twins_report(f->twins, &name, json, base, 3000, version, fault);

	(void)vd_json_free(json);
	return r;
}

static char *device_view(struct fixture *f)
{
	struct vd_name name = name_of("d1");
	cJSON *json = NULL;
	int64_t version;
	char *text;

	assert_int_equal(vd_twins_device_get(f->twins, &name, &json, &version, NULL), 0);
	text = vd_json_text(json);
	(void)vd_json_free(json);
	return text;
}

static void a_new_device_has_an_empty_twin_of_version_1(void **state)
{
	struct fixture *f = *state;
	char *text;

	register_device(f, "d1", "{}");
	text = device_view(f);
	assert_string_equal(text, "{\"desired\":{\"$version\":1},\"reported\":{\"$version\":1}}");
	free(text);
}

static void a_patch_is_told_to_the_device_with_its_nulls_and_version(void **state)
{
	struct fixture *f = *state;
	char *text;

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d1", "{\"properties\":{\"desired\":{\"a\":1,\"b\":2}}}", false,
				"*", NULL),
			 0);
	assert_int_equal(
		update(f, "d1", "{\"properties\":{\"desired\":{\"a\":null}}}", false, "*", NULL),
		0);
	assert_string_equal(f->last_notice, "{\"a\":null,\"$version\":3}");
	assert_int_equal(f->last_version, 3);
	text = device_view(f);
	assert_string_equal(text,
			    "{\"desired\":{\"b\":2,\"$version\":3},\"reported\":{\"$version\":1}}");
	free(text);
}

static void a_replacement_is_told_as_a_patch_that_removes(void **state)
{
	struct fixture *f = *state;

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d1", "{\"properties\":{\"desired\":{\"a\":1,\"b\":2}}}", false,
				"*", NULL),
			 0);
	assert_int_equal(
		update(f, "d1", "{\"properties\":{\"desired\":{\"b\":3}}}", true, "*", NULL), 0);
	assert_string_equal(f->last_event, "replaceTwin");
	assert_non_null(strstr(f->last_notice, "\"a\":null"));
	assert_non_null(strstr(f->last_notice, "\"b\":3"));
}

static void tags_alone_are_no_news_for_the_device(void **state)
{
	struct fixture *f = *state;

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d1", "{\"tags\":{\"line\":\"7\"}}", false, NULL, NULL), 0);
	assert_int_equal(f->notices, 0);
	assert_string_equal(f->last_event, "updateTwin");
}

static void a_stale_etag_is_refused_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct vd_fault fault = { 0 };

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d1", "{\"tags\":{\"a\":1}}", false, "\"AAAAAAAAAAE=\"", NULL),
			 0);
	assert_int_equal(update(f, "d1", "{\"tags\":{\"a\":2}}", false, "\"AAAAAAAAAAE=\"", &fault),
			 VD_REFUSED_ETAG);
	assert_int_equal(update(f, "d1", "{\"tags\":{\"a\":2}}", false, "AAAAAAAAAAI=", NULL), 0);
}

static void a_bad_document_is_refused_with_the_place(void **state)
{
	struct fixture *f = *state;
	struct vd_fault fault = { 0 };

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d1", "{\"properties\":{\"desired\":{\"a\":{\"b.c\":1}}}}",
				false, "*", &fault),
			 VD_REFUSED_ARGUMENT);
	assert_non_null(strstr(fault.pointer, "/properties/desired/a"));
	assert_int_equal(update(f, "d1", "{\"properties\":{\"desired\":[]}}", false, "*", &fault),
			 VD_REFUSED_ARGUMENT);
	assert_string_equal(fault.pointer, "/properties/desired");
	assert_int_equal(update(f, "d1", "{\"tags\":{\"x y\":1}}", false, "*", &fault),
			 VD_REFUSED_ARGUMENT);
	assert_int_equal(f->notices, 0);
}

static void an_unknown_twin_is_not_found_by_its_kind(void **state)
{
	struct fixture *f = *state;
	struct vd_fault fault = { 0 };

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d9", "{}", false, "*", &fault), VD_REFUSED_NO_DEVICE);
	assert_int_equal(update(f, "d1/m", "{}", false, "*", &fault), VD_REFUSED_NO_MODULE);
}

static void reported_grows_by_one_version_and_honours_a_base_version(void **state)
{
	struct fixture *f = *state;
	struct vd_fault fault = { 0 };
	int64_t version = 0;

	register_device(f, "d1", "{}");
	assert_int_equal(report(f, "{\"x\":1}", VD_SECTION_ANY_VERSION, &version, NULL), 0);
	assert_int_equal(version, 2);
	assert_int_equal(report(f, "{\"x\":2}", 1, &version, &fault), VD_REFUSED_ETAG);
	assert_int_equal(fault.code, 412);
	assert_int_equal(report(f, "{\"x\":2}", 2, &version, NULL), 0);
	assert_int_equal(version, 3);
}

static void a_report_that_is_too_large_or_malformed_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vd_fault fault = { 0 };
	int64_t version = 0;
	char patch[60000];
	size_t len = 0;

	register_device(f, "d1", "{}");
	len += (size_t)snprintf(patch, sizeof patch, "{");
	for (int i = 0; i < 9; i++)
		len += (size_t)snprintf(patch + len, sizeof patch - len, "%s\"k%d\":\"%04000d\"",
					i ? "," : "", i, 1);
	(void)snprintf(patch + len, sizeof patch - len, "}");
	assert_int_equal(report(f, patch, VD_SECTION_ANY_VERSION, &version, &fault),
			 VD_REFUSED_TOO_LARGE);
	assert_int_equal(report(f, "[1]", VD_SECTION_ANY_VERSION, &version, &fault),
			 VD_REFUSED_ARGUMENT);
}

static void a_late_subscriber_is_given_what_it_missed_with_removals(void **state)
{
	struct fixture *f = *state;
	struct vd_name name = name_of("d1");
	cJSON *notice = NULL;
	int64_t version = 0;
	char *text;

	register_device(f, "d1", "{}");
	assert_int_equal(update(f, "d1", "{\"properties\":{\"desired\":{\"a\":1,\"b\":1}}}", false,
				"*", NULL),
			 0);
	assert_int_equal(update(f, "d1", "{\"properties\":{\"desired\":{\"a\":null,\"c\":1}}}",
				false, "*", NULL),
			 0);
	assert_int_equal(vd_twins_missed(f->twins, &name, 3, &notice, &version), VD_STORE_NONE);
	assert_int_equal(vd_twins_missed(f->twins, &name, 2, &notice, &version), 0);
	text = vd_json_text(notice);
	assert_string_equal(text, "{\"c\":1,\"a\":null,\"$version\":3}");
	free(text);
	notice = vd_json_free(notice);
	assert_int_equal(vd_twins_missed(f->twins, &name, -1, &notice, &version), 0);
	text = vd_json_text(notice);
	assert_string_equal(text, "{\"b\":1,\"c\":1,\"$version\":3}");
	free(text);
	(void)vd_json_free(notice);
}

static int check_entry(const struct vd_history *entry, void *argument)
{
	int *count = argument;

	if ((*count)++ == 0) {
		assert_int_equal(entry->version, 2);
		assert_string_equal(entry->author, "service");
		assert_string_equal(entry->operation, "update");
	}
	return 0;
}

static void the_history_names_version_author_and_document(void **state)
{
	struct fixture *f = *state;
	struct vd_name name = name_of("d1");
	cJSON *document = NULL;
	int count = 0;

	register_device(f, "d1", "{}");
	assert_int_equal(
		update(f, "d1", "{\"properties\":{\"desired\":{\"a\":1}}}", false, "*", NULL), 0);
	assert_int_equal(vd_store_history_each(f->store, &name, 10, check_entry, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(vd_store_history_get(f->store, &name, 2, &document), 0);
	assert_int_equal(vd_json_int(document, "a", 0), 1);
	(void)vd_json_free(document);
	assert_int_equal(vd_store_history_get(f->store, &name, 9, &document), VD_STORE_NONE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

VD_TEST_MAIN(T(a_new_device_has_an_empty_twin_of_version_1),
	     T(a_patch_is_told_to_the_device_with_its_nulls_and_version),
	     T(a_replacement_is_told_as_a_patch_that_removes),
	     T(tags_alone_are_no_news_for_the_device),
	     T(a_stale_etag_is_refused_and_changes_nothing),
	     T(a_bad_document_is_refused_with_the_place),
	     T(an_unknown_twin_is_not_found_by_its_kind),
	     T(reported_grows_by_one_version_and_honours_a_base_version),
	     T(a_report_that_is_too_large_or_malformed_is_refused),
	     T(a_late_subscriber_is_given_what_it_missed_with_removals),
	     T(the_history_names_version_author_and_document))
