/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/lesson.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/warp.h"

struct pupil {
	struct vd_rect where;
	int frame_width, frame_height;
	struct vd_image patch; /* of locate steps */
	struct vd_locator *locator;
	struct vd_variation_learner *learner;
	struct vd_step_result result; /* on the part at hand */
	struct vd_image registered;
};

struct vd_lesson {
	const struct vd_recipe *recipe;
	struct pupil *pupils; /* one a step */
	int parts;
};

int vd_lesson_new(const struct vd_recipe *recipe, struct vd_lesson **ret_lesson)
{
	VD_CLEANUP(vd_lesson_free) struct vd_lesson *lesson = calloc(1, sizeof *lesson);

	if (!lesson)
		return -ENOMEM;
	lesson->recipe = recipe;
	lesson->pupils = calloc((size_t)recipe->step_count, sizeof *lesson->pupils);
	if (!lesson->pupils)
		return -ENOMEM;
	*ret_lesson = VD_TAKE(lesson);
	return 0;
}

static void forget(struct pupil *pupil)
{
	pupil->locator = vd_locator_free(pupil->locator);
	pupil->learner = vd_variation_learner_free(pupil->learner);
	vd_image_fini(&pupil->patch);
	vd_image_fini(&pupil->registered);
	vd_step_result_fini(&pupil->result);
}

struct vd_lesson *vd_lesson_free(struct vd_lesson *lesson)
{
	if (!lesson)
		return NULL;
	for (int i = 0; lesson->pupils && i < lesson->recipe->step_count; i++)
		forget(&lesson->pupils[i]);
	free(lesson->pupils);
	free(lesson);
	return NULL;
}

int vd_lesson_parts(const struct vd_lesson *lesson)
{
	return lesson->parts;
}

/* ---- the first part ---- */

static int pass(char text[static VD_STEP_TEXT], const struct vd_step *step, const char *why)
{
	(void)snprintf(text, VD_STEP_TEXT, "%s: %.90s", step->id, why);
	return VD_LESSON_PASSED;
}

static int teach_patch(struct pupil *pupil, const struct vd_step *step,
		       const struct vd_image *frame, char text[static VD_STEP_TEXT])
{
	const struct vd_pose identity = vd_pose_identity();
	int r = vd_locator_new(frame, pupil->where, &step->locate, &pupil->locator);

	if (r == -ENODATA)
		return pass(text, step, "the region has no texture");
	return r < 0 ? r : vd_warp(frame, &identity, pupil->where, &pupil->patch);
}

static int teach_step(struct pupil *pupil, const struct vd_step *step, const struct vd_image *frame,
		      char text[static VD_STEP_TEXT])
{
	pupil->where = step->roi.width > 0 ? step->roi
					   : (struct vd_rect){ 0, 0, frame->width, frame->height };
	pupil->frame_width = frame->width;
	pupil->frame_height = frame->height;
	if (pupil->where.x > frame->width - pupil->where.width ||
	    pupil->where.y > frame->height - pupil->where.height)
		return pass(text, step, "the region is not inside the frame");
	if (step->tool == VD_LOCATE)
		return teach_patch(pupil, step, frame, text);
	return vd_variation_learner_new(pupil->where.width, pupil->where.height,
					step->variation.window_px, &pupil->learner);
}

static int teach(struct vd_lesson *lesson, const struct vd_image *const *frames,
		 char text[static VD_STEP_TEXT])
{
	int r = 0;

	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		const struct vd_step *step = &lesson->recipe->steps[i];

		forget(&lesson->pupils[i]);
		if (vd_step_learns(step))
			r = teach_step(&lesson->pupils[i], step, frames[step->camera], text);
	}
	return r;
}

/* ---- every part ---- */

static bool is_of_size(const struct pupil *pupil, const struct vd_step *step,
		       const struct vd_image *frame)
{
	return !vd_step_learns(step) ||
	       (pupil->frame_width == frame->width && pupil->frame_height == frame->height);
}

