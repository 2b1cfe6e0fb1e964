/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/count.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/modules/vision/near.h"

static uint32_t random_state;

static int random_below(int n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (int)((random_state >> 8) % (uint32_t)n);
}

static void fill(struct vd_image *image, int width, int height, int slope)
{
	if (vd_image_shape(image, width, height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width; x++)
			vd_image_row(image, y)[x] =
				(uint8_t)(60 + slope * x / width + random_below(7));
	}
}

/* An ellipse, turned. */
static void draw(struct vd_image *image, double cx, double cy, double a, double b, double degrees,
		 int change)
{
	const double c = cos(degrees * M_PI / 180), s = sin(degrees * M_PI / 180);

	for (int y = 0; y < image->height; y++) {
		for (int x = 0; x < image->width; x++) {
			const double u = (x - cx) * c + (y - cy) * s;
			const double v = (y - cy) * c - (x - cx) * s;
			uint8_t *pixel = vd_image_row(image, y) + x;

			if (u * u / (a * a) + v * v / (b * b) <= 1)
				*pixel = (uint8_t)(*pixel + change);
		}
	}
}

static struct vd_objects find(const struct vd_image *image, const struct vd_count_options *options)
{
	struct vd_count_work work = { 0 };
	struct vd_objects objects;

	assert_int_equal(vd_count_find(image, options, &work, &objects), 0);
	vd_count_work_fini(&work);
	return objects;
}

static size_t count(const struct vd_image *image, const struct vd_count_options *options)
{
	struct vd_objects objects = find(image, options);
	const size_t n = objects.blobs.count;

	vd_blobs_fini(&objects.blobs);
	return n;
}

static void objects_are_counted_with_each_threshold(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	for (int n = 0; n < 12; n++) {
		struct vd_count_options options = vd_count_defaults();

		fill(&image, 400, 300, 0);
		for (int i = 0; i < n; i++)
			draw(&image, 50 + 90 * (i % 4), 50 + 90 * (i / 4), 15, 15, 0, 90);
		assert_int_equal(count(&image, &options), n);
		options.threshold = VD_THRESHOLD_FIXED;
		options.level = 110;
		assert_int_equal(count(&image, &options), n);
		options.threshold = VD_THRESHOLD_LOCAL;
		options.level = 25;
		options.window_px = 101;
		assert_int_equal(count(&image, &options), n);
	}
}

static void dark_objects_are_counted_as_bright_ones(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_count_options options = vd_count_defaults();

	fill(&image, 400, 300, 0);
	for (int y = 0; y < 300; y++) {
		for (int x = 0; x < 400; x++)
			vd_image_row(&image, y)[x] = (uint8_t)(vd_image_row(&image, y)[x] + 120);
	}
	for (int i = 0; i < 5; i++)
		draw(&image, 50 + 70 * i, 100, 15, 10, 30 * i, -90);
	options.polarity = VD_DARK;
	assert_int_equal(count(&image, &options), 5);
	options.threshold = VD_THRESHOLD_FIXED;
	options.level = 130;
	assert_int_equal(count(&image, &options), 5);
	options.threshold = VD_THRESHOLD_LOCAL;
	options.level = 25;
	assert_int_equal(count(&image, &options), 5);
}

static void a_local_threshold_follows_the_light(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_count_options options = vd_count_defaults();

	fill(&image, 600, 200, 120);
	for (int i = 0; i < 6; i++)
		draw(&image, 50 + 100 * i, 100, 12, 12, 0, 40);
	assert_int_not_equal(count(&image, &options), 6);
	options.threshold = VD_THRESHOLD_LOCAL;
	options.level = 15;
	options.window_px = 81;
	assert_int_equal(count(&image, &options), 6);
}

static void a_plain_surface_holds_no_object_though_otsu_always_finds_a_threshold(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_count_options options = vd_count_defaults();

	fill(&image, 200, 200, 0);
	assert_int_equal(count(&image, &options), 0);
	options.polarity = VD_DARK;
	assert_int_equal(count(&image, &options), 0);
	memset(image.pixels, 0, image.stride * 200);
	assert_int_equal(count(&image, &options), 0);
	memset(image.pixels, 255, image.stride * 200);
	assert_int_equal(count(&image, &options), 0);
}

