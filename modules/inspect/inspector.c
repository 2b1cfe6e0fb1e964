/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/inspector.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "modules/image/edit.h"
#include "modules/image/jpeg.h"
#include "modules/inspect/learn/course.h"
#include "modules/inspect/learn/gather.h"
#include "modules/inspect/judgement.h"
#include "modules/inspect/look.h"
#include "modules/inspect/notice.h"
#include "modules/inspect/overlay.h"
#include "modules/inspect/pipeline.h"
#include "modules/inspect/record.h"
#include "modules/inspect/shadow.h"
#include "modules/inspect/tools/shelf.h"

enum { COURSES_MOST = 64 };

struct vd_inspector {
	char station[VD_NAME_BYTES];
	char *model_folder;
	uint64_t (*now_us)(void);
	bool fits_apart, is_read_only, is_untimed;
	struct vd_lanes *lanes;
	int64_t late; /* results that came after their deadline */
	void (*on_progress)(void *argument);
	void *argument;
	struct vd_shadow shadow;
	struct vd_gather gather;
	struct vd_course *courses[COURSES_MOST];
	int course_count;
	struct vd_look looks[VD_CAMERAS_MOST];
	struct vd_step_result results[VD_STEPS_MOST];
};

int vd_inspector_new(const struct vd_inspector_options *options,
		     struct vd_inspector **ret_inspector)
{
	VD_CLEANUP(vd_inspector_free) struct vd_inspector *inspector = calloc(1, sizeof *inspector);

	if (!inspector)
		return -ENOMEM;
	(void)snprintf(inspector->station, sizeof inspector->station, "%s", options->station);
	inspector->now_us = options->now_us;
	inspector->fits_apart = options->fits_apart;
	inspector->is_read_only = options->is_read_only;
	inspector->is_untimed = options->is_untimed;
	inspector->on_progress = options->on_progress;
	inspector->argument = options->argument;
	inspector->model_folder = strdup(options->model_folder);
	if (!inspector->model_folder)
		return -ENOMEM;
	if (vd_lanes_new(&inspector->lanes) < 0)
		return -ENOMEM;
	if (vd_gather_init(&inspector->gather, options->gather_folder) < 0)
		return -ENOMEM;
	*ret_inspector = VD_TAKE(inspector);
	return 0;
}

struct vd_inspector *vd_inspector_free(struct vd_inspector *inspector)
{
	if (!inspector)
		return NULL;
	(void)vd_lanes_free(inspector->lanes);
	for (int i = 0; i < inspector->course_count; i++)
		(void)vd_course_free(inspector->courses[i]);
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_look_fini(&inspector->looks[i]);
	vd_gather_fini(&inspector->gather);
	free(inspector->model_folder);
	free(inspector);
	return NULL;
}

void vd_outcome_fini(struct vd_outcome *outcome)
{
	(void)vd_json_free(outcome->body);
	(void)vd_json_free(outcome->state);
	(void)vd_json_free(outcome->notices);
	vd_buf_fini(&outcome->overlay);
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_veiled_fini(&outcome->veiled[i]);
	for (int i = 0; i < outcome->made_count; i++)
		vd_buf_fini(&outcome->made[i].jpeg);
	*outcome = (struct vd_outcome){ 0 };
}

/* ---- courses ---- */

