/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/presence.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/modules/vision/near.h"
#include "tests/unit/modules/vision/scene.h"
#include "modules/vision/warp.h"

enum { MARGIN = 4 };

static const struct vd_rect where = { 50, 40, 60, 50 };

static void cut(const struct vd_image *image, int margin, struct vd_image *out)
{
	const struct vd_pose identity = vd_pose_identity();
	const struct vd_rect wide = { where.x - margin, where.y - margin, where.width + 2 * margin,
				      where.height + 2 * margin };

	assert_int_equal(vd_warp(image, &identity, wide, out), 0);
}

static struct vd_presence measure(const struct scene_capture *capture, const struct vd_image *patch)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, window = { 0 };
	struct vd_presence presence;

	scene_take(capture, &image);
	cut(&image, MARGIN, &window);
	assert_int_equal(vd_presence_measure(&window, MARGIN, patch, &presence), 0);
	return presence;
}

static void teach(struct vd_image *patch)
{
	const struct scene_capture capture = scene_plain(200, 150);
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	scene_take(&capture, &image);
	cut(&image, 0, patch);
	assert_true(vd_presence_can_teach(patch));
}

static void the_taught_thing_is_found_whatever_the_light_and_a_little_shift(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image patch = { 0 };

	teach(&patch);
	for (int i = -3; i <= 3; i++) {
		struct scene_capture capture = scene_plain(200, 150);
		struct vd_presence presence;

		capture.dx = i;
		capture.dy = -i;
		capture.gain = 1 + 0.08 * i;
		capture.noise = 3;
		capture.seed = (uint32_t)(i + 10);
		presence = measure(&capture, &patch);
		assert_true(presence.score > 0.95);
		assert_int_equal(presence.dx, i);
		assert_int_equal(presence.dy, -i);
	}
}

static void another_thing_does_not_correlate(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image patch = { 0 };
	struct scene_capture capture = scene_plain(200, 150);

	teach(&patch);
	capture.angle_deg = 180;
	assert_true(measure(&capture, &patch).score < 0.8);
	capture = scene_plain(200, 150);
	capture.gain = 0; /* black, but for noise */
	capture.noise = 2;
	assert_true(measure(&capture, &patch).score < 0.3);
}

static void nothing_at_all_has_the_score_zero(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image patch = { 0 };
	struct scene_capture capture = scene_plain(200, 150);

	teach(&patch);
	capture.gain = 0;
	assert_near(measure(&capture, &patch).score, 0, 1e-12);
}

static void without_a_patch_levels_are_measured_and_no_score(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image window = { 0 };
	struct vd_presence presence;

	if (vd_image_shape(&window, 30, 30, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 30; y++)
		memset(vd_image_row(&window, y), y < 5 || y >= 25 ? 255 : y % 2 ? 90 : 110, 30);
	assert_int_equal(vd_presence_measure(&window, 5, NULL, &presence), 0);
	assert_true(isnan(presence.score));
	assert_near(presence.mean, 100, 1e-9);
	assert_near(presence.spread, 10, 1e-9);
}

static void a_plain_surface_cannot_be_taught(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image patch = { 0 };

	if (vd_image_shape(&patch, 30, 30, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 30; y++)
		memset(vd_image_row(&patch, y), 128, 30);
	assert_false(vd_presence_can_teach(&patch));
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image patch = { 0 }, window = { 0 };
	struct vd_presence presence;

	if (vd_image_shape(&patch, 30, 30, VD_GREY) < 0 ||
	    vd_image_shape(&window, 37, 38, VD_GREY) < 0)
		abort();
	assert_int_equal(vd_presence_measure(&window, 4, &patch, &presence), -EINVAL);
	assert_int_equal(vd_presence_measure(&window, 19, NULL, &presence), -EINVAL);
	assert_int_equal(vd_presence_measure(&window, -1, NULL, &presence), -EINVAL);
}

VD_TEST_MAIN(cmocka_unit_test(the_taught_thing_is_found_whatever_the_light_and_a_little_shift),
	     cmocka_unit_test(another_thing_does_not_correlate),
	     cmocka_unit_test(nothing_at_all_has_the_score_zero),
	     cmocka_unit_test(without_a_patch_levels_are_measured_and_no_score),
	     cmocka_unit_test(a_plain_surface_cannot_be_taught),
	     cmocka_unit_test(sizes_that_do_not_fit_are_refused))
