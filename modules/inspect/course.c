/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/course.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum { PATH_BYTES = 4096 };

const char *vd_course_state_name(enum vd_course_state state)
{
	static const char *const names[] = { "ready", "untrained", "collecting", "armed" };

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

static bool path_of(const struct vd_course *course, const char *folder, const char *suffix,
		    char path[static PATH_BYTES])
{
	const int n = snprintf(path, PATH_BYTES, "%s/%s%s", folder, course->name, suffix);

	return folder[0] && n > 0 && n < PATH_BYTES;
}

static void load(struct vd_course *course, const char *folder)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	struct vd_fault fault = { 0 };
	char path[PATH_BYTES];
	int r;

	if (!path_of(course, folder, ".vdmodel", path))
		return;
	r = vd_file_read(path, VD_MODEL_BYTES, &bytes, &fault);
	if (r == -ENOENT)
		return;
	if (r == 0)
		r = vd_model_decode(bytes.data, bytes.len, &model, &fault);
	if (r < 0) {
		(void)snprintf(course->note, sizeof course->note, "model file: %.120s", fault.text);
		vd_log(VD_ERROR, "model.unreadable", "recipe=%s path=%s text=\"%s\"", course->name,
		       path, fault.text);
		return;
	}
	course->version = model->version;
	if (strcmp(model->key, course->recipe->model_key) != 0) {
		(void)snprintf(course->note, sizeof course->note,
			       "the model was learnt with other regions or tools");
		return;
	}
	course->model = VD_TAKE(model);
}

/* The old file stays as .previous for a way back. */
static int save(struct vd_course *course, const char *folder)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char path[PATH_BYTES], previous[PATH_BYTES];
	int r = vd_model_encode(course->model, &bytes);

	if (r < 0 || !path_of(course, folder, ".vdmodel", path) ||
	    !path_of(course, folder, ".previous.vdmodel", previous))
		return r;
	r = vd_file_make_folders(folder, 0750);
	if (r < 0)
		return r;
	if (access(path, F_OK) == 0) {
		(void)unlink(previous);
		if (link(path, previous) < 0)
			vd_log(VD_WARN, "model.previousLost", "recipe=%s text=\"%s\"", course->name,
			       strerror(errno));
	}
	return vd_file_write(path, bytes.data, bytes.len, 0640);
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

static int settle(struct vd_course *course)
{
	int r = set_up(course);

	if (r < 0)
		return r;
	course->lesson = vd_lesson_free(course->lesson);
	if (!vd_recipe_learns(course->recipe)) {
		set_state(course, VD_READY);
		return 0;
	}
	if (course->model) {
		set_state(course, VD_ARMED);
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
	(void)vd_lesson_free(course->lesson);
	course->lesson = lesson;
	course->model = vd_model_free(course->model);
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
		  struct vd_course **ret_course)
{
	VD_CLEANUP(vd_course_free) struct vd_course *course = calloc(1, sizeof *course);
	int r;

	if (!course)
		return -ENOMEM;
	memcpy(course->name, recipe->name, sizeof course->name);
	take_set(course, set, recipe);
	if (vd_recipe_learns(recipe))
		load(course, folder);
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
	(void)vd_lesson_free(course->lesson);
	(void)vd_model_free(course->model);
	(void)vd_recipe_set_unref(course->set);
	free(course);
	return NULL;
}

/* Tools and lesson point into the old recipe, so that they go before it does. */
int vd_course_follow(struct vd_course *course, struct vd_recipe_set *set,
		     const struct vd_recipe *recipe, const char *folder)
{
	const bool same_model = strcmp(course->recipe->model_key, recipe->model_key) == 0;

	if (cJSON_Compare(course->recipe->source, recipe->source, true))
		return 0;
	course->rig = vd_rig_free(course->rig);
	course->lesson = vd_lesson_free(course->lesson);
	take_set(course, set, recipe);
	memset(course->last_sha256, 0, sizeof course->last_sha256);
	if (!same_model) {
		course->model = vd_model_free(course->model);
		course->note[0] = '\0';
		if (vd_recipe_learns(recipe))
			load(course, folder);
	}
	return settle(course);
}

/* ---- lessons ---- */

static void arm(struct vd_course *course, const char *folder)
{
	struct vd_model *model = NULL;
	int r = vd_lesson_finish(course->lesson, course->version + 1, &model);

	if (r == 0) {
		course->model = model;
		course->version = model->version;
		r = save(course, folder);
	}
	if (r < 0) {
		(void)snprintf(course->note, sizeof course->note, "the model was not saved: %s",
			       strerror(-r));
		vd_log(VD_ERROR, "model.notSaved", "recipe=%s text=\"%s\"", course->name,
		       strerror(-r));
	}
	if (!course->model)
		return;
	course->lesson = vd_lesson_free(course->lesson);
	if (set_up(course) == 0 && course->model)
		set_state(course, VD_ARMED);
	else
		set_state(course, VD_UNTRAINED);
}

void vd_course_attend(struct vd_course *course, const struct vd_image *const *frames,
		      const char *serial, const char *folder)
{
	const int r = vd_lesson_add(course->lesson, course->rig, frames, serial, course->note);

	if (r < 0)
		(void)snprintf(course->note, sizeof course->note, "%s", strerror(-r));
	if (r != 0)
		return;
	course->note[0] = '\0';
	if (vd_lesson_parts(course->lesson) >= course->recipe->learning_parts)
		arm(course, folder);
}
