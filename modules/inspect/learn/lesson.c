/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting good parts, and what collecting and fitting have in common. */
#include "modules/inspect/learn/lesson.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/learn/drift.h"
#include "modules/inspect/learn/pupil.h"
#include "modules/vision/warp.h"

static int processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void vd_lesson_set_threads(struct vd_lesson *lesson, int threads)
{
	lesson->threads = threads < 1 ? 1 : threads < VD_HANDS ? threads : VD_HANDS;
}

int vd_lesson_new(const struct vd_recipe *recipe, struct vd_lesson **ret_lesson)
{
	VD_CLEANUP(vd_lesson_free) struct vd_lesson *lesson = calloc(1, sizeof *lesson);

	if (!lesson)
		return -ENOMEM;
	lesson->recipe = recipe;
	vd_lesson_set_threads(lesson, processors());
	lesson->pupils = calloc((size_t)recipe->step_count, sizeof *lesson->pupils);
	if (!lesson->pupils)
		return -ENOMEM;
	for (int i = 0; i < VD_HANDS; i++) {
		struct vd_hand *hand = &lesson->hands[i];

		hand->held = calloc((size_t)recipe->step_count, sizeof *hand->held);
		if (!hand->held)
			return -ENOMEM;
	}
	*ret_lesson = VD_TAKE(lesson);
	return 0;
}

static void forget(struct pupil *pupil)
{
	pupil->locator = vd_locator_free(pupil->locator);
	pupil->learner = vd_variation_learner_free(pupil->learner);
	pupil->texture = vd_texture_learner_free(pupil->texture);
	vd_texture_work_fini(&pupil->texture_work);
	pupil->trial = vd_trial_free(pupil->trial);
	free(pupil->factors);
	pupil->factors = NULL;
	vd_image_fini(&pupil->patch);
}

static void sample_fini(struct vd_sample *sample, const struct vd_recipe *recipe)
{
	for (int i = 0; sample->shots && i < recipe->camera_count; i++)
		vd_buf_fini(&sample->shots[i].bytes);
	for (int i = 0; sample->cells && i < recipe->step_count; i++)
		vd_cells_fini(&sample->cells[i]);
	free(sample->shots);
	free(sample->poses);
	free(sample->cells);
	*sample = (struct vd_sample){ 0 };
}

static void let_go(struct vd_hand *hand, int step_count)
{
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_look_fini(&hand->looks[i]);
	for (int i = 0; hand->held && i < step_count; i++) {
		vd_image_fini(&hand->held[i].registered);
		vd_variation_light_fini(&hand->held[i].light);
		(void)vd_apart_free(hand->held[i].apart);
	}
	free(hand->held);
}

struct vd_lesson *vd_lesson_free(struct vd_lesson *lesson)
{
	if (!lesson)
		return NULL;
	for (int i = 0; i < lesson->parts; i++)
		sample_fini(&lesson->samples[i], lesson->recipe);
	free(lesson->samples);
	for (int i = 0; i < VD_HANDS; i++)
		let_go(&lesson->hands[i], lesson->recipe->step_count);
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
	int r = 0;

	pupil->where = step->roi.width > 0 ? step->roi
					   : (struct vd_rect){ 0, 0, frame->width, frame->height };
	pupil->frame_width = frame->width;
	pupil->frame_height = frame->height;
	if (pupil->where.x > frame->width - pupil->where.width ||
	    pupil->where.y > frame->height - pupil->where.height)
		return pass(text, step, "the region is not inside the frame");
	if (step->tool == VD_LOCATE)
		r = teach_patch(pupil, step, frame, text);
	if (step->tool == VD_TEXTURE) {
		r = vd_texture_learner_new(pupil->where.width, pupil->where.height,
					   step->texture.scope, &pupil->texture);
		return r == -EINVAL ? pass(text, step, "the region is smaller than 32 x 32") : r;
	}
	return r != 0 ? r
		      : vd_variation_learner_new(
				pupil->where.width, pupil->where.height,
				step->tool == VD_LOCATE ? 0 : step->variation.window_px,
				&pupil->learner);
}

