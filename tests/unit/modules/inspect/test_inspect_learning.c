/* SPDX-License-Identifier: Apache-2.0 */
/* From good parts to a model that may judge, and what becomes of it, by the inspector. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "modules/inspect/inspector.h"
#include "modules/inspect/recent.h"
#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

enum { WIDTH = 240, HEIGHT = 200, PARTS = 12 };

static const char RECIPE[] =
	"\"rev\":%d,\"cameras\":[\"top\"],\"learning\":{\"parts\":12%s},%s\"steps\":{"
	"\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"roi\":[40,30,120,100]},"
	"\"print\":{\"camera\":\"top\",\"tool\":\"variation\",\"alignTo\":\"pos\","
	"\"roi\":[30,26,180,150]%s}}";

struct fixture {
	char folder[64], gathered[80];
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_item *item;
	struct vd_outcome outcome;
	uint32_t seed;
	double noise, gain;
	char serial[16];
	const char *print; /* more members of the step print */
};

static void parse(struct fixture *f, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_fault fault = { 0 };

	(void)vd_recipe_set_unref(f->set);
	assert_int_equal(vd_json_parse(text, strlen(text), &parameters, &fault), 0);
	if (vd_recipe_set_parse(parameters, &f->set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
}

/* learning, rest: members put into the recipe; top: into the parameters. */
static void configure(struct fixture *f, int rev, const char *learning, const char *rest,
		      const char *top)
{
	char recipe[1024], text[4096];

	(void)snprintf(recipe, sizeof recipe, RECIPE, rev, learning, rest,
		       f->print ? f->print : "");
	(void)snprintf(text, sizeof text,
		       "{\"active\":\"cap\",%s\"recipes\":{\"cap\":{%s},\"next\":{%s}}}", top,
		       recipe, recipe);
	parse(f, text);
}

static void begin(struct fixture *f, const char *learning, const char *rest)
{
	struct vd_inspector_options options = { .station = "st", .now_us = vd_clock_mono_us };

	*f = (struct fixture){ .folder = "/tmp/learning-XXXXXX", .seed = 1, .noise = 3, .gain = 1 };
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->gathered, sizeof f->gathered, "%s/gather", f->folder);
	options.model_folder = f->folder;
	options.gather_folder = f->gathered;
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
	configure(f, 1, learning, rest, "");
}

static void remove_all(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (unlink(path) < 0)
			remove_all(path);
	}
	if (dir)
		(void)closedir(dir);
	(void)rmdir(folder);
}

static void end(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	(void)vd_item_free(f->item);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
	remove_all(f->folder);
}

static struct scene_capture part(struct fixture *f)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);

	f->seed++;
	capture.dx = 3 * sin(f->seed * 1.1);
	capture.dy = 3 * cos(f->seed * 2.3);
	capture.gain = f->gain * (1 + 0.02 * sin(f->seed * 3.1));
	capture.noise = f->noise;
	capture.seed = f->seed;
	return capture;
}

static const char *run(struct fixture *f, const struct scene_capture *capture)
{
	struct vd_shot *shot;

	vd_outcome_fini(&f->outcome);
	f->item = vd_item_free(f->item);
	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &f->item), 0);
	(void)snprintf(f->item->serial, sizeof f->item->serial, "%s", f->serial);
	shot = &f->item->shots[0];
	shot->state = VD_SHOT_TAKEN;
	shot->is_jpeg = true;
	scene_jpeg(capture, &shot->bytes);
	vd_inspector_run(f->inspector, f->item, &f->outcome);
	return vd_verdict_name(f->outcome.verdict);
}

static const char *run_part(struct fixture *f, int contrast)
{
	struct scene_capture capture = part(f);

	if (contrast != 0)
		capture.defect = (struct vd_rect){ 100, 140, 9, 9 };
	capture.contrast = contrast;
	return run(f, &capture);
}

static const cJSON *model(const struct fixture *f)
{
	return vd_json_object(f->outcome.state, "model");
}

static void check_state(const struct fixture *f, const char *state)
{
	assert_string_equal(vd_json_string(model(f), "state", ""), state);
}

