/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/inspector.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "modules/inspect/worker.h"
#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

enum { WIDTH = 240, HEIGHT = 200, PARTS = 10 };

static const char LEARNS[] =
	"{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":[\"top\"],"
	"\"learning\":{\"parts\":10},\"images\":{\"keep\":{\"OK\":\"1/2\"}},\"steps\":{"
	"\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"roi\":[40,30,120,100]},"
	"\"print\":{\"camera\":\"top\",\"tool\":\"variation\",\"alignTo\":\"pos\","
	"\"roi\":[30,26,180,150],\"minAreaPx\":10}}}}}";

static const char TWO_CAMERAS[] =
	"{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":[\"top\",\"side\"],"
	"\"steps\":{\"a\":{\"camera\":\"top\",\"tool\":\"golden\",\"golden\":{\"file\":\"%s\"}},"
	"\"b\":{\"camera\":\"side\",\"tool\":\"golden\",\"golden\":{\"file\":\"%s\"}}}}}}";

static const char BY_SERIAL[] =
	"{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":[\"top\"],\"steps\":{"
	"\"a\":{\"camera\":\"top\",\"tool\":\"golden\",\"golden\":{\"folder\":\"%s\","
	"\"name\":\"{serial}_temp.jpg\"}}}}}}";

struct fixture {
	char folder[64];
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_item *item;
	struct vd_outcome outcome;
	uint32_t seed;
};

static struct vd_recipe_set *parse_set(const char *text, int64_t version)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_json_parse(text, strlen(text), &parameters, &fault), 0);
	if (vd_recipe_set_parse(parameters, &set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	set->version = version;
	return set;
}

static void open_inspector(struct fixture *f)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = f->folder,
						      .now_us = vd_clock_mono_us };

	f->inspector = vd_inspector_free(f->inspector);
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
}

static void begin(struct fixture *f, const char *text)
{
	*f = (struct fixture){ .folder = "/tmp/inspect-XXXXXX", .seed = 1 };
	assert_non_null(mkdtemp(f->folder));
	open_inspector(f);
	if (text)
		f->set = parse_set(text, 7);
}

static void end(struct fixture *f)
{
	static const char *const names[] = { "cap.vdmodel", "cap.previous.vdmodel", "t.jpg",
					     "S1_temp.jpg" };
	char path[128];

	vd_outcome_fini(&f->outcome);
	(void)vd_item_free(f->item);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
	for (size_t i = 0; i < VD_COUNT(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
}

static void new_item(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	f->item = vd_item_free(f->item);
	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &f->item), 0);
}

static void take(struct fixture *f, int camera, const struct scene_capture *capture)
{
	struct vd_shot *shot = &f->item->shots[camera];

	shot->state = VD_SHOT_TAKEN;
	shot->is_jpeg = true;
	vd_buf_clear(&shot->bytes);
	scene_jpeg(capture, &shot->bytes);
}

static struct scene_capture part(struct fixture *f)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);

	f->seed++;
	capture.dx = 4 * sin(f->seed * 1.1);
	capture.dy = 4 * cos(f->seed * 2.3);
	capture.gain = 1 + 0.04 * sin(f->seed * 3.1);
	capture.noise = 3;
	capture.seed = f->seed;
	return capture;
}

static const char *run(struct fixture *f)
{
	vd_inspector_run(f->inspector, f->item, &f->outcome);
	assert_non_null(f->outcome.body);
	assert_string_equal(vd_json_string(f->outcome.body, "verdict", ""),
			    vd_verdict_name(f->outcome.verdict));
	return vd_verdict_name(f->outcome.verdict);
}

static const char *run_part(struct fixture *f, int contrast)
{
	struct scene_capture capture = part(f);

	if (contrast != 0)
		capture.defect = (struct vd_rect){ 100, 140, 9, 9 };
	capture.contrast = contrast;
	new_item(f);
	take(f, 0, &capture);
	return run(f);
}

static const char *reason(const struct fixture *f, int i)
{
	const cJSON *text = cJSON_GetArrayItem(vd_json_array(f->outcome.body, "reasons"), i);

	return text ? text->valuestring : "";
}

