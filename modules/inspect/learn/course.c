/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/course.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "modules/inspect/notice.h"

enum { PATH_BYTES = 4096 };

static const char SUFFIX[] = ".vdmodel", PREVIOUS[] = ".previous.vdmodel";

const char *vd_course_state_name(enum vd_course_state state)
{
	static const char *const names[] = { "ready",     "untrained", "collecting", "fitting",
					     "validated", "rejected",  "armed" };

	return names[state];
}

static void set_state(struct vd_course *course, enum vd_course_state state)
{
	if (course->state == state)
		return;
	vd_log(VD_NOTICE, "recipe.state", "recipe=%s from=%s to=%s modelVersion=%d", course->name,
	       vd_course_state_name(course->state), vd_course_state_name(state), course->version);
	course->state = state;
}

/* ---- files ---- */

static bool path_of(const struct vd_course *course, const char *suffix,
		    char path[static PATH_BYTES])
{
	const int n = snprintf(path, PATH_BYTES, "%s/%s%s", course->folder, course->name, suffix);

	return course->folder[0] && n > 0 && n < PATH_BYTES;
}

/* -ENOENT, -EINVAL, ...; fault says why. */
static int read_model(const struct vd_course *course, const char *suffix,
		      struct vd_model **ret_model, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char path[PATH_BYTES];
	int r;

	if (!path_of(course, suffix, path))
		return -ENOENT;
	r = vd_file_read(path, VD_MODEL_BYTES, &bytes, fault);
	return r < 0 ? r : vd_model_decode(bytes.data, bytes.len, ret_model, fault);
}

static bool fits(struct vd_course *course, const struct vd_model *model)
{
	if (strcmp(model->key, course->recipe->model_key) == 0)
		return true;
	(void)snprintf(course->note, sizeof course->note,
		       "the model was learnt with other regions or tools");
	return false;
}

static int take_report(struct vd_course *course, const cJSON *report)
{
	cJSON *copy = report ? cJSON_Duplicate(report, true) : NULL;

	if (report && !copy)
		return -ENOMEM;
	(void)vd_json_free(course->report);
	course->report = copy;
	return 0;
}

static void load(struct vd_course *course)
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	struct vd_fault fault = { 0 };
	const int r = read_model(course, SUFFIX, &model, &fault);

	if (r == -ENOENT)
		return;
	if (r < 0) {
		(void)snprintf(course->note, sizeof course->note, "model file: %.120s", fault.text);
		vd_log(VD_ERROR, "model.unreadable", "recipe=%s text=\"%s\"", course->name,
		       fault.text);
		return;
	}
	course->version = model->version;
	if (fits(course, model) && take_report(course, model->report) == 0)
		course->model = VD_TAKE(model);
}

/* The old file stays as .previous for a way back. */
static int save(struct vd_course *course, bool keep_previous)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char path[PATH_BYTES], previous[PATH_BYTES];
	int r = vd_model_encode(course->model, &bytes);

	if (r < 0 || course->is_read_only || !path_of(course, SUFFIX, path) ||
	    !path_of(course, PREVIOUS, previous))
		return r;
	r = vd_file_make_folders(course->folder, 0750);
	if (r < 0)
		return r;
	if (keep_previous && access(path, F_OK) == 0) {
		(void)unlink(previous);
		if (link(path, previous) < 0)
			vd_log(VD_WARN, "model.previousLost", "recipe=%s text=\"%s\"", course->name,
			       strerror(errno));
	}
	return vd_file_write(path, bytes.data, bytes.len, 0640);
}

/* After a way back the newest version lies in the previous file. */
static int next_version(struct vd_course *course)
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	struct vd_fault fault = { 0 };

	if (read_model(course, PREVIOUS, &model, &fault) == 0 && model->version > course->version)
		course->version = model->version;
	return course->version + 1;
}

/* ---- the challenge set ---- */

static int look_at_challenge(const struct vd_course *course,
			     const struct vd_model_challenge *challenge, struct vd_look *looks)
{
	for (int i = 0; i < challenge->frame_count; i++) {
		const struct vd_model_frame *frame = &challenge->frames[i];
		const int camera = vd_recipe_camera(course->recipe, frame->camera);
		struct vd_shot shot = { .state = VD_SHOT_TAKEN, .is_jpeg = true };

		if (camera < 0)
			return -EINVAL;
		shot.bytes = frame->jpeg; /* lent */
		vd_look_at(&looks[camera], &shot, course->recipe, "");
	}
	return 0;
}

