/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edges at places known to a thousandth of a pixel: each pixel is the mean of the true scene
 * over its area, blurred as by a lens.
 */
#include "modules/vision/caliper.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/modules/vision/near.h"
#include "tests/unit/modules/vision/scene.h"

/* Mean of a step at zero, blurred by a Gaussian, from -infinity: its value at distance d. */
static double step_at(double d, double blur)
{
	return 0.5 * erfc(-d / (blur * M_SQRT2));
}

/* A pattern of edges along a direction; the scene is dark before the first. */
struct pattern {
	double x0, y0, angle_deg; /* where position 0 is, and which way it runs */
	double edges[8];
	int count;
	double dark, light, blur, noise;
	uint32_t seed;
};

static double pattern_at(const struct pattern *p, double at)
{
	double v = p->dark, sign = 1;

	for (int i = 0; i < p->count; i++, sign = -sign) {
		/* Over a pixel: 8 points of it. */
		double sum = 0;

		for (int k = 0; k < 8; k++)
			sum += step_at(at - p->edges[i] + (k - 3.5) / 8, p->blur);
		v += sign * (p->light - p->dark) * sum / 8;
	}
	return v;
}

static void paint(const struct pattern *p, int width, int height, struct vd_image *image)
{
	const double c = cos(p->angle_deg * M_PI / 180), s = sin(p->angle_deg * M_PI / 180);
	uint32_t seed = p->seed * 2654435761U + 12345;

	if (vd_image_shape(image, width, height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width; x++) {
			const double at = (x - p->x0) * c + (y - p->y0) * s;
			const double v = pattern_at(p, at) + p->noise * scene_noise(&seed);

			vd_image_row(image, y)[x] = (uint8_t)lrint(fmin(fmax(v, 0), 255));
		}
	}
}

static struct pattern one_edge(double at)
{
	return (struct pattern){
		.edges = { at }, .count = 1, .dark = 60, .light = 180, .blur = 0.8, .seed = 1
	};
}

static const struct vd_line across_100 = { 10, 32, 90, 32, 21 };

static void an_edge_is_found_within_a_hundredth_of_a_pixel(void **state)
{
	const struct vd_caliper_options options = vd_caliper_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	double worst = 0;

	for (int i = 0; i <= 20; i++) {
		const double at = 40 + i / 20.0;
		const struct pattern p = one_edge(at);
		struct vd_edges edges;

		paint(&p, 100, 64, &image);
		assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
		assert_int_equal(edges.count, 1);
		worst = fmax(worst, fabs(edges.list[0].at_px + 10 - at));
		assert_near(edges.list[0].x, edges.list[0].at_px + 10, 1e-9);
		assert_near(edges.list[0].y, 32, 1e-9);
		assert_in_range(edges.list[0].amplitude, 80, 121);
	}
	print_message("systematic error, at most: %.4f px\n", worst);
	assert_true(worst < 0.015);
}

static void a_slanted_line_measures_along_itself(void **state)
{
	const struct vd_caliper_options options = vd_caliper_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	for (int angle = 0; angle < 360; angle += 15) {
		const double c = cos(angle * M_PI / 180), s = sin(angle * M_PI / 180);
		struct pattern p = one_edge(30.37);
		const struct vd_line line = { 60 - 30 * c, 60 - 30 * s, 60 + 30 * c, 60 + 30 * s,
					      15 };
		struct vd_edges edges;

		p.x0 = line.x0;
		p.y0 = line.y0;
		p.angle_deg = angle;
		paint(&p, 120, 120, &image);
		assert_int_equal(vd_caliper_edges(&image, &line, &options, &edges), 0);
		assert_int_equal(edges.count, 1);
		assert_near(edges.list[0].at_px, 30.37, 0.03);
	}
}

/* Standard deviation over 50 captures with new noise, and with a jitter of up to 3 px. */
static double repeat(double jitter_px, double noise)
{
	const struct vd_caliper_options options = vd_caliper_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	uint32_t seed = 99;
	double sum = 0, squares = 0;

	for (int i = 0; i < 50; i++) {
		const double at = 45.3 + jitter_px * scene_noise(&seed);
		struct pattern p = one_edge(at);
		struct vd_edges edges;
		double error;

		p.noise = noise;
		p.seed = (uint32_t)i + 7;
		paint(&p, 100, 64, &image);
		assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
		assert_int_equal(edges.count, 1);
		error = edges.list[0].at_px + 10 - at;
		sum += error;
		squares += error * error;
	}
	return sqrt(squares / 50 - sum / 50 * (sum / 50));
}

