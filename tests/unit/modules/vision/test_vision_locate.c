/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/locate.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

enum { WIDTH = 240, HEIGHT = 200, CAPTURES = 20 };

static const struct vd_rect PATCH = { 40, 30, 120, 100 };
static const struct vd_locate_options OPTIONS = { .search_px = 16, .min_score = 0.7 };

static struct vd_locator *taught(const struct vd_locate_options *options)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_image image = { 0 };
	struct vd_locator *locator = NULL;

	scene_take(&capture, &image);
	assert_int_equal(vd_locator_new(&image, PATCH, options, &locator), 0);
	vd_image_fini(&image);
	return locator;
}

static int find(const struct vd_locator *locator, const struct scene_capture *capture,
		struct vd_pose *pose)
{
	struct vd_image image = { 0 };
	int r;

	scene_take(capture, &image);
	r = vd_locator_find(locator, &image, pose);
	vd_image_fini(&image);
	return r;
}

static void the_shift_is_found_to_a_twentieth_of_a_pixel_in_noise(void **state)
{
	struct vd_locator *locator = taught(&OPTIONS);
	double squares = 0;

	for (int i = 0; i < CAPTURES; i++) {
		struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
		struct vd_pose pose;

		capture.dx = 12.7 * sin(i * 1.7);
		capture.dy = 11.3 * cos(i * 2.3);
		capture.gain = 0.9;
		capture.noise = 3;
		capture.seed = (uint32_t)i + 7;
		assert_int_equal(find(locator, &capture, &pose), 0);
		squares += pow(pose.dx - capture.dx, 2) + pow(pose.dy - capture.dy, 2);
	}
	assert_true(sqrt(squares / (2 * CAPTURES)) < 0.05);
	(void)vd_locator_free(locator);
}

static void the_angle_is_found_too(void **state)
{
	const struct vd_locate_options options = { .search_px = 12,
						   .angle_deg = 3,
						   .min_score = 0.7 };
	struct vd_locator *locator = taught(&options);
	double angles = 0, places = 0;

	for (int i = 0; i < CAPTURES; i++) {
		struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
		const double cx = (WIDTH - 1) / 2.0, cy = (HEIGHT - 1) / 2.0;
		struct vd_pose pose;
		double x, y;

		capture.dx = 5.3 * sin(i * 1.7);
		capture.dy = 4.1 * cos(i * 2.3);
		capture.angle_deg = 2.6 * sin(i * 0.9);
		capture.noise = 3;
		capture.seed = (uint32_t)i + 7;
		assert_int_equal(find(locator, &capture, &pose), 0);
		vd_pose_map(&pose, cx, cy, &x, &y);
		angles += pow(pose.angle_deg - capture.angle_deg, 2);
		places += pow(x - cx - capture.dx, 2) + pow(y - cy - capture.dy, 2);
	}
	assert_true(sqrt(angles / CAPTURES) < 0.03);
	assert_true(sqrt(places / (2 * CAPTURES)) < 0.06);
	(void)vd_locator_free(locator);
}

static void a_part_that_is_not_there_is_not_located(void **state)
{
	struct vd_locator *locator = taught(&OPTIONS);
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_pose pose;

	capture.dx = 90;
	capture.dy = 70;
	assert_int_equal(find(locator, &capture, &pose), VD_NOT_LOCATED);
	capture = scene_plain(WIDTH, HEIGHT);
	capture.gain = 0;
	assert_int_equal(find(locator, &capture, &pose), VD_NOT_LOCATED);
	capture = scene_plain(60, 60);
	assert_int_equal(find(locator, &capture, &pose), -EINVAL);
	(void)vd_locator_free(locator);
}

static void the_same_image_gives_the_same_pose_to_the_bit(void **state)
{
	struct vd_locator *locator = taught(&OPTIONS);
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	struct vd_pose first, again;

	capture.dx = 3.3;
	capture.noise = 3;
	assert_int_equal(find(locator, &capture, &first), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(find(locator, &capture, &again), 0);
		assert_memory_equal(&first, &again, sizeof first);
	}
	(void)vd_locator_free(locator);
}

static void a_patch_without_texture_is_not_taught(void **state)
{
	struct vd_image image = { 0 };
	struct vd_locator *locator = NULL;

	assert_int_equal(vd_image_shape(&image, 100, 100, VD_GREY), 0);
	memset(image.pixels, 100, image.stride * 100);
	assert_int_equal(
		vd_locator_new(&image, (struct vd_rect){ 10, 10, 50, 50 }, &OPTIONS, &locator),
		-ENODATA);
	assert_int_equal(
		vd_locator_new(&image, (struct vd_rect){ 60, 10, 50, 50 }, &OPTIONS, &locator),
		-EINVAL);
	vd_image_fini(&image);
}

VD_TEST_MAIN(cmocka_unit_test(the_shift_is_found_to_a_twentieth_of_a_pixel_in_noise),
	     cmocka_unit_test(the_angle_is_found_too),
	     cmocka_unit_test(a_part_that_is_not_there_is_not_located),
	     cmocka_unit_test(the_same_image_gives_the_same_pose_to_the_bit),
	     cmocka_unit_test(a_patch_without_texture_is_not_taught))