static void teach(struct fixture *f)
{
	for (int i = 0; i < PARTS; i++)
		assert_string_equal(run_part(f, 0), "NO_DECISION");
}

static const char *alarm_of(const struct fixture *f)
{
	const cJSON *notice = cJSON_GetArrayItem(f->outcome.notices, 0);

	return vd_json_string(vd_json_object(notice, "body"), "alarm", "");
}

static const char *reason(const struct fixture *f)
{
	const cJSON *text = cJSON_GetArrayItem(vd_json_array(f->outcome.body, "reasons"), 0);

	return text ? text->valuestring : "";
}

static void check_reason(const struct fixture *f, const char *text)
{
	if (!strstr(reason(f), text))
		fail_msg("\"%s\" is not in \"%s\"", text, reason(f));
}

/* ---- learning ---- */

static void the_report_says_what_will_be_found_and_that_is_true(void **state)
{
	struct fixture f;
	const cJSON *report;
	int side, levels;

	begin(&f, "", "");
	teach(&f);
	check_state(&f, "armed");
	report = vd_json_object(model(&f), "report");
	assert_int_equal(vd_json_int(report, "leftOutOneByOne", 0), PARTS);
	assert_true(vd_json_number(vd_json_at(report, "/steps/print"), "largest", 9) < 1.2);
	side = (int)sqrt((double)vd_json_int(vd_json_at(report, "/sensitivity"), "areaPx", 0));
	levels = (int)vd_json_int(vd_json_at(report, "/sensitivity"), "greyLevels", 0);
	assert_int_equal(levels, 25);
	assert_in_range(side, 2, 10);
	assert_non_null(
		strstr(vd_json_string(report, "text", ""), "smallest reliably found defect"));
	for (int i = 0, missed = 0; i < 20; i++) {
		struct scene_capture capture = part(&f);

		/* Sub-pixel shifts soften its rim: one pixel more a side. */
		capture.defect = (struct vd_rect){ 50 + 6 * i, 60 + 4 * i, side + 1, side + 1 };
		capture.contrast = i % 2 ? levels : -levels;
		missed += strcmp(run(&f, &capture), "NG") != 0;
		assert_in_range(missed, 0, 3);
	}
	end(&f);
}

static void a_part_unlike_the_others_is_told_and_left_out(void **state)
{
	struct fixture f;
	const cJSON *excluded;

	begin(&f, "", "");
	for (int i = 0; i < PARTS; i++) {
		(void)snprintf(f.serial, sizeof f.serial, "S%d", i);
		(void)run_part(&f, i == 5 ? -90 : 0);
	}
	check_state(&f, "armed");
	excluded = vd_json_array(vd_json_object(model(&f), "report"), "excluded");
	assert_int_equal(cJSON_GetArraySize(excluded), 1);
	assert_string_equal(vd_json_string(excluded->child, "serial", ""), "S5");
	assert_int_equal(vd_json_int(model(&f), "parts", 0), PARTS - 1);
	assert_string_equal(run_part(&f, -90), "NG");
	end(&f);
}

static void good_parts_that_overlap_with_the_wanted_defect_do_not_arm(void **state)
{
	struct fixture f;
	char text[VD_STEP_TEXT] = "";

	begin(&f, ",\"challengeAreaPx\":9,\"challengeLevels\":8", "");
	teach(&f);
	check_state(&f, "rejected");
	assert_string_equal(alarm_of(&f), "learning");
	assert_non_null(strstr(vd_json_string(model(&f), "note", ""), "overlap with defects"));
	assert_string_equal(run_part(&f, 0), "NO_DECISION");
	check_reason(&f, "rejected: print: good parts overlap");
	assert_int_equal(vd_inspector_arm(f.inspector, f.set, text), -EPERM);
	assert_int_equal(vd_inspector_learn(f.inspector, f.set, text), 0);
	(void)run_part(&f, 0);
	check_state(&f, "collecting");
	end(&f);
}

