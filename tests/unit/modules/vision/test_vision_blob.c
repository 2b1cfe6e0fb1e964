/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/blob.h"

#include <string.h>

#include "vd_test.h"

enum { WIDTH = 64, HEIGHT = 48 };

static struct vd_excess excess;

static void clear(void)
{
	assert_int_equal(vd_excess_shape(&excess, WIDTH, HEIGHT), 0);
	for (int y = 0; y < HEIGHT; y++) {
		memset(vd_image_row(&excess.excess, y), 0, WIDTH);
		memset(vd_image_row(&excess.bits, y), 0, WIDTH);
		excess.any[y] = false;
	}
}

static void paint(int x, int y, int width, int height, enum vd_polarity polarity, uint8_t value)
{
	for (int v = y; v < y + height; v++) {
		memset(vd_image_row(&excess.excess, v) + x, value, (size_t)width);
		memset(vd_image_row(&excess.bits, v) + x, (int)polarity, (size_t)width);
		excess.any[v] = true;
	}
}

static struct vd_blobs find(const struct vd_blob_options *options)
{
	struct vd_blobs blobs = { 0 };

	assert_int_equal(vd_blobs_find(&excess, NULL, options, &blobs), 0);
	return blobs;
}

static void a_defect_has_its_box_area_peak_and_score(void **state)
{
	const struct vd_blob_options options = { .open_px = 2, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_blobs blobs;

	clear();
	paint(10, 20, 4, 5, VD_DARK, 7);
	vd_image_row(&excess.excess, 22)[11] = 30;
	blobs = find(&options);
	assert_int_equal(blobs.count, 1);
	assert_int_equal(blobs.defects[0].box.x, 10);
	assert_int_equal(blobs.defects[0].box.y, 20);
	assert_int_equal(blobs.defects[0].box.width, 4);
	assert_int_equal(blobs.defects[0].box.height, 5);
	assert_int_equal(blobs.defects[0].area_px, 20);
	assert_int_equal(blobs.defects[0].peak, 30);
	assert_int_equal(blobs.defects[0].polarity, VD_DARK);
	assert_float_equal(blobs.score, (19 * 7 + 30) / 4.472136F, 1e-4F);
	vd_blobs_fini(&blobs);
}

static void opening_removes_what_holds_no_square(void **state)
{
	const struct vd_blob_options options = { .open_px = 3, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_blobs blobs;

	clear();
	paint(5, 5, 30, 2, VD_BRIGHT, 9);
	paint(5, 12, 2, 20, VD_BRIGHT, 9);
	paint(20, 20, 3, 3, VD_BRIGHT, 9);
	paint(WIDTH - 3, HEIGHT - 3, 3, 3, VD_BRIGHT, 9);
	blobs = find(&options);
	assert_int_equal(blobs.count, 2);
	assert_int_equal(blobs.area_px, 18);
	vd_blobs_fini(&blobs);
}

static void opening_keeps_a_large_defect_as_it_is(void **state)
{
	for (int side = 1; side <= 6; side++) {
		const struct vd_blob_options options = { .open_px = side,
							 .polarity = VD_BRIGHT_AND_DARK };
		struct vd_blobs blobs;

		clear();
		paint(8, 9, 12, 7, VD_BRIGHT, 9);
		paint(20, 11, 10, 6, VD_BRIGHT, 9);
		blobs = find(&options);
		assert_int_equal(blobs.count, 1);
		assert_int_equal(blobs.area_px, 12 * 7 + 10 * 6);
		vd_blobs_fini(&blobs);
	}
}

static void pixels_that_touch_at_a_corner_are_one_defect(void **state)
{
	const struct vd_blob_options options = { .open_px = 1, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_blobs blobs;

	clear();
	paint(10, 10, 3, 1, VD_BRIGHT, 9);
	paint(13, 11, 3, 1, VD_BRIGHT, 9);
	paint(9, 12, 1, 1, VD_BRIGHT, 9);
	blobs = find(&options);
	assert_int_equal(blobs.count, 2);
	vd_blobs_fini(&blobs);
}

static void a_ring_is_one_defect(void **state)
{
	const struct vd_blob_options options = { .open_px = 1, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_blobs blobs;

	clear();
	paint(10, 10, 1, 20, VD_BRIGHT, 9);
	paint(30, 10, 1, 20, VD_BRIGHT, 9);
	paint(20, 10, 1, 19, VD_BRIGHT, 9);
	paint(10, 30, 21, 1, VD_BRIGHT, 9);
	blobs = find(&options);
	assert_int_equal(blobs.count, 2);
	vd_blobs_fini(&blobs);
}

static void bright_and_dark_stay_apart_and_are_chosen(void **state)
{
	struct vd_blob_options options = { .open_px = 2, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_blobs blobs;

	clear();
	paint(10, 10, 4, 4, VD_BRIGHT, 9);
	paint(14, 10, 4, 4, VD_DARK, 9);
	blobs = find(&options);
	assert_int_equal(blobs.count, 2);
	vd_blobs_fini(&blobs);
	options.polarity = VD_DARK;
	blobs = find(&options);
	assert_int_equal(blobs.count, 1);
	assert_int_equal(blobs.defects[0].polarity, VD_DARK);
	vd_blobs_fini(&blobs);
}

static void near_pieces_are_merged_before_the_area_is_judged(void **state)
{
	const struct vd_blob_options options = {
		.open_px = 1, .merge_px = 4, .min_area_px = 20, .polarity = VD_BRIGHT_AND_DARK
	};
	struct vd_blobs blobs;

	clear();
	paint(10, 10, 3, 4, VD_DARK, 9);
	paint(16, 10, 3, 4, VD_DARK, 12);
	paint(40, 40, 3, 4, VD_DARK, 9);
	blobs = find(&options);
	assert_int_equal(blobs.count, 1);
	assert_int_equal(blobs.defects[0].area_px, 24);
	assert_int_equal(blobs.defects[0].box.width, 9);
	vd_blobs_fini(&blobs);
}

static void weak_defects_are_left_out(void **state)
{
	const struct vd_blob_options options = { .open_px = 1,
						 .min_peak = 10,
						 .polarity = VD_BRIGHT_AND_DARK };
	struct vd_blobs blobs;

	clear();
	paint(10, 10, 5, 5, VD_DARK, 9);
	blobs = find(&options);
	assert_int_equal(blobs.count, 0);
	assert_float_equal(blobs.score, 0, 0);
	vd_blobs_fini(&blobs);
}

static void a_frame_full_of_specks_is_still_found_wrong(void **state)
{
	const struct vd_blob_options options = { .open_px = 1, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_excess large = { 0 };
	struct vd_blobs blobs;

	assert_int_equal(vd_excess_shape(&large, 1200, 1000), 0);
	for (int y = 0; y < 1000; y++) {
		for (int x = 0; x < 1200; x++) {
			vd_image_row(&large.excess, y)[x] = 5;
			vd_image_row(&large.bits, y)[x] = x % 2 == 0 && y % 2 == 0;
		}
		large.any[y] = true;
	}
	assert_int_equal(vd_blobs_find(&large, NULL, &options, &blobs), 0);
	assert_int_equal(blobs.count, 1);
	assert_true(blobs.score > 1000);
	vd_blobs_fini(&blobs);
	vd_excess_fini(&large);
}

static void the_spread_weighs_the_score(void **state)
{
	const struct vd_blob_options options = { .open_px = 1, .polarity = VD_BRIGHT_AND_DARK };
	struct vd_image sigma = { 0 };
	struct vd_blobs blobs;

	assert_int_equal(vd_image_shape(&sigma, WIDTH, HEIGHT, VD_GREY), 0);
	memset(sigma.pixels, 8, sigma.stride * HEIGHT);
	clear();
	paint(10, 10, 5, 5, VD_DARK, 10);
	assert_int_equal(vd_blobs_find(&excess, &sigma, &options, &blobs), 0);
	assert_float_equal(blobs.score, 25, 1e-6F);
	vd_blobs_fini(&blobs);
	vd_image_fini(&sigma);
	vd_excess_fini(&excess);
}

VD_TEST_MAIN(cmocka_unit_test(a_defect_has_its_box_area_peak_and_score),
	     cmocka_unit_test(opening_removes_what_holds_no_square),
	     cmocka_unit_test(opening_keeps_a_large_defect_as_it_is),
	     cmocka_unit_test(pixels_that_touch_at_a_corner_are_one_defect),
	     cmocka_unit_test(a_ring_is_one_defect),
	     cmocka_unit_test(bright_and_dark_stay_apart_and_are_chosen),
	     cmocka_unit_test(near_pieces_are_merged_before_the_area_is_judged),
	     cmocka_unit_test(weak_defects_are_left_out),
	     cmocka_unit_test(a_frame_full_of_specks_is_still_found_wrong),
	     cmocka_unit_test(the_spread_weighs_the_score))
