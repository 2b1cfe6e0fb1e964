/* SPDX-License-Identifier: Apache-2.0 */
/* Ways of fitting that are faster must not be others: the same factors and models, to the bit. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "modules/inspect/learn/apart.h"
#include "modules/inspect/learn/lesson.h"
#include "modules/inspect/learn/trial.h"
#include "tests/unit/modules/inspect/document.h"
#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

enum { WIDTH = 203, HEIGHT = 150, APART_WIDTH = 109, APART_HEIGHT = 87, PARTS = 7 };

static const char RECIPE[] =
	"{`active`:`part`,`recipes`:{`part`:{`rev`:1,`cameras`:[`top`],`steps`:{"
	"`pos`:{`camera`:`top`,`tool`:`locate`,`angleDeg`:1,`roi`:[40,30,100,80]},"
	"`print`:{`camera`:`top`,`tool`:`variation`,`alignTo`:`pos`,`roi`:[20,16,160,120]%s},"
	"`back`:{`camera`:`top`,`tool`:`variation`,`alignTo`:`pos`,`roi`:[30,20,33,41]}%s}}}}";

static struct vd_recipe_set *recipe_of(const char *print, const char *more)
{
	char text[2048];

	(void)snprintf(text, sizeof text, RECIPE, print, more);
	return document_set(text);
}

static struct scene_capture part(uint32_t seed)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);

	capture.dx = 2 * sin(seed * 1.1);
	capture.dy = 2 * cos(seed * 2.3);
	capture.gain = 1 + 0.02 * sin(seed * 3.1);
	capture.noise = 3;
	capture.seed = seed;
	return capture;
}

/* ---- a part apart from the others ---- */

/* Without shifts; number `odd` has a defect of this contrast. */
static struct vd_variation_learner *learn(struct vd_image images[static PARTS], int odd,
					  double contrast)
{
	struct vd_variation_learner *learner = NULL;

	assert_int_equal(vd_variation_learner_new(APART_WIDTH, APART_HEIGHT, 65, &learner), 0);
	for (int i = 0; i < PARTS; i++) {
		struct scene_capture capture = part((uint32_t)i + 1);

		capture.width = APART_WIDTH;
		capture.height = APART_HEIGHT;
		capture.dx = capture.dy = 0;
		if (i == odd)
			capture.defect = (struct vd_rect){ 60, 70, 9, 4 };
		capture.contrast = contrast;
		scene_take(&capture, &images[i]);
		assert_int_equal(vd_variation_learn(learner, &images[i]), 0);
	}
	return learner;
}

static double factor_by_trial(const struct vd_step *step,
			      const struct vd_variation_learner *learner,
			      const struct vd_image *image)
{
	const struct vd_rect whole = { 0, 0, image->width, image->height };
	struct vd_variation_model model = { 0 };
	struct vd_trial *trial = NULL;
	double factor = NAN;

	assert_int_equal(vd_variation_apart(learner, image, &model), 0);
	assert_int_equal(vd_trial_new(step, &model, &trial), 0);
	assert_int_equal(vd_trial_factor(trial, image, whole, &factor), 0);
	(void)vd_trial_free(trial);
	vd_variation_model_fini(&model);
	return factor;
}

static void check_factors(const char *print, double contrast)
{
	struct vd_recipe_set *set = recipe_of(print, "");
	const struct vd_step *step = &set->recipes[set->active].steps[1];
	struct vd_image images[PARTS] = { { 0 } };
	struct vd_variation_learner *learner = learn(images, 3, contrast);
	struct vd_apart *apart = NULL;

	assert_int_equal(vd_apart_new(step, &apart), 0);
	for (int i = 0; i < PARTS; i++) {
		const double wanted = factor_by_trial(step, learner, &images[i]);
		double factor = NAN;

		assert_int_equal(vd_apart_factor(apart, learner, &images[i], &factor), 0);
		if (factor != wanted)
			fail_msg("part %d of \"%s\", contrast %.0f: %.8f, not %.8f", i, print,
				 contrast, factor, wanted);
	}
	for (int i = 0; i < PARTS; i++)
		vd_image_fini(&images[i]);
	(void)vd_apart_free(apart);
	(void)vd_variation_learner_free(learner);
	(void)vd_recipe_set_unref(set);
}

static void a_part_apart_has_the_factor_that_trying_every_pixel_finds(void **state)
{
	static const char *const prints[] = {
		"",
		",`openPx`:2,`mergePx`:4,`minAreaPx`:9",
		",`openPx`:20",
		",`edgeTolerancePx`:1.5,`polarity`:`dark`",
		",`minPeak`:3,`absThreshold`:[2,9],`varThreshold`:[2,5]",
		",`absThreshold`:[0,0],`varThreshold`:[0,0]",
		",`minAreaPx`:1000000",
		",`limits`:{`score`:{`max`:6}}",
		",`limits`:{`defects`:{`max`:3},`defectAreaPx`:{`max`:40}}",
	};

	for (size_t i = 0; i < VD_COUNT(prints); i++) {
		check_factors(prints[i], 0);
		check_factors(prints[i], -60);
	}
}

