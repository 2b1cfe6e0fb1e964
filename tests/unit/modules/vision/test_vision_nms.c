/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/nms.h"

#include <math.h>

#include "vd_test.h"

static const struct vd_detection WHOLE = { 0, 0, 10, 10, 0.9, 0 };

static double overlap(double x, double y, double side)
{
	const struct vd_detection other = { x, y, side, side, 0.9, 0 };

	assert_true(vd_iou(&WHOLE, &other) == vd_iou(&other, &WHOLE));
	return vd_iou(&WHOLE, &other);
}

static void an_overlap_is_shared_area_over_covered_area(void **state)
{
	assert_true(overlap(0, 0, 10) == 1);
	assert_float_equal(overlap(5, 0, 10), 1.0 / 3, 1e-12);
	assert_float_equal(overlap(9, 9, 10), 1.0 / 199, 1e-12);
	assert_float_equal(overlap(2, 2, 5), 0.25, 1e-12);
	assert_true(overlap(10, 0, 10) == 0);
	assert_true(overlap(50, 50, 10) == 0);
}

static void a_box_without_area_overlaps_nothing(void **state)
{
	const struct vd_detection bad[] = { { 2, 2, 0, 5, 0.9, 0 },
					    { 2, 2, -5, 5, 0.9, 0 },
					    { NAN, 2, 5, 5, 0.9, 0 },
					    { 2, 2, INFINITY, 5, 0.9, 0 } };

	for (size_t i = 0; i < VD_COUNT(bad); i++)
		assert_true(vd_iou(&WHOLE, &bad[i]) == 0);
}

static void of_overlapping_detections_of_a_class_the_surest_is_kept(void **state)
{
	struct vd_detection list[] = { { 1, 0, 10, 10, 0.6, 0 },
				       { 40, 0, 10, 10, 0.7, 0 },
				       { 0, 0, 10, 10, 0.9, 0 },
				       { 0, 1, 10, 10, 0.8, 0 } };

	assert_int_equal(vd_nms(list, 4, 0.5), 2);
	assert_true(list[0].score == 0.9 && list[1].score == 0.7);
}

static void another_class_is_another_thing(void **state)
{
	struct vd_detection list[] = { { 0, 0, 10, 10, 0.9, 0 }, { 0, 0, 10, 10, 0.8, 1 } };

	assert_int_equal(vd_nms(list, 2, 0.5), 2);
}

static void an_overlap_of_exactly_the_bound_is_kept(void **state)
{
	struct vd_detection list[] = { { 0, 0, 10, 10, 0.9, 0 }, { 0, 0, 10, 5, 0.8, 0 } };

	assert_int_equal(vd_nms(list, 2, 0.5), 2);
	assert_int_equal(vd_nms(list, 2, 0.499), 1);
}

static void what_was_suppressed_suppresses_nothing(void **state)
{
	struct vd_detection list[] = { { 0, 0, 10, 10, 0.9, 0 },
				       { 4, 0, 10, 10, 0.8, 0 },
				       { 8, 0, 10, 10, 0.7, 0 } };

	assert_int_equal(vd_nms(list, 3, 0.4), 2);
	assert_true(list[1].x == 8);
}

static void detections_that_are_no_number_are_left_out(void **state)
{
	struct vd_detection list[] = { { 0, 0, 10, 10, NAN, 0 },
				       { 0, 0, 10, -1, 0.9, 0 },
				       { INFINITY, 0, 10, 10, 0.9, 0 },
				       { 0, 0, 10, 10, 0.1, 0 } };

	assert_int_equal(vd_nms(list, 4, 0.5), 1);
	assert_true(list[0].score == 0.1);
	assert_int_equal(vd_nms(list, 0, 0.5), 0);
}

static void the_order_in_which_they_come_does_not_matter(void **state)
{
	const struct vd_detection some[] = { { 0, 0, 10, 10, 0.5, 0 },
					     { 1, 0, 10, 10, 0.5, 0 },
					     { 2, 0, 10, 10, 0.5, 0 } };
	struct vd_detection forwards[] = { some[0], some[1], some[2] };
	struct vd_detection backwards[] = { some[2], some[1], some[0] };

	assert_int_equal(vd_nms(forwards, 3, 0.7), 2);
	assert_int_equal(vd_nms(backwards, 3, 0.7), 2);
	assert_memory_equal(forwards, backwards, 2 * sizeof *forwards);
}

VD_TEST_MAIN(cmocka_unit_test(an_overlap_is_shared_area_over_covered_area),
	     cmocka_unit_test(a_box_without_area_overlaps_nothing),
	     cmocka_unit_test(of_overlapping_detections_of_a_class_the_surest_is_kept),
	     cmocka_unit_test(another_class_is_another_thing),
	     cmocka_unit_test(an_overlap_of_exactly_the_bound_is_kept),
	     cmocka_unit_test(what_was_suppressed_suppresses_nothing),
	     cmocka_unit_test(detections_that_are_no_number_are_left_out),
	     cmocka_unit_test(the_order_in_which_they_come_does_not_matter))
