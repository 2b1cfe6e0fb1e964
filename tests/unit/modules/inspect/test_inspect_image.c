/* SPDX-License-Identifier: Apache-2.0 */
/* Images made in steps: from recipe to record, and back to the places in the frame. */
#include "modules/inspect/tools/edited.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "modules/inspect/inspector.h"
#include "modules/inspect/tools/shelf.h"
#include "tests/unit/modules/inspect/document.h"
#include "tests/unit/modules/inspect/label.h"
#include "tests/unit/modules/inspect/model_folder.h"
#include "tests/unit/modules/vision/near.h"

/* ---- placements ---- */

static void check_round(const struct vd_placement *placement, struct vd_rect box,
			struct vd_rect wanted)
{
	const struct vd_placement back = vd_placement_back(placement);
	const struct vd_rect there = vd_placement_box(placement, box);
	const struct vd_rect here = vd_placement_box(&back, there);

	assert_memory_equal(&there, &wanted, sizeof there);
	assert_memory_equal(&here, &box, sizeof here);
}

static void a_box_is_carried_there_and_back(void **state)
{
	const struct vd_rect box = { 3, 5, 7, 2 };
	const struct vd_placement shift = vd_placement_shift(100, 50);
	const struct vd_placement scale = vd_placement_scale(4, 2);
	const struct vd_placement once = vd_placement_turn(1, 40, 30);
	const struct vd_placement twice = vd_placement_turn(2, 40, 30);
	const struct vd_placement thrice = vd_placement_turn(3, 40, 30);
	const struct vd_placement all = vd_placement_join(&shift, &scale);

	check_round(&shift, box, (struct vd_rect){ 103, 55, 7, 2 });
	check_round(&scale, box, (struct vd_rect){ 12, 10, 28, 4 });
	check_round(&all, box, (struct vd_rect){ 112, 60, 28, 4 });
	check_round(&once, box, (struct vd_rect){ 5, 20, 2, 7 });
	check_round(&twice, box, (struct vd_rect){ 30, 23, 7, 2 });
	check_round(&thrice, box, (struct vd_rect){ 33, 3, 2, 7 });
}

static void a_box_of_parts_of_pixels_is_rounded_outwards(void **state)
{
	const struct vd_placement half = vd_placement_scale(0.5, 0.5);
	const struct vd_rect box = vd_placement_box(&half, (struct vd_rect){ 3, 4, 1, 1 });

	assert_memory_equal(&box, (&(struct vd_rect){ 1, 2, 1, 1 }), sizeof box);
}

static void a_place_that_no_number_holds_is_beyond_any_image(void **state)
{
	const struct vd_image image = { .width = 16384, .height = 16384 };
	const struct vd_rect box = { 5, 5, 20, 20 };
	struct vd_placement placement = vd_placement_shift(3, 3);

	for (int i = 0; i < 200; i++) {
		const struct vd_placement tiny = vd_placement_scale(1 / 16384.0, 1 / 16384.0);
		struct vd_placement back;

		placement = vd_placement_join(&placement, &tiny);
		back = vd_placement_back(&placement);
		if (i > 0)
			assert_int_equal(vd_image_clip(&image, vd_placement_box(&back, box)).width,
					 0);
	}
}

static void a_pose_is_about_the_middles_of_pixels(void **state)
{
	const struct vd_pose pose = { .cx = 20, .cy = 10, .dx = 3, .dy = -2, .angle_deg = 90 };
	const struct vd_placement placement = vd_placement_pose(&pose);
	const struct vd_placement back = vd_placement_back(&placement);
	double x, y, u, v;

	vd_pose_map(&pose, 25, 11, &x, &y);
	vd_placement_map(&placement, 25.5, 11.5, &u, &v);
	assert_near(u, x + 0.5, 1e-9);
	assert_near(v, y + 0.5, 1e-9);
	vd_placement_map(&back, u, v, &u, &v);
	assert_near(u, 25.5, 1e-9);
	assert_near(v, 11.5, 1e-9);
}

/* ---- recipes ---- */

#define FRAME ",`frame`:{`width`:400,`height`:300}"

static int read_recipe(const char *steps, const char *more, struct vd_recipe_set **set,
		       struct vd_fault *fault)
{
	char text[8192];
	const int n = snprintf(text, sizeof text,
			       "{`active`:`r`,`workers`:3,`recipes`:{`r`:{`rev`:1,`cameras`:[`top`]"
			       "%s,`steps`:{%s}}}}",
			       more, steps);

