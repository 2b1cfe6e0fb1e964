/* SPDX-License-Identifier: Apache-2.0 */
/* Model packages: what makes one fit for use, and what a step says when it is not. */
#include "modules/inspect/tools/package.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "modules/inspect/tools/infer.h"
#include "modules/inspect/inspector.h"
#include "modules/inspect/tools/rig.h"
#include "modules/inspect/tools/shelf.h"
#include "tests/unit/modules/inspect/model_folder.h"
#include "tests/unit/modules/inspect/model_step.h"

extern const char vd_package_schema_json[];
extern const size_t vd_package_schema_json_len;

#define INPUT   "\"input\":{\"width\":8,\"height\":8}"
#define CLASSES "\"classes\":[\"good\",\"scratch\"]"
#define CLASSIFIER                                                                                 \
	"\"backend\":\"fake\"," INPUT "," CLASSES                                                  \
	",\"output\":{\"type\":\"classification\",\"activation\":\"none\"}"
#define ANSWER(a, b) "[{\"sides\":[1,2],\"values\":[" #a "," #b "]}]"
#define GOOD         "{\"label\":\"good\",\"score\":0.9}"

/* ---- loading ---- */

static int load(const struct model_folder *folder, struct vd_fault *fault)
{
	struct vd_package *package = NULL;
	const int r = vd_package_load(folder->path, folder->sha256, 1, &package, fault);

	assert_true((r == 0) == (package != NULL));
	(void)vd_package_unref(package);
	return r;
}

static int load_made(const char *body, const char *expected, struct vd_fault *fault)
{
	struct model_folder folder;
	int r;

	model_make(&folder, body, expected);
	r = load(&folder, fault);
	model_remove(&folder);
	return r;
}

