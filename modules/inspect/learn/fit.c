/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From kept parts to a model that may judge, in the order that lesson.h tells. Frames are decoded
 * anew for each pass: thirty of them would not fit into a small machine's memory side by side.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "modules/inspect/learn/fitting.h"
#include "modules/vision/kernels.h"
#include "modules/vision/statistic.h"
#include "modules/vision/warp.h"

enum {
	TRIED_LEAST = 3,
	PROBES = 4, /* parts that defects are painted on */
	NICE = 10,
};

static const double IQR_LEAST = 0.1, FACTOR_SLACK = 1.02, SCALE_MOST = 4, FOUND = 0.9,
		    OUT_MOST = 0.2;

static const int SIDES[] = { 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32 };

const int vd_fitting_levels[VD_LEVELS] = { 10, 15, 25, 40, 60, 100 };

enum { USUAL_LEVELS = 25 };

/* ---- samples ---- */

static void go_on(const struct fitting *fitting)
{
	if (fitting->progress)
		fitting->progress(fitting->argument);
}

static int decode(const struct vd_lesson *lesson, struct vd_hand *hand,
		  const struct vd_sample *sample)
{
	for (int i = 0; i < lesson->recipe->camera_count; i++) {
		vd_look_at(&hand->looks[i], &sample->shots[i], lesson->recipe, "");
		if (!hand->looks[i].is_good)
			return -EBADMSG;
	}
	return 0;
}

int vd_fitting_decode(struct fitting *fitting, const struct vd_sample *sample)
{
	go_on(fitting);
	return decode(fitting->lesson, &fitting->lesson->hands[0], sample);
}

const struct vd_image *vd_fitting_region(const struct fitting *fitting, int step)
{
	return &fitting->lesson->hands[0].held[step].registered;
}

static void leave_out(struct fitting *fitting, struct vd_sample *sample, const char *why)
{
	sample->is_out = true;
	fitting->out++;
	(void)snprintf(sample->why, sizeof sample->why, "%s", why);
}

bool vd_fitting_has(const struct fitting *fitting, int i, enum vd_tool tool)
{
	const struct pupil *pupil = &fitting->lesson->pupils[i];

	return fitting->lesson->recipe->steps[i].tool == tool && (pupil->learner || pupil->texture);
}

bool vd_fitting_compares(const struct fitting *fitting, int i)
{
	return vd_fitting_has(fitting, i, VD_VARIATION) || vd_fitting_has(fitting, i, VD_TEXTURE);
}

/* ---- several at once ---- */

/* Samples that are looked at at once, each in the hand of its place. */
struct batch {
	struct fitting *fitting;
	struct vd_sample *samples[VD_HANDS];
	int outcomes[VD_HANDS];
	char texts[VD_HANDS][VD_STEP_TEXT];
	int count;
	bool is_referred; /* learners know the brightness that parts are brought to */
};

typedef void (*batch_fn)(void *argument, int task, int lane);

static uint32_t needs_none(void *argument, int task)
{
	return 0;
}

/* Helpers stand back for whoever waits for an item: the caller's thread has its place anyway. */
static void stand_back(int lane)
{
	if (lane > 0)
		(void)setpriority(PRIO_PROCESS, 0 /* of this thread, on Linux */, NICE);
}

static void run_at_once(struct batch *batch, int count, batch_fn run)
{
	static const int order[VD_HANDS] = { 0, 1 };
	const struct vd_tasks tasks = {
		.count = count, .order = order, .needs = needs_none, .run = run, .argument = batch
	};

	go_on(batch->fitting);
	vd_lanes_run(batch->fitting->lanes, batch->fitting->lesson->threads, &tasks);
}

static bool any_step(const struct fitting *fitting, bool (*is)(const struct vd_step *step))
{
	const struct vd_recipe *recipe = fitting->lesson->recipe;
	bool any = false;

	for (int i = 0; i < recipe->step_count; i++)
		any |= is(&recipe->steps[i]);
	return any;
}

static bool is_of_file(const struct vd_step *step)
{
	return step->golden.path != NULL;
}

static bool is_texture(const struct vd_step *step)
{
	return step->tool == VD_TEXTURE;
}

/* ---- the frame of reference ---- */

