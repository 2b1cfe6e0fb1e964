/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>

#include "base/buf.h"
#include "base/clock.h"
#include "twin/hub/telemetry/telemetry.h"
#include "unit/twin/hub/hub_fixture.h"

enum { T0 = 1700000000, DAY = 86400 }; /* seconds */

static const char boot[] = "11111111-1111-4111-8111-111111111111";

static void add_batch(struct fixture *f, const char *device, int64_t received_s, int64_t seq,
		      int count, int64_t wall_s, int step_s, double value)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_batch_text batch = { .device = device, .received_ms = received_s * 1000 };
	char time[VD_TIME_TEXT];

	assert_int_equal(vd_buf_append(&text, "[", 1), 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(
			vd_buf_printf(&text,
				      "%s{\"deviceId\":\"%s\",\"bootId\":\"%s\",\"seq\":%lld,"
				      "\"tWall\":\"%s\",\"class\":\"telemetry\",\"module\":"
				      "\"oven\",\"body\":{\"t\":{\"c\":%g}}}",
				      i ? "," : "", device, boot, (long long)seq + i,
				      vd_time_text((wall_s + i * step_s) * 1000, time), value + i),
			0);
	assert_int_equal(vd_buf_append(&text, "]", 1), 0);
	batch.text = text.data;
	batch.len = text.len;
	assert_int_equal(vd_store_begin(f->store), 0);
	assert_int_equal(vd_store_batch_add(f->store, &batch), 0);
	assert_int_equal(vd_store_commit(f->store), 0);
}

static void add_verdict(struct fixture *f, const char *device, int64_t seq, int64_t wall_s,
			const char *recipe, const char *model)
{
	char text[512], time[VD_TIME_TEXT];
	const struct vd_record_row row = { .device = device,
					   .boot_id = boot,
					   .seq = seq,
					   .received_ms = wall_s * 1000,
					   .wall_ms = wall_s * 1000,
					   .class_name = "verdict",
					   .module = "station",
					   .verdict = seq % 2 ? "NG" : "OK",
					   .text = text };

	(void)snprintf(text, sizeof text,
		       "{\"deviceId\":\"%s\",\"seq\":%lld,\"tWall\":\"%s\",\"class\":\"verdict\","
		       "\"body\":{\"recipe\":\"%s\",\"modelSha256\":\"%s\"}}",
		       device, (long long)seq, vd_time_text(wall_s * 1000, time), recipe, model);
	assert_int_equal(vd_store_record_add(f->store, &row), 0);
}

static cJSON *ask(struct fixture *f, const struct vd_telemetry_request *request)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	struct vd_fault fault = { 0 };
	int r = request->path ? vd_telemetry_series(NULL, f->store, &call, request, &fault)
			      : vd_telemetry_page(NULL, f->store, &call, request, &fault);

	assert_string_equal(fault.text, "");
	assert_int_equal(r, 0);
	return VD_TAKE(call.reply.body);
}

static int count(struct fixture *f, const struct vd_telemetry_request *request)
{
	cJSON *body = ask(f, request);
	int n = cJSON_GetArraySize(vd_json_array(body, "items"));

	(void)vd_json_free(body);
	return n;
}

/* --- */

static void pages_neither_skip_nor_repeat_while_records_come_in(void **state)
{
	struct fixture *f = *state;
	struct vd_telemetry_request request = { .limit = 7 };
	int64_t seen = 0, expected = 0;
	int64_t seq = 0;

	for (int page = 0; page < 40; page++) {
		cJSON *body;
		const cJSON *item;

		if (page < 20) {
			add_batch(f, "d1", T0 + page, seq, 5, T0 + page, 0, 0);
			seq += 5;
			add_verdict(f, "d1", 100000 + page, T0 + page, "r", "m");
			expected += 6;
		}
		body = ask(f, &request);
		cJSON_ArrayForEach(item, vd_json_array(body, "items"))
		{
			long long id = 0;

			assert_int_equal(sscanf(item->valuestring, "{\"id\":%lld", &id), 1);
			assert_int_equal(id, ++seen);
		}
		request.after = vd_json_int(body, "continuation", 0);
		(void)vd_json_free(body);
	}
	assert_int_equal(seen, expected);
}

static void pages_backwards_go_from_the_newest_to_the_oldest(void **state)
{
	struct fixture *f = *state;
	struct vd_telemetry_request request = { .limit = 7, .newest = true };
	int64_t expected = 50;

	add_batch(f, "d1", T0, 0, 50, T0, 1, 0);
	while (expected > 0) {
		cJSON *body = ask(f, &request);
		const cJSON *items = vd_json_array(body, "items"), *item;
		int64_t first = expected - cJSON_GetArraySize(items);

		assert_true(cJSON_GetArraySize(items) > 0);
		expected = first;
		cJSON_ArrayForEach(item, items)
		{
			long long id = 0;

			assert_int_equal(sscanf(item->valuestring, "{\"id\":%lld", &id), 1);
			assert_int_equal(id, ++first);
		}
		request.before = vd_json_int(body, "previous", 0);
		(void)vd_json_free(body);
		add_batch(f, "d1", T0 + 1, 1000 + expected * 10, 3, T0, 1, 0); /* not of them */
	}
}

