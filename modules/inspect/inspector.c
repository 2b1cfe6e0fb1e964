/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/inspector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "modules/inspect/course.h"
#include "modules/inspect/look.h"
#include "modules/inspect/overlay.h"
#include "modules/inspect/record.h"

enum { COURSES_MOST = 64 };

struct vd_inspector {
	char station[VD_NAME_BYTES];
	char *model_folder;
	uint64_t (*now_us)(void);
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
	inspector->model_folder = strdup(options->model_folder);
	if (!inspector->model_folder)
		return -ENOMEM;
	*ret_inspector = VD_TAKE(inspector);
	return 0;
}

struct vd_inspector *vd_inspector_free(struct vd_inspector *inspector)
{
	if (!inspector)
		return NULL;
	for (int i = 0; i < inspector->course_count; i++)
		(void)vd_course_free(inspector->courses[i]);
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_look_fini(&inspector->looks[i]);
	free(inspector->model_folder);
	free(inspector);
	return NULL;
}

void vd_outcome_fini(struct vd_outcome *outcome)
{
	(void)vd_json_free(outcome->body);
	(void)vd_json_free(outcome->state);
	vd_buf_fini(&outcome->overlay);
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
		return vd_course_follow(course, set, recipe, inspector->model_folder) == 0 ? course
											   : NULL;
	}
	drop_gone(inspector, set);
	if (inspector->course_count == COURSES_MOST ||
	    vd_course_new(set, recipe, inspector->model_folder, &course) < 0)
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
	return ok && vd_json_add_string(model, "note", course->note[0] ? course->note : NULL);
}

static cJSON *state_of(const struct vd_course *course)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "recipe", course->name) ||
	    !vd_json_add_number(json, "rev", course->recipe->rev) || !add_model_state(json, course))
		return NULL;
	return VD_TAKE(json);
}

cJSON *vd_inspector_state(struct vd_inspector *inspector, struct vd_recipe_set *set)
{
	const struct vd_course *course = course_for(inspector, set, &set->recipes[set->active]);

	return course ? state_of(course) : NULL;
}

void vd_inspector_learn(struct vd_inspector *inspector, struct vd_recipe_set *set)
{
	struct vd_course *course = course_for(inspector, set, &set->recipes[set->active]);

	if (course && vd_recipe_learns(course->recipe) && vd_course_learn(course) < 0)
		vd_log(VD_ERROR, "recipe.notLearning", "recipe=%s text=\"out of memory\"",
		       course->name);
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
	const struct vd_step *gate; /* that stays shut; NULL: all are open */
	uint64_t started, decoded, inspected;
};

static void look(struct run *run)
{
	for (int i = 0; i < run->recipe->camera_count; i++) {
		char *last = run->course->last_sha256[i];

		vd_look_at(&run->looks[i], &run->item->shots[i], run->recipe, last);
		if (vd_recipe_sees_colour(run->recipe, i))
			vd_look_in_colour(&run->looks[i], &run->item->shots[i]);
		if (run->looks[i].sha256[0])
			memcpy(last, run->looks[i].sha256, VD_SHA256_TEXT);
	}
}

/* The parts learnt from, counting this one; -1: the recipe is not learning. */
static int learn(struct run *run)
{
	const struct vd_image *frames[VD_CAMERAS_MOST];
	struct vd_course *course = run->course;

	if (course->state != VD_COLLECTING)
		return -1;
	for (int i = 0; i < run->recipe->camera_count; i++) {
		if (!run->looks[i].is_good)
			return vd_lesson_parts(course->lesson);
		frames[i] = &run->looks[i].image;
	}
	vd_course_attend(course, frames, run->item->serial, run->inspector->model_folder);
	return course->lesson ? vd_lesson_parts(course->lesson) : run->recipe->learning_parts;
}

static void run_step(struct run *run, int i, int learnt)
{
	const struct vd_step *step = &run->recipe->steps[i];
	const struct vd_look *seen = &run->looks[step->camera];
	struct vd_step_result *result = &run->results[i];
	const struct vd_step_result *located =
		step->align_to < 0 ? NULL : &run->results[step->align_to];
	const uint64_t start = run->inspector->now_us();

	if (!seen->is_good)
		vd_step_undecided(result, "no_frame", "camera %s",
				  run->recipe->cameras[step->camera]);
	else if (run->gate)
		vd_step_undecided(result, "gated", "step %s", run->gate->id);
	else if (learnt >= 0 && vd_step_learns(step))
		vd_step_undecided(result, "learning", "%d of %d parts%s%s", learnt,
				  run->recipe->learning_parts, run->course->note[0] ? "; " : "",
				  run->course->note);
	else
		vd_rig_run(run->course->rig, i, &seen->image,
			   seen->has_colour ? &seen->colour : NULL, run->item->serial, located,
			   result);
	if (step->gate && !run->gate && result->verdict > VD_WARNING)
		run->gate = step;
	result->ms = (double)(run->inspector->now_us() - start) / 1000;
}

