/* SPDX-License-Identifier: Apache-2.0 */
/* The tools that measure directly, from recipe to verdict. */
#include "modules/inspect/tools/gauge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/schema.h"
#include "modules/inspect/inspector.h"
#include "tests/unit/modules/inspect/label.h"
#include "tests/unit/modules/vision/near.h"
#include "tests/unit/modules/vision/qr.h"

extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

struct fixture {
	char template[64];
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_outcome outcome;
};

static int parse_set(const char *steps, struct vd_recipe_set **set, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL, *parameters = NULL;
	char text[4096];
	const int n =
		snprintf(text, sizeof text,
			 "{\"active\":\"r\",\"recipes\":{\"r\":{\"rev\":1,\"cameras\":[\"top\"]"
			 ",\"frame\":{\"width\":400,\"height\":300},\"steps\":{%s}}}}",
			 steps);
	int r = vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, fault);

	assert_true(n > 0 && (size_t)n < sizeof text);
	if (r == 0)
		r = vd_json_parse(text, (size_t)n, &parameters, fault);
	if (r == 0)
		r = vd_schema_verify(schema, fault);
	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	if (r == 0)
		r = vd_schema_fill(schema, parameters);
	return r < 0 ? r : vd_recipe_set_parse(parameters, set, fault);
}

/* The %s in steps is the template's path. */
static void fill_in(const char *steps, const char *path, char *text, size_t size)
{
	const char *mark = strstr(steps, "%s");

	if (mark)
		(void)snprintf(text, size, "%.*s%s%s", (int)(mark - steps), steps, path, mark + 2);
	else
		(void)snprintf(text, size, "%s", steps);
}

static void begin(struct fixture *f, const char *steps)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct vd_fault fault = { 0 };
	char text[4096];
	int fd;

	*f = (struct fixture){ .template = "/tmp/gauge-XXXXXX" };
	fd = mkstemp(f->template);
	label_photograph(&label_good, &jpeg);
	assert_int_equal(write(fd, jpeg.data, jpeg.len), jpeg.len);
	(void)close(fd);
	fill_in(steps, f->template, text, sizeof text);
	if (parse_set(text, &f->set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
}

static void end(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
	(void)unlink(f->template);
}

static const char *run_shot(struct fixture *f, struct vd_item *item)
{
	item->shots[0].state = VD_SHOT_TAKEN;
	vd_outcome_fini(&f->outcome);
	vd_inspector_run(f->inspector, item, &f->outcome);
	(void)vd_item_free(item);
	assert_non_null(f->outcome.body);
	return vd_verdict_name(f->outcome.verdict);
}

static const char *run(struct fixture *f, const struct label *label)
{
	struct vd_item *item = NULL;

	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &item), 0);
	item->shots[0].is_jpeg = true;
	label_photograph(label, &item->shots[0].bytes);
	return run_shot(f, item);
}

static const cJSON *step(const struct fixture *f, const char *id)
{
	const cJSON *json = vd_json_get(vd_json_object(f->outcome.body, "steps"), id);

	assert_non_null(json);
	return json;
}

static const char *verdict(const struct fixture *f, const char *id)
{
	return vd_json_string(step(f, id), "verdict", "");
}

static double measure(const struct fixture *f, const char *id, const char *name)
{
	return vd_json_number(vd_json_object(step(f, id), "measures"), name, NAN);
}

