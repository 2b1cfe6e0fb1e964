/* SPDX-License-Identifier: Apache-2.0 */
/* Steps in their turn, from a photograph to the record. */
#include "modules/inspect/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "modules/inspect/inspector.h"
#include "tests/unit/modules/inspect/document.h"
#include "tests/unit/modules/inspect/label.h"

struct fixture {
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_outcome outcome;
	const char *serial;
};

static int64_t clock_us, tick_us;

/* A clock that moves each time it is looked at. */
static uint64_t now_us(void)
{
	return (uint64_t)__atomic_add_fetch(&clock_us, tick_us, __ATOMIC_RELAXED);
}

static void begin(struct fixture *f, const char *steps, const char *more, const char *top)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = now_us };
	char text[8192];
	const int n = snprintf(text, sizeof text,
			       "{%s`active`:`r`,`recipes`:{`r`:{`rev`:1,`cameras`:[`top`],"
			       "`steps`:{%s}%s}}}",
			       top, steps, more);

	assert_true(n > 0 && (size_t)n < sizeof text);
	*f = (struct fixture){ .serial = "" };
	clock_us = 1000000;
	tick_us = 0;
	f->set = document_set(text);
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
}

static void end(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
}

static const char *run(struct fixture *f, const struct label *label)
{
	struct vd_item *item = NULL;

	vd_outcome_fini(&f->outcome);
	assert_int_equal(vd_item_new(f->set, (uint64_t)clock_us, &item), 0);
	(void)snprintf(item->serial, sizeof item->serial, "%s", f->serial);
	item->shots[0].state = label ? VD_SHOT_TAKEN : VD_SHOT_FAILED;
	item->shots[0].is_jpeg = true;
	if (label)
		label_photograph(label, &item->shots[0].bytes);
	vd_inspector_run(f->inspector, item, &f->outcome);
	(void)vd_item_free(item);
	assert_non_null(f->outcome.body);
	return vd_verdict_name(f->outcome.verdict);
}

static const cJSON *step(const struct fixture *f, const char *id)
{
	const cJSON *json = vd_json_get(vd_json_object(f->outcome.body, "steps"), id);

	assert_non_null(json);
	return json;
}

static void check_step(const struct fixture *f, const char *id, const char *verdict,
		       const char *key, const char *wanted)
{
	const char *text = vd_json_string(step(f, id), key, "");

	if (strcmp(vd_json_string(step(f, id), "verdict", ""), verdict) != 0 ||
	    !strstr(text, wanted))
		fail_msg("%s is %s, %s: \"%s\"", id, vd_json_string(step(f, id), "verdict", ""),
			 key, text);
}

static void check_reason(const struct fixture *f, const char *wanted)
{
	VD_CLEANUP(vd_free)
	char *text = cJSON_PrintUnformatted(vd_json_array(f->outcome.body, "reasons"));

	if (!strstr(text, wanted))
		fail_msg("\"%s\" is not in %s", wanted, text);
}

#define HOLES                                                                                      \
	"`holes`:{`camera`:`top`,`tool`:`blob`,`roi`:[10,125,190,50],`polarity`:`dark`,"           \
	"`minAreaPx`:200,`minCircularity`:0.9,`limits`:{`count`:{`max`:9}}}"
#define CLEAN "`camera`:`top`,`tool`:`stain`,`roi`:[20,190,180,100],`level`:10"
#define DARK  "`camera`:`top`,`tool`:`presence`,`limits`:{`mean`:{`max`:90}}"

static struct label with_holes(int holes)
{
	struct label label = label_good;

	label.holes = holes;
	return label;
}

/* ---- conditions ---- */