static double between(const struct fitting *fitting, const struct vd_sample *a,
		      const struct vd_sample *b)
{
	const struct vd_recipe *recipe = fitting->lesson->recipe;
	double sum = 0;

	for (int i = 0; i < recipe->step_count; i++) {
		const int cells = a->cells[i].columns * a->cells[i].rows;
		double grey = 0;

		if (vd_step_locates(&recipe->steps[i]))
			sum += hypot(a->poses[i].dx - b->poses[i].dx,
				     a->poses[i].dy - b->poses[i].dy) +
			       2 * fabs(a->poses[i].angle_deg - b->poses[i].angle_deg);
		for (int k = 0; k < cells && b->cells[i].columns == a->cells[i].columns; k++)
			grey += fabs((double)a->cells[i].means[k] - b->cells[i].means[k]) / 16;
		sum += cells > 0 ? grey / cells : 0;
	}
	return sum;
}

/* The part with the least way to all the others. */
static struct vd_sample *find_medoid(const struct fitting *fitting)
{
	struct vd_lesson *lesson = fitting->lesson;
	double least = INFINITY;
	int best = 0;

	for (int i = 0; i < lesson->parts; i++) {
		double sum = 0;

		for (int k = 0; k < lesson->parts && sum < least; k++)
			sum += between(fitting, &lesson->samples[i], &lesson->samples[k]);
		if (sum < least) {
			least = sum;
			best = i;
		}
	}
	return &lesson->samples[best];
}

static int teach(struct fitting *fitting)
{
	struct vd_sample *samples[2] = { find_medoid(fitting), fitting->lesson->samples };
	int r = VD_LESSON_PASSED;

	for (int i = 0; i < 2 && r == VD_LESSON_PASSED; i++) {
		r = vd_fitting_decode(fitting, samples[i]);
		if (r == 0)
			r = vd_lesson_teach(fitting->lesson, fitting->lesson->hands[0].looks,
					    fitting->fit->text);
	}
	return r;
}

/* ---- the two passes ---- */

static int prepare(struct batch *batch, struct vd_hand *hand)
{
	struct fitting *fitting = batch->fitting;
	const struct vd_lesson *lesson = fitting->lesson;
	int r = 0;

	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		const struct pupil *pupil = &lesson->pupils[i];
		struct vd_held *held = &hand->held[i];

		if (vd_fitting_has(fitting, i, VD_LOCATE))
			r = vd_warp(&hand->looks[lesson->recipe->steps[i].camera].image,
				    &held->pose, pupil->where, &held->registered);
		else if (vd_fitting_has(fitting, i, VD_VARIATION) && batch->is_referred)
			r = vd_variation_normalise(pupil->learner, &held->registered, &held->light);
	}
	return r;
}

static void align(void *argument, int task, int lane)
{
	struct batch *batch = argument;
	struct vd_lesson *lesson = batch->fitting->lesson;
	struct vd_hand *hand = &lesson->hands[task];
	int r;

	stand_back(lane);
	r = decode(lesson, hand, batch->samples[task]);
	if (r == 0)
		r = vd_lesson_look(lesson, hand, batch->fitting->rig, hand->looks,
				   batch->samples[task]->serial, batch->texts[task]);
	if (r == 0)
		r = prepare(batch, hand);
	batch->outcomes[task] = r;
}

/* Each task its share of the rows, in which parts follow one another as they would alone. */
static void learn_share(void *argument, int task, int lane)
{
	const struct batch *batch = argument;
	const struct vd_lesson *lesson = batch->fitting->lesson;

	stand_back(lane);
	for (int i = 0; i < lesson->recipe->step_count; i++) {
		const struct vd_image *images[VD_HANDS];
		const int height = lesson->pupils[i].where.height;
		int count = 0;

		for (int k = 0; k < batch->count; k++) {
			if (batch->outcomes[k] == 0)
				images[count++] = &lesson->hands[k].held[i].registered;
		}
		if (lesson->pupils[i].learner)
			vd_variation_add_rows(lesson->pupils[i].learner, images, count,
					      height * task / VD_HANDS,
					      height * (task + 1) / VD_HANDS);
	}
}