static void check_text(const struct fixture *f, const char *id, const char *wanted)
{
	const char *text = vd_json_string(step(f, id), "text", "");

	if (!strstr(text, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, text);
}

/* ---- verdicts ---- */

static const char *const STEPS[] = { "sharp", "gap", "holes", "mark", "clean", "paint" };

static void a_good_part_passes_every_tool_with_its_measures(void **state)
{
	struct fixture f;

	begin(&f, LABEL_STEPS);
	assert_string_equal(run(&f, &label_good), "OK");
	assert_near(measure(&f, "gap", "widthPx"), 40, 0.05);
	assert_near(measure(&f, "gap", "widthMm"), 2, 0.003);
	assert_near(measure(&f, "gap", "positionPx"), 60, 0.05);
	assert_near(measure(&f, "holes", "count"), 5, 0);
	assert_near(measure(&f, "holes", "areaPx"), 5 * M_PI * 121, 60);
	assert_int_equal(cJSON_GetArraySize(vd_json_array(step(&f, "holes"), "objects")), 5);
	assert_true(measure(&f, "mark", "score") > 0.95);
	assert_true(measure(&f, "clean", "level") < 8);
	assert_true(measure(&f, "paint", "deltaE") < 3);
	assert_true(measure(&f, "sharp", "noise") > 0.5);
	assert_string_equal(vd_json_string(step(&f, "paint"), "measure", ""), "deltaE");
	end(&f);
}

static void each_fault_is_found_by_its_tool_and_by_no_other(void **state)
{
	struct label faults[5];
	struct fixture f;

	for (int i = 0; i < 5; i++)
		faults[i] = label_good;
	faults[0].bar_px = 42;
	faults[1].holes = 4;
	faults[2].has_mark = false;
	faults[3].has_stain = true;
	faults[4].is_green = true;
	begin(&f, LABEL_STEPS);
	for (int i = 0; i < 5; i++) {
		assert_string_equal(run(&f, &faults[i]), "NG");
		for (int k = 1; k < 6; k++) {
			if (strcmp(verdict(&f, STEPS[k]), k == i + 1 ? "NG" : "OK") != 0)
				fail_msg("fault %d: %s is %s: %s", i, STEPS[k],
					 verdict(&f, STEPS[k]),
					 vd_json_string(step(&f, STEPS[k]), "text", ""));
		}
	}
	end(&f);
}

static void a_shut_gate_stops_the_steps_after_it(void **state)
{
	struct label blurred = label_good;
	struct fixture f;

	blurred.is_blurred = true;
	begin(&f, LABEL_STEPS);
	assert_string_equal(run(&f, &blurred), "NG");
	assert_string_equal(verdict(&f, "sharp"), "NG");
	check_text(&f, "sharp", "sharpness");
	for (int i = 1; i < 6; i++) {
		assert_string_equal(verdict(&f, STEPS[i]), "NO_DECISION");
		check_text(&f, STEPS[i], "gated: step sharp");
	}
	assert_string_equal(run(&f, &label_good), "OK"); /* the next part finds it open */
	end(&f);
}

static void measures_follow_the_part(void **state)
{
	struct label moved = label_good;
	struct fixture f;

	begin(&f, "\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"roi\":[225,25,70,70],"
		  "\"golden\":{\"file\":\"%s\"}},"
		  "\"gap\":{\"camera\":\"top\",\"tool\":\"caliper\",\"line\":[20,60,180,60,21],"
		  "\"alignTo\":\"pos\",\"measure\":\"bar\",\"transition\":\"toDark\","
		  "\"limits\":{\"positionPx\":{\"min\":59.8,\"max\":60.2}}},"
		  "\"holes\":{\"camera\":\"top\",\"tool\":\"blob\",\"roi\":[10,125,190,50],"
		  "\"alignTo\":\"pos\",\"polarity\":\"dark\",\"minAreaPx\":200,"
		  "\"limits\":{\"count\":{\"min\":5,\"max\":5}}},"
		  "\"paint\":{\"camera\":\"top\",\"tool\":\"colour\",\"roi\":[234,184,92,82],"
		  "\"alignTo\":\"pos\",\"reference\":[41.5,58.5,33.2],"
		  "\"limits\":{\"deltaE\":{\"max\":4}}}");
	for (int i = -2; i <= 2; i++) {
		moved.dx = 4.3 * i;
		moved.dy = -3.6 * i;
		assert_string_equal(run(&f, &moved), "OK");
		assert_near(measure(&f, "gap", "positionPx"), 60, 0.1);
		assert_near(vd_json_number(vd_json_at(step(&f, "holes"), "/objects/0"), "width", 0),
			    22, 2);
	}
	end(&f);
}

/* ---- what is missing is never OK ---- */

static void an_edge_that_is_not_there_is_no_decision(void **state)
{
	struct label empty = label_good;
	struct fixture f;

	empty.bar_px = -100;
	begin(&f, "\"gap\":{\"camera\":\"top\",\"tool\":\"caliper\",\"line\":[20,60,180,60,21],"
		  "\"limits\":{\"positionPx\":{\"min\":0,\"max\":1000}}},"
		  "\"pitch\":{\"camera\":\"top\",\"tool\":\"caliper\",\"roi\":[20,50,161,21],"
		  "\"measure\":\"bar\",\"transition\":\"toDark\","
		  "\"limits\":{\"pitchPx\":{\"max\":1000}}}");
	assert_string_equal(run(&f, &empty), "NO_DECISION");
	check_text(&f, "gap", "not_found: edges 0");
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	assert_string_equal(verdict(&f, "gap"), "OK");
	check_text(&f, "pitch", "not_found: bars 1");
	end(&f);
}

static void every_edge_must_keep_the_limits_not_just_one(void **state)
{
	struct fixture f;

	begin(&f, "\"gap\":{\"camera\":\"top\",\"tool\":\"caliper\",\"roi\":[20,50,161,21],"
		  "\"limits\":{\"positionPx\":{\"min\":0,\"max\":60}}}");
	assert_string_equal(run(&f, &label_good), "NG");
	assert_near(measure(&f, "gap", "positionPx"), 80, 0.1);
	end(&f);
}

static void a_frame_without_colours_is_no_decision(void **state)
{
	struct label grey = label_good;
	struct vd_item *item = NULL;
	struct fixture f;

	grey.is_grey = true;
	begin(&f, "\"paint\":{\"camera\":\"top\",\"tool\":\"colour\",\"roi\":[240,190,80,70],"
		  "\"reference\":[50,0,0],\"limits\":{\"labL\":{\"min\":0,\"max\":100}}}");
	assert_string_equal(run(&f, &label_good), "OK");
	assert_string_equal(run(&f, &grey), "NO_DECISION");
	check_text(&f, "paint", "no_colour");
	assert_int_equal(vd_item_new(f.set, vd_clock_mono_us(), &item), 0);
	item->shots[0].width = item->shots[0].stride = LABEL_WIDTH;
	item->shots[0].height = LABEL_HEIGHT;
	for (int i = 0; i < LABEL_WIDTH * LABEL_HEIGHT; i++)
		assert_int_equal(vd_buf_append(&item->shots[0].bytes, i % 7 ? "a" : "Z", 1), 0);
	assert_string_equal(run_shot(&f, item), "NO_DECISION");
	check_text(&f, "paint", "no_colour");
	end(&f);
}

static void a_part_out_of_view_is_no_decision(void **state)
{
	struct label moved = label_good;
	struct fixture f;

	moved.dx = 15;
	begin(&f, "\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"roi\":[225,25,70,70],"
		  "\"golden\":{\"file\":\"%s\"}},"
		  "\"edge\":{\"camera\":\"top\",\"tool\":\"caliper\",\"line\":[300,290,396,290,5],"
		  "\"alignTo\":\"pos\",\"limits\":{\"count\":{\"max\":9}}},"
		  "\"rim\":{\"camera\":\"top\",\"tool\":\"focus\",\"roi\":[380,0,20,300],"
		  "\"alignTo\":\"pos\",\"limits\":{\"mean\":{\"max\":255}}}");
	assert_string_equal(run(&f, &label_good), "OK");
	assert_string_equal(run(&f, &moved), "NO_DECISION");
	check_text(&f, "edge", "outside");
	check_text(&f, "rim", "outside");
	end(&f);
}

static void a_template_that_is_gone_is_no_decision(void **state)
{
	struct fixture f;

	begin(&f, "\"mark\":{\"camera\":\"top\",\"tool\":\"presence\",\"roi\":[225,25,70,70],"
		  "\"golden\":{\"file\":\"%s\"}}");
	assert_string_equal(run(&f, &label_good), "OK");
	(void)unlink(f.template);
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_text(&f, "mark", "no_template");
	end(&f);
}

/* A frame with a code in its middle, as a grey camera sends it. */
static const char *run_code(struct fixture *f, const struct vd_image *code)
{
	struct vd_item *item = NULL;
	struct vd_shot *shot;

	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &item), 0);
	shot = &item->shots[0];
	shot->width = shot->stride = LABEL_WIDTH;
	shot->height = LABEL_HEIGHT;
	for (int i = 0; i < LABEL_WIDTH * LABEL_HEIGHT; i++) {
		const int x = i % LABEL_WIDTH - 60, y = i / LABEL_WIDTH - 50;
		const bool is_code = x >= 0 && y >= 0 && x < code->width && y < code->height;
		const uint8_t value = is_code ? vd_image_row(code, y)[x] : 220;

		assert_int_equal(vd_buf_append(&shot->bytes, &value, 1), 0);
	}
	return run_shot(f, item);
}