static enum vd_verdict judge_step(struct vd_course *course, int i, const struct vd_look *looks,
				  struct vd_step_result *results)
{
	const struct vd_step *step = &course->recipe->steps[i];
	const struct vd_step_view view = {
		.frame = &looks[step->camera].image,
		.serial = "",
		.located = step->align_to < 0 ? NULL : &results[step->align_to],
	};

	if (!looks[step->camera].is_good) {
		vd_step_undecided(&results[i], "no_frame", "camera");
		return VD_NO_DECISION;
	}
	vd_rig_run(course->rig, i, &view, &results[i]);
	return vd_step_learns(step) ? results[i].verdict : VD_OK;
}

/* The worst of what learnt steps say; others do not depend on the model. */
static enum vd_verdict judge_challenge(struct vd_course *course,
				       const struct vd_model_challenge *challenge,
				       struct vd_look *looks, struct vd_step_result *results)
{
	const struct vd_recipe *recipe = course->recipe;
	enum vd_verdict worst = VD_OK;

	if (look_at_challenge(course, challenge, looks) < 0)
		return VD_NO_DECISION;
	for (int i = 0; i < recipe->step_count; i++) {
		if (vd_step_locates(&recipe->steps[i]))
			worst = vd_verdict_worse(worst, judge_step(course, i, looks, results));
	}
	for (int i = 0; i < recipe->step_count; i++) {
		if (recipe->steps[i].tool != VD_LOCATE && vd_step_learns(&recipe->steps[i]))
			worst = vd_verdict_worse(worst, judge_step(course, i, looks, results));
	}
	for (int i = 0; i < recipe->step_count; i++)
		vd_step_result_fini(&results[i]);
	return worst;
}

static void disarm(struct vd_course *course, const struct vd_model_challenge *challenge,
		   enum vd_verdict now)
{
	cJSON *body;

	(void)snprintf(course->note, sizeof course->note,
		       "challenge part %.50s was %s and is %s now", challenge->name,
		       vd_verdict_name(challenge->verdict), vd_verdict_name(now));
	set_state(course, VD_REJECTED);
	body = vd_alarm_body("challenge", true, course->name, course->note);
	(void)vd_notice_add(&course->notices, "alarm", "alarm", &body);
}

/* freeze: the verdicts now are those that must come out ever after. */
static void run_challenges(struct vd_course *course, bool freeze)
{
	struct vd_look looks[VD_CAMERAS_MOST] = { 0 };
	VD_CLEANUP(vd_free)
	struct vd_step_result *results =
		calloc((size_t)course->recipe->step_count, sizeof *results);
	int i = 0;

	course->since_challenge = 0;
	course->challenges++;
	for (; results && i < course->model->challenge_count; i++) {
		struct vd_model_challenge *challenge = &course->model->challenges[i];
		const enum vd_verdict now = judge_challenge(course, challenge, looks, results);

		if (freeze)
			challenge->verdict = now;
		if (now == challenge->verdict)
			continue;
		disarm(course, challenge, now);
		break;
	}
	for (int k = 0; k < VD_CAMERAS_MOST; k++)
		vd_look_fini(&looks[k]);
}

void vd_course_count(struct vd_course *course)
{
	const int every = course->recipe->drift.challenge_every;

	if (course->state == VD_ARMED && every > 0 && ++course->since_challenge >= (uint64_t)every)
		run_challenges(course, false);
}

/* ---- states ---- */

static int set_up(struct vd_course *course)
{
	int r;

	course->rig = vd_rig_free(course->rig);
	r = vd_rig_new(course->recipe, course->model, &course->rig);
	if (r < 0 && r != -ENOMEM && course->model) {
		(void)snprintf(course->note, sizeof course->note,
			       "the model does not fit the recipe");
		course->model = vd_model_free(course->model);
		r = vd_rig_new(course->recipe, NULL, &course->rig);
	}
	return r;
}

static void forget_lesson(struct vd_course *course)
{
	course->lesson = vd_lesson_free(course->lesson);
	course->fitted = vd_model_free(course->fitted);
}