static int learn_first(struct batch *batch)
{
	struct vd_lesson *lesson = batch->fitting->lesson;
	int r = 0;

	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		if (lesson->pupils[i].learner)
			r = vd_variation_learn(lesson->pupils[i].learner,
					       &lesson->hands[0].held[i].registered);
	}
	batch->is_referred = true;
	return r;
}

static int learn_textures(struct batch *batch, int task)
{
	struct vd_lesson *lesson = batch->fitting->lesson;
	int r = 0;

	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		batch->samples[task]->poses[i] = lesson->hands[task].held[i].pose;
		if (lesson->pupils[i].texture)
			r = vd_texture_learn(lesson->pupils[i].texture,
					     &lesson->hands[task].held[i].registered);
	}
	return r;
}

static int learn_batch(struct batch *batch)
{
	struct vd_lesson *lesson = batch->fitting->lesson;
	int learnt = 0, r = 0;

	for (int k = 0; r == 0 && k < batch->count; k++) {
		r = batch->outcomes[k];
		if (r == 0)
			r = learn_textures(batch, k);
		else if (r > 0)
			leave_out(batch->fitting, batch->samples[k], batch->texts[k]);
		learnt += batch->outcomes[k] == 0;
		r = r > 0 ? 0 : r;
	}
	if (r < 0 || learnt == 0)
		return r;
	if (!batch->is_referred)
		return learn_first(batch);
	run_at_once(batch, VD_HANDS, learn_share);
	for (int i = 0; i < lesson->recipe->step_count; i++) {
		if (lesson->pupils[i].learner)
			vd_variation_added(lesson->pupils[i].learner, learnt);
	}
	return 0;
}

/* Until one has taught the brightness, one by one; and where the rig, which is one, locates. */
static int align_all(struct fitting *fitting)
{
	struct batch batch = { .fitting = fitting };
	struct vd_lesson *lesson = fitting->lesson;
	const int most = any_step(fitting, is_of_file) ? 1 : lesson->threads;
	int r = 0;

	for (int i = 0; r == 0 && i < lesson->parts; i++) {
		if (!lesson->samples[i].is_out)
			batch.samples[batch.count++] = &lesson->samples[i];
		if (batch.count == 0 ||
		    (batch.is_referred && batch.count < most && i + 1 < lesson->parts))
			continue;
		run_at_once(&batch, batch.count, align);
		r = learn_batch(&batch);
		batch.count = 0;
	}
	return r;
}

/* The mean patch holds less noise than any part's; without texture the old one stays. */
static int take_mean_patch(struct pupil *pupil, const struct vd_step *step,
			   const struct vd_image *mean)
{
	const struct vd_rect whole = { 0, 0, mean->width, mean->height };
	const struct vd_pose identity = vd_pose_identity();
	struct vd_locator *locator = NULL;
	int r = vd_locator_new(mean, whole, &step->locate, &locator);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	vd_locator_place(locator, pupil->where.x, pupil->where.y);
	(void)vd_locator_free(pupil->locator);
	pupil->locator = locator;
	return vd_warp(mean, &identity, whole, &pupil->patch);
}

/* How much brighter parts are on the average than cells, by what has clipped in neither. */
static double average_gain(const struct fitting *fitting, int step, const struct vd_cells *cells)
{
	const struct vd_lesson *lesson = fitting->lesson;
	double sum = 0;
	int count = 0;

	for (int i = 0; i < lesson->parts; i++) {
		if (lesson->samples[i].is_out)
			continue;
		sum += vd_cells_ratio(&lesson->samples[i].cells[step], cells);
		count++;
	}
	return count > 0 ? sum / count : 1;
}

/* The model shall be lit as parts are on the average, not as the one that others are aligned to. */
static int refer_to_average(struct fitting *fitting, int step, struct vd_image *mean)
{
	VD_CLEANUP(vd_free) uint16_t *gains = malloc((size_t)mean->width * sizeof *gains);
	struct vd_cells cells = { 0 };
	int r = gains ? vd_cells_measure(&cells, mean) : -ENOMEM;
	double gain;

	if (r < 0)
		return r;
	gain = average_gain(fitting, step, &cells);
	vd_cells_fini(&cells);
	for (int x = 0; x < mean->width; x++)
		gains[x] = (uint16_t)lrint(fmin(fmax(gain, 0.5), 2) * VD_GAIN_ONE);
	for (int y = 0; y < mean->height; y++)
		vd_row_gain(vd_image_row(mean, y), gains, mean->width);
	return vd_variation_refer(fitting->lesson->pupils[step].learner, mean);
}