static void thresholds_widen_with_the_wished_false_reject_rate(void **state)
{
	double scales[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		struct fixture f;

		const char *rate =
			i == 0 ? ",\"falseRejectRate\":0.2" : ",\"falseRejectRate\":0.0001";

		begin(&f, "", "");
		f.print = ",\"absThreshold\":[2,2],\"varThreshold\":[2,2]";
		configure(&f, 2, rate, "", "");
		teach(&f);
		check_state(&f, "armed");
		scales[i] =
			vd_json_number(vd_json_at(model(&f), "/report/steps/print"), "scale", 0);
		end(&f);
	}
	assert_true(scales[0] >= 1);
	assert_true(scales[1] > scales[0]);
}

static void a_validated_model_waits_for_a_hand_where_the_recipe_says_so(void **state)
{
	struct fixture f;
	char text[VD_STEP_TEXT] = "";

	begin(&f, ",\"arm\":\"byHand\"", "");
	teach(&f);
	check_state(&f, "validated");
	assert_string_equal(run_part(&f, 0), "NO_DECISION");
	check_reason(&f, "learning: validated");
	assert_int_equal(vd_inspector_arm(f.inspector, f.set, text), 0);
	assert_string_equal(run_part(&f, 0), "OK");
	check_state(&f, "armed");
	assert_int_equal(vd_inspector_arm(f.inspector, f.set, text), -EPERM);
	assert_non_null(strstr(text, "armed"));
	end(&f);
}

static void roll_back_brings_the_previous_model_and_back_again(void **state)
{
	struct fixture f;
	char text[VD_STEP_TEXT] = "";

	begin(&f, "", "");
	teach(&f);
	assert_int_equal(vd_inspector_roll_back(f.inspector, f.set, text), -ENOENT);
	assert_int_equal(vd_inspector_learn(f.inspector, f.set, text), 0);
	teach(&f);
	assert_int_equal(vd_json_int(model(&f), "version", 0), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vd_inspector_roll_back(f.inspector, f.set, text), 0);
		assert_string_equal(run_part(&f, 0), "OK");
		assert_int_equal(vd_json_int(f.outcome.body, "modelVersion", 0), 1 + i);
	}
	assert_int_equal(vd_inspector_roll_back(f.inspector, f.set, text), 0);
	assert_int_equal(vd_inspector_learn(f.inspector, f.set, text), 0);
	teach(&f);
	assert_int_equal(vd_json_int(model(&f), "version", 0), 3);
	end(&f);
}

/* ---- watching ---- */

static void light_beyond_its_bound_is_no_decision(void **state)
{
	static const double gains[] = { 0.7, 0.9, 1.1, 1.3 };
	struct fixture f;

	begin(&f, "", "");
	teach(&f);
	for (size_t i = 0; i < VD_COUNT(gains); i++) {
		const bool is_within = i == 1 || i == 2;

		f.gain = gains[i];
		assert_string_equal(run_part(&f, 0), is_within ? "OK" : "NO_DECISION");
		if (!is_within)
			check_reason(&f, "print: illumination: gain");
	}
	f.gain = 0.78;
	assert_string_equal(run_part(&f, 0), "NO_DECISION");
	configure(&f, 2, "", "\"drift\":{\"photometricPercent\":0},", "");
	assert_string_equal(run_part(&f, 0), "OK");
	end(&f);
}

static void a_lamp_that_fades_raises_an_alarm_and_clears_it_when_mended(void **state)
{
	struct fixture f;
	int raised = 0, cleared = 0;

	begin(&f, "", "");
	teach(&f);
	for (int i = 0; i < 160; i++) {
		const cJSON *notice;

		f.gain = i < 60 ? 1 - 0.0012 * i : 1;
		(void)run_part(&f, 0);
		cJSON_ArrayForEach(notice, f.outcome.notices)
		{
			const cJSON *body = vd_json_object(notice, "body");

			assert_string_equal(vd_json_string(notice, "class", ""), "alarm");
			assert_string_equal(vd_json_string(body, "station", ""), "st");
			if (strcmp(vd_json_string(body, "quantity", ""), "top/mean") != 0)
				continue;
			if (strcmp(vd_json_string(body, "state", ""), "raised") == 0)
				raised++;
			else
				cleared++;
		}
	}
	assert_int_equal(raised, 1);
	assert_int_equal(cleared, 1);
	end(&f);
}

