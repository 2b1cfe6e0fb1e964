/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/golden.h"
#include "modules/vision/variation.h"

#include <errno.h>
#include <string.h>

#include "modules/vision/warp.h"
#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

enum { WIDTH = 240, HEIGHT = 200, PARTS = 12 };

static const struct vd_rect REGION = { 24, 20, 190, 160 };
static const struct vd_rect DEFECT = { 100, 120, 8, 8 };

/* ---- golden template ---- */

static struct vd_golden *golden_of(const struct vd_golden_options *options)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_golden *golden = NULL;
	struct vd_image image = { 0 };

	scene_take(&capture, &image);
	assert_int_equal(
		vd_golden_new(&image, (struct vd_rect){ 0, 0, WIDTH, HEIGHT }, options, &golden),
		0);
	vd_image_fini(&image);
	return golden;
}

static int compare_golden(const struct vd_golden *golden, const struct scene_capture *capture,
			  struct vd_blobs *blobs)
{
	const struct vd_pose identity = vd_pose_identity();
	struct vd_golden_work work = { 0 };
	struct vd_image image = { 0 };
	int r;

	scene_take(capture, &image);
	r = vd_golden_compare(golden, &image, &identity, &work, blobs);
	vd_golden_work_fini(&work);
	vd_image_fini(&image);
	return r;
}

static void a_shifted_noisy_good_part_fits_the_golden_template(void **state)
{
	const struct vd_golden_options options = vd_golden_defaults();
	struct vd_golden *golden = golden_of(&options);

	for (uint32_t seed = 1; seed <= 5; seed++) {
		struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
		struct vd_blobs blobs = { 0 };

		capture.dx = 4.3 * sin(seed);
		capture.dy = 4.3 * cos(seed);
		capture.noise = 3;
		capture.seed = seed;
		assert_int_equal(compare_golden(golden, &capture, &blobs), 0);
		assert_int_equal(blobs.count, 0);
		vd_blobs_fini(&blobs);
	}
	(void)vd_golden_free(golden);
}

static void a_defect_is_found_where_it_is_with_its_polarity(void **state)
{
	const struct vd_golden_options options = vd_golden_defaults();
	struct vd_golden *golden = golden_of(&options);
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_blobs blobs = { 0 };

	capture.dx = 2.4;
	capture.noise = 3;
	capture.defect = DEFECT;
	capture.contrast = 70;
	assert_int_equal(compare_golden(golden, &capture, &blobs), 0);
	assert_int_equal(blobs.count, 1);
	assert_int_equal(blobs.defects[0].polarity, VD_BRIGHT);
	assert_in_range(blobs.defects[0].box.x + blobs.defects[0].box.width / 2, 102, 106);
	assert_in_range(blobs.defects[0].box.y + blobs.defects[0].box.height / 2, 122, 126);
	vd_blobs_fini(&blobs);
	capture.contrast = -70;
	assert_int_equal(compare_golden(golden, &capture, &blobs), 0);
	assert_int_equal(blobs.count, 1);
	assert_int_equal(blobs.defects[0].polarity, VD_DARK);
	vd_blobs_fini(&blobs);
	(void)vd_golden_free(golden);
}

static void something_else_is_not_recognised(void **state)
{
	const struct vd_golden_options options = vd_golden_defaults();
	struct vd_golden *golden = golden_of(&options);
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_blobs blobs = { 0 };

	capture.gain = 0;
	capture.noise = 40;
	assert_int_equal(compare_golden(golden, &capture, &blobs), VD_GOLDEN_FOREIGN);
	capture = scene_plain(WIDTH / 2, HEIGHT / 2);
	assert_int_equal(compare_golden(golden, &capture, &blobs), -EINVAL);
	(void)vd_golden_free(golden);
}

static void normalisation_takes_out_a_change_of_light(void **state)
{
	struct vd_golden_options options = vd_golden_defaults();
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_golden *golden;
	struct vd_blobs blobs = { 0 };

	capture.gain = 0.75;
	capture.slope = 0.3;
	capture.noise = 2;
	golden = golden_of(&options);
	assert_int_equal(compare_golden(golden, &capture, &blobs), 0);
	assert_true(blobs.count > 0);
	vd_blobs_fini(&blobs);
	(void)vd_golden_free(golden);
	options.window_px = 65;
	golden = golden_of(&options);
	assert_int_equal(compare_golden(golden, &capture, &blobs), 0);
	assert_int_equal(blobs.count, 0);
	vd_blobs_fini(&blobs);
	(void)vd_golden_free(golden);
}

/* ---- variation model ---- */

static struct scene_capture part(uint32_t seed)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);

	capture.gain = 1 + 0.05 * sin(seed * 3.1);
	capture.slope = 0.04 * cos(seed * 1.3);
	capture.noise = 3;
	capture.seed = seed;
	return capture;
}

static struct vd_variation *learnt_under(double lamp)
{
	const struct vd_variation_options options = vd_variation_defaults();
	const struct vd_pose identity = vd_pose_identity();
	struct vd_variation_learner *learner = NULL;
	struct vd_variation_model model = { 0 };
	struct vd_variation *variation = NULL;
	struct vd_image image = { 0 }, region = { 0 };

	assert_int_equal(
		vd_variation_learner_new(REGION.width, REGION.height, options.window_px, &learner),
		0);
	assert_int_equal(vd_variation_finish(learner, &model), -EAGAIN);
	for (uint32_t seed = 1; seed <= PARTS; seed++) {
		struct scene_capture capture = part(seed);

		capture.gain *= lamp;
		scene_take(&capture, &image);
		assert_int_equal(vd_warp_soft(&image, &identity, REGION, &region), 0);
		assert_int_equal(vd_variation_learn(learner, &region), 0);
	}
	assert_int_equal(vd_variation_learn(learner, &image), -EINVAL);
	assert_int_equal(vd_variation_parts(learner), PARTS);
	assert_int_equal(vd_variation_finish(learner, &model), 0);
	assert_int_equal(vd_variation_new(&model, REGION, &options, &variation), 0);
	vd_variation_model_fini(&model);
	(void)vd_variation_learner_free(learner);
	vd_image_fini(&image);
	vd_image_fini(&region);
	return variation;
}