	assert_true(n > 0 && (size_t)n < sizeof text);
	return document_read(text, set, fault);
}

static void check_refused(const char *steps, const char *more, const char *at, const char *wanted)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	char pointer[256];

	(void)snprintf(pointer, sizeof pointer, "/recipes/r/steps/%s", at);
	if (read_recipe(steps, more, &set, &fault) != -EINVAL)
		fail_msg("taken: %s", steps);
	if (strcmp(fault.pointer, pointer) != 0 || !strstr(fault.text, wanted))
		fail_msg("%s: %s, not %s: %s", fault.pointer, fault.text, pointer, wanted);
}

#define IMAGE "{`camera`:`top`,`tool`:`image`,"
#define SEES  "{`camera`:`top`,`tool`:`focus`,`limits`:{`mean`:{`min`:1}}"

static void an_input_that_makes_no_image_is_refused(void **state)
{
	const char *grey = "`a`:" IMAGE "`operations`:[{`grey`:true}]}";
	char steps[1024];

	check_refused("`s`:" SEES ",`input`:`nix`}", "", "s/input", "no step \"nix\"");
	check_refused("`a`:" SEES "},`s`:" SEES ",`input`:`a`}", "", "s/input",
		      "makes no image: step \"a\"");
	(void)snprintf(steps, sizeof steps,
		       "%s,`c`:{`camera`:`top`,`tool`:`colour`,`input`:`a`,`reference`:[1,2,3],`"
		       "limits`:{`deltaE`:{`max`:1}}}",
		       grey);
	check_refused(steps, "", "c/input", "no colours: step \"a\"");
}

static void an_image_made_of_itself_is_refused(void **state)
{
	check_refused("`a`:" IMAGE "`input`:`b`,`operations`:[{`grey`:true}]},`b`:" IMAGE
		      "`input`:`a`,`operations`:[{`grey`:true}]},`s`:" SEES "}",
		      "", "a/input", "a circle");
	check_refused("`a`:" IMAGE "`needs`:[`s`],`operations`:[{`grey`:true}]},`s`:" SEES
		      ",`input`:`a`}",
		      "", "a/needs", "a needs s needs a");
}

static void what_is_learnt_takes_no_image(void **state)
{
	static const char *const tools[] = { "`tool`:`variation`", "`tool`:`texture`",
					     "`tool`:`locate`,`roi`:[0,0,50,50]" };

	for (size_t i = 0; i < VD_COUNT(tools); i++) {
		char steps[1024];

		(void)snprintf(steps, sizeof steps,
			       "`a`:" IMAGE
			       "`operations`:[{`grey`:true}]},`s`:{`camera`:`top`,`input`:`a`,%s}",
			       tools[i]);
		check_refused(steps, "", "s/input", "learnt from frames as they come");
	}
}

static void operations_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *operations, *at, *wanted;
	} cases[] = {
		{ "", "a/operations", "" },
		{ "{}", "a/operations/0", "" },
		{ "{`grey`:true,`rotate`:90}", "a/operations/0", "" },
		{ "{`grey`:false}", "a/operations/0/grey", "" },
		{ "{`rotate`:45}", "a/operations/0/rotate", "" },
		{ "{`grey`:true},{`crop`:[1,1,0,5]}", "a/operations/1/crop", "empty" },
		{ "{`resize`:{`width`:16384,`height`:1025}}", "a/operations/0/resize", "16777216" },
		{ "{`resize`:{`width`:16385,`height`:1}}", "a/operations/0/resize/width", "" },
		{ "{`crop`:[400,0,5,5]}", "a/operations/0/crop", "leaves nothing" },
		{ "{`rotate`:90},{`crop`:[0,399,5,5]},{`crop`:[0,1,5,5]}", "a/operations/2/crop",
		  "leaves nothing" },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		char steps[1024];

		(void)snprintf(steps, sizeof steps,
			       "`a`:" IMAGE "`operations`:[%s]},`s`:" SEES ",`input`:`a`}",
			       cases[i].operations);
		check_refused(steps, FRAME, cases[i].at, cases[i].wanted);
	}
}

