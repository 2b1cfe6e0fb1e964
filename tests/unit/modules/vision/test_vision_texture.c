/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/texture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/modules/vision/near.h"
#include "tests/unit/modules/vision/scene.h"

enum { WIDTH = 160, HEIGHT = 120, PARTS = 24 };

/* Woven material: two waves, grain, and a phase that is another one in each image. */
static void weave(struct vd_image *image, uint32_t seed, double phase)
{
	uint32_t state = seed * 2654435761U + 1;

	if (vd_image_shape(image, WIDTH, HEIGHT, VD_GREY) < 0)
		abort();
	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			const double v = 120 + 22 * sin((x + phase) / 1.9) * cos(y / 2.3) +
					 12 * sin((x - y + 2 * phase) / 5.1) +
					 8 * scene_noise(&state);

			vd_image_row(image, y)[x] = (uint8_t)lrint(fmin(fmax(v, 0), 255));
		}
	}
}

enum fault { SOUND, SMOOTH, ROUGH, SCRATCH, DARK, TURNED, FAULTS };

static void damage(struct vd_image *image, enum fault fault, uint32_t seed)
{
	uint32_t state = seed;

	for (int y = 50; y < 74; y++) {
		for (int x = 70; x < 94; x++) {
			uint8_t *pixel = vd_image_row(image, y) + x;

			switch (fault) {
			case SMOOTH:
				*pixel = (uint8_t)(120 + (*pixel - 120) / 4);
				break;
			case ROUGH:
				*pixel = (uint8_t)fmin(fmax(*pixel + 25 * scene_noise(&state), 0),
						       255);
				break;
			case SCRATCH:
				*pixel = abs(x - y - 20) < 2 ? 215 : *pixel;
				break;
			case DARK:
				*pixel = (uint8_t)(*pixel > 45 ? *pixel - 45 : 0);
				break;
			case TURNED:
				*pixel =
					(uint8_t)lrint(120 + 22 * sin(y / 1.2) + 12 * sin(x / 9.0));
				break;
			default:
				break;
			}
		}
	}
}

static struct vd_texture *learn(enum vd_texture_scope scope)
{
	VD_CLEANUP(vd_texture_learner_free) struct vd_texture_learner *learner = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_texture *texture = NULL;

	assert_int_equal(vd_texture_learner_new(WIDTH, HEIGHT, scope, &learner), 0);
	for (uint32_t i = 0; i < PARTS; i++) {
		weave(&image, i, scope == VD_TEXTURE_GLOBAL ? i * 1.7 : 0.3 * sin(i));
		assert_int_equal(vd_texture_learn(learner, &image), 0);
	}
	assert_int_equal(vd_texture_finish(learner, &texture), 0);
	return texture;
}

static double score(const struct vd_texture *texture, enum fault fault, uint32_t seed, double phase,
		    double threshold, size_t *ret_count, struct vd_rect *ret_box)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_texture_work work = { 0 };
	struct vd_texture_result result;

	weave(&image, seed, phase);
	damage(&image, fault, seed);
	assert_int_equal(vd_texture_find(texture, &image, threshold, &work, &result), 0);
	if (ret_count)
		*ret_count = result.blobs.count;
	if (ret_box && result.blobs.count)
		*ret_box = result.blobs.defects[0].box;
	vd_blobs_fini(&result.blobs);
	vd_texture_work_fini(&work);
	return result.score;
}

static double phase_of(enum vd_texture_scope scope, uint32_t i)
{
	return scope == VD_TEXTURE_GLOBAL ? i * 1.7 : 0.3 * sin(i);
}

static void check_separation(enum vd_texture_scope scope)
{
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = learn(scope);
	double worst_good = 0, best_bad = INFINITY;

	for (uint32_t i = 100; i < 120; i++)
		worst_good = fmax(worst_good,
				  score(texture, SOUND, i, phase_of(scope, i), 1e9, NULL, NULL));
	for (int fault = SMOOTH; fault < FAULTS; fault++) {
		for (uint32_t i = 200; i < 204; i++) {
			const double bad = score(texture, (enum fault)fault, i, phase_of(scope, i),
						 1e9, NULL, NULL);

			best_bad = fmin(best_bad, bad);
			if (bad <= worst_good)
				print_message("fault %d: %.2f, good up to %.2f\n", fault, bad,
					      worst_good);
		}
	}
	print_message("worst good %.2f, best bad %.2f\n", worst_good, best_bad);
	assert_true(best_bad > worst_good * 1.2);
}