int vd_lesson_teach(struct vd_lesson *lesson, const struct vd_look *looks,
		    char text[static VD_STEP_TEXT])
{
	int r = 0;

	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		const struct vd_step *step = &lesson->recipe->steps[i];

		forget(&lesson->pupils[i]);
		if (vd_step_learns(step))
			r = teach_step(&lesson->pupils[i], step, &looks[step->camera].image, text);
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

/* A template that stands in a file is the rig's to find. */
static int locate_golden(struct vd_rig *rig, int i, const struct vd_step *step,
			 const struct vd_step_view *view, struct vd_pose *ret_pose,
			 char text[static VD_STEP_TEXT])
{
	struct vd_step_result result = { 0 };
	int r = 0;

	vd_rig_run(rig, i, view, &result);
	*ret_pose = result.pose;
	if (result.verdict == VD_NO_DECISION)
		r = pass(text, step, result.text);
	vd_step_result_fini(&result);
	return r;
}

static int locate(const struct vd_lesson *lesson, struct vd_hand *hand, struct vd_rig *rig, int i,
		  const struct vd_image *frame, const char *serial, char text[static VD_STEP_TEXT])
{
	const struct vd_step *step = &lesson->recipe->steps[i];
	const struct vd_step_view view = { .frame = frame, .serial = serial };
	const struct pupil *pupil = &lesson->pupils[i];
	int r;

	if (!is_of_size(pupil, step, frame))
		return pass(text, step, "the frame has another size");
	if (step->golden.path)
		return locate_golden(rig, i, step, &view, &hand->held[i].pose, text);
	r = vd_locator_find(pupil->locator, frame, &hand->held[i].pose);
	return r == VD_NOT_LOCATED || r == -EINVAL ? pass(text, step, "not located") : r;
}

static int register_region(const struct vd_lesson *lesson, struct vd_hand *hand, int i,
			   const struct vd_image *frame, char text[static VD_STEP_TEXT])
{
	const struct vd_step *step = &lesson->recipe->steps[i];
	const struct pupil *pupil = &lesson->pupils[i];
	const struct vd_pose pose =
		step->align_to < 0 ? vd_pose_identity() : hand->held[step->align_to].pose;

	if (!is_of_size(pupil, step, frame))
		return pass(text, step, "the frame has another size");
	if (!vd_warp_inside(frame, &pose, pupil->where))
		return pass(text, step, "the frame does not cover the region");
	return vd_warp_soft(frame, &pose, pupil->where, &hand->held[i].registered);
}

static bool compares(const struct vd_step *step)
{
	return step->tool == VD_VARIATION || step->tool == VD_TEXTURE;
}

/* All regions must be there before anything is learnt from any. */
static int register_regions(const struct vd_lesson *lesson, struct vd_hand *hand,
			    const struct vd_look *looks, char text[static VD_STEP_TEXT])
{
	const struct vd_recipe *recipe = lesson->recipe;
	int r = 0;

	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		if (compares(&recipe->steps[i]))
			r = register_region(lesson, hand, i, &looks[recipe->steps[i].camera].image,
					    text);
	}
	return r;
}

int vd_lesson_look(const struct vd_lesson *lesson, struct vd_hand *hand, struct vd_rig *rig,
		   const struct vd_look *looks, const char *serial, char text[static VD_STEP_TEXT])
{
	const struct vd_recipe *recipe = lesson->recipe;
	int r = 0;

	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		if (vd_step_locates(&recipe->steps[i]))
			r = locate(lesson, hand, rig, i, &looks[recipe->steps[i].camera].image,
				   serial, text);
	}
	return r != 0 ? r : register_regions(lesson, hand, looks, text);
}

