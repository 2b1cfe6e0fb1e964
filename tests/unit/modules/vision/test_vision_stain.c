/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/stain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/modules/vision/near.h"

static void fill(struct vd_image *image, int width, int height, int slope)
{
	if (vd_image_shape(image, width, height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width; x++)
			vd_image_row(image, y)[x] = (uint8_t)(100 + slope * x / 16);
	}
}

static void spot(struct vd_image *image, struct vd_rect where, int change)
{
	for (int y = where.y; y < where.y + where.height; y++) {
		for (int x = where.x; x < where.x + where.width; x++) {
			uint8_t *pixel = vd_image_row(image, y) + x;

			*pixel = (uint8_t)(*pixel + change);
		}
	}
}

static struct vd_stains find(const struct vd_image *image, const struct vd_stain_options *options)
{
	struct vd_stain_work work = { 0 };
	struct vd_stains stains;

	assert_int_equal(vd_stain_find(image, options, &work, &stains), 0);
	vd_stain_work_fini(&work);
	return stains;
}

/* The definition, place by place. */
static int level_at(const struct vd_image *image, const struct vd_stain_options *options, int x,
		    int y)
{
	const int side = options->segment_px, step = side < 8 ? 1 : side / 4;
	const int nx = options->direction & VD_STAIN_X ? options->travel : 1;
	const int ny = options->direction & VD_STAIN_Y ? options->travel : 1;
	int high = 0, low = 255;

	for (int k = 0; k < nx * ny; k++) {
		int sum = 0, mean;

		for (int i = 0; i < side * side; i++)
			sum += vd_image_row(image,
					    (y + k / nx) * step +
						    i / side)[(x + k % nx) * step + i % side];
		mean = (sum + side * side / 2) / (side * side);
		high = mean > high ? mean : high;
		low = mean < low ? mean : low;
	}
	return high - low;
}

static void the_largest_level_is_that_of_its_definition(void **state)
{
	static const struct vd_stain_options cases[] = {
		{ 4, 4, VD_STAIN_XY, 255, 1, 0 }, { 4, 4, VD_STAIN_X, 255, 1, 0 },
		{ 4, 3, VD_STAIN_Y, 255, 1, 0 },  { 16, 4, VD_STAIN_XY, 255, 1, 0 },
		{ 9, 5, VD_STAIN_XY, 255, 1, 0 }, { 2, 2, VD_STAIN_X, 255, 1, 0 },
	};
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	uint32_t seed = 7;

	fill(&image, 90, 70, 1);
	for (int y = 0; y < 70; y++) {
		for (int x = 0; x < 90; x++) {
			seed = seed * 1664525 + 1013904223;
			vd_image_row(&image, y)[x] = (uint8_t)(seed >> 24);
		}
	}
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		const struct vd_stain_options *o = &cases[i];
		const int side = o->segment_px, step = side < 8 ? 1 : side / 4;
		const int dx = o->direction & VD_STAIN_X ? o->travel - 1 : 0;
		const int dy = o->direction & VD_STAIN_Y ? o->travel - 1 : 0;
		struct vd_stains stains = find(&image, o);
		int largest = 0;

		for (int y = 0; y <= (70 - side) / step - dy; y++) {
			for (int x = 0; x <= (90 - side) / step - dx; x++) {
				const int level = level_at(&image, o, x, y);

				largest = level > largest ? level : largest;
			}
		}
		assert_int_equal(stains.level, largest);
		vd_blobs_fini(&stains.blobs);
	}
}

static void a_faint_spot_is_found_where_it_is_also_on_a_slope_of_light(void **state)
{
	const struct vd_rect where = { 60, 40, 12, 9 };
	struct vd_stain_options options = vd_stain_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_stains stains;

	fill(&image, 200, 120, 6);
	spot(&image, where, -14);
	options.level = 8;
	stains = find(&image, &options);
	assert_int_equal(stains.blobs.count, 1);
	assert_in_range(stains.level, 12, 18);
	assert_in_range(stains.blobs.defects[0].box.x, where.x - 8, where.x);
	assert_in_range(stains.blobs.defects[0].box.y, where.y - 8, where.y);
	assert_in_range(stains.blobs.defects[0].box.width, where.width, where.width + 16);
	vd_blobs_fini(&stains.blobs);
}

static void a_slope_of_light_alone_is_no_stain(void **state)
{
	struct vd_stain_options options = vd_stain_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_stains stains;

	fill(&image, 200, 120, 8);
	options.level = 5;
	stains = find(&image, &options);
	assert_int_equal(stains.blobs.count, 0);
	assert_true(stains.level <= 3);
	vd_blobs_fini(&stains.blobs);
}

static void a_stripe_along_x_is_not_seen_along_x(void **state)
{
	struct vd_stain_options options = vd_stain_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_stains stains;

	fill(&image, 100, 100, 0);
	spot(&image, (struct vd_rect){ 0, 50, 100, 6 }, 40);
	options.direction = VD_STAIN_X;
	stains = find(&image, &options);
	assert_int_equal(stains.blobs.count, 0);
	vd_blobs_fini(&stains.blobs);
	options.direction = VD_STAIN_Y;
	stains = find(&image, &options);
	assert_int_equal(stains.blobs.count, 1);
	vd_blobs_fini(&stains.blobs);
}

static void small_stains_are_left_out(void **state)
{
	struct vd_stain_options options = vd_stain_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_stains stains;

	fill(&image, 200, 120, 0);
	spot(&image, (struct vd_rect){ 30, 30, 3, 3 }, 100);
	options.min_area_px = 400;
	stains = find(&image, &options);
	assert_int_equal(stains.blobs.count, 0);
	assert_true(stains.level > 20);
	vd_blobs_fini(&stains.blobs);
}

static void an_image_smaller_than_the_segments_is_refused(void **state)
{
	const struct vd_stain_options options = vd_stain_defaults();
	struct vd_stain_work work = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_stains stains;

	fill(&image, 6, 20, 0);
	assert_int_equal(vd_stain_find(&image, &options, &work, &stains), -EINVAL);
	fill(&image, 7, 7, 0);
	assert_int_equal(vd_stain_find(&image, &options, &work, &stains), 0);
	vd_blobs_fini(&stains.blobs);
	vd_stain_work_fini(&work);
}

VD_TEST_MAIN(cmocka_unit_test(the_largest_level_is_that_of_its_definition),
	     cmocka_unit_test(a_faint_spot_is_found_where_it_is_also_on_a_slope_of_light),
	     cmocka_unit_test(a_slope_of_light_alone_is_no_stain),
	     cmocka_unit_test(a_stripe_along_x_is_not_seen_along_x),
	     cmocka_unit_test(small_stains_are_left_out),
	     cmocka_unit_test(an_image_smaller_than_the_segments_is_refused))