static void repeats_agree_within_three_hundredths_of_a_pixel(void **state)
{
	const double still = repeat(0, 3), jittered = repeat(3, 3);

	print_message("repeatability, noise 3: %.4f px still, %.4f px with jitter\n", still,
		      jittered);
	assert_true(still <= 0.03);
	assert_true(jittered <= 0.06);
}

static void transition_and_selection_choose_among_edges(void **state)
{
	static const struct {
		enum vd_transition transition;
		enum vd_select select;
		int count;
		double first;
	} cases[] = {
		{ VD_ANY_TRANSITION, VD_SELECT_ALL, 4, 20 },
		{ VD_TO_LIGHT, VD_SELECT_ALL, 2, 20 },
		{ VD_TO_DARK, VD_SELECT_ALL, 2, 32.5 },
		{ VD_ANY_TRANSITION, VD_SELECT_FIRST, 1, 20 },
		{ VD_ANY_TRANSITION, VD_SELECT_LAST, 1, 70.25 },
		{ VD_TO_LIGHT, VD_SELECT_LAST, 1, 51 },
	};
	const struct pattern p = { .edges = { 20, 32.5, 51, 70.25 },
				   .count = 4,
				   .dark = 50,
				   .light = 200,
				   .blur = 0.7,
				   .seed = 1 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_edges edges;

	paint(&p, 100, 64, &image);
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		const struct vd_caliper_options options = { 1, 30, cases[i].transition,
							    cases[i].select };

		assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
		assert_int_equal(edges.count, cases[i].count);
		assert_near(edges.list[0].at_px + 10, cases[i].first, 0.03);
	}
}

static void the_strongest_edge_wins_whatever_its_direction(void **state)
{
	const struct vd_caliper_options options = { 1, 20, VD_ANY_TRANSITION, VD_SELECT_STRONGEST };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_edges edges;

	if (vd_image_shape(&image, 100, 64, VD_GREY) < 0)
		abort();
	for (int y = 0; y < 64; y++) {
		for (int x = 0; x < 100; x++)
			vd_image_row(&image, y)[x] = x < 30 ? 100 : x < 60 ? 140 : 20;
	}
	assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
	assert_int_equal(edges.count, 1);
	assert_near(edges.list[0].at_px + 10, 59.5, 0.01);
	assert_near(edges.list[0].amplitude, -120, 18);
}

static void the_threshold_is_the_contrast_of_a_step(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct pattern p = one_edge(50);
	struct vd_caliper_options options = vd_caliper_defaults();
	struct vd_edges edges;

	p.dark = 100;
	p.light = 130;
	p.blur = 0.1;
	paint(&p, 100, 64, &image);
	for (double sigma = 0.4; sigma < 4; sigma += 0.4) {
		options.sigma = sigma;
		options.threshold = 31.5;
		assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
		assert_int_equal(edges.count, 0);
		options.threshold = 24;
		assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
		assert_int_equal(edges.count, 1);
	}
}

static void widths_and_pitches_of_bars_are_measured(void **state)
{
	const struct pattern p = { .edges = { 20.2, 28.9, 40.2, 48.9, 60.2, 68.9 },
				   .count = 6,
				   .dark = 50,
				   .light = 200,
				   .blur = 0.7,
				   .noise = 2,
				   .seed = 3 };
	struct vd_caliper_options options = { 1, 30, VD_TO_LIGHT, VD_SELECT_ALL };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_bars bars;

	paint(&p, 100, 64, &image);
	assert_int_equal(vd_caliper_bars(&image, &across_100, &options, &bars), 0);
	assert_int_equal(bars.count, 3);
	for (int i = 0; i < 3; i++)
		assert_near(bars.list[i].width_px, 8.7, 0.05);
	assert_near(bars.list[0].pitch_px, 20, 0.05);
	assert_true(isnan(bars.list[2].pitch_px));
	options.transition = VD_TO_DARK;
	assert_int_equal(vd_caliper_bars(&image, &across_100, &options, &bars), 0);
	assert_int_equal(bars.count, 2);
	assert_near(bars.list[0].width_px, 11.3, 0.05);
	options.select = VD_SELECT_LAST;
	assert_int_equal(vd_caliper_bars(&image, &across_100, &options, &bars), 0);
	assert_int_equal(bars.count, 1);
	assert_near(bars.list[0].centre_px + 10, 54.55, 0.05);
}