static void regions_are_held_against_the_image_they_refer_to(void **state)
{
	const char *const half =
		"`a`:" IMAGE "`operations`:[{`resize`:{`width`:200,`height`:150}}]}";
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };
	char steps[1024];

	(void)snprintf(steps, sizeof steps, "%s,`s`:" SEES ",`input`:`a`,`roi`:[150,100,51,50]}",
		       half);
	check_refused(steps, "", "s/roi", "not inside the image");
	(void)snprintf(steps, sizeof steps,
		       "%s,`b`:" IMAGE "`input`:`a`,`operations`:[{`rotate`:90}]},`s`:" SEES
		       ",`input`:`b`,`roi`:[100,150,50,50]}",
		       half);
	assert_int_equal(read_recipe(steps, FRAME, &set, &fault), 0);
	(void)vd_recipe_set_unref(set);
	check_refused("`s`:" SEES ",`roi`:[350,100,51,50]}", FRAME, "s/roi",
		      "not inside the frame");
	check_refused("`a`:" IMAGE
		      "`operations`:[{`crop`:[0,0,90,90]}]},`s`:{`camera`:`top`,`tool`:`caliper`,`"
		      "input`:`a`,`line`:[10,10,90,10,3],`limits`:{`count`:{`min`:1}}}",
		      FRAME, "s/line", "not inside the image");
}

#define LOCATE "{`camera`:`top`,`tool`:`locate`,`roi`:[220,20,80,80],`golden`:{`file`:`%s`}"

static void an_image_follows_only_a_part_found_in_what_it_is_made_of(void **state)
{
	check_refused("`p`:" LOCATE "},`a`:" IMAGE "`alignTo`:`p`,`operations`:[{`grey`:true}]}",
		      "", "a/alignTo", "needs a crop first");
	check_refused("`p`:" LOCATE "},`a`:" IMAGE
		      "`alignTo`:`p`,`operations`:[{`crop`:[390,0,20,20]}]}",
		      FRAME, "a/operations/0/crop", "not inside the image");
	check_refused("`p`:" LOCATE "},`a`:" IMAGE "`operations`:[{`grey`:true}]},`s`:" SEES
		      ",`input`:`a`,`alignTo`:`p`,`roi`:[1,1,9,9]}",
		      "", "s/alignTo", "in another image: step \"p\"");
}

static void an_image_judges_nothing(void **state)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(
		read_recipe("`a`:" IMAGE "`operations`:[{`grey`:true}]}", "", &set, &fault),
		-EINVAL);
	assert_string_equal(fault.pointer, "/recipes/r/cameras/0");
	assert_int_equal(read_recipe("`a`:" IMAGE "`operations`:[{`grey`:true}]},`s`:" SEES "}",
				     ",`verdict`:{`item`:{`steps`:[`s`,`a`]}}", &set, &fault),
			 -EINVAL);
	assert_string_equal(fault.pointer, "/recipes/r/verdict/item/steps/1");
	assert_non_null(strstr(fault.text, "judges nothing"));
}

static void images_are_kept_only_where_there_is_room_and_nothing_to_hide(void **state)
{
#define KEPT "`:" IMAGE "`keep`:true,`operations`:[{`grey`:true}]}"
	check_refused("`s`:" SEES "},`a" KEPT ",`b" KEPT ",`c" KEPT, "", "c/keep", "more than 4");
	check_refused("`s`:" SEES "},`a/b" KEPT, "", "a~1b/keep", "names a file");
	check_refused("`s`:" SEES "},`a" KEPT, ",`images`:{`blur`:{`top`:[[0,0,5,5]]}}", "a/keep",
		      "blurred");
}

/* ---- running ---- */

struct fixture {
	char template[64];
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_outcome outcome;
};