static int begin_again(struct fitting *fitting, int i)
{
	struct pupil *pupil = &fitting->lesson->pupils[i];
	const struct vd_step *step = &fitting->lesson->recipe->steps[i];
	VD_CLEANUP(vd_image_fini) struct vd_image mean = { 0 };
	const bool is_patch = step->tool == VD_LOCATE;
	int r = vd_variation_mean(pupil->learner, &mean);

	if (r == 0 && is_patch)
		r = take_mean_patch(pupil, step, &mean);
	pupil->learner = vd_variation_learner_free(pupil->learner);
	if (r == 0)
		r = vd_variation_learner_new(mean.width, mean.height,
					     is_patch ? 0 : step->variation.window_px,
					     &pupil->learner);
	if (r < 0 || is_patch || step->variation.window_px == 0)
		return r;
	return refer_to_average(fitting, i, &mean);
}

static int begin_texture_again(struct pupil *pupil, const struct vd_step *step)
{
	pupil->texture = vd_texture_learner_free(pupil->texture);
	return vd_texture_learner_new(pupil->where.width, pupil->where.height, step->texture.scope,
				      &pupil->texture);
}

int vd_fitting_usable(const struct fitting *fitting)
{
	return fitting->lesson->parts - fitting->out;
}

static int learn_in_two_passes(struct fitting *fitting)
{
	int r = align_all(fitting);

	for (int i = 0; r == 0 && i < fitting->lesson->recipe->step_count; i++) {
		struct pupil *pupil = &fitting->lesson->pupils[i];

		if (pupil->learner && vd_variation_parts(pupil->learner) > 0)
			r = begin_again(fitting, i);
		else if (pupil->texture)
			r = begin_texture_again(pupil, &fitting->lesson->recipe->steps[i]);
	}
	return r < 0 ? r : align_all(fitting);
}

/* ---- leaving one out ---- */

/* The regions of a part as they were learnt. */
static int see(const struct fitting *fitting, struct vd_hand *hand, const struct vd_sample *sample)
{
	const struct vd_lesson *lesson = fitting->lesson;
	char text[VD_STEP_TEXT] = "";
	int r = decode(lesson, hand, sample);

	if (r == 0)
		r = vd_lesson_register(lesson, hand, sample, text);
	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		if (vd_fitting_has(fitting, i, VD_VARIATION))
			r = vd_variation_normalise(lesson->pupils[i].learner,
						   &hand->held[i].registered, &hand->held[i].light);
	}
	return r > 0 ? -EBADMSG : r;
}

int vd_fitting_see(struct fitting *fitting, const struct vd_sample *sample)
{
	go_on(fitting);
	return see(fitting, &fitting->lesson->hands[0], sample);
}

static int set_trial(struct pupil *pupil, const struct vd_step *step)
{
	struct vd_variation_model model = { 0 };
	int r = vd_variation_finish(pupil->learner, &model);

	if (r == 0 && !pupil->trial)
		r = vd_trial_new(step, &model, &pupil->trial);
	else if (r == 0)
		vd_trial_set(pupil->trial, &model);
	vd_variation_model_fini(&model);
	return r;
}

static int try_step(struct pupil *pupil, const struct vd_step *step, struct vd_held *held,
		    double *ret_factor)
{
	int r = 0;

	if (pupil->texture)
		return vd_fitting_score_apart(pupil, &held->registered, ret_factor);
	if (!held->apart)
		r = vd_apart_new(step, &held->apart);
	return r < 0 ? r
		     : vd_apart_factor(held->apart, pupil->learner, &held->registered, ret_factor);
}

