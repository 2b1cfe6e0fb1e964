/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/modules/vision/scene.h"
#include "vd_test.h"

enum { PARTS = 30 };

static const double SIGMA = 4;

/* Noise of one deviation about `shift`; how many alarms were raised, and when the first one. */
static int feed(struct vd_chart *chart, int items, double shift, uint32_t seed, int *ret_first)
{
	int raised = 0;

	for (int i = 0; i < items; i++) {
		const enum vd_chart_outcome outcome =
			vd_chart_put(chart, shift + scene_noise(&seed), PARTS, SIGMA);

		if (outcome == VD_CHART_RAISED && raised++ == 0)
			*ret_first = i;
	}
	return raised;
}

static void noise_alone_raises_no_alarm(void **state)
{
	int first = -1;

	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct vd_chart chart = { 0 };

		assert_int_equal(feed(&chart, 5000, 0, seed * 7919, &first), 0);
		assert_false(chart.is_alarm);
	}
}

static void a_lasting_shift_of_two_deviations_is_noticed_within_a_hundred_items(void **state)
{
	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct vd_chart chart = { 0 };
		int first = -1;

		(void)feed(&chart, 200, 0, seed * 101, &first);
		assert_int_equal(feed(&chart, 300, seed % 2 ? 2 : -2, seed * 331, &first), 1);
		assert_in_range(first, 1, 100);
	}
}

static void an_alarm_is_cleared_once_and_only_when_the_line_is_back(void **state)
{
	struct vd_chart chart = { 0 };
	int first = -1, cleared = 0;
	uint32_t seed = 77;

	assert_int_equal(feed(&chart, 300, 2, 5, &first), 1);
	assert_true(chart.is_alarm);
	assert_int_equal(feed(&chart, 300, 1.2, 9, &first), 0);
	assert_true(chart.is_alarm);
	for (int i = 0; i < 400; i++)
		cleared +=
			vd_chart_put(&chart, scene_noise(&seed), PARTS, SIGMA) == VD_CHART_CLEARED;
	assert_int_equal(cleared, 1);
	assert_false(chart.is_alarm);
}

static void blur_lowers_the_sharpness(void **state)
{
	struct vd_image sharp = { 0 }, soft = { 0 };
	const struct scene_capture capture = scene_plain(240, 200);
	double last;

	scene_take(&capture, &sharp);
	last = vd_sharpness(&sharp);
	for (int pass = 0; pass < 3; pass++) {
		assert_int_equal(vd_image_shape(&soft, 240, 200, VD_GREY), 0);
		for (int y = 0; y < 200; y++) {
			const uint8_t *from = vd_image_row(&sharp, y);

			for (int x = 0; x < 240; x++)
				vd_image_row(&soft, y)[x] =
					(uint8_t)((from[x > 0 ? x - 1 : 0] + from[x] +
						   from[x < 239 ? x + 1 : x]) /
						  3);
		}
		assert_true(vd_sharpness(&soft) < last * 0.99);
		last = vd_sharpness(&soft);
		for (int y = 0; y < 200; y++)
			memcpy(vd_image_row(&sharp, y), vd_image_row(&soft, y), 240);
	}
	vd_image_fini(&sharp);
	vd_image_fini(&soft);
}

/* ---- photometry ---- */

static void taught(const struct vd_image *image, struct vd_model_step *step)
{
	*step = (struct vd_model_step){ .where = { 20, 20, 200, 160 } };
	step->variation.mean = malloc(sizeof(uint16_t) * 200 * 160);
	assert_non_null(step->variation.mean);
	for (int i = 0; i < 200 * 160; i++)
		step->variation.mean[i] =
			(uint16_t)(vd_image_row(image, 20 + i / 200)[20 + i % 200] * 256);
}

static void gain_and_offset_of_the_light_are_measured(void **state)
{
	static const double table[][3] = { { 1, 0, 1 },   { 0.85, 0, 1 }, { 1.15, 0, 1 },
					   { 0.7, 0, 0 }, { 1.3, 0, 0 },  { 1, 15, 1 },
					   { 1, -40, 0 }, { 1, 40, 0 },   { 0.9, 10, 1 },
					   { 1.45, 0, 0 } /* clips */ };
	const struct vd_pose identity = vd_pose_identity();
	struct vd_image image = { 0 }, lit = { 0 };
	const struct scene_capture capture = scene_plain(240, 200);
	struct vd_model_step step;

	scene_take(&capture, &image);
	taught(&image, &step);
	for (size_t i = 0; i < VD_COUNT(table); i++) {
		struct vd_photometry light = { 0 };

		assert_int_equal(vd_image_shape(&lit, 240, 200, VD_GREY), 0);
		for (int y = 0; y < 200; y++) {
			for (int x = 0; x < 240; x++)
				vd_image_row(&lit, y)[x] = (uint8_t)lrint(fmin(
					fmax(vd_image_row(&image, y)[x] * table[i][0] + table[i][1],
					     0),
					255));
		}
		assert_true(vd_photometry_measure(&step, &lit, &identity, &light));
		if (fabs(light.gain - table[i][0]) > 0.02 || fabs(light.offset - table[i][1]) > 3)
			fail_msg("%g, %g were measured as %g, %g", table[i][0], table[i][1],
				 light.gain, light.offset);
		assert_int_equal(vd_photometry_is_within(&light, 0.2), (int)table[i][2]);
		assert_true(vd_photometry_is_within(&light, 0));
	}
	vd_variation_model_fini(&step.variation);
	vd_image_fini(&image);
	vd_image_fini(&lit);
}

VD_TEST_MAIN(cmocka_unit_test(noise_alone_raises_no_alarm),
	     cmocka_unit_test(a_lasting_shift_of_two_deviations_is_noticed_within_a_hundred_items),
	     cmocka_unit_test(an_alarm_is_cleared_once_and_only_when_the_line_is_back),
	     cmocka_unit_test(blur_lowers_the_sharpness),
	     cmocka_unit_test(gain_and_offset_of_the_light_are_measured))