static int locate(struct vd_lesson *lesson, struct vd_rig *rig, int i, const struct vd_image *frame,
		  const char *serial, char text[static VD_STEP_TEXT])
{
	const struct vd_step *step = &lesson->recipe->steps[i];
	struct pupil *pupil = &lesson->pupils[i];
	int r;

	if (!is_of_size(pupil, step, frame))
		return pass(text, step, "the frame has another size");
	vd_step_result_fini(&pupil->result);
	if (step->golden.path) {
		vd_rig_run(rig, i, frame, NULL, serial, NULL, &pupil->result);
		return pupil->result.verdict == VD_NO_DECISION
			       ? pass(text, step, pupil->result.text)
			       : 0;
	}
	r = vd_locator_find(pupil->locator, frame, &pupil->result.pose);
	return r == VD_NOT_LOCATED || r == -EINVAL ? pass(text, step, "not located") : r;
}

static int register_region(struct vd_lesson *lesson, int i, const struct vd_image *frame,
			   char text[static VD_STEP_TEXT])
{
	const struct vd_step *step = &lesson->recipe->steps[i];
	struct pupil *pupil = &lesson->pupils[i];
	const struct vd_pose pose = step->align_to < 0 ? vd_pose_identity()
						       : lesson->pupils[step->align_to].result.pose;

	if (!is_of_size(pupil, step, frame))
		return pass(text, step, "the frame has another size");
	if (!vd_warp_inside(frame, &pose, pupil->where))
		return pass(text, step, "the frame does not cover the region");
	return vd_warp(frame, &pose, pupil->where, &pupil->registered);
}

/* All regions must be there before anything is learnt from any. */
static int look(struct vd_lesson *lesson, struct vd_rig *rig, const struct vd_image *const *frames,
		const char *serial, char text[static VD_STEP_TEXT])
{
	const struct vd_recipe *recipe = lesson->recipe;
	int r = 0;

	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		if (recipe->steps[i].tool == VD_LOCATE)
			r = locate(lesson, rig, i, frames[recipe->steps[i].camera], serial, text);
	}
	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		if (recipe->steps[i].tool == VD_VARIATION)
			r = register_region(lesson, i, frames[recipe->steps[i].camera], text);
	}
	return r;
}

int vd_lesson_add(struct vd_lesson *lesson, struct vd_rig *rig,
		  const struct vd_image *const *frames, const char *serial,
		  char text[static VD_STEP_TEXT])
{
	int r = lesson->parts == 0 ? teach(lesson, frames, text) : 0;

	if (r == 0)
		r = look(lesson, rig, frames, serial, text);
	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		struct pupil *pupil = &lesson->pupils[i];

		if (pupil->learner)
			r = vd_variation_learn(pupil->learner, &pupil->registered);
	}
	if (r == 0)
		lesson->parts++;
	return r;
}

/* ---- the model ---- */

static int copy_patch(const struct pupil *pupil, struct vd_image *out)
{
	const struct vd_pose identity = vd_pose_identity();
	const struct vd_rect whole = { 0, 0, pupil->patch.width, pupil->patch.height };

	return vd_warp(&pupil->patch, &identity, whole, out);
}

static int finish_step(const struct vd_lesson *lesson, int i, struct vd_model_step *out)
{
	const struct vd_step *step = &lesson->recipe->steps[i];
	const struct pupil *pupil = &lesson->pupils[i];

	memcpy(out->id, step->id, sizeof out->id);
	out->tool = step->tool;
	out->where = pupil->where;
	out->frame_width = pupil->frame_width;
	out->frame_height = pupil->frame_height;
	return step->tool == VD_LOCATE ? copy_patch(pupil, &out->patch)
				       : vd_variation_finish(pupil->learner, &out->variation);
}

int vd_lesson_finish(const struct vd_lesson *lesson, int version, struct vd_model **ret_model)
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	int r = 0;

	if (lesson->parts < 2)
		return -EAGAIN;
	model = calloc(1, sizeof *model);
	if (!model)
		return -ENOMEM;
	model->version = version;
	model->parts = lesson->parts;
	memcpy(model->key, lesson->recipe->model_key, sizeof model->key);
	model->steps = calloc((size_t)lesson->recipe->step_count, sizeof *model->steps);
	if (!model->steps)
		return -ENOMEM;
	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		if (vd_step_learns(&lesson->recipe->steps[i]))
			r = finish_step(lesson, i, &model->steps[model->step_count++]);
	}
	if (r == 0)
		*ret_model = VD_TAKE(model);
	return r;
}