static void a_time_is_when_it_happened_and_late_records_are_found(void **state)
{
	struct fixture *f = *state;
	struct vd_telemetry_request request = { .limit = 100,
						.from_ms = (T0 + 10) * 1000LL,
						.to_ms = (T0 + 19) * 1000LL };

	for (int day = 0; day < 30; day++) {
		add_batch(f, "d1", T0 + day * DAY, day * 100, 30, T0 + day * DAY, 1, 0);
		if (day == 2) /* two days without a line */
			add_batch(f, "d2", T0 + 2 * DAY, 0, 30, T0, 1, 0);
	}
	assert_int_equal(count(f, &request), 20);
	request.device = "d2";
	assert_int_equal(count(f, &request), 10);
	request.newest = true;
	assert_int_equal(count(f, &request), 10);
}

static void verdicts_are_found_by_recipe_and_model(void **state)
{
	struct fixture *f = *state;
	struct vd_telemetry_request request = { .limit = 100, .recipe = "cap" };

	for (int i = 0; i < 40; i++)
		add_verdict(f, "d1", i, T0 + i, i % 4 ? "cap" : "screw", i % 2 ? "aa" : "bb");
	assert_int_equal(count(f, &request), 30);
	request.model = "bb";
	assert_int_equal(count(f, &request), 10);
	request.verdict = "NG";
	assert_int_equal(count(f, &request), 0);
}

static void set_site(struct fixture *f, const char *device, const char *site)
{
	struct vd_name name = name_of(device);
	char text[64];
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_twin_update update = { .author = "test", .now_ms = 1 };
	cJSON *twin = NULL;

	(void)snprintf(text, sizeof text, "{\"tags\":{\"site\":\"%s\"}}", site);
	update.body = body = json_of(text);
	assert_int_equal(vd_twins_update(f->twins, &name, &update, &twin, NULL), 0);
	(void)vd_json_free(twin);
}

static void a_site_is_read_through_the_query_language(void **state)
{
	struct fixture *f = *state;
	struct vd_telemetry_request request = { .limit = 1000, .where = "tags.site = 'north'" };
	struct vd_fault fault = { 0 };
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };

	for (int i = 0; i < 6; i++) {
		char device[16];

		(void)snprintf(device, sizeof device, "d%d", i);
		register_device(f, device, "{}");
		set_site(f, device, i % 3 ? "south" : "north");
		add_batch(f, device, T0 + i, 0, 10, T0, 1, 0);
		add_verdict(f, device, 100, T0, "r", "m");
	}
	assert_int_equal(count(f, &request), 22);
	request.newest = true;
	request.limit = 12;
	assert_int_equal(count(f, &request), 12);
	request.where = "tags.site = 'west'";
	assert_int_equal(count(f, &request), 0);
	request.where = "tags.site =";
	assert_int_equal(vd_telemetry_page(NULL, f->store, &call, &request, &fault),
			 VD_REFUSED_ARGUMENT);
}

static void a_curve_has_min_max_mean_and_count_of_each_bucket(void **state)
{
	struct fixture *f = *state;
	const struct vd_telemetry_request request = { .device = "d1",
						      .module = "oven",
						      .path = "/body/t/c",
						      .points = 10,
						      .from_ms = T0 * 1000LL,
						      .to_ms = (T0 + 100) * 1000LL - 1 };
	cJSON *body;
	const cJSON *points, *point;

	add_batch(f, "d1", T0, 0, 100, T0, 1, 0);
	add_batch(f, "d1", T0, 100, 10, T0 + 200, 1, 5000); /* later than asked */
	add_batch(f, "d2", T0, 0, 100, T0, 1, 9000);
	body = ask(f, &request);
	points = vd_json_array(body, "points");
	assert_int_equal(vd_json_int(body, "bucketMs", 0), 10000);
	assert_int_equal(cJSON_GetArraySize(points), 10);
	point = cJSON_GetArrayItem(points, 3);
	assert_string_equal(vd_json_string(point, "time", ""), "2023-11-14T22:13:50.000Z");
	assert_int_equal(vd_json_int(point, "min", 0), 30);
	assert_int_equal(vd_json_int(point, "max", 0), 39);
	assert_true(vd_json_number(point, "mean", 0) == 34.5);
	assert_int_equal(vd_json_int(point, "count", 0), 10);
	assert_false(vd_json_bool(body, "truncated", true));
	(void)vd_json_free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages_neither_skip_nor_repeat_while_records_come_in,
						fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(pages_backwards_go_from_the_newest_to_the_oldest,
						fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			a_time_is_when_it_happened_and_late_records_are_found, fixture_set_up,
			fixture_tear_down),
		cmocka_unit_test_setup_teardown(verdicts_are_found_by_recipe_and_model,
						fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_site_is_read_through_the_query_language,
						fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_curve_has_min_max_mean_and_count_of_each_bucket,
						fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