/* Each task writes the factors of its own place among the parts tried. */
static void try_sample(void *argument, int task, int lane)
{
	struct batch *batch = argument;
	struct fitting *fitting = batch->fitting;
	struct vd_lesson *lesson = fitting->lesson;
	struct vd_hand *hand = &lesson->hands[task];
	int r;

	stand_back(lane);
	r = see(fitting, hand, batch->samples[task]);
	batch->samples[task]->factor = NAN;
	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		struct pupil *pupil = &lesson->pupils[i];
		double *factor = &pupil->factors[pupil->factor_count + (size_t)task];

		if (!vd_fitting_compares(fitting, i))
			continue;
		r = try_step(pupil, &lesson->recipe->steps[i], &hand->held[i], factor);
		if (r == 0)
			batch->samples[task]->factor = fmax(batch->samples[task]->factor, *factor);
	}
	batch->outcomes[task] = r;
}

static int try_batch(struct batch *batch)
{
	struct fitting *fitting = batch->fitting;
	int r = 0;

	run_at_once(batch, batch->count, try_sample);
	for (int k = 0; r == 0 && k < batch->count; k++)
		r = batch->outcomes[k];
	for (int i = 0; i < fitting->lesson->recipe->step_count; i++) {
		if (vd_fitting_compares(fitting, i))
			fitting->lesson->pupils[i].factor_count += (size_t)batch->count;
	}
	batch->count = 0;
	return r;
}

static int forget_factors(struct fitting *fitting)
{
	fitting->tried = 0;
	for (int i = 0; i < fitting->lesson->recipe->step_count; i++) {
		struct pupil *pupil = &fitting->lesson->pupils[i];

		if (!pupil->factors)
			pupil->factors = calloc(VD_TRIED_MOST, sizeof *pupil->factors);
		if (!pupil->factors)
			return -ENOMEM;
		pupil->factor_count = 0;
	}
	return 0;
}

/* Of many parts, VD_TRIED_MOST spread evenly. A texture is unlearnt for each, and so one by one. */
static int leave_one_out(struct fitting *fitting)
{
	struct batch batch = { .fitting = fitting };
	struct vd_lesson *lesson = fitting->lesson;
	const int most = any_step(fitting, is_texture) ? 1 : lesson->threads;
	const int count = vd_fitting_usable(fitting);
	int r = forget_factors(fitting), seen = 0;

	if (count < TRIED_LEAST)
		return r;
	for (int i = 0; r == 0 && i < lesson->parts; i++) {
		struct vd_sample *sample = &lesson->samples[i];
		int due;

		if (sample->is_out)
			continue;
		due = count <= VD_TRIED_MOST ? seen + 1 : (seen + 1) * VD_TRIED_MOST / count;
		seen++;
		if (due <= fitting->tried)
			continue;
		fitting->tried++;
		batch.samples[batch.count++] = sample;
		if (batch.count == most)
			r = try_batch(&batch);
	}
	return r == 0 && batch.count > 0 ? try_batch(&batch) : r;
}

static int unlearn_sample(struct fitting *fitting, struct vd_sample *sample)
{
	struct vd_lesson *lesson = fitting->lesson;
	int r = vd_fitting_see(fitting, sample);

	for (int i = 0; r == 0 && i < lesson->recipe->step_count; i++) {
		if (vd_fitting_has(fitting, i, VD_VARIATION))
			r = vd_variation_unlearn(lesson->pupils[i].learner,
						 vd_fitting_region(fitting, i));
		else if (vd_fitting_has(fitting, i, VD_TEXTURE))
			r = vd_texture_unlearn(lesson->pupils[i].texture,
					       vd_fitting_region(fitting, i));
	}
	return r;
}

/* Returns how many were taken out. */
static int exclude_outliers(struct fitting *fitting)
{
	struct vd_lesson *lesson = fitting->lesson;
	double all[VD_TRIED_MOST], fence;
	size_t count = 0;
	int excluded = 0, r = 0;

	for (int i = 0; i < lesson->parts && count < VD_TRIED_MOST; i++) {
		if (isfinite(lesson->samples[i].factor))
			all[count++] = lesson->samples[i].factor;
	}
	if (count < VD_FENCED_LEAST)
		return 0;
	fence = vd_fence(all, count, IQR_LEAST);
	for (int i = 0; r == 0 && i < lesson->parts; i++) {
		struct vd_sample *sample = &lesson->samples[i];
		char why[VD_STEP_TEXT];

		if (sample->is_out || !(sample->factor > fence))
			continue;
		(void)snprintf(why, sizeof why, "far from the others: %.2f, they are within %.2f",
			       sample->factor, fence);
		r = unlearn_sample(fitting, sample);
		leave_out(fitting, sample, why);
		excluded++;
	}
	return r < 0 ? r : excluded;
}