static void check_reason(const struct fixture *f, const char *text)
{
	if (!strstr(reason(f, 0), text))
		fail_msg("\"%s\" is not in \"%s\"", text, reason(f, 0));
}

static const char *model_state(const struct fixture *f)
{
	return vd_json_string(vd_json_object(f->outcome.state, "model"), "state", "");
}

static void teach(struct fixture *f)
{
	for (int i = 0; i < PARTS; i++) {
		assert_string_equal(run_part(f, 0), "NO_DECISION");
		assert_non_null(strstr(reason(f, 0), "learning"));
	}
	assert_string_equal(model_state(f), "armed");
}

static void good_parts_teach_it_and_then_it_judges(void **state)
{
	struct fixture f;
	const cJSON *print;

	begin(&f, LEARNS);
	teach(&f);
	for (int i = 0; i < 8; i++)
		assert_string_equal(run_part(&f, 0), "OK");
	for (int i = 0; i < 4; i++)
		assert_string_equal(run_part(&f, -40), "NG");
	check_reason(&f, "print: defects");
	print = vd_json_at(f.outcome.body, "/steps/print");
	assert_int_equal(cJSON_GetArraySize(vd_json_array(print, "defects")), 1);
	assert_string_equal(vd_json_string(vd_json_at(print, "/defects/0"), "polarity", ""),
			    "dark");
	assert_string_equal(vd_json_string(print, "measure", ""), "defects");
	assert_true(vd_json_number(print, "margin", 1) < 0);
	assert_int_equal(vd_json_int(f.outcome.body, "parametersVersion", 0), 7);
	assert_int_equal(vd_json_int(f.outcome.body, "rev", 0), 3);
	assert_int_equal(strlen(vd_json_string(f.outcome.body, "modelSha256", "")), 64);
	assert_int_equal(
		strlen(vd_json_string(vd_json_at(f.outcome.body, "/cameras/top"), "sha256", "")),
		64);
	end(&f);
}

static void images_are_kept_as_the_recipe_says(void **state)
{
	struct fixture f;
	struct vd_image image = { 0 };

	begin(&f, LEARNS);
	teach(&f);
	(void)run_part(&f, 0);
	assert_false(f.outcome.keeps_images);
	assert_int_equal(f.outcome.overlay.len, 0);
	(void)run_part(&f, 0);
	assert_true(f.outcome.keeps_images);
	(void)run_part(&f, -40);
	assert_true(f.outcome.keeps_images);
	assert_int_equal(vd_jpeg_decode_rgb(f.outcome.overlay.data, f.outcome.overlay.len, NULL,
					    &image, NULL, NULL),
			 0);
	assert_int_equal(image.width, WIDTH / 2);
	assert_int_equal(image.height, HEIGHT / 2);
	vd_image_fini(&image);
	end(&f);
}

static void a_model_survives_a_restart(void **state)
{
	struct fixture f;

	begin(&f, LEARNS);
	teach(&f);
	open_inspector(&f);
	assert_string_equal(run_part(&f, 0), "OK");
	assert_string_equal(run_part(&f, -40), "NG");
	end(&f);
}

static void a_damaged_model_file_is_never_used(void **state)
{
	struct fixture f;
	char path[128];

	begin(&f, LEARNS);
	teach(&f);
	(void)snprintf(path, sizeof path, "%s/cap.vdmodel", f.folder);
	assert_int_equal(truncate(path, 500), 0);
	open_inspector(&f);
	assert_string_equal(run_part(&f, 0), "NO_DECISION");
	assert_string_equal(model_state(&f), "collecting");
	end(&f);
}

static void learning_again_keeps_the_previous_model(void **state)
{
	struct fixture f;
	char path[128], text[VD_STEP_TEXT] = "";

	begin(&f, LEARNS);
	teach(&f);
	assert_int_equal(vd_inspector_learn(f.inspector, f.set, text), 0);
	assert_string_equal(run_part(&f, 0), "NO_DECISION");
	assert_string_equal(model_state(&f), "collecting");
	for (int i = 1; i < PARTS; i++)
		(void)run_part(&f, 0);
	assert_string_equal(model_state(&f), "armed");
	assert_int_equal(vd_json_int(vd_json_object(f.outcome.state, "model"), "version", 0), 2);
	(void)snprintf(path, sizeof path, "%s/cap.previous.vdmodel", f.folder);
	assert_int_equal(access(path, R_OK), 0);
	end(&f);
}