static int settle(struct vd_course *course)
{
	int r = set_up(course);

	if (r < 0)
		return r;
	forget_lesson(course);
	course->drift = (struct vd_drift){ 0 };
	if (!vd_recipe_learns(course->recipe)) {
		set_state(course, VD_READY);
		return 0;
	}
	if (course->model) {
		set_state(course, VD_ARMED);
		run_challenges(course, false);
		return 0;
	}
	set_state(course, VD_UNTRAINED);
	return course->recipe->learns_by_itself ? vd_course_learn(course) : 0;
}

int vd_course_learn(struct vd_course *course)
{
	struct vd_lesson *lesson = NULL;
	int r = vd_lesson_new(course->recipe, &lesson);

	if (r < 0)
		return r;
	forget_lesson(course);
	course->lesson = lesson;
	course->model = vd_model_free(course->model);
	course->report = vd_json_free(course->report);
	course->note[0] = '\0';
	r = set_up(course);
	if (r < 0)
		return r;
	set_state(course, VD_COLLECTING);
	return 0;
}

static void take_set(struct vd_course *course, struct vd_recipe_set *set,
		     const struct vd_recipe *recipe)
{
	struct vd_recipe_set *old = course->set;

	course->set = vd_recipe_set_ref(set);
	course->recipe = recipe;
	(void)vd_recipe_set_unref(old);
}

int vd_course_new(struct vd_recipe_set *set, const struct vd_recipe *recipe, const char *folder,
		  bool is_read_only, struct vd_course **ret_course)
{
	VD_CLEANUP(vd_course_free) struct vd_course *course = calloc(1, sizeof *course);
	int r;

	if (!course)
		return -ENOMEM;
	memcpy(course->name, recipe->name, sizeof course->name);
	course->is_read_only = is_read_only;
	course->folder = strdup(folder);
	take_set(course, set, recipe);
	if (!course->folder)
		return -ENOMEM;
	if (vd_recipe_learns(recipe))
		load(course);
	r = settle(course);
	if (r == 0)
		*ret_course = VD_TAKE(course);
	return r;
}

struct vd_course *vd_course_free(struct vd_course *course)
{
	if (!course)
		return NULL;
	(void)vd_rig_free(course->rig);
	forget_lesson(course);
	(void)vd_model_free(course->model);
	(void)vd_json_free(course->report);
	(void)vd_json_free(course->notices);
	free(course->folder);
	(void)vd_recipe_set_unref(course->set);
	free(course);
	return NULL;
}

/* Tools and lesson point into the old recipe, so that they go before it does. */
int vd_course_follow(struct vd_course *course, struct vd_recipe_set *set,
		     const struct vd_recipe *recipe)
{
	const bool same_model = strcmp(course->recipe->model_key, recipe->model_key) == 0;

	if (cJSON_Compare(course->recipe->source, recipe->source, true))
		return 0;
	course->rig = vd_rig_free(course->rig);
	forget_lesson(course);
	take_set(course, set, recipe);
	course->note[0] = '\0';
	memset(course->last_sha256, 0, sizeof course->last_sha256);
	if (!same_model) {
		course->model = vd_model_free(course->model);
		course->report = vd_json_free(course->report);
		if (vd_recipe_learns(recipe))
			load(course);
	}
	return settle(course);
}

/* ---- lessons ---- */

void vd_course_attend(struct vd_course *course, const struct vd_look *looks,
		      const struct vd_shot *shots, const char *serial)
{
	const int r =
		vd_lesson_add(course->lesson, course->rig, looks, shots, serial, course->note);

	if (r < 0)
		(void)snprintf(course->note, sizeof course->note, "%s", strerror(-r));
	if (r == 0)
		course->note[0] = '\0';
	if (r == VD_LESSON_FULL ||
	    vd_lesson_parts(course->lesson) >= course->recipe->learning_parts)
		set_state(course, VD_FITTING);
}

/* A model that cannot be written judges all the same; it is gone after a restart. */
static int put_in_force(struct vd_course *course, bool keep_previous)
{
	int r = set_up(course);

	if (r < 0 || !course->model)
		return r < 0 ? r : -EINVAL;
	course->note[0] = '\0';
	course->drift = (struct vd_drift){ 0 };
	run_challenges(course, true);
	r = save(course, keep_previous);
	if (r < 0) {
		(void)snprintf(course->note, sizeof course->note, "the model was not saved: %s",
			       strerror(-r));
		vd_log(VD_ERROR, "model.notSaved", "recipe=%s text=\"%s\"", course->name,
		       strerror(-r));
	}
	set_state(course, VD_ARMED);
	return 0;
}

