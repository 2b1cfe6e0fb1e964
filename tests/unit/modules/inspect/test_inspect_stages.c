/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/stages.h"

#include "vd_test.h"

static void a_percentile_is_at_most_a_quarter_too_high(void **state)
{
	struct vd_stages stages = { .count = { 0 } };

	for (uint64_t us = 1; us <= 100000; us += 7)
		vd_stages_put(&stages, VD_STAGE_INSPECT, us);
	for (double share = 0.01; share < 1; share += 0.01) {
		const double is = share * 100000;
		const double said =
			(double)vd_stages_percentile_us(&stages, VD_STAGE_INSPECT, share);

		assert_true(said >= is - 8 && said <= is * 1.26 + 50);
	}
	assert_int_equal(vd_stages_percentile_us(&stages, VD_STAGE_INSPECT, 1), 99996);
	assert_int_equal(vd_stages_percentile_us(&stages, VD_STAGE_QUEUE, 0.5), 0);
}

static void what_lasts_an_hour_has_a_place_too(void **state)
{
	struct vd_stages stages = { .count = { 0 } };

	vd_stages_put(&stages, VD_STAGE_STORE, 3600000000U);
	assert_int_equal(vd_stages_percentile_us(&stages, VD_STAGE_STORE, 0.5), 3600000000U);
}

static void only_stages_that_were_seen_are_told(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	struct vd_stages stages = { .count = { 0 } };

	vd_stages_put(&stages, VD_STAGE_CAPTURE, 12345);
	assert_true(vd_stages_add(&stages, json));
	assert_true(vd_json_number(vd_json_at(json, "/stagesMs/capture"), "most", 0) == 12.35 ||
		    vd_json_number(vd_json_at(json, "/stagesMs/capture"), "most", 0) == 12.34);
	assert_null(vd_json_at(json, "/stagesMs/store"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_percentile_is_at_most_a_quarter_too_high),
		cmocka_unit_test(what_lasts_an_hour_has_a_place_too),
		cmocka_unit_test(only_stages_that_were_seen_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