static void a_code_is_ok_only_if_it_is_the_expected_one(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image code = { 0 }, other = { 0 };
	struct fixture f;

	if (!qr_make("LOT004711", 4, &code) || !qr_make("LOT4711", 4, &other))
		skip();
	begin(&f, "\"id\":{\"camera\":\"top\",\"tool\":\"code\",\"kinds\":[\"qr\",\"code128\"],"
		  "\"roi\":[40,30,240,200],\"pattern\":\"LOT[0-9]{6}\"}");
	if (strcmp(run_code(&f, &code), "NO_DECISION") == 0)
		check_text(&f, "id", "no_reader"); /* libzbar is not installed */
	else
		assert_string_equal(vd_json_string(step(&f, "id"), "code", ""), "LOT004711");
	if (strcmp(verdict(&f, "id"), "OK") == 0) {
		assert_string_equal(run_code(&f, &other), "NG");
		check_text(&f, "id", "read \"LOT4711\"");
		assert_string_equal(run(&f, &label_good), "NO_DECISION");
		check_text(&f, "id", "not_read");
	}
	end(&f);
}

static void a_code_too_small_to_read_is_read_enlarged(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image code = { 0 };
	struct fixture f;

	if (!qr_make("LOT004711", 1, &code))
		skip();
	begin(&f, "\"large\":{\"camera\":\"top\",\"tool\":\"image\",\"operations\":["
		  "{\"crop\":[50,40,50,50]},{\"resize\":{\"width\":200,\"height\":200,"
		  "\"resample\":\"nearest\"}},{\"rotate\":90}]},"
		  "\"id\":{\"camera\":\"top\",\"tool\":\"code\",\"kinds\":[\"qr\"],"
		  "\"input\":\"large\",\"expected\":\"LOT004711\"},"
		  "\"bare\":{\"camera\":\"top\",\"tool\":\"code\",\"kinds\":[\"qr\"],"
		  "\"expected\":\"LOT004711\"}");
	(void)run_code(&f, &code);
	check_text(&f, "bare", "no"); /* not_read; or no_reader: libzbar is not installed */
	if (strcmp(verdict(&f, "id"), "NO_DECISION") == 0)
		check_text(&f, "id", "no_reader");
	else
		assert_string_equal(verdict(&f, "id"), "OK");
	end(&f);
}