static void a_step_runs_only_if_its_condition_holds(void **state)
{
	const struct label few = with_holes(3);
	struct fixture f;

	begin(&f,
	      HOLES ",`clean`:{" CLEAN ",`condition`:`steps.holes.count > 4`,`whenSkipped`:`ok`}",
	      "", "");
	assert_string_equal(run(&f, &label_good), "OK");
	assert_null(vd_json_get(step(&f, "clean"), "state"));
	assert_string_equal(run(&f, &few), "OK");
	check_step(&f, "clean", "OK", "state", "skipped");
	check_step(&f, "clean", "OK", "skipReason", "its condition is false");
	end(&f);
}

static void a_skipped_step_is_no_decision_unless_the_recipe_says_ok(void **state)
{
	const struct label few = with_holes(3);
	struct fixture f;

	begin(&f, HOLES ",`clean`:{" CLEAN ",`condition`:`steps.holes.count > 4`}", "", "");
	assert_string_equal(run(&f, &label_good), "OK");
	assert_string_equal(run(&f, &few), "NO_DECISION");
	check_reason(&f, "clean: skipped: its condition is false");
	end(&f);
}

static void a_condition_about_what_is_missing_is_no_decision(void **state)
{
	struct label bare = with_holes(5);
	struct fixture f;

	bare.bar_px = 0;
	begin(&f,
	      "`gap`:{`camera`:`top`,`tool`:`caliper`,`line`:[20,60,180,60,21],`measure`:`bar`,"
	      "`limits`:{`count`:{`max`:3}}},"
	      "`clean`:{" CLEAN ",`condition`:`steps.gap.widthPx > 30`,`whenSkipped`:`ok`}",
	      "", "");
	assert_string_equal(run(&f, &label_good), "OK");
	assert_string_equal(run(&f, &bare), "NO_DECISION");
	check_step(&f, "clean", "NO_DECISION", "text", "condition: steps.gap.widthPx is missing");
	check_step(&f, "clean", "NO_DECISION", "state", "notRun");
	end(&f);
}

static void serial_numbers_choose_steps(void **state)
{
	struct fixture f;

	begin(&f,
	      HOLES ",`clean`:{" CLEAN
		    ",`condition`:`item.serial matches 'A*'`,`whenSkipped`:`ok`}",
	      "", "");
	f.serial = "A-7";
	assert_string_equal(run(&f, &label_good), "OK");
	assert_null(vd_json_get(step(&f, "clean"), "state"));
	f.serial = "B-7";
	assert_string_equal(run(&f, &label_good), "OK");
	check_step(&f, "clean", "OK", "state", "skipped");
	f.serial = "";
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_step(&f, "clean", "NO_DECISION", "text", "item.serial is missing");
	end(&f);
}

static void what_follows_a_skipped_step_ends_too(void **state)
{
	struct fixture f;

	begin(&f,
	      HOLES ",`more`:{`camera`:`top`,`tool`:`blob`,`polarity`:`dark`,`whenSkipped`:`ok`,"
		    "`condition`:`steps.holes.count > 9`,`limits`:{`count`:{`max`:99}}},"
		    "`each`:{" DARK ",`foreach`:{`step`:`more`},`whenSkipped`:`ok`},"
		    "`after`:{" CLEAN ",`needs`:[`more`]},"
		    "`asks`:{" CLEAN ",`condition`:`not exists(steps.more.count)`},"
		    "`strict`:{" DARK ",`foreach`:{`step`:`more`}}",
	      ",`verdict`:{`item`:{`steps`:[`holes`,`more`,`each`,`after`,`asks`]}}", "");
	assert_string_equal(run(&f, &label_good), "OK");
	check_step(&f, "each", "OK", "skipReason", "step more was");
	check_step(&f, "strict", "NO_DECISION", "skipReason", "step more was");
	check_step(&f, "after", "OK", "state", "");
	check_step(&f, "asks", "OK", "state", "");
	end(&f);
}

static void a_camera_that_failed_leaves_nothing_to_be_ok(void **state)
{
	struct fixture f;

	begin(&f,
	      HOLES ",`clean`:{" CLEAN ",`condition`:`steps.holes.count > 4`,`whenSkipped`:`ok`}",
	      "", "");
	assert_string_equal(run(&f, NULL), "NO_DECISION");
	check_step(&f, "clean", "NO_DECISION", "text", "condition: steps.holes.count is missing");
	end(&f);
}