static void the_challenge_set_is_run_again_and_again(void **state)
{
	struct fixture f;

	begin(&f, "", "\"drift\":{\"challengeEvery\":5},");
	teach(&f);
	for (int i = 0; i < 16; i++)
		assert_string_equal(run_part(&f, 0), "OK");
	assert_true(vd_json_int(model(&f), "challengeRuns", 0) >= 4);
	check_state(&f, "armed");
	end(&f);
}

static void a_challenge_part_that_is_judged_otherwise_disarms(void **state)
{
	struct fixture f;

	begin(&f, "", "");
	teach(&f);
	f.print = ",\"absThreshold\":[90,90]";
	configure(&f, 2, "", "", "");
	assert_string_equal(run_part(&f, 0), "NO_DECISION");
	check_reason(&f, "was NG and is OK now");
	assert_string_equal(alarm_of(&f), "challenge");
	check_state(&f, "rejected");
	/* Taken back, the old verdicts come out again. */
	f.print = NULL;
	configure(&f, 3, "", "", "");
	assert_string_equal(run_part(&f, 0), "OK");
	end(&f);
}

/* ---- beside production ---- */

static const cJSON *follow(struct fixture *f, struct vd_outcome *outcome)
{
	struct vd_item *after = NULL;

	if (vd_inspector_follows(f->inspector, f->item))
		assert_int_equal(vd_item_split(f->item, false, &after), 0);
	vd_inspector_follow(f->inspector, after, f->outcome.verdict, outcome);
	(void)vd_item_free(after);
	return vd_json_object(outcome->state, "shadow");
}

static void a_shadow_learns_agrees_disagrees_and_decides_nothing(void **state)
{
	struct vd_outcome outcome = { 0 };
	struct fixture f;
	const cJSON *shadow = NULL;
	int events = 0;

	begin(&f, "", "");
	teach(&f);
	configure(&f, 1, "", "", "\"shadow\":\"next\",");
	for (int i = 0; i < PARTS + 3; i++) {
		assert_string_equal(run_part(&f, 0), "OK");
		vd_outcome_fini(&outcome);
		shadow = follow(&f, &outcome);
	}
	assert_int_equal(vd_json_int(shadow, "items", 0), PARTS + 3);
	assert_int_equal(vd_json_int(shadow, "agreed", 0), 3);
	assert_int_equal(vd_json_int(shadow, "undecided", 0), PARTS);
	/* Made blind, it passes what the active one rejects; only the first is told at once. */
	parse(&f, "{\"active\":\"cap\",\"shadow\":\"x\",\"recipes\":{\"cap\":{\"rev\":1,"
		  "\"cameras\":[\"top\"],\"learning\":{\"parts\":12},\"steps\":{"
		  "\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"roi\":[40,30,120,100]},"
		  "\"print\":{\"camera\":\"top\",\"tool\":\"variation\",\"alignTo\":\"pos\","
		  "\"roi\":[30,26,180,150]}}},\"x\":{\"rev\":5,\"cameras\":[\"top\"],\"steps\":{"
		  "\"stain\":{\"camera\":\"top\",\"tool\":\"stain\",\"roi\":[0,0,16,16],"
		  "\"level\":250}}}}}");
	for (int i = 0; i < 4; i++) {
		assert_string_equal(run_part(&f, -60), "NG");
		vd_outcome_fini(&outcome);
		shadow = follow(&f, &outcome);
		events += cJSON_GetArraySize(outcome.notices);
	}
	assert_int_equal(vd_json_int(shadow, "laxer", 0), 4);
	assert_int_equal(events, 1);
	vd_outcome_fini(&outcome);
	end(&f);
}

static int count_files(const char *folder, const char *suffix)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += strstr(entry->d_name, suffix) != NULL;
	if (dir)
		(void)closedir(dir);
	return count;
}