static void otsu_separates_two_levels_exactly(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	int threshold;

	if (vd_image_shape(&image, 64, 64, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 64; y++)
		memset(vd_image_row(&image, y), y < 20 ? 40 : 90, 64);
	assert_near(vd_threshold_otsu(&image, &threshold), 50, 1e-9);
	assert_in_range(threshold, 40, 89);
}

static void filters_choose_by_area_and_shape_in_any_direction(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	for (int degrees = 0; degrees < 180; degrees += 20) {
		struct vd_count_options options = vd_count_defaults();

		fill(&image, 400, 200, 0);
		draw(&image, 60, 60, 20, 20, 0, 90);
		draw(&image, 150, 60, 8, 8, 0, 90);
		draw(&image, 300, 90, 40, 10, degrees, 90);
		assert_int_equal(count(&image, &options), 3);
		options.area_min = 400;
		assert_int_equal(count(&image, &options), 2);
		options.circularity_min = 0.9;
		assert_int_equal(count(&image, &options), 1);
		options.circularity_min = 0;
		options.aspect_max = 2;
		assert_int_equal(count(&image, &options), 1);
		options.area_max = 500;
		assert_int_equal(count(&image, &options), 0);
	}
}

static void shapes_are_measured_as_their_formulas_say(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	const struct vd_count_options options = vd_count_defaults();
	struct vd_objects objects;

	fill(&image, 200, 200, 0);
	draw(&image, 90.3, 80.6, 40, 16, 25, 90);
	objects = find(&image, &options);
	assert_int_equal(objects.blobs.count, 1);
	assert_near(objects.blobs.defects[0].x, 90.3, 0.15);
	assert_near(objects.blobs.defects[0].y, 80.6, 0.15);
	assert_near(objects.blobs.defects[0].aspect, 2.5, 0.05);
	/* Of an ellipse: 2 a b / (a^2 + b^2). */
	assert_near(objects.blobs.defects[0].circularity, 2 * 40 * 16 / (1600.0 + 256), 0.01);
	assert_near(objects.blobs.defects[0].area_px, M_PI * 40 * 16, 30);
	vd_blobs_fini(&objects.blobs);
}

static void a_square_has_the_circularity_three_over_pi(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_count_options options = vd_count_defaults();
	struct vd_objects objects;

	options.threshold = VD_THRESHOLD_FIXED;
	options.level = 100;
	for (int side = 1; side < 60; side += 7) {
		fill(&image, 100, 100, 0);
		for (int i = 0; i < side * side; i++)
			vd_image_row(&image, 20 + i / side)[20 + i % side] = 200;
		objects = find(&image, &options);
		assert_int_equal(objects.blobs.count, 1);
		assert_near(objects.blobs.defects[0].circularity, 3 / M_PI, 1e-9);
		assert_near(objects.blobs.defects[0].aspect, 1, 1e-9);
		vd_blobs_fini(&objects.blobs);
	}
}

static void a_crowd_is_no_count(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_count_options options = vd_count_defaults();
	struct vd_count_work work = { 0 };
	struct vd_objects objects;

	if (vd_image_shape(&image, 1200, 1000, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 1000; y++) {
		for (int x = 0; x < 1200; x++)
			vd_image_row(&image, y)[x] = x % 2 && y % 2 ? 200 : 30;
	}
	options.threshold = VD_THRESHOLD_FIXED;
	options.level = 100;
	assert_int_equal(vd_count_find(&image, &options, &work, &objects), -EOVERFLOW);
	vd_count_work_fini(&work);
}

VD_TEST_MAIN(cmocka_unit_test(objects_are_counted_with_each_threshold),
	     cmocka_unit_test(dark_objects_are_counted_as_bright_ones),
	     cmocka_unit_test(a_local_threshold_follows_the_light),
	     cmocka_unit_test(a_plain_surface_holds_no_object_though_otsu_always_finds_a_threshold),
	     cmocka_unit_test(otsu_separates_two_levels_exactly),
	     cmocka_unit_test(filters_choose_by_area_and_shape_in_any_direction),
	     cmocka_unit_test(shapes_are_measured_as_their_formulas_say),
	     cmocka_unit_test(a_square_has_the_circularity_three_over_pi),
	     cmocka_unit_test(a_crowd_is_no_count))