static void a_frame_that_is_no_evidence_teaches_nothing(void **state)
{
	struct fixture f;
	struct scene_capture black = scene_plain(WIDTH, HEIGHT);

	begin(&f, LEARNS);
	black.gain = 0;
	(void)run_part(&f, 0);
	new_item(&f);
	take(&f, 0, &black);
	assert_string_equal(run(&f), "NO_DECISION");
	check_reason(&f, "exposure: too dark");
	assert_int_equal(vd_json_int(vd_json_object(f.outcome.state, "model"), "parts", 0), 1);
	end(&f);
}

static void changed_limits_keep_the_model_and_changed_regions_do_not(void **state)
{
	struct fixture f;
	char text[sizeof LEARNS], why[VD_STEP_TEXT] = "";

	begin(&f, LEARNS);
	teach(&f);
	assert_string_equal(run_part(&f, -40), "NG");
	(void)snprintf(text, sizeof text, "%s", LEARNS);
	memcpy(strstr(text, "\"minAreaPx\":10"), "\"openPx\":   20", 14);
	(void)vd_recipe_set_unref(f.set);
	f.set = parse_set(text, 8);
	assert_string_equal(run_part(&f, -40), "NO_DECISION");
	check_reason(&f, "rejected: challenge part print-");
	assert_string_equal(model_state(&f), "rejected");
	assert_int_equal(vd_inspector_arm(f.inspector, f.set, why), 0);
	assert_string_equal(run_part(&f, -40), "OK");
	assert_int_equal(vd_json_int(f.outcome.body, "parametersVersion", 0), 8);
	memcpy(strstr(text, "[30,26,180,150]"), "[31,26,180,150]", 15);
	(void)vd_recipe_set_unref(f.set);
	f.set = parse_set(text, 9);
	assert_string_equal(run_part(&f, -40), "NO_DECISION");
	assert_string_equal(model_state(&f), "collecting");
	end(&f);
}

/* ---- what is no evidence ---- */

static void check_no_decision(struct fixture *f, const char *text)
{
	assert_string_equal(run(f), "NO_DECISION");
	check_reason(f, text);
}

static void a_failed_capture_is_no_decision_and_shows_no_old_frame(void **state)
{
	struct fixture f;

	begin(&f, LEARNS);
	teach(&f);
	assert_string_equal(run_part(&f, 0), "OK");
	new_item(&f);
	f.item->shots[0].state = VD_SHOT_FAILED;
	memcpy(f.item->shots[0].text, "unplugged", 10);
	check_no_decision(&f, "top: capture_failed: unplugged");
	assert_null(vd_json_get(vd_json_at(f.outcome.body, "/cameras/top"), "sha256"));
	end(&f);
}

static void a_damaged_frame_is_never_ok(void **state)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_buf whole = { 0 };
	struct fixture f;

	begin(&f, LEARNS);
	teach(&f);
	scene_jpeg(&capture, &whole);
	for (size_t len = 0; len + 2 < whole.len; len += whole.len / 60) {
		new_item(&f);
		f.item->shots[0].state = VD_SHOT_TAKEN;
		f.item->shots[0].is_jpeg = true;
		assert_int_equal(vd_buf_append(&f.item->shots[0].bytes, whole.data, len), 0);
		assert_string_equal(run(&f), "NO_DECISION");
	}

	vd_buf_fini(&whole);
	end(&f);
}