static void gathering_keeps_frames_under_a_label_and_changes_no_verdict(void **state)
{
	struct vd_gather_order order = { .label = "scratched",
					 .count = 3,
					 .until_wall_ms = vd_clock_wall_ms() + 60000,
					 .bytes_most = 1 << 30 };
	struct vd_outcome outcome = { 0 };
	struct fixture f;
	char folder[128];

	begin(&f, "", "");
	teach(&f);
	assert_false(vd_inspector_follows(f.inspector, f.item));
	vd_inspector_gather(f.inspector, &order);
	for (int i = 0; i < 5; i++) {
		assert_string_equal(run_part(&f, i % 2 ? -60 : 0), i % 2 ? "NG" : "OK");
		assert_null(vd_json_get(f.outcome.body, "label"));
		assert_int_equal(vd_inspector_follows(f.inspector, f.item), i < 3);
		vd_outcome_fini(&outcome);
		(void)follow(&f, &outcome);
	}
	(void)snprintf(folder, sizeof folder, "%s/scratched", f.gathered);
	assert_int_equal(count_files(folder, ".jpg"), 3);
	assert_int_equal(count_files(folder, ".json"), 3);
	assert_string_equal(vd_json_string(vd_json_object(outcome.state, "gather"), "ended", ""),
			    "all items are there");
	order.count = 10;
	order.until_wall_ms = vd_clock_wall_ms() - 1;
	vd_inspector_gather(f.inspector, &order);
	assert_false(vd_inspector_follows(f.inspector, f.item));
	vd_outcome_fini(&outcome);
	end(&f);
}

/* ---- overrides ---- */

static void an_override_is_a_record_of_its_own(void **state)
{
	VD_CLEANUP(vd_free) struct vd_recent *recent = calloc(1, sizeof *recent);
	struct vd_fault fault = { 0 };
	cJSON *call = cJSON_CreateObject(), *body;
	struct fixture f;

	begin(&f, "", "");
	teach(&f);
	(void)run_part(&f, -60);
	vd_recent_put(recent, f.item, f.outcome.verdict);
	vd_recent_stored(recent, f.item->id, 991);
	assert_null(vd_override_body(recent, call, "st", 0, &fault));
	assert_int_equal(fault.code, 400);
	assert_true(vd_json_add_string(call, "itemId", f.item->id) &&
		    vd_json_add_string(call, "verdict", "OK") &&
		    vd_json_add_string(call, "by", "shift leader") &&
		    vd_json_add_string(call, "reason", "dust"));
	body = vd_override_body(recent, call, "st", 1000, &fault);
	assert_non_null(body);
	assert_string_equal(vd_json_string(body, "supersedes", ""), f.item->id);
	assert_string_not_equal(vd_json_string(body, "itemId", ""), f.item->id);
	assert_int_equal(vd_json_int(body, "supersedesSeq", 0), 991);
	assert_string_equal(vd_json_string(body, "verdict", ""), "OK");
	assert_string_equal(vd_json_string(vd_json_object(body, "override"), "from", ""), "NG");
	assert_string_equal(vd_json_string(f.outcome.body, "verdict", ""), "NG");
	(void)vd_json_free(body);
	(void)vd_json_free(call);
	end(&f);
}

VD_TEST_MAIN(cmocka_unit_test(the_report_says_what_will_be_found_and_that_is_true),
	     cmocka_unit_test(a_part_unlike_the_others_is_told_and_left_out),
	     cmocka_unit_test(good_parts_that_overlap_with_the_wanted_defect_do_not_arm),
	     cmocka_unit_test(thresholds_widen_with_the_wished_false_reject_rate),
	     cmocka_unit_test(a_validated_model_waits_for_a_hand_where_the_recipe_says_so),
	     cmocka_unit_test(roll_back_brings_the_previous_model_and_back_again),
	     cmocka_unit_test(light_beyond_its_bound_is_no_decision),
	     cmocka_unit_test(a_lamp_that_fades_raises_an_alarm_and_clears_it_when_mended),
	     cmocka_unit_test(the_challenge_set_is_run_again_and_again),
	     cmocka_unit_test(a_challenge_part_that_is_judged_otherwise_disarms),
	     cmocka_unit_test(a_shadow_learns_agrees_disagrees_and_decides_nothing),
	     cmocka_unit_test(gathering_keeps_frames_under_a_label_and_changes_no_verdict),
	     cmocka_unit_test(an_override_is_a_record_of_its_own))