static void a_plain_surface_has_no_edge(void **state)
{
	const struct vd_caliper_options options = vd_caliper_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct pattern p = { .dark = 120, .noise = 4, .seed = 5 };
	struct vd_edges edges;
	struct vd_bars bars;

	paint(&p, 100, 64, &image);
	assert_int_equal(vd_caliper_edges(&image, &across_100, &options, &edges), 0);
	assert_int_equal(edges.count, 0);
	assert_int_equal(vd_caliper_bars(&image, &across_100, &options, &bars), 0);
	assert_int_equal(bars.count, 0);
}

static void a_line_that_leaves_the_image_is_refused(void **state)
{
	static const struct vd_line lines[] = {
		{ -1, 32, 90, 32, 1 }, { 10, 32, 100, 32, 1 }, { 10, 3, 90, 3, 9 },
		{ 10, 62, 90, 62, 7 }, { NAN, 32, 90, 32, 1 },
	};
	const struct vd_caliper_options options = vd_caliper_defaults();
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	const struct pattern p = one_edge(40);
	struct vd_edges edges;

	paint(&p, 100, 64, &image);
	for (size_t i = 0; i < VD_COUNT(lines); i++)
		assert_true(vd_caliper_edges(&image, &lines[i], &options, &edges) < 0);
	assert_int_equal(
		vd_caliper_edges(&image, &(struct vd_line){ 5, 5, 6, 5, 1 }, &options, &edges),
		-EINVAL);
	/* The outermost pixels still belong to it. */
	assert_int_equal(vd_caliper_edges(&image, &(struct vd_line){ 0, 31.5, 99, 31.5, 64 },
					  &options, &edges),
			 0);
	assert_int_equal(edges.count, 1);
}

static void more_edges_than_can_be_told_apart_are_an_error(void **state)
{
	const struct vd_caliper_options options = { 0.4, 20, VD_ANY_TRANSITION, VD_SELECT_ALL };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_edges edges;

	if (vd_image_shape(&image, 2000, 4, VD_GREY) < 0)
		abort();
	for (int x = 0; x < 2000; x++) {
		for (int y = 0; y < 4; y++)
			vd_image_row(&image, y)[x] = x / 3 % 2 ? 200 : 20;
	}
	assert_int_equal(
		vd_caliper_edges(&image, &(struct vd_line){ 0, 1, 1999, 1, 1 }, &options, &edges),
		-E2BIG);
}

static void a_rectangle_is_measured_through_its_middle(void **state)
{
	const struct vd_rect where = { 10, 20, 31, 11 };
	const struct vd_line x = vd_line_through(where, false), y = vd_line_through(where, true);

	assert_true(x.x0 == 10 && x.x1 == 40 && x.y0 == 25 && x.y1 == 25 && x.width == 11);
	assert_true(y.x0 == 25 && y.x1 == 25 && y.y0 == 20 && y.y1 == 30 && y.width == 31);
}

VD_TEST_MAIN(cmocka_unit_test(an_edge_is_found_within_a_hundredth_of_a_pixel),
	     cmocka_unit_test(a_slanted_line_measures_along_itself),
	     cmocka_unit_test(repeats_agree_within_three_hundredths_of_a_pixel),
	     cmocka_unit_test(transition_and_selection_choose_among_edges),
	     cmocka_unit_test(the_strongest_edge_wins_whatever_its_direction),
	     cmocka_unit_test(the_threshold_is_the_contrast_of_a_step),
	     cmocka_unit_test(widths_and_pitches_of_bars_are_measured),
	     cmocka_unit_test(a_plain_surface_has_no_edge),
	     cmocka_unit_test(a_line_that_leaves_the_image_is_refused),
	     cmocka_unit_test(more_edges_than_can_be_told_apart_are_an_error),
	     cmocka_unit_test(a_rectangle_is_measured_through_its_middle))