static void black_bright_flat_and_foreign_frames_are_never_ok(void **state)
{
	struct scene_capture capture;
	struct fixture f;

	begin(&f, LEARNS);
	teach(&f);
	for (int i = 0; i < 4; i++) {
		capture = part(&f);
		new_item(&f);
		if (i < 2)
			capture.gain = i == 0 ? 0 : 9;
		if (i == 2)
			capture = scene_plain(WIDTH, HEIGHT + 8);
		if (i == 3)
			capture.dx = 70;
		take(&f, 0, &capture);
		check_no_decision(&f, (const char *const[]){ "exposure: too dark",
							     "exposure: too bright", "wrong_size",
							     "not_located" }[i]);
	}
	end(&f);
}

static void a_stale_or_swapped_frame_is_never_ok(void **state)
{
	struct scene_capture capture;
	struct fixture f;

	begin(&f, LEARNS);
	teach(&f);
	capture = part(&f);
	new_item(&f);
	take(&f, 0, &capture);
	f.item->shots[0].is_stale = true;
	check_no_decision(&f, "stale");
	new_item(&f);
	take(&f, 0, &capture);
	memset(f.item->shots[0].claimed, '0', 64);
	check_no_decision(&f, "damaged: the digest");
	end(&f);
}

static void a_repeated_frame_is_refused_where_the_recipe_says_so(void **state)
{
	struct scene_capture capture;
	struct fixture f;
	char text[sizeof LEARNS + 64];

	(void)snprintf(text, sizeof text, "%.*s\"exposure\":{\"repeated\":\"refuse\"},%s",
		       (int)(strstr(LEARNS, "\"rev\"") - LEARNS), LEARNS,
		       strstr(LEARNS, "\"rev\""));
	begin(&f, text);
	teach(&f);
	capture = part(&f);
	new_item(&f);
	take(&f, 0, &capture);
	assert_string_equal(run(&f), "OK");
	new_item(&f);
	take(&f, 0, &capture);
	check_no_decision(&f, "repeated");
	end(&f);
}

/* ---- golden templates from files ---- */

static void write_template(const struct fixture *f, const char *name)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
	scene_jpeg(&capture, &bytes);
	assert_int_equal(vd_file_write(path, bytes.data, bytes.len, 0600), 0);
}

static void one_of_two_cameras_missing_is_never_ok(void **state)
{
	struct scene_capture capture;
	struct fixture f;
	char text[512], path[128];

	begin(&f, NULL);
	write_template(&f, "t.jpg");
	(void)snprintf(path, sizeof path, "%s/t.jpg", f.folder);
	(void)snprintf(text, sizeof text, TWO_CAMERAS, path, path);
	f.set = parse_set(text, 1);
	capture = part(&f);
	new_item(&f);
	take(&f, 0, &capture);
	take(&f, 1, &capture);
	assert_string_equal(run(&f), "OK");
	new_item(&f);
	take(&f, 0, &capture);
	check_no_decision(&f, "side: missing");
	new_item(&f);
	take(&f, 0, &capture);
	f.item->shots[1].state = VD_SHOT_FAILED;
	check_no_decision(&f, "side: capture_failed");
	end(&f);
}

static void the_template_is_chosen_by_serial_number(void **state)
{
	struct scene_capture capture;
	struct fixture f;
	char text[512];

	begin(&f, NULL);
	write_template(&f, "S1_temp.jpg");
	(void)snprintf(text, sizeof text, BY_SERIAL, f.folder);
	f.set = parse_set(text, 1);
	for (int i = 0; i < 4; i++) {
		capture = part(&f);
		new_item(&f);
		take(&f, 0, &capture);
		(void)snprintf(f.item->serial, VD_SERIAL_BYTES, "%s",
			       (const char *const[]){ "S1", "", "S2", "../S1" }[i]);
		if (i == 0)
			assert_string_equal(run(&f), "OK");
		else
			check_no_decision(&f, "no_template");
	}
	end(&f);
}

/* ---- the worker ---- */

static void nobody(void *argument)
{
}