/* ---- each object ---- */

#define EACH(more) HOLES ",`dark`:{" DARK ",`foreach`:{`step`:`holes`" more "}}"

static void a_step_looks_at_each_object(void **state)
{
	struct fixture f;
	const cJSON *runs;

	begin(&f, EACH(""), "", "");
	assert_string_equal(run(&f, &label_good), "OK");
	runs = vd_json_array(step(&f, "dark"), "runs");
	assert_int_equal(cJSON_GetArraySize(runs), 5);
	assert_string_equal(vd_json_string(runs->child, "label", ""), "dark");
	assert_in_range(vd_json_int(runs->child, "y", 0), 137, 141);
	end(&f);
}

static void the_worst_object_counts(void **state)
{
	struct fixture f;

	begin(&f,
	      HOLES ",`left`:{`camera`:`top`,`tool`:`caliper`,`foreach`:{`step`:`holes`},"
		    "`threshold`:5,`limits`:{`count`:{`min`:1}}},"
		    "`dark`:{`camera`:`top`,`tool`:`presence`,`foreach`:{`step`:`holes`},"
		    "`limits`:{`mean`:{`max`:20}}},"
		    "`colour`:{`camera`:`top`,`tool`:`colour`,`foreach`:{`step`:`holes`},"
		    "`reference`:[25,0,0],`limits`:{`deltaE`:{`max`:60}}}",
	      "", "");
	assert_string_equal(run(&f, &label_good), "NG");
	check_step(&f, "dark", "NG", "text", "is above 20 (dark at ");
	check_step(&f, "colour", "OK", "text", "");
	assert_int_equal(vd_json_int(step(&f, "left"), "runCount", 0), 5);
	check_reason(&f, "dark: mean");
	end(&f);
}

static void no_object_has_the_outcome_that_the_recipe_says(void **state)
{
	const struct label none = with_holes(0);
	struct fixture f;

	begin(&f, EACH(""), "", "");
	assert_string_equal(run(&f, &none), "NO_DECISION");
	check_reason(&f, "dark: skipped: step holes found no object (any)");
	end(&f);
	begin(&f, EACH(",`whenEmpty`:`ng`"), "", "");
	assert_string_equal(run(&f, &none), "NG");
	end(&f);
	begin(&f, EACH(",`whenEmpty`:`ok`"), "", "");
	assert_string_equal(run(&f, &none), "OK");
	check_step(&f, "dark", "OK", "state", "skipped");
	end(&f);
	begin(&f, EACH(",`label`:`bright`,`whenEmpty`:`ng`"), "", "");
	assert_string_equal(run(&f, &label_good), "NG");
	check_reason(&f, "found no object (bright)");
	end(&f);
}

static void more_objects_than_are_looked_at_are_told(void **state)
{
	struct fixture f;

	begin(&f, EACH(",`max`:3"), "", "");
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_reason(&f, "dark: crowded: 5 objects, 3 were looked at");
	end(&f);
}

static void objects_of_a_step_without_decision_are_not_none(void **state)
{
	struct fixture f;

	begin(&f,
	      "`far`:{`camera`:`top`,`tool`:`blob`,`roi`:[390,290,200,200],"
	      "`limits`:{`count`:{`max`:9}}},"
	      "`dark`:{" DARK ",`foreach`:{`step`:`far`,`whenEmpty`:`ok`}}",
	      ",`verdict`:{`item`:{`steps`:[`dark`]}}", "");
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_step(&f, "dark", "NO_DECISION", "text", "no_objects: step far has no decision");
	end(&f);
}

/* ---- gates, deadlines, early decisions ---- */