static void leaving_a_part_out_leaves_no_trace(void **state)
{
	struct vd_image images[PARTS] = { { 0 } };
	struct vd_variation_learner *learner = learn(images, -1, 0);
	struct vd_variation_model before = { 0 }, after = { 0 }, apart = { 0 }, taken = { 0 };
	const size_t bytes = sizeof *before.mean * APART_WIDTH * APART_HEIGHT;

	assert_int_equal(vd_variation_finish(learner, &before), 0);
	for (int i = 0; i < PARTS; i++)
		assert_int_equal(vd_variation_apart(learner, &images[i], &apart), 0);
	assert_int_equal(vd_variation_finish(learner, &after), 0);
	assert_memory_equal(before.mean, after.mean, bytes);
	assert_memory_equal(before.spread, after.spread, bytes);
	assert_int_equal(vd_variation_unlearn(learner, &images[PARTS - 1]), 0);
	assert_int_equal(vd_variation_finish(learner, &taken), 0);
	assert_int_equal(taken.parts, apart.parts);
	assert_memory_equal(taken.mean, apart.mean, bytes);
	assert_memory_equal(taken.spread, apart.spread, bytes);
	vd_variation_model_fini(&before);
	vd_variation_model_fini(&after);
	vd_variation_model_fini(&apart);
	vd_variation_model_fini(&taken);
	for (int i = 0; i < PARTS; i++)
		vd_image_fini(&images[i]);
	(void)vd_variation_learner_free(learner);
}

static void two_others_are_the_least_to_be_compared_with(void **state)
{
	struct vd_variation_learner *learner = NULL;
	struct vd_variation_model model = { 0 };
	struct scene_capture capture = part(1);
	struct vd_image image = { 0 }, other = { 0 };

	capture.width = APART_WIDTH;
	capture.height = APART_HEIGHT;
	assert_int_equal(vd_variation_learner_new(APART_WIDTH, APART_HEIGHT, 0, &learner), 0);
	for (int i = 0; i < 2; i++) {
		scene_take(&capture, &image);
		assert_int_equal(vd_variation_learn(learner, &image), 0);
	}
	assert_int_equal(vd_variation_apart(learner, &image, &model), -EAGAIN);
	assert_int_equal(vd_image_shape(&other, APART_WIDTH - 1, APART_HEIGHT, VD_GREY), 0);
	assert_int_equal(vd_variation_apart(learner, &other, &model), -EINVAL);
	vd_image_fini(&other);
	vd_image_fini(&image);
	(void)vd_variation_learner_free(learner);
}

/* ---- the whole, by one thread or two ---- */

static void take_part(struct vd_lesson *lesson, const struct vd_recipe *recipe, struct vd_rig *rig,
		      const struct scene_capture *capture)
{
	struct vd_shot shot = { .state = VD_SHOT_TAKEN, .is_jpeg = true };
	struct vd_look look = { 0 };
	char text[VD_STEP_TEXT] = "";

	scene_jpeg(capture, &shot.bytes);
	vd_look_at(&look, &shot, recipe, "");
	if (vd_lesson_add(lesson, rig, &look, &shot, "", text) != 0)
		fail_msg("%s", text);
	vd_look_fini(&look);
	vd_buf_fini(&shot.bytes);
}

static void count(void *argument)
{
	++*(int *)argument;
}

/* Of parts parts, of which the fifth is of another brightness where the mark is. */
static void fit(const struct vd_recipe *recipe, int parts, int threads, struct vd_buf *ret_file)
{
	struct vd_lesson *lesson = NULL;
	struct vd_rig *rig = NULL;
	struct vd_fit found;
	int progress = 0;

	assert_int_equal(vd_rig_new(recipe, NULL, &rig), 0);
	assert_int_equal(vd_lesson_new(recipe, &lesson), 0);
	vd_lesson_set_threads(lesson, threads);
	for (int i = 0; i < parts; i++) {
		struct scene_capture capture = part((uint32_t)i + 1);

		if (i == 4)
			capture.defect = (struct vd_rect){ 90, 90, 14, 14 };
		capture.contrast = 60;
		take_part(lesson, recipe, rig, &capture);
	}
	assert_int_equal(vd_lesson_fit(lesson, rig, 1, count, &progress, &found), 0);
	if (!found.model)
		fail_msg("%s", found.text);
	assert_true(progress > parts);
	assert_int_equal(found.model->parts, parts - 1);
	assert_int_equal(vd_model_encode(found.model, ret_file), 0);
	vd_fit_fini(&found);
	(void)vd_lesson_free(lesson);
	(void)vd_rig_free(rig);
}

static void check_threads(const char *more)
{
	struct vd_recipe_set *set = recipe_of("", more);
	const struct vd_recipe *recipe = &set->recipes[set->active];
	struct vd_buf one = { 0 }, two = { 0 };

	for (int parts = 9; parts <= 10; parts++) {
		vd_buf_clear(&one);
		vd_buf_clear(&two);
		fit(recipe, parts, 1, &one);
		fit(recipe, parts, 2, &two);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.data, two.data, one.len);
	}
	vd_buf_fini(&one);
	vd_buf_fini(&two);
	(void)vd_recipe_set_unref(set);
}

static void two_threads_fit_the_model_that_one_does(void **state)
{
	check_threads("");
	check_threads(",`weave`:{`camera`:`top`,`tool`:`texture`,`alignTo`:`pos`,"
		      "`roi`:[20,16,64,64]}");
}

VD_TEST_MAIN(cmocka_unit_test(a_part_apart_has_the_factor_that_trying_every_pixel_finds),
	     cmocka_unit_test(leaving_a_part_out_leaves_no_trace),
	     cmocka_unit_test(two_others_are_the_least_to_be_compared_with),
	     cmocka_unit_test(two_threads_fit_the_model_that_one_does))