int vd_course_arm(struct vd_course *course, char text[static VD_STEP_TEXT])
{
	const bool is_new = course->state == VD_VALIDATED;

	if (!is_new && !(course->state == VD_REJECTED && course->model)) {
		(void)snprintf(text, VD_STEP_TEXT, "the recipe is %s%s%.100s",
			       vd_course_state_name(course->state), course->note[0] ? ": " : "",
			       course->note);
		return -EPERM;
	}
	if (is_new) {
		course->model = VD_TAKE(course->fitted);
		course->version = course->model->version;
	}
	return put_in_force(course, is_new);
}

static void reject(struct vd_course *course, const char *why)
{
	cJSON *body;

	(void)snprintf(course->note, sizeof course->note, "%s", why);
	set_state(course, VD_REJECTED);
	body = vd_alarm_body("learning", true, course->name, course->note);
	(void)vd_notice_add(&course->notices, "alarm", "alarm", &body);
}

void vd_course_fit(struct vd_course *course, vd_progress_fn progress, void *argument)
{
	struct vd_fit fit = { 0 };
	int r = vd_lesson_fit(course->lesson, course->rig, next_version(course), progress, argument,
			      &fit);

	course->lesson = vd_lesson_free(course->lesson);
	if (r == 0)
		r = take_report(course, fit.report);
	if (r < 0 || !fit.model) {
		reject(course, r == -EAGAIN ? "fewer than 2 parts are alike"
			       : r < 0      ? strerror(-r)
					    : fit.text);
		vd_fit_fini(&fit);
		return;
	}
	vd_log(VD_NOTICE, "recipe.fitted", "recipe=%s text=\"%s\"", course->name, fit.text);
	course->fitted = VD_TAKE(fit.model);
	set_state(course, VD_VALIDATED);
	if (!course->recipe->learning.arms_by_hand && vd_course_arm(course, fit.text) < 0)
		reject(course, "the model could not be put in force");
	vd_fit_fini(&fit);
}

/* ---- the way back ---- */

static int exchange_files(const struct vd_course *course)
{
	char path[PATH_BYTES], previous[PATH_BYTES];

	if (course->is_read_only || !path_of(course, SUFFIX, path) ||
	    !path_of(course, PREVIOUS, previous))
		return -ENOENT;
	if (renameat2(AT_FDCWD, path, AT_FDCWD, previous, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return rename(previous, path) < 0 ? -errno : 0;
}

int vd_course_roll_back(struct vd_course *course, char text[static VD_STEP_TEXT])
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	struct vd_fault fault = { 0 };
	int r = read_model(course, PREVIOUS, &model, &fault);

	if (r == 0 && !fits(course, model))
		r = -EINVAL;
	if (r < 0) {
		(void)snprintf(text, VD_STEP_TEXT, "no previous model to go back to: %.90s",
			       r == -ENOENT      ? "none is there"
			       : fault.code != 0 ? fault.text
						 : course->note);
		return r;
	}
	r = exchange_files(course);
	if (r == 0)
		r = take_report(course, model->report);
	if (r < 0) {
		(void)snprintf(text, VD_STEP_TEXT, "%s", strerror(-r));
		return r;
	}
	course->rig = vd_rig_free(course->rig);
	(void)vd_model_free(course->model);
	course->model = VD_TAKE(model);
	course->note[0] = '\0';
	return settle(course);
}

/* ---- judging ---- */

bool vd_course_judges(const struct vd_course *course)
{
	return course->state == VD_READY || course->state == VD_ARMED;
}

void vd_course_excuse(const struct vd_course *course, char text[static VD_STEP_TEXT])
{
	const char *note = course->note;

	switch (course->state) {
	case VD_COLLECTING:
		(void)snprintf(text, VD_STEP_TEXT, "%d of %d parts%s%.100s",
			       vd_lesson_parts(course->lesson), course->recipe->learning_parts,
			       note[0] ? "; " : "", note);
		return;
	case VD_FITTING:
		(void)snprintf(text, VD_STEP_TEXT, "fitting a model to %d parts",
			       vd_lesson_parts(course->lesson));
		return;
	case VD_VALIDATED:
		(void)snprintf(text, VD_STEP_TEXT, "validated; the method arm puts it in force");
		return;
	default:
		(void)snprintf(text, VD_STEP_TEXT, "%s%s%.120s",
			       vd_course_state_name(course->state), note[0] ? ": " : "", note);
		return;
	}
}