static void a_gate_stops_only_what_needs_it(void **state)
{
	struct fixture f;

	begin(&f,
	      "`shut`:{" DARK ",`gate`:true},`a`:{" CLEAN ",`needs`:[`shut`]},`b`:{" CLEAN "},"
	      "`c`:{" CLEAN ",`needs`:[`a`]}",
	      "", "");
	assert_string_equal(run(&f, &label_good), "NG");
	check_step(&f, "a", "NO_DECISION", "text", "gated: step shut");
	check_step(&f, "b", "OK", "text", "");
	check_step(&f, "c", "NO_DECISION", "text", "gated: step shut");
	end(&f);
}

static void a_result_that_took_too_long_is_dropped_and_counted(void **state)
{
	struct fixture f;

	begin(&f, HOLES ",`clean`:{" CLEAN ",`maxMs`:5}", "", "");
	assert_string_equal(run(&f, &label_good), "OK");
	tick_us = 6000;
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_step(&f, "holes", "OK", "text", "");
	check_step(&f, "clean", "NO_DECISION", "text", "deadline: it took");
	assert_int_equal(vd_json_int(f.outcome.state, "lateResults", 0), 1);
	end(&f);
}

static void steps_that_cannot_begin_in_time_are_no_decision(void **state)
{
	struct fixture f;

	begin(&f, HOLES ",`clean`:{" CLEAN "}", ",`maxMs`:20", "");
	assert_string_equal(run(&f, &label_good), "OK");
	tick_us = 8000;
	assert_string_equal(run(&f, &label_good), "NO_DECISION");
	check_step(&f, "clean", "NO_DECISION", "text", "deadline: it could not begin within 20 ms");
	end(&f);
}

static void what_is_decided_spares_the_rest(void **state)
{
	struct fixture f;

	begin(&f, "`bad`:{" DARK "},`a`:{" CLEAN "},`b`:{" CLEAN "}",
	      ",`verdict`:{`item`:{`evidence`:`untilDecided`}}", "`workers`:4,");
	assert_string_equal(run(&f, &label_good), "NG");
	check_step(&f, "a", "NO_DECISION", "state", "spared");
	check_step(&f, "b", "NO_DECISION", "state", "spared");
	assert_int_equal(cJSON_GetArraySize(vd_json_array(f.outcome.body, "reasons")), 1);
	end(&f);
	begin(&f, "`bad`:{" DARK "},`a`:{" CLEAN "},`b`:{" CLEAN "}",
	      ",`verdict`:{`item`:{`evidence`:`untilDecided`,`rule`:`maxNg`,`max`:1,"
	      "`steps`:[`bad`,`a`,`b`]}}",
	      "");
	assert_string_equal(run(&f, &label_good), "OK");
	check_step(&f, "b", "OK", "text", "");
	end(&f);
}

/* ---- rules ---- */

static void rules_over_objects_give_their_reasons(void **state)
{
	const struct label few = with_holes(3);
	struct fixture f;

	begin(&f, HOLES,
	      ",`verdict`:{`cameras`:{`top`:{`rule`:`all`,`rules`:["
	      "{`rule`:`objects`,`label`:`dark`,`exactly`:5},"
	      "{`rule`:`position`,`step`:`holes`,`x`:30,`y`:150,`tolerancePx`:3},"
	      "{`rule`:`unexpectedLabel`,`label`:`bright`}]}}}",
	      "");
	assert_string_equal(run(&f, &label_good), "OK");
	assert_string_equal(run(&f, &few), "NG");
	check_reason(&f, "top: objects dark says NG");
	end(&f);
}

/* ---- at once ---- */

static cJSON *without_timings(cJSON *body)
{
	cJSON *one;

	cJSON_DeleteItemFromObjectCaseSensitive(body, "timings");
	cJSON_DeleteItemFromObjectCaseSensitive(body, "itemId");
	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(body, "steps"))
	{
		cJSON_DeleteItemFromObjectCaseSensitive(one, "ms");
	}
	return body;
}