static void a_code_that_is_not_there_is_no_decision(void **state)
{
	struct fixture f;

	begin(&f, "\"id\":{\"camera\":\"top\",\"tool\":\"code\",\"kinds\":[\"datamatrix\"],"
		  "\"timeoutMs\":20,\"gate\":true,\"expected\":\"LOT7\"},"
		  "\"rim\":{\"camera\":\"top\",\"tool\":\"focus\",\"roi\":[380,0,20,300],"
		  "\"limits\":{\"mean\":{\"max\":255}}}");
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_text(&f, "id", "not_read");
	check_text(&f, "rim", "gated: step id");
	end(&f);
}

/* ---- recipes that are refused ---- */

static void what_could_never_decide_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *step, *pointer;
	} cases[] = {
		{ "\"tool\":\"caliper\",\"roi\":[0,0,50,9]", "" },
		{ "\"tool\":\"caliper\",\"roi\":[0,0,50,9],\"limits\":{}", "" },
		{ "\"tool\":\"caliper\",\"limits\":{\"count\":{\"min\":1}}", "" },
		{ "\"tool\":\"caliper\",\"roi\":[0,0,50,9],\"line\":[1,1,50,1,1],"
		  "\"limits\":{\"count\":{\"min\":1}}",
		  "" },
		{ "\"tool\":\"caliper\",\"line\":[1,1,2,1,1],\"limits\":{\"count\":{\"min\":1}}",
		  "/line" },
		{ "\"tool\":\"caliper\",\"line\":[1,1,400,1,1],\"limits\":{\"count\":{\"min\":1}}",
		  "/line" },
		{ "\"tool\":\"caliper\",\"line\":[1,1,90,1,0],\"limits\":{\"count\":{\"min\":1}}",
		  "/line/4" },
		{ "\"tool\":\"caliper\",\"roi\":[0,0,50,9],\"limits\":{\"widthPx\":{\"min\":1}}",
		  "/limits" },
		{ "\"tool\":\"caliper\",\"roi\":[0,0,50,9],\"limits\":{\"positionMm\":{\"min\":1}}",
		  "/limits" },
		{ "\"tool\":\"caliper\",\"roi\":[0,0,50,9],\"measure\":\"bar\",\"select\":"
		  "\"first\",\"limits\":{\"pitchPx\":{\"min\":1}}",
		  "/select" },
		{ "\"tool\":\"blob\",\"minAreaPx\":9,\"maxAreaPx\":8,"
		  "\"limits\":{\"count\":{\"min\":1}}",
		  "/minAreaPx" },
		{ "\"tool\":\"blob\"", "" },
		{ "\"tool\":\"presence\",\"roi\":[0,0,50,9]", "" },
		{ "\"tool\":\"presence\",\"limits\":{\"score\":{\"min\":0.5}}", "/limits/score" },
		{ "\"tool\":\"stain\",\"roi\":[0,0,50,5]", "/roi" },
		{ "\"tool\":\"colour\",\"limits\":{\"deltaE\":{\"max\":5}}", "" },
		{ "\"tool\":\"focus\"", "" },
		{ "\"tool\":\"code\",\"kinds\":[\"qr\"]", "" },
		{ "\"tool\":\"code\",\"kinds\":[\"qr\"],\"expected\":\"a\",\"pattern\":\"b\"", "" },
		{ "\"tool\":\"code\",\"kinds\":[\"qr\"],\"pattern\":\"[a\"", "/pattern" },
		{ "\"tool\":\"code\",\"kinds\":[\"pharmacode\"],\"expected\":\"a\"", "/kinds/0" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_recipe_set *set = NULL;
		struct vd_fault fault = { 0 };
		char text[512], pointer[64];

		(void)snprintf(text, sizeof text, "\"s\":{\"camera\":\"top\",%s}", cases[i].step);
		(void)snprintf(pointer, sizeof pointer, "/recipes/r/steps/s%s", cases[i].pointer);
		if (parse_set(text, &set, &fault) != -EINVAL)
			fail_msg("not refused: %s", cases[i].step);
		assert_int_equal(fault.code, 400);
		assert_true(strncmp(fault.pointer, pointer, strlen(pointer)) == 0);
		assert_string_not_equal(fault.text, "");
	}
}