static struct vd_variation *learnt(void)
{
	return learnt_under(1);
}

static struct vd_blobs compare_variation(const struct vd_variation *variation,
					 const struct scene_capture *capture,
					 const struct vd_pose *pose, double *ret_first_score)
{
	struct vd_variation_work work = { 0 };
	struct vd_blobs blobs = { 0 };
	struct vd_image image = { 0 };

	scene_take(capture, &image);
	assert_int_equal(vd_variation_compare(variation, &image, pose, &work, &blobs), 0);
	*ret_first_score = blobs.score;
	vd_variation_work_fini(&work);
	vd_image_fini(&image);
	return blobs;
}

static void unseen_good_parts_fit_the_variation_model(void **state)
{
	struct vd_variation *variation = learnt();
	const struct vd_pose identity = vd_pose_identity();

	for (uint32_t seed = 100; seed < 110; seed++) {
		const struct scene_capture capture = part(seed);
		struct vd_blobs blobs;
		double score;

		blobs = compare_variation(variation, &capture, &identity, &score);
		assert_int_equal(blobs.count, 0);
		vd_blobs_fini(&blobs);
	}
	(void)vd_variation_free(variation);
}

static void a_weak_defect_leaves_the_variation_model(void **state)
{
	struct vd_variation *variation = learnt();
	const struct vd_pose identity = vd_pose_identity();

	for (uint32_t seed = 200; seed < 210; seed++) {
		struct scene_capture capture = part(seed);
		struct vd_blobs blobs;
		double score;

		capture.defect = DEFECT;
		capture.contrast = -30;
		blobs = compare_variation(variation, &capture, &identity, &score);
		assert_int_equal(blobs.count, 1);
		assert_int_equal(blobs.defects[0].polarity, VD_DARK);
		assert_in_range(blobs.defects[0].box.x + REGION.x, DEFECT.x - 3, DEFECT.x + 3);
		assert_true(score > 5);
		vd_blobs_fini(&blobs);
	}
	(void)vd_variation_free(variation);
}

/* At 1.35 times its light the scene's disc is clipped. */
static void highlights_are_no_defects_under_another_lamp_but_hide_none(void **state)
{
	static const double lamps[] = { 0.87, 0.93, 1.07, 1.15 };
	struct vd_variation *variation = learnt_under(1.35);
	const struct vd_pose identity = vd_pose_identity();

	for (unsigned i = 0; i < 2 * VD_COUNT(lamps); i++) {
		struct scene_capture capture = part(300 + i);
		struct vd_blobs blobs;
		double score;

		capture.gain *= 1.35 * lamps[i / 2];
		if (i % 2)
			capture.defect = (struct vd_rect){ 68, 58, 5, 5 };
		capture.contrast = -60;
		blobs = compare_variation(variation, &capture, &identity, &score);
		if ((blobs.count > 0) != (i % 2 == 1))
			fail_msg("lamp %g: %zu defects of %u", lamps[i / 2], blobs.count, i % 2);
		vd_blobs_fini(&blobs);
	}
	(void)vd_variation_free(variation);
}

static void the_region_follows_the_pose(void **state)
{
	struct vd_variation *variation = learnt();
	struct scene_capture capture = part(7);
	struct vd_pose pose = vd_pose_identity();
	struct vd_blobs blobs;
	double score;

	capture.dx = 5.3;
	capture.dy = -3.8;
	capture.angle_deg = 1.5;
	pose = (struct vd_pose){ .cx = (WIDTH - 1) / 2.0,
				 .cy = (HEIGHT - 1) / 2.0,
				 .dx = 5.3,
				 .dy = -3.8,
				 .angle_deg = 1.5 };
	blobs = compare_variation(variation, &capture, &pose, &score);
	assert_int_equal(blobs.count, 0);
	vd_blobs_fini(&blobs);
	(void)vd_variation_free(variation);
}

static void a_region_that_leaves_the_frame_is_refused(void **state)
{
	struct vd_variation *variation = learnt();
	struct vd_variation_work work = { 0 };
	struct scene_capture capture = part(7);
	struct vd_pose pose = vd_pose_identity();
	struct vd_image image = { 0 };
	struct vd_blobs blobs = { 0 };

	pose.dx = 60;
	scene_take(&capture, &image);
	assert_int_equal(vd_variation_compare(variation, &image, &pose, &work, &blobs), -EINVAL);
	vd_variation_work_fini(&work);
	vd_image_fini(&image);
	(void)vd_variation_free(variation);
}

VD_TEST_MAIN(cmocka_unit_test(a_shifted_noisy_good_part_fits_the_golden_template),
	     cmocka_unit_test(a_defect_is_found_where_it_is_with_its_polarity),
	     cmocka_unit_test(something_else_is_not_recognised),
	     cmocka_unit_test(normalisation_takes_out_a_change_of_light),
	     cmocka_unit_test(unseen_good_parts_fit_the_variation_model),
	     cmocka_unit_test(a_weak_defect_leaves_the_variation_model),
	     cmocka_unit_test(highlights_are_no_defects_under_another_lamp_but_hide_none),
	     cmocka_unit_test(the_region_follows_the_pose),
	     cmocka_unit_test(a_region_that_leaves_the_frame_is_refused))