static void waiting_items_keep_the_parameters_they_were_triggered_under(void **state)
{
	static const struct vd_worker_handlers handlers = { .on_done = nobody };
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	struct vd_recipe_set *sets[2] = { parse_set(LEARNS, 7), parse_set(LEARNS, 8) };
	struct vd_worker *worker = NULL;
	struct vd_done done = { 0 };
	int taken = 0;

	assert_int_equal(vd_worker_new(&options, &handlers, NULL, &worker), 0);
	for (int i = 0; i < 10; i++) {
		struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
		struct vd_item *item = NULL;

		assert_int_equal(vd_item_new(sets[i / 5], 0, &item), 0);
		item->shots[0].state = VD_SHOT_TAKEN;
		item->shots[0].is_jpeg = true;
		scene_jpeg(&capture, &item->shots[0].bytes);
		assert_int_equal(vd_worker_submit(worker, &item), 0);
		assert_null(item);
	}
	(void)vd_recipe_set_unref(sets[0]);
	(void)vd_recipe_set_unref(sets[1]);
	for (int tries = 0; taken < 10 && tries < 3000; tries++) {
		if (!vd_worker_take(worker, &done)) {
			usleep(10000);
			continue;
		}
		assert_int_equal(vd_json_int(done.outcome.body, "parametersVersion", 0),
				 taken++ < 5 ? 7 : 8);
		vd_done_fini(&done);
	}
	assert_int_equal(taken, 10);
	for (int tries = 0; !vd_worker_is_idle(worker) && tries < 3000; tries++)
		usleep(10000); /* a model is fitted */
	assert_true(vd_worker_is_idle(worker));
	while (vd_worker_take(worker, &done))
		vd_done_fini(&done);
	(void)vd_worker_free(worker);
}

static void a_worker_ends_with_items_waiting(void **state)
{
	static const struct vd_worker_handlers handlers = { .on_done = nobody };
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	struct vd_recipe_set *set = parse_set(LEARNS, 7);
	struct vd_worker *worker = NULL;

	assert_int_equal(vd_worker_new(&options, &handlers, NULL, &worker), 0);
	for (int i = 0; i < 20; i++) {
		struct vd_item *item = NULL;

		assert_int_equal(vd_item_new(set, 0, &item), 0);
		item->shots[0].state = VD_SHOT_FAILED;
		assert_int_equal(vd_worker_submit(worker, &item), 0);
	}
	(void)vd_recipe_set_unref(set);
	(void)vd_worker_free(worker);
}

static void an_item_that_is_not_looked_at_has_a_verdict_too(void **state)
{
	struct fixture f;

	begin(&f, LEARNS);
	new_item(&f);
	vd_outcome_refused(f.item, "st", "queue_full: no room", &f.outcome);
	assert_string_equal(vd_json_string(f.outcome.body, "verdict", ""), "NO_DECISION");
	assert_string_equal(reason(&f, 0), "queue_full: no room");
	assert_string_equal(vd_json_string(f.outcome.body, "itemId", ""), f.item->id);
	end(&f);
}

VD_TEST_MAIN(cmocka_unit_test(good_parts_teach_it_and_then_it_judges),
	     cmocka_unit_test(images_are_kept_as_the_recipe_says),
	     cmocka_unit_test(a_model_survives_a_restart),
	     cmocka_unit_test(a_damaged_model_file_is_never_used),
	     cmocka_unit_test(learning_again_keeps_the_previous_model),
	     cmocka_unit_test(a_frame_that_is_no_evidence_teaches_nothing),
	     cmocka_unit_test(changed_limits_keep_the_model_and_changed_regions_do_not),
	     cmocka_unit_test(a_failed_capture_is_no_decision_and_shows_no_old_frame),
	     cmocka_unit_test(a_damaged_frame_is_never_ok),
	     cmocka_unit_test(black_bright_flat_and_foreign_frames_are_never_ok),
	     cmocka_unit_test(a_stale_or_swapped_frame_is_never_ok),
	     cmocka_unit_test(a_repeated_frame_is_refused_where_the_recipe_says_so),
	     cmocka_unit_test(one_of_two_cameras_missing_is_never_ok),
	     cmocka_unit_test(the_template_is_chosen_by_serial_number),
	     cmocka_unit_test(waiting_items_keep_the_parameters_they_were_triggered_under),
	     cmocka_unit_test(a_worker_ends_with_items_waiting),
	     cmocka_unit_test(an_item_that_is_not_looked_at_has_a_verdict_too))
