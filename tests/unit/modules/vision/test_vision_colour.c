/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/colour.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tests/unit/modules/vision/near.h"

/* The pairs that Sharma, Wu and Dalal published with the formula. */
static const struct {
	struct vd_lab x, y;
	double difference;
} published[] = {
	{ { 50, 2.6772, -79.7751 }, { 50, 0, -82.7485 }, 2.0425 },
	{ { 50, 3.1571, -77.2803 }, { 50, 0, -82.7485 }, 2.8615 },
	{ { 50, 2.8361, -74.0200 }, { 50, 0, -82.7485 }, 3.4412 },
	{ { 50, -1.3802, -84.2814 }, { 50, 0, -82.7485 }, 1.0000 },
	{ { 50, -1.1848, -84.8006 }, { 50, 0, -82.7485 }, 1.0000 },
	{ { 50, -0.9009, -85.5211 }, { 50, 0, -82.7485 }, 1.0000 },
	{ { 50, 0, 0 }, { 50, -1, 2 }, 2.3669 },
	{ { 50, -1, 2 }, { 50, 0, 0 }, 2.3669 },
	{ { 50, 2.4900, -0.0010 }, { 50, -2.4900, 0.0009 }, 7.1792 },
	{ { 50, 2.4900, -0.0010 }, { 50, -2.4900, 0.0010 }, 7.1792 },
	{ { 50, 2.4900, -0.0010 }, { 50, -2.4900, 0.0011 }, 7.2195 },
	{ { 50, 2.4900, -0.0010 }, { 50, -2.4900, 0.0012 }, 7.2195 },
	{ { 50, -0.0010, 2.4900 }, { 50, 0.0009, -2.4900 }, 4.8045 },
	{ { 50, -0.0010, 2.4900 }, { 50, 0.0010, -2.4900 }, 4.8045 },
	{ { 50, -0.0010, 2.4900 }, { 50, 0.0011, -2.4900 }, 4.7461 },
	{ { 50, 2.5, 0 }, { 50, 0, -2.5 }, 4.3065 },
	{ { 50, 2.5, 0 }, { 73, 25, -18 }, 27.1492 },
	{ { 50, 2.5, 0 }, { 61, -5, 29 }, 22.8977 },
	{ { 50, 2.5, 0 }, { 56, -27, -3 }, 31.9030 },
	{ { 50, 2.5, 0 }, { 58, 24, 15 }, 19.4535 },
	{ { 50, 2.5, 0 }, { 50, 3.1736, 0.5854 }, 1.0000 },
	{ { 50, 2.5, 0 }, { 50, 3.2972, 0 }, 1.0000 },
	{ { 50, 2.5, 0 }, { 50, 1.8634, 0.5757 }, 1.0000 },
	{ { 50, 2.5, 0 }, { 50, 3.2592, 0.3350 }, 1.0000 },
	{ { 60.2574, -34.0099, 36.2677 }, { 60.4626, -34.1751, 39.4387 }, 1.2644 },
	{ { 63.0109, -31.0961, -5.8663 }, { 62.8187, -29.7946, -4.0864 }, 1.2630 },
	{ { 61.2901, 3.7196, -5.3901 }, { 61.4292, 2.2480, -4.9620 }, 1.8731 },
	{ { 35.0831, -44.1164, 3.7933 }, { 35.0232, -40.0716, 1.5901 }, 1.8645 },
	{ { 22.7233, 20.0904, -46.6940 }, { 23.0331, 14.9730, -42.5619 }, 2.0373 },
	{ { 36.4612, 47.8580, 18.3852 }, { 36.2715, 50.5065, 21.2231 }, 1.4146 },
	{ { 90.8027, -2.0831, 1.4410 }, { 91.1528, -1.6435, 0.0447 }, 1.4441 },
	{ { 90.9257, -0.5406, -0.9208 }, { 88.6381, -0.8985, -0.7239 }, 1.5381 },
	{ { 6.7747, -0.2908, -2.4247 }, { 5.8714, -0.0985, -2.2286 }, 0.6377 },
	{ { 2.0776, 0.0795, -1.1350 }, { 0.9033, -0.0636, -0.5514 }, 0.9082 },
};

/* Pair 14 stands on the step of the formula at 180 degrees: rounding chooses the side. */
static bool is_on_the_step(size_t i)
{
	return i == 13;
}

static void differences_are_the_published_ones(void **state)
{
	for (size_t i = 0; i < VD_COUNT(published); i++) {
		const double d = vd_lab_difference(&published[i].x, &published[i].y);

		assert_near(d, published[i].difference, is_on_the_step(i) ? 0.06 : 0.0001);
	}
}