int vd_lesson_register(const struct vd_lesson *lesson, struct vd_hand *hand,
		       const struct vd_sample *sample, char text[static VD_STEP_TEXT])
{
	for (int i = 0; i < lesson->recipe->step_count; i++)
		hand->held[i].pose = sample->poses[i];
	return register_regions(lesson, hand, hand->looks, text);
}

/* ---- keeping samples ---- */

static int copy_shots(struct vd_sample *sample, const struct vd_recipe *recipe,
		      const struct vd_shot *shots)
{
	int r = 0;

	for (int i = 0; r == 0 && i < recipe->camera_count; i++) {
		struct vd_shot *copy = &sample->shots[i];

		*copy = shots[i];
		copy->bytes = (struct vd_buf){ 0 };
		r = vd_buf_append(&copy->bytes, shots[i].bytes.data, shots[i].bytes.len);
	}
	return r;
}

static int describe(struct vd_lesson *lesson, struct vd_sample *sample, const struct vd_look *looks)
{
	const struct vd_recipe *recipe = lesson->recipe;
	const struct vd_held *held = lesson->hands[0].held;
	int r = 0;

	for (int i = 0; i < recipe->camera_count; i++) {
		sample->sights[i][0] = looks[i].mean;
		sample->sights[i][1] = looks[i].spread;
		sample->sights[i][2] = vd_sharpness(&looks[i].image);
	}
	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		sample->poses[i] = held[i].pose;
		if (compares(&recipe->steps[i]))
			r = vd_cells_measure(&sample->cells[i], &held[i].registered);
	}
	return r;
}

static int fill_sample(struct vd_lesson *lesson, struct vd_sample *sample,
		       const struct vd_look *looks, const struct vd_shot *shots, const char *serial)
{
	const struct vd_recipe *recipe = lesson->recipe;
	int r;

	sample->factor = NAN;
	(void)snprintf(sample->serial, sizeof sample->serial, "%s", serial);
	sample->shots = calloc((size_t)recipe->camera_count, sizeof *sample->shots);
	sample->poses = calloc((size_t)recipe->step_count, sizeof *sample->poses);
	sample->cells = calloc((size_t)recipe->step_count, sizeof *sample->cells);
	if (!sample->shots || !sample->poses || !sample->cells)
		return -ENOMEM;
	r = copy_shots(sample, recipe, shots);
	return r < 0 ? r : describe(lesson, sample, looks);
}

static int make_room(struct vd_lesson *lesson)
{
	const int room = lesson->room ? 2 * lesson->room : 16;
	struct vd_sample *samples;

	if (lesson->parts < lesson->room)
		return 0;
	samples = realloc(lesson->samples, (size_t)room * sizeof *samples);
	if (!samples)
		return -ENOMEM;
	lesson->samples = samples;
	lesson->room = room;
	return 0;
}

static int keep(struct vd_lesson *lesson, const struct vd_look *looks, const struct vd_shot *shots,
		const char *serial)
{
	struct vd_sample sample = { 0 };
	size_t bytes = 0;
	int r;

	for (int i = 0; i < lesson->recipe->camera_count; i++)
		bytes += shots[i].bytes.len;
	if (lesson->bytes + bytes > VD_LESSON_BYTES)
		return VD_LESSON_FULL;
	r = make_room(lesson);
	if (r == 0)
		r = fill_sample(lesson, &sample, looks, shots, serial);
	if (r < 0) {
		sample_fini(&sample, lesson->recipe);
		return r;
	}
	lesson->samples[lesson->parts++] = sample;
	lesson->bytes += bytes;
	return 0;
}

int vd_lesson_add(struct vd_lesson *lesson, struct vd_rig *rig, const struct vd_look *looks,
		  const struct vd_shot *shots, const char *serial, char text[static VD_STEP_TEXT])
{
	int r = lesson->parts == 0 ? vd_lesson_teach(lesson, looks, text) : 0;

	if (r == 0)
		r = vd_lesson_look(lesson, &lesson->hands[0], rig, looks, serial, text);
	return r == 0 ? keep(lesson, looks, shots, serial) : r;
}