/* What others align to comes first. */
static void run_steps(struct run *run, int learnt)
{
	for (int i = 0; i < run->recipe->step_count; i++) {
		if (run->recipe->steps[i].tool == VD_LOCATE)
			run_step(run, i, learnt);
	}
	for (int i = 0; i < run->recipe->step_count; i++) {
		if (run->recipe->steps[i].tool != VD_LOCATE)
			run_step(run, i, learnt);
	}
}

/* ---- judging ---- */

enum { LABELS_MOST = 1024 };

struct labels {
	const char *list[LABELS_MOST];
	size_t count;
};

static struct vd_step_outcome outcome_of(const struct vd_step_result *result, struct labels *labels)
{
	struct vd_step_outcome outcome = { .verdict = result->verdict,
					   .labels = labels->list + labels->count };

	for (size_t i = 0; i < result->blobs.count && labels->count < LABELS_MOST; i++) {
		labels->list[labels->count++] = vd_polarity_name(result->blobs.defects[i].polarity);
		outcome.label_count++;
	}
	return outcome;
}

static enum vd_verdict judge_camera(const struct run *run, int camera)
{
	struct vd_step_outcome outcomes[VD_STEPS_MOST];
	struct labels labels = { .count = 0 };
	size_t count = 0;

	for (int i = 0; i < run->recipe->step_count; i++) {
		if (run->recipe->steps[i].camera == camera)
			outcomes[count++] = outcome_of(&run->results[i], &labels);
	}
	return vd_camera_judge(&run->recipe->camera_rules[camera], outcomes, count);
}

static enum vd_verdict judge(struct run *run)
{
	const struct vd_recipe *recipe = run->recipe;
	enum vd_verdict parts[VD_STEPS_MOST], vetoes[VD_STEPS_MOST];
	size_t count = 0;

	for (int i = 0; !recipe->item_is_steps && i < recipe->camera_count; i++) {
		parts[count] = judge_camera(run, i);
		if (parts[count] != VD_OK && recipe->camera_rules[i].kind > VD_ANY_OK)
			vd_reasons_add(&run->reasons, "%s: the camera's rule says %s",
				       recipe->cameras[i], vd_verdict_name(parts[count]));
		count++;
	}
	for (int i = 0; recipe->item_is_steps && i < recipe->item_step_count; i++)
		parts[count++] = run->results[recipe->item_steps[i]].verdict;
	for (int i = 0; i < recipe->veto_count; i++)
		vetoes[i] = run->results[recipe->vetoes[i]].verdict;
	return vd_item_judge(&recipe->item_rule, parts, count, vetoes, (size_t)recipe->veto_count);
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

static void draw(const struct run *run, struct vd_outcome *outcome)
{
	const int camera = worst_camera(run);
	const struct vd_overlay overlay = {
		.frame = camera < 0 ? NULL : &run->looks[camera].image,
		.recipe = run->recipe,
		.camera = camera,
		.results = run->results,
		.verdict = outcome->verdict,
		.reasons = run->reasons.list,
		.reason_count = run->reasons.count,
	};

	if (camera < 0 || !run->recipe->keep.overlay)
		return;
	if (vd_overlay_encode(&overlay, run->recipe->keep.quality, &outcome->overlay) < 0)
		vd_buf_clear(&outcome->overlay);
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
		.model = run->course->model,
		.decode_ms = (double)(run->decoded - run->started) / 1000,
		.inspect_ms = (double)(run->inspected - run->decoded) / 1000,
		.total_ms = (double)(now - run->item->started_us) / 1000,
	};

	outcome->body = vd_record_body(&record);
	outcome->total_ms = record.total_ms;
	outcome->state = state_of(run->course);
}

static void run_item(struct run *run, struct vd_outcome *outcome)
{
	run->started = run->inspector->now_us();
	look(run);
	run->decoded = run->inspector->now_us();
	run_steps(run, learn(run));
	vd_reasons_collect(&run->reasons, run->recipe, run->looks, run->results);
	outcome->verdict = judge(run);
	run->inspected = run->inspector->now_us();
	outcome->keeps_images = is_nth(run->course, outcome->verdict);
	if (outcome->keeps_images)
		draw(run, outcome);
	write_record(run, outcome);
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
	run->inspector = inspector;
	run->item = item;
	run->recipe = item->recipe;
	run->looks = inspector->looks;
	run->results = inspector->results;
	memset(inspector->results, 0, sizeof inspector->results);
	for (int i = 0; i < VD_STEPS_MOST; i++)
		run->results[i].pose = vd_pose_identity();
	run_item(run, ret_outcome);
	for (int i = 0; i < item->recipe->step_count; i++)
		vd_step_result_fini(&run->results[i]);
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