static void a_tool_that_gauges_needs_no_model_and_changes_none(void **state)
{
	static const char learns[] = "\"v\":{\"camera\":\"top\",\"tool\":\"variation\"}";
	struct vd_recipe_set *one = NULL, *two = NULL;
	struct vd_fault fault = { 0 };
	char text[512];

	(void)snprintf(text, sizeof text,
		       "%s,\"f\":{\"camera\":\"top\",\"tool\":\"focus\",\"limits\":{\"mean\":"
		       "{\"max\":200}}}",
		       learns);
	assert_int_equal(parse_set(learns, &one, &fault), 0);
	assert_int_equal(parse_set(text, &two, &fault), 0);
	assert_string_equal(one->recipes[0].model_key, two->recipes[0].model_key);
	(void)vd_recipe_set_unref(one);
	(void)vd_recipe_set_unref(two);
}

VD_TEST_MAIN(cmocka_unit_test(a_good_part_passes_every_tool_with_its_measures),
	     cmocka_unit_test(each_fault_is_found_by_its_tool_and_by_no_other),
	     cmocka_unit_test(a_shut_gate_stops_the_steps_after_it),
	     cmocka_unit_test(measures_follow_the_part),
	     cmocka_unit_test(an_edge_that_is_not_there_is_no_decision),
	     cmocka_unit_test(every_edge_must_keep_the_limits_not_just_one),
	     cmocka_unit_test(a_frame_without_colours_is_no_decision),
	     cmocka_unit_test(a_part_out_of_view_is_no_decision),
	     cmocka_unit_test(a_template_that_is_gone_is_no_decision),
	     cmocka_unit_test(a_code_is_ok_only_if_it_is_the_expected_one),
	     cmocka_unit_test(a_code_too_small_to_read_is_read_enlarged),
	     cmocka_unit_test(a_code_that_is_not_there_is_no_decision),
	     cmocka_unit_test(what_could_never_decide_is_refused_with_its_place),
	     cmocka_unit_test(a_tool_that_gauges_needs_no_model_and_changes_none))