/* ---- thresholds ---- */

static int comparing_steps(const struct fitting *fitting)
{
	int count = 0;

	for (int i = 0; i < fitting->lesson->recipe->step_count; i++)
		count += vd_fitting_compares(fitting, i);
	return count;
}

/* Each step may reject its share of the good parts that all together may. */
static void choose_scale(struct fitting *fitting, struct pupil *pupil)
{
	const double rate = fitting->lesson->recipe->learning.false_reject_rate;
	const struct vd_gumbel gumbel = vd_gumbel_fit(pupil->factors, pupil->factor_count);

	pupil->scale = 1;
	for (size_t i = 0; i < pupil->factor_count; i++)
		pupil->scale = fmax(pupil->scale, pupil->factors[i] * FACTOR_SLACK);
	if (pupil->factor_count >= VD_FENCED_LEAST)
		pupil->scale =
			fmax(pupil->scale,
			     vd_gumbel_quantile(&gumbel, 1 - rate / comparing_steps(fitting)));
}

/* ---- what will be found ---- */

struct probes {
	struct vd_image images[PROBES];
	int count;
};

static void probes_fini_p(struct probes *probes)
{
	for (int i = 0; i < PROBES; i++)
		vd_image_fini(&probes->images[i]);
}

int vd_fitting_copy(const struct vd_image *image, struct vd_image *out)
{
	int r = vd_image_shape(out, image->width, image->height, VD_GREY);

	for (int y = 0; r == 0 && y < image->height; y++)
		memcpy(vd_image_row(out, y), vd_image_row(image, y), (size_t)image->width);
	return r;
}

static int collect_probes(struct fitting *fitting, int step, struct probes *probes)
{
	struct vd_lesson *lesson = fitting->lesson;
	const int count = vd_fitting_usable(fitting);
	int r = 0, seen = 0;

	for (int i = 0; r == 0 && i < lesson->parts && probes->count < PROBES; i++) {
		if (lesson->samples[i].is_out)
			continue;
		if ((seen++ + 1) * PROBES / count <= probes->count && count > PROBES)
			continue;
		r = vd_fitting_see(fitting, &lesson->samples[i]);
		if (r == 0)
			r = vd_fitting_copy(vd_fitting_region(fitting, step),
					    &probes->images[probes->count++]);
	}
	return r;
}

void vd_fitting_restore(struct vd_image *image, const struct vd_image *from, struct vd_rect where)
{
	for (int y = where.y; y < where.y + where.height; y++)
		memcpy(vd_image_row(image, y) + where.x, vd_image_row(from, y) + where.x,
		       (size_t)where.width);
}

struct painting {
	struct pupil *pupil;
	const struct vd_step *step;
	const struct probes *probes;
	struct vd_image canvas;
};

typedef int (*judge_fn)(struct painting *painting, struct vd_rect window, void *argument);

/* Each place on each probe painted, judged and wiped clean. */
static int paint_all(struct painting *painting, int side, int levels, judge_fn judge,
		     void *argument)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < painting->probes->count; i++) {
		const struct vd_image *image = &painting->probes->images[i];

		r = vd_fitting_copy(image, &painting->canvas);
		for (unsigned n = 0; r >= 0 && n < VD_PLACES; n++) {
			const struct vd_challenge challenge = vd_challenge_nth(
				painting->step, image, side, levels, (unsigned)i * VD_PLACES + n);
			const struct vd_rect window =
				vd_challenge_window(&challenge, painting->step, image);

			vd_challenge_paint(&challenge, &painting->canvas);
			r = judge(painting, window, argument);
			vd_fitting_restore(&painting->canvas, image, window);
		}
	}
	return r;
}

static int count_found(struct painting *painting, struct vd_rect window, void *argument)
{
	const int r = vd_trial_rejects(painting->pupil->trial, &painting->canvas, window,
				       painting->pupil->scale);

	*(int *)argument += r > 0;
	return r;
}

