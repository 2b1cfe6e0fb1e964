/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/record.h"

#include <math.h>
#include <stdio.h>

#include "tests/unit/modules/inspect/document.h"

enum { PACKET_BYTES = 65536, ENVELOPE_BYTES = 4096, RUNS = 64 };

/* As many steps as a recipe may have, each run on the objects of the first. */
static struct vd_recipe_set *full_set(int steps)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_buf_printf(&text, "{`active`:`r`,`recipes`:{`r`:{`rev`:1,`cameras`:[`top`],"
				     "`steps`:{`s0`:{`camera`:`top`,`tool`:`blob`,"
				     "`limits`:{`count`:{`max`:1}}}");

	for (int i = 1; r == 0 && i < steps; i++)
		r = vd_buf_printf(&text,
				  ",`s%d`:{`camera`:`top`,`tool`:`stain`,"
				  "`foreach`:{`step`:`s0`,`max`:%d}}",
				  i, RUNS);
	if (r == 0)
		r = vd_buf_printf(&text, "}}}}");
	assert_int_equal(r, 0);
	return document_set(text.data);
}

static void fill(char *text, size_t size, char with)
{
	memset(text, with, size - 1);
	text[size - 1] = '\0';
}

/* What a step can say at most; with: a byte that JSON writes as six, or as itself. */
static void overfill(struct vd_step_result *result, char with)
{
	struct vd_object object = { .score = 0.123456, .box = { 10000, 10000, 10000, 10000 } };
	char label[VD_LABEL_BYTES];

	vd_step_result_init(result);
	result->verdict = VD_NG;
	fill(result->text, sizeof result->text, 'x');
	fill(label, sizeof label, with);
	for (int i = 0; i < VD_OBJECTS_MOST + 5; i++)
		assert_int_equal(vd_object_add(&result->objects, label, &object), 0);
	result->runs = calloc(RUNS, sizeof *result->runs);
	assert_non_null(result->runs);
	result->run_count = RUNS;
	for (int i = 0; i < RUNS; i++) {
		struct vd_step_run *run = &result->runs[i];

		run->object = result->objects.list[0];
		run->verdict = i == RUNS - 1 ? VD_NG : VD_WARNING;
		run->value = 12345.678;
		fill(run->text, sizeof run->text, 'y');
	}
}

static cJSON *overfull_body(int steps, char with)
{
	struct vd_recipe_set *set = full_set(steps);
	struct vd_item item = { .id = "id", .set = set, .recipe = &set->recipes[0] };
	static struct vd_step_result results[VD_STEPS_MOST];
	static struct vd_look looks[VD_CAMERAS_MOST];
	static struct vd_reasons reasons;
	struct vd_record record = { .item = &item,
				    .station = "st",
				    .verdict = VD_NG,
				    .looks = looks,
				    .results = results,
				    .reasons = &reasons };
	cJSON *body;

	reasons.count = 0;
	looks[0].is_good = true;
	for (int i = 0; i < steps; i++)
		overfill(&results[i], with);
	vd_reasons_collect(&reasons, item.recipe, looks, results);
	body = vd_record_body(&record);
	assert_non_null(body);
	for (int i = 0; i < steps; i++)
		vd_step_result_fini(&results[i]);
	(void)vd_recipe_set_unref(set);
	return body;
}

static void a_record_fits_its_packet_however_much_was_found(void **state)
{
	static const int steps[] = { 2, 8, VD_STEPS_MOST };

	for (size_t i = 0; i < VD_COUNT(steps); i++) {
		for (int k = 0; k < 2; k++) {
			VD_CLEANUP(vd_json_free)
			cJSON *body = overfull_body(steps[i], k ? '\1' : 'l');
			VD_CLEANUP(vd_free) char *text = cJSON_PrintUnformatted(body);

			if (strlen(text) > PACKET_BYTES - ENVELOPE_BYTES)
				fail_msg("%d steps: %zu bytes", steps[i], strlen(text));
		}
	}
}

static void what_is_left_out_is_counted_and_the_worst_is_not(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *body = overfull_body(8, 'l');
	const cJSON *step = vd_json_at(body, "/steps/s3");

	assert_int_equal(vd_json_int(step, "runCount", 0), RUNS);
	assert_int_equal(vd_json_int(step, "objectCount", 0), VD_OBJECTS_MOST + 5);
	assert_string_equal(vd_json_string(vd_json_at(step, "/runs/0"), "verdict", ""), "NG");
}

VD_TEST_MAIN(cmocka_unit_test(a_record_fits_its_packet_however_much_was_found),
	     cmocka_unit_test(what_is_left_out_is_counted_and_the_worst_is_not))