static void its_table_is_sound(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(
		vd_json_parse(vd_package_schema_json, vd_package_schema_json_len, &schema, &fault),
		0);
	if (vd_schema_verify(schema, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
}

static void a_package_that_answers_its_image_as_it_should_is_taken(void **state)
{
	struct vd_fault fault = { 0 };

	if (load_made(CLASSIFIER ",\"script\":[" ANSWER(0.9, 0.1) "]", GOOD, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
}

static void another_answer_to_its_image_refuses_it(void **state)
{
	static const char *const scripts[] = {
		ANSWER(0.1, 0.9),   /* another class */
		ANSWER(0.85, 0.15), /* another score */
		ANSWER(1.5, 0.1),   /* no probability */
		"[]",               /* none */
		"[{\"sides\":[3],\"values\":[0.9,0.1,0]}]",
		"[{\"sides\":[2],\"values\":[0.9]}]",
	};

	for (size_t i = 0; i < VD_COUNT(scripts); i++) {
		struct vd_fault fault = { 0 };
		char body[1024];

		(void)snprintf(body, sizeof body, CLASSIFIER ",\"script\":[%s]", scripts[i]);
		assert_int_equal(load_made(body, GOOD, &fault), -EPROTO);
		assert_non_null(strstr(fault.text, "self-test"));
	}
}

static void a_file_that_was_changed_or_is_gone_refuses_it(void **state)
{
	struct model_folder folder;
	struct vd_fault fault = { 0 };
	char path[256], ignored[VD_SHA256_TEXT];

	model_make(&folder, CLASSIFIER ",\"script\":[" ANSWER(0.9, 0.1) "]", GOOD);
	model_write(folder.path, "self.jpg", "other", 5, ignored);
	assert_int_equal(load(&folder, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "self.jpg"));
	(void)snprintf(path, sizeof path, "%s/self.jpg", folder.path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(load(&folder, &fault), -ENOENT);
	model_write(folder.path, "model.json", "{}", 2, ignored);
	assert_int_equal(load(&folder, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "model.json"));
	model_remove(&folder);
	assert_int_equal(load(&folder, &fault), -ENOENT);
}

static void what_contradicts_itself_is_refused(void **state)
{
	static const char *const bodies[] = {
		INPUT "," CLASSES ",\"output\":{\"type\":\"classification\"}", /* no weights */
		"\"weights\":{\"file\":\"../secret\",\"sha256\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\"}," INPUT
		"," CLASSES ",\"output\":{\"type\":\"classification\"}",
		"\"backend\":\"fake\"," INPUT "," CLASSES
		",\"output\":{\"type\":\"classification\"}",
		"\"backend\":\"fake\",\"script\":[[]]," INPUT
		",\"output\":{\"type\":\"classification\"}",
		"\"backend\":\"fake\",\"script\":[[]]," INPUT "," CLASSES
		",\"output\":{\"type\":\"yolo\"}",
		"\"backend\":\"fake\",\"script\":[[]]," INPUT "," CLASSES
		",\"output\":{\"type\":\"text\"}",
		"\"backend\":\"fake\",\"script\":[[]],\"input\":{\"width\":8,\"height\":8,\"std\":["
		"0]}," CLASSES ",\"output\":{\"type\":\"classification\"}",
		"\"backend\":\"fake\",\"script\":[[]],\"input\":{\"width\":0,\"height\":8}," CLASSES
		",\"output\":{\"type\":\"classification\"}",
		CLASSIFIER ",\"script\":[[]],\"surprise\":1",
	};

	for (size_t i = 0; i < VD_COUNT(bodies); i++) {
		struct vd_fault fault = { 0 };

		assert_int_equal(load_made(bodies[i], GOOD, &fault), -EBADMSG);
		assert_true(fault.text[0]);
	}
}

static void weights_without_a_runtime_or_that_are_none_refuse_it(void **state)
{
	struct vd_fault fault = { 0 };
	char sha256[VD_SHA256_TEXT], body[1024];
	struct model_folder folder;
	int r;

	assert_int_equal(vd_sha256_text("not a network", 13, sha256), 0);
	(void)snprintf(body, sizeof body,
		       "\"weights\":{\"file\":\"symbols.txt\",\"sha256\":\"%s\"}," INPUT "," CLASSES
		       ",\"output\":{\"type\":\"classification\"}",
		       sha256);
	model_make(&folder, body, GOOD);
	model_write(folder.path, "symbols.txt", "not a network", 13, sha256);
	r = load(&folder, &fault);
	assert_int_equal(r, vd_onnx_version() ? -EINVAL : -ENOSYS);
	assert_int_equal(fault.code, vd_onnx_version() ? 400 : 501);
	model_remove(&folder);
}

/* ---- steps ---- */

static void a_class_is_judged_by_what_is_expected_and_by_its_score(void **state)
{
	struct model_folder folder;
	struct station station;
	struct vd_fault fault = { 0 };

	model_make(&folder,
		   CLASSIFIER
		   ",\"thresholds\":{\"scratch\":0.8},\"script\":[" ANSWER(0.9, 0.1) "," ANSWER(
			   0.6, 0.4) "," ANSWER(0.45, 0.4) "," ANSWER(0.2,
								      0.75) "," ANSWER(0.1,
										       0.85) ",[]]",
		   GOOD);
	if (open_step(&station, &folder, "model", ",\"expected\":[\"good\"]", &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(look(&station), VD_OK);
	assert_string_equal(station.result.objects.list[0].label, "good");
	assert_int_equal(look(&station), VD_NO_DECISION); /* 0.45 is below 0.5 */
	assert_non_null(strstr(station.result.text, "uncertain"));
	assert_int_equal(station.result.objects.count, 0);
	assert_int_equal(look(&station), VD_NO_DECISION); /* 0.75 is below scratch's 0.8 */
	assert_int_equal(look(&station), VD_NG);
	assert_non_null(strstr(station.result.text, "scratch"));
	assert_int_equal(look(&station), VD_NO_DECISION); /* the network fails */
	assert_non_null(strstr(station.result.text, "model_failed"));
	assert_int_equal(look(&station), VD_OK); /* and comes back */
	close_step(&station);
	model_remove(&folder);
}

static void an_answer_that_takes_too_long_is_no_decision(void **state)
{
	struct model_folder folder;
	struct station station;
	struct vd_fault fault = { 0 };

	model_make(&folder, CLASSIFIER ",\"latencyMs\":30,\"script\":[" ANSWER(0.9, 0.1) "]", GOOD);
	assert_int_equal(open_step(&station, &folder, "model",
				   ",\"expected\":[\"good\"],\"timeoutMs\":5", &fault),
			 0);
	assert_int_equal(look(&station), VD_NO_DECISION);
	assert_non_null(strstr(station.result.text, "timeout"));
	close_step(&station);
	model_remove(&folder);
}

static void a_set_that_was_not_equipped_decides_nothing(void **state)
{
	struct model_folder folder;
	struct station station;
	struct vd_fault fault = { 0 };

	model_make(&folder, CLASSIFIER ",\"script\":[" ANSWER(0.9, 0.1) "]", GOOD);
	assert_int_equal(open_step(&station, &folder, "model", ",\"expected\":[\"good\"]", &fault),
			 0);
	station.set->recipes[0].steps[0].network.package =
		vd_package_unref(station.set->recipes[0].steps[0].network.package);
	assert_int_equal(look(&station), VD_NO_DECISION);
	assert_non_null(strstr(station.result.text, "no_model"));
	close_step(&station);
	model_remove(&folder);
}

/* Two of class 1 that overlap, one of class 0 at the same place; 8 x 8 fed, a region of 40 x 20. */
#define DETECTOR                                                                                   \
	"\"backend\":\"fake\",\"classes\":[\"pin\",\"hole\"],\"input\":{\"width\":8,\"height\":8}" \
	","                                                                                        \
	"\"output\":{\"type\":\"yolo\",\"places\":\"first\"},\"script\":["                         \
	"[{\"sides\":[1,3,6],\"values\":[4,4,2,4,0,0.9, 4,4,2.2,4,0,0.8, 4,4,2,4,0.7,0]}],"        \
	"[{\"sides\":[1,3,6],\"values\":[4,4,2,4,0,0.9, 4,4,2.2,4,0,0.8, 4,4,2,4,0.7,0]}],"        \
	"[{\"sides\":[1,1,6],\"values\":[4,4,2,4,0,0.1]}]]"
#define DETECTED                                                                                   \
	"{\"objects\":[{\"label\":\"hole\",\"score\":0.9,\"x\":15,\"y\":7.5,\"width\":10,"         \
	"\"height\":15},{\"label\":\"pin\",\"score\":0.7,\"x\":15,\"y\":7.5,\"width\":10,"         \
	"\"height\":15}]}"

static void objects_stand_in_the_frame_one_for_each_that_overlap(void **state)
{
	struct model_folder folder;
	struct station station;
	struct vd_fault fault = { 0 };
	const struct vd_object *found;

	model_make(&folder, DETECTOR, DETECTED);
	if (open_step(&station, &folder, "model",
		      ",\"roi\":[50,40,40,20],\"limits\":{\"count\":{\"min\":2,\"max\":2}}",
		      &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(look(&station), VD_OK);
	assert_int_equal(station.result.objects.count, 2);
	found = &station.result.objects.list[0];
	assert_string_equal(found->label, "hole");
	assert_int_equal(found->box.x, 65);
	assert_int_equal(found->box.y, 45);
	assert_int_equal(found->box.width, 10);
	assert_int_equal(found->box.height, 10);
	assert_float_equal(station.result.values[VD_MEASURE_COUNT], 2, 0);
	assert_int_equal(look(&station), VD_NG); /* none: 0 is a number too */
	assert_non_null(strstr(station.result.text, "count 0 is below 2"));
	close_step(&station);
	model_remove(&folder);
}

/* One object at the top left of what the model sees, in each of four turns. */
static void boxes_of_a_turned_region_stand_as_the_frame_does(void **state)
{
	static const struct {
		int degrees;
		struct vd_rect box; /* in a region of 40 x 20 at 50, 40 */
	} cases[] = {
		{ 0, { 50, 40, 10, 10 } },
		{ 90, { 50, 55, 20, 5 } },
		{ 180, { 80, 50, 10, 10 } },
		{ 270, { 70, 40, 20, 5 } },
	};
	struct model_folder folder;

	model_make(
		&folder,
		"\"backend\":\"fake\",\"classes\":[\"pin\"],\"input\":{\"width\":8,\"height\":8},"
		"\"output\":{\"type\":\"yolo\",\"places\":\"first\"},\"script\":["
		"[{\"sides\":[1,1,5],\"values\":[1,2,2,4,0.9]}]]",
		"{\"objects\":[{\"label\":\"pin\",\"score\":0.9,\"x\":0,\"y\":0,\"width\":10,"
		"\"height\":15}]}");
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct station station;
		struct vd_fault fault = { 0 };
		const struct vd_rect *box;
		char rest[128];

		(void)snprintf(rest, sizeof rest,
			       ",\"roi\":[50,40,40,20],\"expected\":[\"pin\"],\"turnDeg\":%d",
			       cases[i].degrees);
		if (open_step(&station, &folder, "model", rest, &fault) < 0)
			fail_msg("%s: %s", fault.pointer, fault.text);
		assert_int_equal(look(&station), VD_OK);
		box = &station.result.objects.list[0].box;
		assert_int_equal(box->x, cases[i].box.x);
		assert_int_equal(box->y, cases[i].box.y);
		assert_int_equal(box->width, cases[i].box.width);
		assert_int_equal(box->height, cases[i].box.height);
		close_step(&station);
	}
	model_remove(&folder);
}

static void each_expected_object_must_be_there_and_no_unexpected_one(void **state)
{
	static const struct {
		const char *rest;
		enum vd_verdict verdict;
	} cases[] = {
		{ ",\"expected\":[\"pin\",\"hole\"]", VD_OK },
		{ ",\"unexpected\":[\"pin\"]", VD_NG },
		{ ",\"unexpected\":[\"pin\"],\"minConfidence\":0.8", VD_OK },
		{ ",\"expected\":[\"pin\"],\"minConfidence\":0.8", VD_NG },
	};
	struct model_folder folder;

	model_make(&folder, DETECTOR, DETECTED);
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct station station;
		struct vd_fault fault = { 0 };

		if (open_step(&station, &folder, "model", cases[i].rest, &fault) < 0)
			fail_msg("%s: %s", fault.pointer, fault.text);
		assert_int_equal(look(&station), cases[i].verdict);
		close_step(&station);
	}
	model_remove(&folder);
}

static void a_line_of_text_is_compared_with_what_is_expected(void **state)
{
	static const char reader[] =
		"\"backend\":\"fake\",\"input\":{\"width\":8,\"height\":8,\"fit\":\"line\"},"
		"\"output\":{\"type\":\"text\"},\"hasSpace\":true,"
		"\"dictionary\":{\"file\":\"symbols.txt\",\"sha256\":\"%s\"},\"script\":["
		"[{\"sides\":[1,3,4],\"values\":[0,0.9,0,0, 0.9,0,0,0, 0,0,0.9,0]}],"
		"[{\"sides\":[1,3,4],\"values\":[0,0.9,0,0, 0.9,0,0,0, 0,0,0.9,0]}],"
		"[{\"sides\":[1,3,4],\"values\":[0,0.9,0,0, 0,0,0,0.9, 0,0,0.9,0]}],"
		"[{\"sides\":[1,1,4],\"values\":[0.9,0,0,0]}],"
		"[{\"sides\":[1,1,4],\"values\":[0,0.3,0,0]}]]";
	struct model_folder folder;
	struct station station;
	struct vd_fault fault = { 0 };
	char body[2048], sha256[VD_SHA256_TEXT];

	assert_int_equal(vd_sha256_text("A\nB\n", 4, sha256), 0);
	(void)snprintf(body, sizeof body, reader, sha256);
	model_make(&folder, body, "{\"text\":\"AB\"}");
	model_write(folder.path, "symbols.txt", "A\nB\n", 4, sha256);
	if (open_step(&station, &folder, "ocr", ",\"pattern\":\"^A+B$\"", &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(look(&station), VD_OK);
	assert_string_equal(station.result.read, "AB");
	assert_int_equal(look(&station), VD_NG);
	assert_string_equal(station.result.read, "A B");
	assert_int_equal(look(&station), VD_NO_DECISION);
	assert_non_null(strstr(station.result.text, "not_read"));
	assert_int_equal(look(&station), VD_NO_DECISION);
	assert_non_null(strstr(station.result.text, "uncertain"));
	close_step(&station);
	model_remove(&folder);
}

/* ---- a chain ---- */

/* Two pins; places first. The whole frame of 100 x 80 is fed as 8 x 8. */
#define TWO_PINS "[{\"sides\":[1,2,5],\"values\":[2,2,2,2,0.9, 6,6,2,2,0.8]}]"

static void make_chain(struct model_folder *finder, struct model_folder *judge)
{
	model_make(
		finder,
		"\"backend\":\"fake\",\"classes\":[\"pin\"],\"input\":{\"width\":8,\"height\":8},"
		"\"output\":{\"type\":\"yolo\",\"places\":\"first\"},\"script\":[" TWO_PINS
		"," TWO_PINS ",[{\"sides\":[1,1,5],\"values\":[2,2,0,2,0.9]}]]",
		"{\"objects\":[{\"label\":\"pin\",\"score\":0.9,\"x\":5,\"y\":3.75,\"width\":10,"
		"\"height\":7.5},{\"label\":\"pin\",\"score\":0.8,\"x\":25,\"y\":18.75,"
		"\"width\":10,\"height\":7.5}]}");
	model_make(judge,
		   CLASSIFIER
		   ",\"script\":[" ANSWER(0.9, 0.1) "," ANSWER(0.9, 0.1) "," ANSWER(0.1, 0.9) "]",
		   GOOD);
}

static void show_frame(struct vd_inspector *inspector, struct vd_recipe_set *set,
		       struct vd_outcome *outcome)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_item *item = NULL;

	assert_int_equal(vd_image_shape(&image, 100, 80, VD_GREY), 0);
	for (int y = 0; y < 80; y++)
		memset(vd_image_row(&image, y), 60 + y, 100);
	assert_int_equal(vd_item_new(set, vd_clock_mono_us(), &item), 0);
	item->shots[0].state = VD_SHOT_TAKEN;
	item->shots[0].is_jpeg = true;
	assert_int_equal(vd_jpeg_encode(&image, 95, &item->shots[0].bytes), 0);
	vd_outcome_fini(outcome);
	vd_inspector_run(inspector, item, outcome);
	(void)vd_item_free(item);
	assert_non_null(outcome->body);
}

static void each_object_is_classified_on_its_own_crop(void **state)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	VD_CLEANUP(vd_inspector_free) struct vd_inspector *inspector = NULL;
	struct vd_recipe_set *set = NULL;
	struct vd_outcome outcome = { 0 };
	struct vd_fault fault = { 0 };
	struct model_folder finder, judge;
	char steps[2048];

	make_chain(&finder, &judge);
	(void)snprintf(steps, sizeof steps,
		       "\"pins\":{\"camera\":\"top\",\"tool\":\"model\",\"package\":\"%s\","
		       "\"sha256\":\"%s\"},"
		       "\"each\":{\"camera\":\"top\",\"tool\":\"model\",\"package\":\"%s\","
		       "\"sha256\":\"%s\",\"foreach\":{\"step\":\"pins\"},\"expected\":[\"good\"]}",
		       finder.path, finder.sha256, judge.path, judge.sha256);
	if (parse(steps, "", &set, &fault) < 0 || vd_recipe_set_equip(set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(vd_inspector_new(&options, &inspector), 0);

	show_frame(inspector, set, &outcome); /* one is good, the other scratched */
	assert_int_equal(outcome.verdict, VD_NG);
	assert_int_equal(vd_json_int(vd_json_at(outcome.body, "/steps/each"), "runCount", 0), 2);
	assert_string_equal(
		vd_json_string(vd_json_at(outcome.body, "/steps/each/runs/0"), "verdict", ""),
		"NG");
	assert_int_equal(vd_json_int(vd_json_at(outcome.body, "/steps/each/runs/0"), "x", 0), 62);
	assert_string_equal(
		vd_json_string(vd_json_at(outcome.body, "/steps/each/model"), "sha256", ""),
		judge.sha256);
	show_frame(inspector, set, &outcome); /* a box without an inside is none */
	assert_int_equal(outcome.verdict, VD_NO_DECISION);
	vd_outcome_fini(&outcome);
	inspector = vd_inspector_free(inspector);
	(void)vd_recipe_set_unref(set);
	vd_shelf_clear();
	model_remove(&finder);
	model_remove(&judge);
}

/* ---- recipes ---- */

static void assert_refused(const struct model_folder *folder, const char *tool, const char *rest,
			   const char *pointer)
{
	struct station station;
	struct vd_fault fault = { 0 };

	assert_true(open_step(&station, folder, tool, rest, &fault) < 0);
	assert_string_equal(fault.pointer, pointer);
	assert_true(fault.text[0]);
	close_step(&station);
}

static void a_recipe_is_refused_whole_when_its_model_does_not_suit(void **state)
{
	struct model_folder folder, gone;

	model_make(&folder, CLASSIFIER ",\"script\":[" ANSWER(0.9, 0.1) "]", GOOD);
	gone = folder;
	(void)snprintf(gone.path, sizeof gone.path, "%s", "/nonexistent");
	assert_refused(&gone, "model", ",\"expected\":[\"good\"]", "/recipes/r/steps/m/package");
	assert_refused(&folder, "model", ",\"expected\":[\"god\"]", "/recipes/r/steps/m/expected");
	assert_refused(&folder, "model", ",\"unexpected\":[\"dent\"]",
		       "/recipes/r/steps/m/unexpected");
	assert_refused(&folder, "model", ",\"expected\":[\"good\"],\"unexpected\":[\"good\"]",
		       "/recipes/r/steps/m/unexpected");
	assert_refused(&folder, "ocr", ",\"expected\":\"A\"", "/recipes/r/steps/m/package");
	assert_refused(&folder, "ocr", "", "/recipes/r/steps/m");
	assert_refused(&folder, "model", "", "/recipes/r/steps/m"); /* nothing could be NG */
	model_remove(&folder);
}

static void a_rule_over_labels_may_judge_instead_of_the_step(void **state)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	char step[512];

	(void)snprintf(step, sizeof step,
		       "\"m\":{\"camera\":\"top\",\"tool\":\"model\",\"package\":\"/"
		       "p\",\"sha256\":\"%064d\"}",
		       0);
	assert_int_equal(parse(step,
			       ",\"verdict\":{\"cameras\":{\"top\":{\"rule\":\"expectedLabel\","
			       "\"label\":\"good\"}}}",
			       &set, &fault),
			 0);
	(void)vd_recipe_set_unref(set);
}

static void the_model_before_stays_loaded_for_the_way_back(void **state)
{
	struct model_folder folder;
	struct station first, second;
	struct vd_fault fault = { 0 };

	vd_shelf_clear();
	model_make(&folder, CLASSIFIER ",\"script\":[" ANSWER(0.9, 0.1) "]", GOOD);
	assert_int_equal(open_step(&first, &folder, "model", ",\"expected\":[\"good\"]", &fault),
			 0);
	model_remove(&folder); /* from here on it cannot be loaded */
	assert_int_equal(
		open_step(&second, &folder, "model", ",\"unexpected\":[\"scratch\"]", &fault), 0);
	assert_ptr_equal(first.set->recipes[0].steps[0].network.package,
			 second.set->recipes[0].steps[0].network.package);
	assert_int_equal(look(&first), VD_OK); /* an item in hand keeps its set */
	put_away(&first);
	assert_int_equal(look(&second), VD_OK);
	put_away(&second);
	assert_int_equal(open_step(&first, &folder, "model", ",\"expected\":[\"good\"]", &fault),
			 0);
	close_step(&first);
	assert_int_equal(open_step(&first, &folder, "model", ",\"expected\":[\"good\"]", &fault),
			 -ENOENT); /* the shelf was cleared */
	close_step(&first);
}

static void what_is_active_is_told(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	struct model_folder folder;
	struct station station;
	struct vd_fault fault = { 0 };
	const cJSON *one;

	model_make(&folder, CLASSIFIER ",\"script\":[" ANSWER(0.9, 0.1) "]", GOOD);
	assert_int_equal(open_step(&station, &folder, "model", ",\"expected\":[\"good\"]", &fault),
			 0);
	assert_true(vd_recipe_add_packages(&station.set->recipes[0], json));
	one = vd_json_at(json, "/packages/m");
	assert_string_equal(vd_json_string(one, "sha256", ""), folder.sha256);
	assert_string_equal(vd_json_string(one, "name", ""), "trial");
	assert_string_equal(vd_json_string(one, "backend", ""), "fake");
	close_step(&station);
	model_remove(&folder);
}

VD_TEST_MAIN(cmocka_unit_test(its_table_is_sound),
	     cmocka_unit_test(a_package_that_answers_its_image_as_it_should_is_taken),
	     cmocka_unit_test(another_answer_to_its_image_refuses_it),
	     cmocka_unit_test(a_file_that_was_changed_or_is_gone_refuses_it),
	     cmocka_unit_test(what_contradicts_itself_is_refused),
	     cmocka_unit_test(weights_without_a_runtime_or_that_are_none_refuse_it),
	     cmocka_unit_test(a_class_is_judged_by_what_is_expected_and_by_its_score),
	     cmocka_unit_test(an_answer_that_takes_too_long_is_no_decision),
	     cmocka_unit_test(a_set_that_was_not_equipped_decides_nothing),
	     cmocka_unit_test(objects_stand_in_the_frame_one_for_each_that_overlap),
	     cmocka_unit_test(boxes_of_a_turned_region_stand_as_the_frame_does),
	     cmocka_unit_test(each_expected_object_must_be_there_and_no_unexpected_one),
	     cmocka_unit_test(a_line_of_text_is_compared_with_what_is_expected),
	     cmocka_unit_test(each_object_is_classified_on_its_own_crop),
	     cmocka_unit_test(a_recipe_is_refused_whole_when_its_model_does_not_suit),
	     cmocka_unit_test(a_rule_over_labels_may_judge_instead_of_the_step),
	     cmocka_unit_test(the_model_before_stays_loaded_for_the_way_back),
	     cmocka_unit_test(what_is_active_is_told))