struct factors {
	double list[PROBES * VD_PLACES];
	size_t count;
};

static int note_factor(struct painting *painting, struct vd_rect window, void *argument)
{
	struct factors *factors = argument;

	return vd_trial_factor(painting->pupil->trial, &painting->canvas, window,
			       &factors->list[factors->count++]);
}

/* The smallest square of this contrast that is found 9 times in 10; 0: none. -errno. */
static int least_side(struct painting *painting, int levels)
{
	const struct vd_image *image = &painting->probes->images[0];
	const int most = image->width < image->height ? image->width : image->height;

	for (size_t i = 0; i < VD_COUNT(SIDES) && SIDES[i] <= most; i++) {
		int found = 0;
		const int r = paint_all(painting, SIDES[i], levels, count_found, &found);

		if (r < 0)
			return r;
		if (found >= FOUND * VD_PLACES * painting->probes->count)
			return SIDES[i];
	}
	return 0;
}

/* Of several steps, the one that finds least speaks for the recipe. */
static int measure_sensitivity(struct fitting *fitting, struct painting *painting, bool is_first)
{
	for (size_t i = 0; i < VD_LEVELS; i++) {
		struct sensitivity *least = &fitting->least[i];
		const int side = least_side(painting, vd_fitting_levels[i]);

		if (side < 0)
			return side;
		go_on(fitting);
		if (is_first || side == 0 || (least->area_px > 0 && side * side > least->area_px))
			*least = (struct sensitivity){ side * side, vd_fitting_levels[i] };
	}
	return 0;
}

int vd_fitting_side(const struct fitting *fitting, const struct vd_image *image)
{
	const int side = (int)lrint(sqrt(fitting->lesson->recipe->learning.challenge_area_px));
	const int most = image->width < image->height ? image->width : image->height;

	return side < 1 ? 1 : side > most ? most : side;
}

static void painting_fini_p(struct painting *painting)
{
	vd_image_fini(&painting->canvas);
}

static int probe_step(struct fitting *fitting, int i, bool is_first)
{
	VD_CLEANUP(probes_fini) struct probes probes = { 0 };
	VD_CLEANUP(painting_fini) struct painting painting = { 0 };
	VD_CLEANUP(vd_free) struct factors *factors = calloc(1, sizeof *factors);
	struct pupil *pupil = &fitting->lesson->pupils[i];
	int r = factors ? collect_probes(fitting, i, &probes) : -ENOMEM;

	painting.pupil = pupil;
	painting.step = &fitting->lesson->recipe->steps[i];
	painting.probes = &probes;
	if (r == 0)
		r = set_trial(pupil, painting.step);
	if (r == 0)
		r = paint_all(&painting, vd_fitting_side(fitting, &probes.images[0]),
			      fitting->lesson->recipe->learning.challenge_levels, note_factor,
			      factors);
	if (r < 0)
		return r;
	pupil->challenge = vd_quantile(factors->list, factors->count, 1 - FOUND);
	return measure_sensitivity(fitting, &painting, is_first);
}

static int probe_all(struct fitting *fitting)
{
	bool is_first = true;
	int r = 0;

	for (int i = 0; r == 0 && i < fitting->lesson->recipe->step_count; i++) {
		if (!vd_fitting_compares(fitting, i))
			continue;
		choose_scale(fitting, &fitting->lesson->pupils[i]);
		if (vd_fitting_has(fitting, i, VD_TEXTURE)) {
			r = vd_fitting_challenge_texture(fitting, i);
			continue;
		}
		r = probe_step(fitting, i, is_first);
		is_first = false;
	}
	return r;
}

/* ---- fit to judge? ---- */

static bool refuse(struct fitting *fitting, const char *format, ...) VD_PRINTF(2, 3);

static bool refuse(struct fitting *fitting, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(fitting->fit->text, sizeof fitting->fit->text, format, args);
	va_end(args);
	return false;
}