static void begin_more(struct fixture *f, const char *steps, const char *more)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct vd_fault fault = { 0 };
	const char *mark = strstr(steps, "%s");
	char text[4096];
	int fd;

	*f = (struct fixture){ .template = "/tmp/image-XXXXXX" };
	fd = mkstemp(f->template);
	label_photograph(&label_good, &jpeg);
	assert_int_equal(write(fd, jpeg.data, jpeg.len), jpeg.len);
	(void)close(fd);
	(void)snprintf(text, sizeof text, "%.*s%s%s", mark ? (int)(mark - steps) : 0, steps,
		       mark ? f->template : "", mark ? mark + 2 : steps);
	if (read_recipe(text, more, &f->set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	if (vd_recipe_set_equip(f->set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
}

static void begin(struct fixture *f, const char *steps)
{
	begin_more(f, steps, FRAME);
}

static void end(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
	(void)unlink(f->template);
}

/* label NULL: a frame that failed */
static const char *run(struct fixture *f, const struct label *label)
{
	struct vd_item *item = NULL;

	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &item), 0);
	item->shots[0].state = label ? VD_SHOT_TAKEN : VD_SHOT_FAILED;
	item->shots[0].is_jpeg = true;
	if (label)
		label_photograph(label, &item->shots[0].bytes);
	vd_outcome_fini(&f->outcome);
	vd_inspector_run(f->inspector, item, &f->outcome);
	(void)vd_item_free(item);
	assert_non_null(f->outcome.body);
	return vd_verdict_name(f->outcome.verdict);
}

static void check_run(struct fixture *f, const struct label *label, const char *wanted)
{
	const char *verdict = run(f, label);
	VD_CLEANUP(vd_free) char *text = cJSON_Print(f->outcome.body);

	if (strcmp(verdict, wanted) != 0)
		fail_msg("%s: %s", verdict, text);
}

static const cJSON *step(const struct fixture *f, const char *id)
{
	const cJSON *json = vd_json_get(vd_json_object(f->outcome.body, "steps"), id);

	assert_non_null(json);
	return json;
}

static double measure(const struct fixture *f, const char *id, const char *name)
{
	return vd_json_number(vd_json_object(step(f, id), "measures"), name, NAN);
}

static void check_text(const struct fixture *f, const char *id, const char *wanted)
{
	const char *text = vd_json_string(step(f, id), "text", "");

	assert_string_equal(vd_json_string(step(f, id), "verdict", ""), "NO_DECISION");
	if (!strstr(text, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, text);
}

#define HOLES "{`camera`:`top`,`tool`:`blob`,`polarity`:`dark`,`limits`:{`count`:{`min`:5,`max`:5}}"

/* Five holes, where they are in the frame, whatever they were counted in. */
static void check_holes(const struct fixture *f, const char *id, double tolerance)
{
	const cJSON *hole;
	bool is_there[5] = { false };

	cJSON_ArrayForEach(hole, vd_json_array(step(f, id), "objects"))
	{
		const double width = vd_json_number(hole, "width", 0);
		const double x = vd_json_number(hole, "x", 0) + width / 2;
		const int i = (int)lrint((x - 30.5) / 36);

		assert_in_range(i, 0, 4);
		assert_near(x, 30.5 + 36 * i, tolerance);
		assert_near(vd_json_number(hole, "y", 0) + vd_json_number(hole, "height", 0) / 2,
			    150.5, tolerance);
		assert_near(width, 22, 2 * tolerance);
		is_there[i] = true;
	}
	for (int i = 0; i < 5; i++)
		assert_true(is_there[i]);
}

static void objects_have_their_place_in_the_frame_whatever_was_done(void **state)
{
	static const struct {
		const char *operations;
		double tolerance;
		int width, height;
	} cases[] = {
		{ "{`crop`:[10,120,200,60]}", 1, 200, 60 },
		{ "{`crop`:[5,120,200,60]},{`rotate`:90}", 1, 60, 200 },
		{ "{`rotate`:270},{`crop`:[120,190,60,16384]}", 1, 60, 210 },
		{ "{`rotate`:180},{`crop`:[190,120,210,60]}", 1, 210, 60 },
		{ "{`crop`:[10,120,200,60]},{`resize`:{`width`:400,`height`:120}}", 1, 400, 120 },
		{ "{`crop`:[10,120,200,60]},{`resize`:{`width`:100,`height`:60,`resample`:`nearest`"
		  "}}",
		  3, 100, 60 },
		{ "{`crop`:[10,120,200,60]},{`resize`:{`width`:640,`height`:60,`resample`:`lanczos`"
		  "}},{`rotate`:90},{`crop`:[0,0,60,640]},{`blur`:[]}",
		  1, 60, 640 },
		{ "{`grey`:true},{`crop`:[10,120,200,60]}", 1, 200, 60 },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct fixture f;
		char steps[1024];

		(void)snprintf(steps, sizeof steps,
			       "`a`:" IMAGE "`operations`:[%s]},`holes`:" HOLES
			       ",`minAreaPx`:100,`input`:`a`}",
			       cases[i].operations);
		begin(&f, steps);
		check_run(&f, &label_good, "OK");
		check_holes(&f, "holes", cases[i].tolerance);
		assert_string_equal(vd_json_string(step(&f, "holes"), "input", ""), "a");
		assert_int_equal(vd_json_int(step(&f, "a"), "width", 0), cases[i].width);
		assert_int_equal(vd_json_int(step(&f, "a"), "height", 0), cases[i].height);
		end(&f);
	}
}

static void images_are_made_of_images(void **state)
{
	struct fixture f;

	begin(&f, "`c`:" IMAGE
		  "`input`:`b`,`operations`:[{`resize`:{`width`:120,`height`:400}}]},`a`:" IMAGE
		  "`operations`:[{`crop`:[10,120,200,60]}]},`b`:" IMAGE
		  "`input`:`a`,`operations`:[{`rotate`:270}]},`holes`:" HOLES
		  ",`minAreaPx`:800,`input`:`c`}");
	for (int i = 0; i < 3; i++) {
		check_run(&f, &label_good, "OK");
		check_holes(&f, "holes", 1);
	}
	end(&f);
}

static void measures_are_in_the_pixels_of_the_image(void **state)
{
	struct fixture f;

	begin(&f, "`a`:" IMAGE "`operations`:[{`crop`:[20,20,160,80]},{`resize`:{`width`:320,`"
		  "height`:160}},{`rotate`:90}]},`gap`:{`camera`:`top`,`tool`:`"
		  "caliper`,`input`:`a`,`line`:[80,0,80,319,21],`measure`:`bar`,`"
		  "transition`:`toDark`,`limits`:{`widthPx`:{`min`:79,`max`:81}}}");
	check_run(&f, &label_good, "OK");
	assert_near(measure(&f, "gap", "widthPx"), 80, 0.2);
	end(&f);
}

static void colours_stay(void **state)
{
	static const char colour[] = "{`camera`:`top`,`tool`:`colour`,`roi`:[%s],`reference`:[41.5,"
				     "58.5,33.2],`limits`:{`deltaE`:{`max`:4}}%s}";
	struct fixture f;
	char text[2048], plain[512], made[512];

	(void)snprintf(plain, sizeof plain, colour, "240,190,80,70", "");
	(void)snprintf(made, sizeof made, colour, "20,20,140,160", ",`input`:`a`");
	(void)snprintf(text, sizeof text,
		       "`a`:" IMAGE "`operations`:[{`crop`:[230,180,100,90]},{`rotate`:90},{`"
		       "resize`:{`width`:180,`height`:200}}]},`plain`:%s,`made`:%s",
		       plain, made);
	begin(&f, text);
	check_run(&f, &label_good, "OK");
	assert_near(measure(&f, "made", "labA"), measure(&f, "plain", "labA"), 0.5);
	check_run(&f, &(struct label){ .bar_px = 40, .holes = 5, .is_green = true }, "NG");
	check_run(&f, &(struct label){ .bar_px = 40, .holes = 5, .is_grey = true }, "NO_DECISION");
	check_text(&f, "made", "no_colour");
	end(&f);
}

static void blurred_areas_are_blurred_for_those_who_look_at_the_image(void **state)
{
	struct fixture f;

	begin(&f, "`a`:" IMAGE "`operations`:[{`blur`:[[220,20,80,80],[399,299,1,1],[0,0,0,0]]}]},`"
		  "hidden`:{`camera`:`top`,`tool`:`presence`,`input`:`a`,`roi`:[235,35,50,"
		  "50],`limits`:{`spread`:{`max`:8}}},`seen`:{`camera`:`top`,`tool`:`"
		  "presence`,`roi`:[235,35,50,50],`limits`:{`spread`:{`min`:15}}}");
	check_run(&f, &label_good, "OK");
	end(&f);
}

static void a_single_pixel_is_an_image(void **state)
{
	struct fixture f;

	begin(&f, "`a`:" IMAGE "`operations`:[{`crop`:[399,299,16384,16384]},{`rotate`:90},{`blur`:"
		  "[[0,0,1,1]]}]},`b`:" IMAGE
		  "`input`:`a`,`operations`:[{`resize`:{`width`:3,`height`:2,`resample`:`lanczos`}}"
		  "]},`s`:{`camera`:`top`,`tool`:`presence`,`input`:`b`,`limits`:{`mean`:{`min`:"
		  "100,`max`:200}}}");
	check_run(&f, &label_good, "OK");
	assert_int_equal(vd_json_int(step(&f, "a"), "width", 0), 1);
	end(&f);
}

/* ---- what fails ---- */

static void a_crop_of_nothing_leaves_all_who_look_at_it_undecided(void **state)
{
	struct fixture f;

	begin_more(&f,
		   "`a`:" IMAGE "`operations`:[{`crop`:[400,0,10,10]}]},`b`:" IMAGE
		   "`input`:`a`,`operations`:[{`grey`:true}]},`s`:" SEES
		   ",`input`:`b`},`other`:" SEES "}",
		   "");
	check_run(&f, &label_good, "NO_DECISION");
	check_text(&f, "a", "outside: a crop leaves nothing");
	check_text(&f, "b", "no_image: step a: outside");
	check_text(&f, "s", "no_image: step b: no_image: step a: outside");
	assert_string_equal(vd_json_string(step(&f, "s"), "state", ""), "notRun");
	assert_string_equal(vd_json_string(step(&f, "other"), "verdict", ""), "OK");
	end(&f);
}

static void the_last_items_image_is_never_judged_again(void **state)
{
	struct fixture f;

	begin(&f, "`a`:" IMAGE "`operations`:[{`crop`:[10,10,90,90]}]},`s`:" SEES ",`input`:`a`}");
	check_run(&f, &label_good, "OK");
	check_run(&f, NULL, "NO_DECISION");
	check_text(&f, "a", "no_frame");
	check_text(&f, "s", "no_frame");
	assert_null(vd_json_get(step(&f, "a"), "width"));
	check_run(&f, &label_good, "OK");
	end(&f);
}

static void an_image_is_neither_for_the_part_nor_against_it(void **state)
{
	const struct label few = { .bar_px = 40, .holes = 3 };
	struct fixture f;

	begin_more(&f,
		   "`a`:" IMAGE "`operations`:[{`grey`:true}]},`s`:" HOLES
		   ",`input`:`a`,`minAreaPx`:200,`roi`:[10,120,190,60]}",
		   ",`verdict`:{`cameras`:{`top`:{`rule`:`anyOk`}}}");
	check_run(&f, &label_good, "OK");
	check_run(&f, &few, "NG");
	end(&f);
}

static void who_looks_at_a_skipped_image_is_skipped(void **state)
{
	struct fixture f;

	begin(&f, "`h`:" HOLES ",`roi`:[10,120,190,60],`minAreaPx`:200},`a`:" IMAGE
		  "`condition`:`steps.h.count < "
		  "5`,`whenSkipped`:`ok`,`operations`:[{`grey`:true}]},`s`:" SEES
		  ",`input`:`a`,`whenSkipped`:`ok`}");
	check_run(&f, &label_good, "OK");
	assert_string_equal(vd_json_string(step(&f, "s"), "state", ""), "skipped");
	end(&f);
}

/* ---- with other steps ---- */

static void objects_found_in_one_image_are_looked_at_in_another(void **state)
{
	struct fixture f;

	begin(&f,
	      "`low`:" IMAGE "`operations`:[{`resize`:{`width`:200,`height`:150}}]},`strip`:" IMAGE
	      "`operations`:[{`crop`:[0,120,210,60]},{`rotate`:90},{`resize`:{`width`:120,`height`:"
	      "420}}]},`holes`:" HOLES
	      ",`input`:`low`,`roi`:[5,60,95,30],`minAreaPx`:40},`full`:{`camera`:`top`,`tool`:`"
	      "presence`,`foreach`:{`step`:`holes`},`limits`:{`mean`:{`max`:90}}},`turned`:{`"
	      "camera`:`top`,`tool`:`presence`,`input`:`strip`,`foreach`:{`step`:`holes`},`limits`:"
	      "{`mean`:{`max`:90}}}");
	check_run(&f, &label_good, "OK");
	check_holes(&f, "holes", 2);
	assert_int_equal(vd_json_int(step(&f, "turned"), "runCount", 0), 5);
	assert_near(measure(&f, "turned", "mean"), measure(&f, "full", "mean"), 4);
	end(&f);
}

static void an_object_beyond_the_image_is_no_decision(void **state)
{
	struct fixture f;

	begin(&f, "`a`:" IMAGE "`operations`:[{`crop`:[0,0,60,200]}]},`holes`:" HOLES
		  ",`roi`:[10,120,190,60],`minAreaPx`:200},`each`:{`camera`:`top`,`tool`:`presence`"
		  ",`input`:`a`,`foreach`:{`step`:`holes`},`limits`:{`mean`:{`max`:90}}}");
	check_run(&f, &label_good, "NO_DECISION");
	check_text(&f, "each", "bad_region");
	end(&f);
}

static void a_crop_follows_the_part(void **state)
{
	const struct label moved = { .bar_px = 40, .holes = 5, .has_mark = true, .dx = 6, .dy = 4 };
	struct fixture f;

	begin_more(&f,
		   "`pos`:" LOCATE "},`a`:" IMAGE "`alignTo`:`pos`,`operations`:[{`crop`:[20,120,"
		   "180,60]},{`rotate`:90}]},`holes`:" HOLES
		   ",`input`:`a`,`minAreaPx`:200},`edge`:{`camera`:`top`,`tool`:`presence`,`input`:"
		   "`a`,`roi`:[21,38,16,16],`limits`:{`mean`:{`max`:90}}}",
		   FRAME ",`verdict`:{`cameras`:{`top`:{`rule`:`all`,`rules`:[{`rule`:`position`,`"
			 "x`:30,`y`:150,`tolerancePx`:2,`step`:`holes`}]}}}");
	check_run(&f, &label_good, "OK");
	check_run(&f, &moved, "OK");
	assert_near(
		vd_json_number(cJSON_GetArrayItem(vd_json_array(step(&f, "holes"), "objects"), 0),
			       "y", 0) +
			11,
		154.5, 1.5);
	end(&f);
}

static void a_part_is_located_in_an_image(void **state)
{
	const struct label moved = {
		.bar_px = 40, .holes = 5, .has_mark = true, .dx = -5, .dy = 3
	};
	struct fixture f;

	begin(&f, "`a`:" IMAGE "`operations`:[{`blur`:[[0,200,10,10]]}]},`pos`:" LOCATE
		  ",`input`:`a`},`hole`:{`camera`:`top`,`tool`:`presence`,`input`:`a`,`alignTo`:`"
		  "pos`,`roi`:[22,142,16,16],`limits`:{`mean`:{`max`:70}}}");
	check_run(&f, &moved, "OK");
	end(&f);
}

static void a_part_that_is_not_found_gives_no_image(void **state)
{
	const struct label bare = { .bar_px = 40, .holes = 5 };
	struct fixture f;

	begin(&f,
	      "`pos`:" LOCATE "},`a`:" IMAGE
	      "`alignTo`:`pos`,`operations`:[{`crop`:[20,120,180,60]}]},`s`:" SEES ",`input`:`a`}");
	check_run(&f, &bare, "NO_DECISION");
	check_text(&f, "a", "not_located");
	check_text(&f, "s", "no_image: step a: not_located");
	end(&f);
}

static void a_model_is_asked_about_an_image(void **state)
{
	struct model_folder folder;
	struct fixture f;
	const cJSON *object;
	char steps[1024];

	model_make(&folder,
		   "\"backend\":\"fake\",\"input\":{\"width\":8,\"height\":8},\"classes\":["
		   "\"good\",\"bad\"],\"output\":{\"type\":\"classification\",\"activation\":"
		   "\"none\"},\"script\":[[{\"sides\":[1,2],\"values\":[0.9,0.1]}]]",
		   "{\"label\":\"good\",\"score\":0.9}");
	(void)snprintf(steps, sizeof steps,
		       "`a`:" IMAGE "`operations`:[{`crop`:[100,50,60,40]},{`rotate`:90}]},`m`:{`"
		       "camera`:`top`,`tool`:`model`,`input`:`a`,`roi`:[10,20,20,30],`"
		       "expected`:[`good`],`package`:`%s`,`sha256`:`%s`}",
		       folder.path, folder.sha256);
	begin(&f, steps);
	check_run(&f, &label_good, "OK");
	object = cJSON_GetArrayItem(vd_json_array(step(&f, "m"), "objects"), 0);
	assert_int_equal(vd_json_int(object, "x", 0), 120);
	assert_int_equal(vd_json_int(object, "y", 0), 60);
	assert_int_equal(vd_json_int(object, "width", 0), 30);
	assert_int_equal(vd_json_int(object, "height", 0), 20);
	end(&f);
	vd_shelf_clear();
	model_remove(&folder);
}

/* ---- keeping ---- */

static void an_image_is_kept_with_the_verdicts_that_keep_images(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_jpeg_info info = { 0 };
	struct fixture f;

	begin_more(&f,
		   "`a`:" IMAGE
		   "`keep`:true,`quality`:70,`operations`:[{`crop`:[230,180,90,80]}]},`b`:" IMAGE
		   "`keep`:true,`input`:`a`,`operations`:[{`grey`:true}]},`s`:" SEES
		   ",`input`:`a`}",
		   ",`images`:{`keep`:{`OK`:`1/2`}}");
	check_run(&f, &label_good, "OK");
	assert_int_equal(f.outcome.made_count, 0);
	check_run(&f, &label_good, "OK");
	assert_int_equal(f.outcome.made_count, 2);
	assert_int_equal(f.outcome.made[1].step, 1);
	assert_int_equal(vd_jpeg_decode_rgb(f.outcome.made[0].jpeg.data, f.outcome.made[0].jpeg.len,
					    NULL, &image, &info, NULL),
			 0);
	assert_int_equal(info.width, 90);
	assert_int_equal(info.height, 80);
	assert_int_equal(info.components, 3);
	assert_int_equal(vd_jpeg_head(f.outcome.made[1].jpeg.data, f.outcome.made[1].jpeg.len, NULL,
				      &info, NULL),
			 0);
	assert_int_equal(info.components, 1);
	check_run(&f, NULL, "NO_DECISION");
	assert_int_equal(f.outcome.made_count, 0);
	end(&f);
}

VD_TEST_MAIN(cmocka_unit_test(a_box_is_carried_there_and_back),
	     cmocka_unit_test(a_box_of_parts_of_pixels_is_rounded_outwards),
	     cmocka_unit_test(a_place_that_no_number_holds_is_beyond_any_image),
	     cmocka_unit_test(a_pose_is_about_the_middles_of_pixels),
	     cmocka_unit_test(an_input_that_makes_no_image_is_refused),
	     cmocka_unit_test(an_image_made_of_itself_is_refused),
	     cmocka_unit_test(what_is_learnt_takes_no_image),
	     cmocka_unit_test(operations_that_cannot_be_are_refused),
	     cmocka_unit_test(regions_are_held_against_the_image_they_refer_to),
	     cmocka_unit_test(an_image_follows_only_a_part_found_in_what_it_is_made_of),
	     cmocka_unit_test(an_image_judges_nothing),
	     cmocka_unit_test(images_are_kept_only_where_there_is_room_and_nothing_to_hide),
	     cmocka_unit_test(objects_have_their_place_in_the_frame_whatever_was_done),
	     cmocka_unit_test(images_are_made_of_images),
	     cmocka_unit_test(measures_are_in_the_pixels_of_the_image),
	     cmocka_unit_test(colours_stay),
	     cmocka_unit_test(blurred_areas_are_blurred_for_those_who_look_at_the_image),
	     cmocka_unit_test(a_single_pixel_is_an_image),
	     cmocka_unit_test(a_crop_of_nothing_leaves_all_who_look_at_it_undecided),
	     cmocka_unit_test(the_last_items_image_is_never_judged_again),
	     cmocka_unit_test(an_image_is_neither_for_the_part_nor_against_it),
	     cmocka_unit_test(who_looks_at_a_skipped_image_is_skipped),
	     cmocka_unit_test(objects_found_in_one_image_are_looked_at_in_another),
	     cmocka_unit_test(an_object_beyond_the_image_is_no_decision),
	     cmocka_unit_test(a_crop_follows_the_part),
	     cmocka_unit_test(a_part_is_located_in_an_image),
	     cmocka_unit_test(a_part_that_is_not_found_gives_no_image),
	     cmocka_unit_test(a_model_is_asked_about_an_image),
	     cmocka_unit_test(an_image_is_kept_with_the_verdicts_that_keep_images))