static bool has_recipe(const struct vd_recipe_set *set, const char *name)
{
	for (int i = 0; i < set->count; i++) {
		if (strcmp(set->recipes[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Recipes that the document no longer has free their memory; their model files stay. */
static void drop_gone(struct vd_inspector *inspector, const struct vd_recipe_set *set)
{
	for (int i = 0; i < inspector->course_count; i++) {
		if (has_recipe(set, inspector->courses[i]->name))
			continue;
		(void)vd_course_free(inspector->courses[i]);
		inspector->courses[i--] = inspector->courses[--inspector->course_count];
	}
}

/* NULL: no memory. */
static struct vd_course *course_for(struct vd_inspector *inspector, struct vd_recipe_set *set,
				    const struct vd_recipe *recipe)
{
	struct vd_course *course = NULL;

	for (int i = 0; i < inspector->course_count; i++) {
		course = inspector->courses[i];
		if (strcmp(course->name, recipe->name) != 0)
			continue;
		return vd_course_follow(course, set, recipe) == 0 ? course : NULL;
	}
	drop_gone(inspector, set);
	if (inspector->course_count == COURSES_MOST ||
	    vd_course_new(set, recipe, inspector->model_folder, inspector->is_read_only, &course) <
		    0)
		return NULL;
	return inspector->courses[inspector->course_count++] = course;
}

static bool add_model_state(cJSON *json, const struct vd_course *course)
{
	cJSON *model = cJSON_AddObjectToObject(json, "model");
	bool ok = model && vd_json_add_string(model, "state", vd_course_state_name(course->state));

	if (ok && course->lesson)
		ok = vd_json_add_number(model, "parts", vd_lesson_parts(course->lesson)) &&
		     vd_json_add_number(model, "wanted", course->recipe->learning_parts);
	else if (ok && course->model)
		ok = vd_json_add_number(model, "parts", course->model->parts) &&
		     vd_json_add_string(model, "wanted", NULL);
	if (ok && course->model)
		ok = vd_json_add_number(model, "version", course->model->version) &&
		     vd_json_add_string(model, "sha256", course->model->sha256);
	if (ok && course->report)
		ok = vd_json_add_copy(model, "report", course->report);
	else if (ok)
		ok = vd_json_add_string(model, "report", NULL);
	return ok && vd_json_add_number(model, "challengeRuns", (double)course->challenges) &&
	       vd_json_add_number(model, "driftAlarms", (double)course->drift.raised) &&
	       vd_json_add_string(model, "note", course->note[0] ? course->note : NULL);
}

/* The quantities whose alarm is raised now; merge patch forgets the others. */
static bool add_drift_state(cJSON *json, const struct vd_course *course)
{
	cJSON *drift = cJSON_AddObjectToObject(json, "drift");
	const int count = course->model ? course->model->reference_count : 0;
	bool ok = drift != NULL;

	for (int i = 0; ok && i < count; i++) {
		const struct vd_chart *chart = &course->drift.charts[i];
		const char *name = course->model->references[i].name;

		ok = chart->is_alarm
			     ? vd_json_add_number(drift, name, round(chart->mean * 100) / 100)
			     : vd_json_add_string(drift, name, NULL);
	}
	return ok;
}

static cJSON *state_of(const struct vd_inspector *inspector, const struct vd_course *course)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "recipe", course->name) ||
	    !vd_json_add_number(json, "rev", course->recipe->rev) ||
	    !add_model_state(json, course) || !add_drift_state(json, course) ||
	    !vd_recipe_add_packages(course->recipe, json) ||
	    !vd_json_add_number(json, "lateResults", (double)inspector->late) ||
	    !vd_shadow_add(&inspector->shadow, json) || !vd_gather_add(&inspector->gather, json))
		return NULL;
	return VD_TAKE(json);
}

cJSON *vd_inspector_state(struct vd_inspector *inspector, struct vd_recipe_set *set)
{
	const struct vd_course *course = course_for(inspector, set, &set->recipes[set->active]);

	return course ? state_of(inspector, course) : NULL;
}

/* ---- orders ---- */

/* NULL: no memory, said in text. */
static struct vd_course *active_course(struct vd_inspector *inspector, struct vd_recipe_set *set,
				       char text[static VD_STEP_TEXT])
{
	struct vd_course *course = course_for(inspector, set, &set->recipes[set->active]);

	if (!course)
		(void)snprintf(text, VD_STEP_TEXT, "out of memory");
	return course;
}

int vd_inspector_learn(struct vd_inspector *inspector, struct vd_recipe_set *set,
		       char text[static VD_STEP_TEXT])
{
	struct vd_course *course = active_course(inspector, set, text);

	if (!course)
		return -ENOMEM;
	if (!vd_recipe_learns(course->recipe)) {
		(void)snprintf(text, VD_STEP_TEXT, "the active recipe has no step that learns");
		return -EPERM;
	}
	return vd_course_learn(course);
}

int vd_inspector_arm(struct vd_inspector *inspector, struct vd_recipe_set *set,
		     char text[static VD_STEP_TEXT])
{
	struct vd_course *course = active_course(inspector, set, text);

	return course ? vd_course_arm(course, text) : -ENOMEM;
}

int vd_inspector_roll_back(struct vd_inspector *inspector, struct vd_recipe_set *set,
			   char text[static VD_STEP_TEXT])
{
	struct vd_course *course = active_course(inspector, set, text);

	return course ? vd_course_roll_back(course, text) : -ENOMEM;
}

void vd_inspector_gather(struct vd_inspector *inspector, const struct vd_gather_order *order)
{
	static const struct vd_gather_order none = { .label = "" };

	vd_gather_begin(&inspector->gather, order ? order : &none, vd_clock_wall_ms());
}

/* ---- one item ---- */

struct run {
	struct vd_inspector *inspector;
	const struct vd_item *item;
	const struct vd_recipe *recipe;
	struct vd_course *course;
	struct vd_look *looks;
	struct vd_step_result *results;
	struct vd_reasons reasons;
	bool is_aside; /* its verdict is not waited for */
	bool is_bad;   /* nothing may be learnt from it */
	char excuse[VD_STEP_TEXT];
	uint64_t started, decoded, inspected;
};

static void look(struct run *run)
{
	for (int i = 0; i < run->recipe->camera_count; i++) {
		char none[VD_SHA256_TEXT] = "";
		char *last = run->item->is_test ? none : run->course->last_sha256[i];

		vd_look_at(&run->looks[i], &run->item->shots[i], run->recipe, last);
		if (vd_recipe_sees_colour(run->recipe, i))
			vd_look_in_colour(&run->looks[i], &run->item->shots[i]);
		if (run->looks[i].sha256[0])
			memcpy(last, run->looks[i].sha256, VD_SHA256_TEXT);
	}
}

/* The shadow learns from what the active recipe found good; others from what they are shown. */
static void learn(struct run *run)
{
	struct vd_course *course = run->course;

	if (course->state != VD_COLLECTING || run->is_bad)
		return;
	for (int i = 0; i < run->recipe->camera_count; i++) {
		if (!run->looks[i].is_good)
			return;
	}
	vd_course_attend(course, run->looks, run->item->shots, run->item->serial);
}

static void run_steps(struct run *run)
{
	struct vd_pipeline pipeline = {
		.item = run->item,
		.looks = run->looks,
		.results = run->results,
		.runner = vd_rig_runner(run->course->rig),
		.course = run->course,
		.excuse = run->excuse,
		.now_us = run->inspector->now_us,
		.is_untimed = run->inspector->is_untimed || run->is_aside,
	};

	vd_pipeline_run(&pipeline, run->inspector->lanes);
	if (!run->is_aside)
		run->inspector->late += pipeline.late;
}

/* ---- what is handed on ---- */

static bool is_nth(struct vd_course *course, enum vd_verdict verdict)
{
	const int every = course->recipe->keep.every[verdict];

	return ++course->verdicts[verdict] % (unsigned)(every > 0 ? every : 1) == 0 && every > 0;
}

/* The camera whose steps fared worst: what an operator wants to see. */
static int worst_camera(const struct run *run)
{
	enum vd_verdict worst = VD_OK;
	int camera = -1;

	for (int i = 0; i < run->recipe->step_count; i++) {
		const int of = run->recipe->steps[i].camera;

		if (!run->looks[of].image.pixels || !run->looks[of].is_good)
			continue;
		if (camera < 0 || run->results[i].verdict > worst) {
			worst = run->results[i].verdict;
			camera = of;
		}
	}
	return camera;
}

/* The frame as it may be shown; blurred is where it is made, if areas of it are. NULL: not at all. */
static const struct vd_image *shown(const struct run *run, int camera, struct vd_image *blurred)
{
	const struct vd_image *image = &run->looks[camera].image;
	const struct vd_veil_areas *areas = &run->recipe->veils[camera];

	if (areas->count == 0)
		return image;
	if (vd_image_to_grey(image, blurred) < 0 ||
	    vd_image_blur(blurred, areas->list, (size_t)areas->count) < 0)
		return NULL;
	return blurred;
}

static void draw(const struct run *run, struct vd_outcome *outcome)
{
	VD_CLEANUP(vd_image_fini) struct vd_image blurred = { 0 };
	const int camera = worst_camera(run);
	const struct vd_overlay overlay = {
		.frame = camera < 0 ? NULL : shown(run, camera, &blurred),
		.recipe = run->recipe,
		.camera = camera,
		.results = run->results,
		.verdict = outcome->verdict,
		.reasons = run->reasons.list,
		.reason_count = run->reasons.count,
	};

	if (!overlay.frame || !run->recipe->keep.overlay)
		return;
	if (vd_overlay_encode(&overlay, run->recipe->keep.quality, &outcome->overlay) < 0)
		vd_buf_clear(&outcome->overlay);
}

static void veil(const struct run *run, struct vd_outcome *outcome)
{
	for (int i = 0; i < run->recipe->camera_count; i++) {
		if (run->recipe->veils[i].is_set && run->item->shots[i].bytes.len > 0)
			vd_veil(&run->recipe->veils[i], &run->item->shots[i], &outcome->veiled[i]);
	}
}

/* The recipe sees to it that there is room for all. */
static void keep_made(const struct run *run, struct vd_outcome *outcome)
{
	for (int i = 0; i < run->recipe->step_count; i++) {
		const struct vd_image_step *made = &run->recipe->steps[i].made;
		const struct vd_edited *edited = run->results[i].edited;
		struct vd_made *kept = &outcome->made[outcome->made_count];

		if (!made->keep || !edited || outcome->made_count == VD_IMAGES_MOST)
			continue;
		kept->step = i;
		if (vd_jpeg_encode(edited->has_colour ? &edited->colour : &edited->grey,
				   made->quality, &kept->jpeg) == 0)
			outcome->made_count++;
		else
			vd_buf_fini(&kept->jpeg);
	}
}

static const char *station_of(const struct vd_item *item, const char *fallback)
{
	return item->set->station[0] ? item->set->station : fallback;
}

static void write_record(const struct run *run, struct vd_outcome *outcome)
{
	const uint64_t now = run->inspector->now_us();
	const struct vd_record record = {
		.item = run->item,
		.station = station_of(run->item, run->inspector->station),
		.verdict = outcome->verdict,
		.looks = run->looks,
		.results = run->results,
		.reasons = &run->reasons,
		.veiled = outcome->veiled,
		.model = run->course->model,
		.decode_ms = (double)(run->decoded - run->started) / 1000,
		.inspect_ms = (double)(run->inspected - run->decoded) / 1000,
		.total_ms = (double)(now - run->item->started_us) / 1000,
	};

	outcome->body = vd_record_body(&record);
	outcome->total_ms = record.total_ms;
	outcome->state = state_of(run->inspector, run->course);
}

static void look_and_judge(struct run *run, struct vd_outcome *outcome)
{
	run->started = run->inspector->now_us();
	look(run);
	run->decoded = run->inspector->now_us();
	learn(run);
	vd_course_excuse(run->course, run->excuse);
	run_steps(run);
	vd_reasons_collect(&run->reasons, run->recipe, run->looks, run->results);
	outcome->verdict = vd_judge(run->recipe, run->results);
	run->inspected = run->inspector->now_us();
}

static void tell_drift(struct run *run, const struct vd_drift_change *change)
{
	const struct vd_reference *reference = &run->course->model->references[change->reference];
	char text[VD_DRIFT_TEXT];
	cJSON *body;

	(void)snprintf(text, sizeof text, "%s: %.4g, learnt were %.4g +- %.2g (%+.1f deviations)",
		       reference->name, change->value, reference->mean, reference->deviation,
		       change->z);
	body = vd_alarm_body("drift", change->is_raised, run->course->name, text);
	if (body && !(vd_json_add_string(body, "quantity", reference->name) &&
		      vd_json_add_number(body, "value", change->value) &&
		      vd_json_add_number(body, "reference", reference->mean) &&
		      vd_json_add_number(body, "deviations", change->z)))
		body = vd_json_free(body);
	(void)vd_notice_add(&run->course->notices, "alarm", "alarm", &body);
}

static void watch(struct run *run)
{
	struct vd_drift_change changes[VD_REFERENCES_MOST];
	int count;

	if (run->course->state != VD_ARMED)
		return;
	count = vd_drift_put(&run->course->drift, run->recipe, run->course->model, run->looks,
			     run->results, changes);
	for (int i = 0; i < count; i++)
		tell_drift(run, &changes[i]);
}

static void fit(struct vd_inspector *inspector, struct vd_course *course)
{
	if (course->state == VD_FITTING)
		vd_course_fit(course, inspector->on_progress, inspector->argument);
}

/* All notices not yet handed on move to the outcome, with the station's name in each. */
static void hand_on(struct vd_course *course, const char *station, struct vd_outcome *outcome)
{
	cJSON *notice;

	cJSON_ArrayForEach(notice, course->notices)
	{
		cJSON *body = cJSON_GetObjectItemCaseSensitive(notice, "body");

		if (!cJSON_HasObjectItem(body, "station"))
			(void)vd_json_add_string(body, "station", station);
	}
	if (!outcome->notices) {
		outcome->notices = VD_TAKE(course->notices);
		return;
	}
	while (cJSON_GetArraySize(course->notices) > 0)
		(void)cJSON_AddItemToArray(outcome->notices,
					   cJSON_DetachItemFromArray(course->notices, 0));
}

static void run_item(struct run *run, struct vd_outcome *outcome)
{
	const bool is_part = !run->item->is_test;

	look_and_judge(run, outcome);
	outcome->keeps_images = is_part && is_nth(run->course, outcome->verdict);
	if (outcome->keeps_images) {
		draw(run, outcome);
		veil(run, outcome);
		keep_made(run, outcome);
	}
	if (is_part)
		watch(run);
	if (!run->inspector->fits_apart)
		fit(run->inspector, run->course);
	write_record(run, outcome);
	if (is_part)
		vd_course_count(run->course);
	hand_on(run->course, station_of(run->item, run->inspector->station), outcome);
}

static void begin_run(struct run *run, struct vd_inspector *inspector, const struct vd_item *item)
{
	run->inspector = inspector;
	run->item = item;
	run->recipe = item->recipe;
	run->looks = inspector->looks;
	run->results = inspector->results;
}

static void end_run(struct run *run)
{
	for (int i = 0; i < run->recipe->step_count; i++)
		vd_step_result_fini(&run->results[i]);
}

void vd_inspector_run(struct vd_inspector *inspector, const struct vd_item *item,
		      struct vd_outcome *ret_outcome)
{
	VD_CLEANUP(vd_free) struct run *run = calloc(1, sizeof *run);

	*ret_outcome = (struct vd_outcome){ 0 };
	if (run)
		run->course = course_for(inspector, item->set, item->recipe);
	if (!run || !run->course) {
		vd_outcome_refused(item, inspector->station, "internal: out of memory",
				   ret_outcome);
		return;
	}
	begin_run(run, inspector, item);
	run->is_bad = item->is_test;
	run_item(run, ret_outcome);
	end_run(run);
}

/* ---- what follows ---- */

bool vd_inspector_follows(const struct vd_inspector *inspector, const struct vd_item *item)
{
	return !item->is_test &&
	       (item->set->shadow >= 0 ||
		vd_gather_wants(&inspector->gather, &item->set->gather, vd_clock_wall_ms()));
}

bool vd_inspector_must_fit(const struct vd_inspector *inspector)
{
	for (int i = 0; i < inspector->course_count; i++) {
		if (inspector->courses[i]->state == VD_FITTING)
			return true;
	}
	return false;
}

/* The frames go to the shadow recipe's cameras, which may stand in another order. */
static void change_recipe(struct vd_item *item, const struct vd_recipe *recipe)
{
	struct vd_shot shots[VD_CAMERAS_MOST];

	memcpy(shots, item->shots, sizeof shots);
	memset(item->shots, 0, sizeof item->shots);
	for (int i = 0; i < recipe->camera_count; i++) {
		const int from = vd_recipe_camera(item->recipe, recipe->cameras[i]);

		item->shots[i] = shots[from];
		shots[from] = (struct vd_shot){ 0 };
	}
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_buf_fini(&shots[i].bytes);
	item->recipe = recipe;
}

static void run_shadow(struct vd_inspector *inspector, struct vd_item *item,
		       enum vd_verdict verdict, struct vd_outcome *outcome)
{
	VD_CLEANUP(vd_free) struct run *run = calloc(1, sizeof *run);
	const struct vd_recipe *decides = item->recipe;
	struct vd_outcome quiet = { 0 };

	change_recipe(item, &item->set->recipes[item->set->shadow]);
	if (run)
		run->course = course_for(inspector, item->set, item->recipe);
	if (!run || !run->course)
		return;
	begin_run(run, inspector, item);
	run->is_bad = verdict != VD_OK;
	run->is_aside = true;
	look_and_judge(run, &quiet);
	vd_shadow_put(&inspector->shadow, item, decides, verdict, quiet.verdict,
		      vd_course_judges(run->course), run->reasons.list, run->reasons.count,
		      inspector->now_us() / 1000, &run->course->notices);
	hand_on(run->course, station_of(item, inspector->station), outcome);
	end_run(run);
}

void vd_inspector_follow(struct vd_inspector *inspector, struct vd_item *item,
			 enum vd_verdict verdict, struct vd_outcome *ret_outcome)
{
	struct vd_course *course = NULL;

	*ret_outcome = (struct vd_outcome){ 0 };
	if (item)
		vd_gather_put(&inspector->gather, &item->set->gather, item, verdict,
			      vd_clock_wall_ms());
	if (item && item->set->shadow >= 0)
		run_shadow(inspector, item, verdict, ret_outcome);
	for (int i = 0; i < inspector->course_count; i++) {
		course = inspector->courses[i];
		fit(inspector, course);
		hand_on(course, course->set->station[0] ? course->set->station : inspector->station,
			ret_outcome);
	}
	if (item)
		course = course_for(inspector, item->set, &item->set->recipes[item->set->active]);
	else if (course)
		course = course_for(inspector, course->set,
				    &course->set->recipes[course->set->active]);
	if (course)
		ret_outcome->state = state_of(inspector, course);
}

void vd_outcome_refused(const struct vd_item *item, const char *station, const char *reason,
			struct vd_outcome *ret_outcome)
{
	VD_CLEANUP(vd_free) struct vd_reasons *reasons = calloc(1, sizeof *reasons);
	struct vd_record record = {
		.item = item,
		.station = station_of(item, station),
		.verdict = item->recipe->item_rule.missing_is_ng ? VD_NG : VD_NO_DECISION,
		.reasons = reasons,
	};

	*ret_outcome = (struct vd_outcome){ .verdict = record.verdict };
	if (!reasons)
		return;
	vd_reasons_add(reasons, "%s", reason);
	ret_outcome->body = vd_record_body(&record);
}
