/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/focus.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/modules/vision/near.h"
#include "tests/unit/modules/vision/scene.h"

static struct vd_focus measure(const struct vd_image *image)
{
	struct vd_focus focus;

	assert_int_equal(vd_focus_measure(image, &focus), 0);
	return focus;
}

static void blur(struct vd_image *image)
{
	VD_CLEANUP(vd_image_fini) struct vd_image copy = { 0 };

	if (vd_image_shape(&copy, image->width, image->height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < image->height; y++)
		memcpy(vd_image_row(&copy, y), vd_image_row(image, y), (size_t)image->width);
	for (int y = 1; y + 1 < image->height; y++) {
		for (int x = 1; x + 1 < image->width; x++) {
			int sum = 0;

			for (int k = 0; k < 9; k++)
				sum += vd_image_row(&copy, y + k / 3 - 1)[x + k % 3 - 1];
			vd_image_row(image, y)[x] = (uint8_t)(sum / 9);
		}
	}
}

static void each_blur_lowers_the_sharpness(void **state)
{
	struct scene_capture capture = scene_plain(320, 240);
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	double last;

	scene_take(&capture, &image);
	last = measure(&image).sharpness;
	for (int i = 0; i < 4; i++) {
		blur(&image);
		assert_true(measure(&image).sharpness < last * 0.97);
		last = measure(&image).sharpness;
	}
}

static void noise_is_estimated_within_a_fifth(void **state)
{
	for (double noise = 2; noise <= 10; noise += 2) {
		struct scene_capture capture = scene_plain(320, 240);
		VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

		capture.noise = noise;
		scene_take(&capture, &image);
		assert_near(measure(&image).noise, noise, 0.2 * noise + 0.3);
	}
}

static void shares_of_dark_and_bright_pixels_are_exact(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_focus focus;

	if (vd_image_shape(&image, 100, 100, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 100; y++)
		memset(vd_image_row(&image, y), y < 10 ? 5 : y < 30 ? 250 : 100, 100);
	focus = measure(&image);
	assert_near(focus.dark, 0.1, 1e-12);
	assert_near(focus.bright, 0.2, 1e-12);
	assert_near(focus.mean, 0.5 + 50 + 70, 1e-9);
}

static void a_plain_slope_is_neither_sharp_nor_noisy(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_focus focus;

	if (vd_image_shape(&image, 200, 50, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 50; y++) {
		for (int x = 0; x < 200; x++)
			vd_image_row(&image, y)[x] = (uint8_t)(x + y);
	}
	focus = measure(&image);
	assert_near(focus.sharpness, 0, 1e-9);
	assert_near(focus.noise, 0, 1e-9);
}

static void the_largest_differences_do_not_overflow(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	if (vd_image_shape(&image, 5000, 8, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 8; y++) {
		for (int x = 0; x < 5000; x++)
			vd_image_row(&image, y)[x] = (x + y) % 2 ? 255 : 0;
	}
	assert_near(measure(&image).sharpness, 1020.0 * 1020, 1000);
}

static void two_pixels_have_no_focus(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_focus focus;

	if (vd_image_shape(&image, 2, 50, VD_GREY) < 0)
		abort();
	assert_int_equal(vd_focus_measure(&image, &focus), -EINVAL);
}

VD_TEST_MAIN(cmocka_unit_test(each_blur_lowers_the_sharpness),
	     cmocka_unit_test(noise_is_estimated_within_a_fifth),
	     cmocka_unit_test(shares_of_dark_and_bright_pixels_are_exact),
	     cmocka_unit_test(a_plain_slope_is_neither_sharp_nor_noisy),
	     cmocka_unit_test(the_largest_differences_do_not_overflow),
	     cmocka_unit_test(two_pixels_have_no_focus))