static void faults_stand_out_from_unseen_good_parts_by_position(void **state)
{
	check_separation(VD_TEXTURE_POSITION);
}

static void faults_stand_out_from_unseen_good_material_anywhere(void **state)
{
	check_separation(VD_TEXTURE_GLOBAL);
}

static void what_is_found_is_where_it_is(void **state)
{
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = learn(VD_TEXTURE_GLOBAL);
	struct vd_rect box = { 0 };
	size_t count;

	(void)score(texture, SMOOTH, 300, 5, 2, &count, &box);
	assert_int_equal(count, 1);
	assert_in_range(box.x, 64, 76);
	assert_in_range(box.y, 44, 56);
	assert_in_range(box.x + box.width, 86, 100);
	assert_in_range(box.y + box.height, 66, 80);
	(void)score(texture, SOUND, 300, 5, 2, &count, &box);
	assert_int_equal(count, 0);
}

static void good_material_scores_about_one(void **state)
{
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = learn(VD_TEXTURE_GLOBAL);
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_texture_work work = { 0 };
	struct vd_texture_result result;
	const int cells = WIDTH / VD_TEXTURE_CELL * (HEIGHT / VD_TEXTURE_CELL);
	double squares = 0;

	weave(&image, 500, 3);
	assert_int_equal(vd_texture_find(texture, &image, 1e9, &work, &result), 0);
	for (int i = 0; i < cells; i++)
		squares += (double)work.scores[i] * (double)work.scores[i] / cells;
	assert_near(squares, 1, 0.25);
	vd_blobs_fini(&result.blobs);
	vd_texture_work_fini(&work);
}

static void features_that_never_changed_do_not_divide_by_zero(void **state)
{
	VD_CLEANUP(vd_texture_learner_free) struct vd_texture_learner *learner = NULL;
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_texture_work work = { 0 };
	struct vd_texture_result result;

	if (vd_image_shape(&image, 64, 64, VD_GREY) < 0)
		abort();
	memset(image.pixels, 100, image.stride * 64);
	assert_int_equal(vd_texture_learner_new(64, 64, VD_TEXTURE_POSITION, &learner), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(vd_texture_learn(learner, &image), 0);
	assert_int_equal(vd_texture_finish(learner, &texture), 0);
	assert_int_equal(vd_texture_find(texture, &image, 3, &work, &result), 0);
	assert_near(result.score, 0, 1e-6);
	vd_blobs_fini(&result.blobs);
	vd_image_row(&image, 30)[30] = 160;
	assert_int_equal(vd_texture_find(texture, &image, 3, &work, &result), 0);
	assert_true(isfinite(result.score) && result.score > 3);
	vd_blobs_fini(&result.blobs);
	vd_texture_work_fini(&work);
}

static void too_little_and_other_sizes_are_refused(void **state)
{
	VD_CLEANUP(vd_texture_learner_free) struct vd_texture_learner *learner = NULL;
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	assert_int_equal(vd_texture_learner_new(31, 64, VD_TEXTURE_GLOBAL, &learner), -EINVAL);
	assert_int_equal(vd_texture_learner_new(64, 64, VD_TEXTURE_GLOBAL, &learner), 0);
	if (vd_image_shape(&image, 64, 72, VD_GREY) < 0)
		abort();
	memset(image.pixels, 9, image.stride * 72);
	assert_int_equal(vd_texture_learn(learner, &image), -EINVAL);
	image.height = 64;
	assert_int_equal(vd_texture_learn(learner, &image), 0);
	assert_int_equal(vd_texture_finish(learner, &texture), -EAGAIN);
}

VD_TEST_MAIN(cmocka_unit_test(faults_stand_out_from_unseen_good_parts_by_position),
	     cmocka_unit_test(faults_stand_out_from_unseen_good_material_anywhere),
	     cmocka_unit_test(what_is_found_is_where_it_is),
	     cmocka_unit_test(good_material_scores_about_one),
	     cmocka_unit_test(features_that_never_changed_do_not_divide_by_zero),
	     cmocka_unit_test(too_little_and_other_sizes_are_refused))