static void differences_are_symmetric_and_zero_for_one_colour(void **state)
{
	for (size_t i = 0; i < VD_COUNT(published); i++) {
		const struct vd_lab *x = &published[i].x, *y = &published[i].y;

		assert_near(vd_lab_difference(x, x), 0, 1e-9);
		assert_near(vd_lab_difference(x, y), vd_lab_difference(y, x), 1e-9);
	}
}

static void primaries_have_their_known_coordinates(void **state)
{
	static const struct {
		double r, g, b;
		struct vd_lab lab;
	} cases[] = {
		{ 0, 0, 0, { 0, 0, 0 } },
		{ 255, 255, 255, { 100, 0, 0 } },
		{ 255, 0, 0, { 53.24, 80.09, 67.20 } },
		{ 0, 255, 0, { 87.73, -86.18, 83.18 } },
		{ 0, 0, 255, { 32.30, 79.19, -107.86 } },
		{ 128, 128, 128, { 53.59, 0, 0 } },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		const struct vd_lab lab = vd_lab_of_srgb(cases[i].r, cases[i].g, cases[i].b);

		assert_near(lab.l, cases[i].lab.l, 0.01);
		assert_near(lab.a, cases[i].lab.a, 0.02);
		assert_near(lab.b, cases[i].lab.b, 0.02);
	}
}

static void paint(struct vd_image *image, int width, int height)
{
	if (vd_image_shape(image, width, height, VD_RGB) < 0)
		abort();
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width; x++) {
			const bool is_red = x >= 20 && x < 40 && y >= 10 && y < 30;
			uint8_t *pixel = vd_image_row(image, y) + (ptrdiff_t)3 * x;

			pixel[0] = is_red ? 200 : 30;
			pixel[1] = is_red ? 40 : 90;
			pixel[2] = is_red ? 50 : 200;
		}
	}
}

static void a_region_of_one_colour_has_that_colour(void **state)
{
	const struct vd_lab red = vd_lab_of_srgb(200, 40, 50);
	const struct vd_pose identity = vd_pose_identity();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_lab lab;

	paint(&image, 80, 60);
	assert_int_equal(
		vd_colour_measure(&image, &identity, (struct vd_rect){ 20, 10, 20, 20 }, &lab), 0);
	assert_near(vd_lab_difference(&red, &lab), 0, 1e-4);
	assert_int_equal(
		vd_colour_measure(&image, &identity, (struct vd_rect){ 10, 10, 20, 20 }, &lab), 0);
	assert_true(vd_lab_difference(&red, &lab) > 10);
}

static void the_region_follows_the_part(void **state)
{
	const struct vd_lab red = vd_lab_of_srgb(200, 40, 50);
	const struct vd_pose pose = { .dx = 15, .dy = 7, .score = 1 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_lab lab;

	paint(&image, 80, 60);
	assert_int_equal(vd_colour_measure(&image, &pose, (struct vd_rect){ 5, 3, 20, 20 }, &lab),
			 0);
	assert_near(vd_lab_difference(&red, &lab), 0, 1e-4);
	assert_int_equal(vd_colour_measure(&image, &pose, (struct vd_rect){ 60, 3, 20, 20 }, &lab),
			 -ERANGE);
}

static void a_turned_region_is_where_the_part_is(void **state)
{
	const struct vd_lab red = vd_lab_of_srgb(200, 40, 50);
	const struct vd_pose turned = { .cx = 30, .cy = 20, .angle_deg = 90, .score = 1 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_lab lab;

	paint(&image, 80, 60);
	/* A quarter turn about the middle of the red square keeps what is well inside it. */
	assert_int_equal(
		vd_colour_measure(&image, &turned, (struct vd_rect){ 24, 14, 12, 12 }, &lab), 0);
	assert_near(vd_lab_difference(&red, &lab), 0, 1e-4);
	assert_int_equal(
		vd_colour_measure(&image, &turned, (struct vd_rect){ 44, 14, 5, 12 }, &lab), 0);
	assert_true(vd_lab_difference(&red, &lab) > 10);
}

static void a_grey_image_has_no_colour(void **state)
{
	const struct vd_pose identity = vd_pose_identity();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_lab lab;

	if (vd_image_shape(&image, 30, 30, VD_GREY) < 0)
		abort();
	assert_int_equal(
		vd_colour_measure(&image, &identity, (struct vd_rect){ 0, 0, 30, 30 }, &lab),
		-EINVAL);
}

VD_TEST_MAIN(cmocka_unit_test(differences_are_the_published_ones),
	     cmocka_unit_test(differences_are_symmetric_and_zero_for_one_colour),
	     cmocka_unit_test(primaries_have_their_known_coordinates),
	     cmocka_unit_test(a_region_of_one_colour_has_that_colour),
	     cmocka_unit_test(the_region_follows_the_part),
	     cmocka_unit_test(a_turned_region_is_where_the_part_is),
	     cmocka_unit_test(a_grey_image_has_no_colour))