static bool step_is_fit(struct fitting *fitting, int i)
{
	const struct vd_learning_options *wanted = &fitting->lesson->recipe->learning;
	const struct pupil *pupil = &fitting->lesson->pupils[i];
	const char *id = fitting->lesson->recipe->steps[i].id;

	if (pupil->challenge <= pupil->scale)
		return refuse(fitting,
			      "%.40s: good parts overlap with defects of %d px at %d grey levels "
			      "(%.2f against %.2f)",
			      id, wanted->challenge_area_px, wanted->challenge_levels, pupil->scale,
			      pupil->challenge);
	if (pupil->scale > SCALE_MOST)
		return refuse(fitting, "%.40s: good parts differ too much (%.2f, at most %.2f)", id,
			      pupil->scale, SCALE_MOST);
	return true;
}

static bool is_fit(struct fitting *fitting)
{
	if (fitting->out > OUT_MOST * fitting->lesson->parts)
		return refuse(fitting, "%d of %d parts are unlike the others", fitting->out,
			      fitting->lesson->parts);
	for (int i = 0; i < fitting->lesson->recipe->step_count; i++) {
		if (vd_fitting_compares(fitting, i) && !step_is_fit(fitting, i))
			return false;
	}
	return true;
}

const struct sensitivity *vd_fitting_usual(const struct fitting *fitting)
{
	const struct sensitivity *best = NULL;

	for (size_t i = VD_LEVELS; i-- > 0;) {
		if (fitting->least[i].area_px > 0 &&
		    (!best || vd_fitting_levels[i] >= USUAL_LEVELS))
			best = &fitting->least[i];
	}
	return best;
}

/* ---- the whole ---- */

void vd_fit_fini(struct vd_fit *fit)
{
	fit->model = vd_model_free(fit->model);
	fit->report = vd_json_free(fit->report);
}

/* Their memory, ten bytes a pixel, is not needed beside that of trials. */
static void free_aparts(struct vd_lesson *lesson)
{
	for (int k = 0; k < VD_HANDS; k++) {
		for (int i = 0; i < lesson->recipe->step_count; i++) {
			struct vd_held *held = &lesson->hands[k].held[i];

			held->apart = vd_apart_free(held->apart);
		}
	}
}

static int try_parts(struct fitting *fitting)
{
	int r = leave_one_out(fitting);

	if (r == 0)
		r = exclude_outliers(fitting);
	if (r > 0)
		r = leave_one_out(fitting);
	free_aparts(fitting->lesson);
	return r;
}

const char *vd_fit_stage_name(enum vd_fit_stage stage)
{
	static const char *const names[] = { "align", "try", "probe", "prove" };

	return names[stage];
}

static void enter(struct fitting *fitting, enum vd_fit_stage stage)
{
	go_on(fitting);
	fitting->fit->stage = stage;
}

static int fit(struct fitting *fitting, int version)
{
	int r = teach(fitting);
	bool is_valid;

	if (r == 0)
		r = learn_in_two_passes(fitting);
	if (r == 0 && vd_fitting_usable(fitting) < 2)
		return -EAGAIN;
	enter(fitting, VD_FIT_TRY);
	if (r == 0)
		r = try_parts(fitting);
	enter(fitting, VD_FIT_PROBE);
	if (r == 0)
		r = probe_all(fitting);
	if (r != 0)
		return r;
	enter(fitting, VD_FIT_PROVE);
	is_valid = is_fit(fitting);
	r = vd_fitting_report(fitting, is_valid);
	return r == 0 && is_valid ? vd_fitting_model(fitting, version) : r;
}

int vd_lesson_fit(struct vd_lesson *lesson, struct vd_rig *rig, int version,
		  vd_progress_fn progress, void *argument, struct vd_fit *ret_fit)
{
	struct fitting fitting = { .lesson = lesson,
				   .rig = rig,
				   .progress = progress,
				   .argument = argument,
				   .fit = ret_fit };
	int r;

	*ret_fit = (struct vd_fit){ 0 };
	if (lesson->parts < 2)
		return -EAGAIN;
	r = vd_lanes_new(&fitting.lanes);
	if (r < 0)
		return r;
	r = fit(&fitting, version);
	(void)vd_lanes_free(fitting.lanes);
	if (r == VD_LESSON_PASSED)
		return 0; /* text says why */
	if (r < 0)
		vd_fit_fini(ret_fit);
	return r;
}