/* A good part as a template; the caller removes it. */
static void write_template(char path[static 32])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	int fd;

	(void)snprintf(path, 32, "/tmp/pipeline-XXXXXX");
	fd = mkstemp(path);
	label_photograph(&label_good, &jpeg);
	assert_int_equal(write(fd, jpeg.data, jpeg.len), jpeg.len);
	(void)close(fd);
}

static void steps_at_once_say_the_same_as_one_after_the_other(void **state)
{
	static const char *const tops[] = { "`workers`:1,", "`workers`:2,", "`workers`:8," };
	static const char format[] =
		HOLES ",`a`:{" CLEAN "},`b`:{" CLEAN ",`needs`:[`holes`]},"
		      "`dark`:{" DARK ",`foreach`:{`step`:`holes`}},"
		      "`c`:{" CLEAN ",`condition`:`steps.dark.mean < 80 and steps.a.defects == 0`},"
		      "`d`:{`camera`:`top`,`tool`:`focus`,`limits`:{`sharpness`:{`min`:1}}},"
		      "`e`:{`camera`:`top`,`tool`:`colour`,`roi`:[240,190,80,70],"
		      "`reference`:[41.5,58.5,33.2],`limits`:{`deltaE`:{`max`:4}}},"
		      "`gap`:{`camera`:`top`,`tool`:`caliper`,`line`:[20,60,180,60,21],"
		      "`measure`:`bar`,`limits`:{`count`:{`max`:3}}},"
		      "`pos`:{`camera`:`top`,`tool`:`locate`,`roi`:[220,20,80,80],"
		      "`golden`:{`file`:`%1$s`}},"
		      "`whole`:{`camera`:`top`,`tool`:`golden`,`golden`:{`file`:`%1$s`}},"
		      "`mark`:{`camera`:`top`,`tool`:`presence`,`roi`:[225,25,70,70],"
		      "`alignTo`:`pos`,`golden`:{`file`:`%1$s`}}";
	VD_CLEANUP(vd_json_free) cJSON *first = NULL;
	char steps[4096], path[32];

	write_template(path);
	(void)snprintf(steps, sizeof steps, format, path);
	for (size_t i = 0; i < VD_COUNT(tops); i++) {
		struct fixture f;

		begin(&f, steps, "", tops[i]);
		for (int k = 0; k < 3; k++) {
			assert_string_equal(run(&f, &label_good), "OK");
			(void)without_timings(f.outcome.body);
			if (!first)
				first = VD_TAKE(f.outcome.body);
			else
				assert_true(cJSON_Compare(first, f.outcome.body, true));
		}
		end(&f);
	}
	(void)unlink(path);
}

VD_TEST_MAIN(cmocka_unit_test(a_step_runs_only_if_its_condition_holds),
	     cmocka_unit_test(a_skipped_step_is_no_decision_unless_the_recipe_says_ok),
	     cmocka_unit_test(a_condition_about_what_is_missing_is_no_decision),
	     cmocka_unit_test(serial_numbers_choose_steps),
	     cmocka_unit_test(what_follows_a_skipped_step_ends_too),
	     cmocka_unit_test(a_camera_that_failed_leaves_nothing_to_be_ok),
	     cmocka_unit_test(a_step_looks_at_each_object),
	     cmocka_unit_test(the_worst_object_counts),
	     cmocka_unit_test(no_object_has_the_outcome_that_the_recipe_says),
	     cmocka_unit_test(more_objects_than_are_looked_at_are_told),
	     cmocka_unit_test(objects_of_a_step_without_decision_are_not_none),
	     cmocka_unit_test(a_gate_stops_only_what_needs_it),
	     cmocka_unit_test(a_result_that_took_too_long_is_dropped_and_counted),
	     cmocka_unit_test(steps_that_cannot_begin_in_time_are_no_decision),
	     cmocka_unit_test(what_is_decided_spares_the_rest),
	     cmocka_unit_test(rules_over_objects_give_their_reasons),
	     cmocka_unit_test(steps_at_once_say_the_same_as_one_after_the_other))
