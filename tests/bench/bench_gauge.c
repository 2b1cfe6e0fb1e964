/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each tool that measures directly costs on a whole frame of 1920 x 1080, beside the grey
 * decode of its JPEG; medians. The code tools look at a quarter of the frame without a code:
 * the longest search there is.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "modules/image/jpeg.h"
#include "modules/vision/caliper.h"
#include "modules/vision/code.h"
#include "modules/vision/colour.h"
#include "modules/vision/count.h"
#include "modules/vision/focus.h"
#include "modules/vision/presence.h"
#include "modules/vision/stain.h"
#include "modules/vision/texture.h"

enum { WIDTH = 1920, HEIGHT = 1080, ROUNDS = 21, CODE_MS = 200 };

struct scene {
	struct vd_image grey, rgb, quarter, patch, window;
	struct vd_buf jpeg;
	struct vd_count_work count;
	struct vd_stain_work stain;
	struct vd_code_reader *reader;
	struct vd_codes codes;
	struct vd_edges edges;
	struct vd_texture *texture;
	struct vd_texture_work texture_work;
};

static uint32_t random_state = 88172645;

static double noise(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state / 4294967296.0 - 0.5;
}

/* A plain field with dark discs, on a slope of light, as a camera sees it. */
static int paint(struct vd_image *image, int width, int height)
{
	int r = vd_image_shape(image, width, height, VD_RGB);

	for (int y = 0; r == 0 && y < height; y++) {
		uint8_t *row = vd_image_row(image, y);

		for (int x = 0; x < width; x++) {
			const bool is_disc = hypot(x % 120 - 60, y % 120 - 60) < 25;
			const double v = (is_disc ? 60 : 150) + 30.0 * x / width + 6 * noise();

			row[3 * x] = (uint8_t)lrint(v);
			row[3 * x + 1] = (uint8_t)lrint(v * 0.9);
			row[3 * x + 2] = (uint8_t)lrint(v * 0.8);
		}
	}
	return r;
}

static int copy(const struct vd_image *image, int width, int height, struct vd_image *out)
{
	int r = vd_image_shape(out, width, height, VD_GREY);

	for (int y = 0; r == 0 && y < height; y++) {
		for (int x = 0; x < width; x++)
			vd_image_row(out, y)[x] = vd_image_row(image, y)[x];
	}
	return r;
}

static int learn_texture(struct scene *s)
{
	struct vd_texture_learner *learner = NULL;
	int r = vd_texture_learner_new(WIDTH, HEIGHT, VD_TEXTURE_GLOBAL, &learner);

	for (int i = 0; i < 2 && r == 0; i++)
		r = vd_texture_learn(learner, &s->grey);
	if (r == 0)
		r = vd_texture_finish(learner, &s->texture);
	(void)vd_texture_learner_free(learner);
	return r;
}

static int set_up(struct scene *s)
{
	int r = paint(&s->rgb, WIDTH, HEIGHT);

	if (r == 0)
		r = vd_jpeg_encode(&s->rgb, 85, &s->jpeg);
	if (r == 0)
		r = vd_jpeg_decode_grey(s->jpeg.data, s->jpeg.len, NULL, &s->grey, NULL, NULL);
	if (r == 0)
		r = copy(&s->grey, WIDTH / 2, HEIGHT / 2, &s->quarter);
	if (r == 0)
		r = copy(&s->grey, 208, 208, &s->window);
	if (r == 0)
		r = copy(&s->grey, 200, 200, &s->patch);
	if (r == 0)
		r = learn_texture(s);
	return r < 0 ? r : vd_code_reader_new(&s->reader);
}

/* ---- the tools ---- */

static int run_decode(struct scene *s)
{
	return vd_jpeg_decode_grey(s->jpeg.data, s->jpeg.len, NULL, &s->grey, NULL, NULL);
}

static int run_decode_rgb(struct scene *s)
{
	return vd_jpeg_decode_rgb(s->jpeg.data, s->jpeg.len, NULL, &s->rgb, NULL, NULL);
}

static int run_caliper(struct scene *s)
{
	const struct vd_line line = { 100, 540, 1800, 540, 21 };
	const struct vd_caliper_options options = vd_caliper_defaults();

	return vd_caliper_edges(&s->grey, &line, &options, &s->edges);
}

static int count(struct scene *s, enum vd_threshold threshold)
{
	struct vd_count_options options = vd_count_defaults();
	struct vd_objects objects;
	int r;

	options.threshold = threshold;
	options.level = threshold == VD_THRESHOLD_FIXED ? 100 : 20;
	options.polarity = VD_DARK;
	r = vd_count_find(&s->grey, &options, &s->count, &objects);
	if (r == 0)
		vd_blobs_fini(&objects.blobs);
	return r;
}

static int run_count_fixed(struct scene *s)
{
	return count(s, VD_THRESHOLD_FIXED);
}

static int run_count_otsu(struct scene *s)
{
	return count(s, VD_THRESHOLD_OTSU);
}

static int run_count_local(struct scene *s)
{
	return count(s, VD_THRESHOLD_LOCAL);
}

static int run_presence(struct scene *s)
{
	struct vd_presence presence;

	return vd_presence_measure(&s->window, 4, &s->patch, &presence);
}

static int stain(struct scene *s, int segment_px)
{
	struct vd_stain_options options = vd_stain_defaults();
	struct vd_stains stains;
	int r;

	options.segment_px = segment_px;
	options.level = 200;
	r = vd_stain_find(&s->grey, &options, &s->stain, &stains);
	if (r == 0)
		vd_blobs_fini(&stains.blobs);
	return r;
}

static int run_stain_4(struct scene *s)
{
	return stain(s, 4);
}

static int run_stain_16(struct scene *s)
{
	return stain(s, 16);
}

static int run_colour(struct scene *s)
{
	const struct vd_pose identity = vd_pose_identity();
	struct vd_lab lab;

	return vd_colour_measure(&s->rgb, &identity, (struct vd_rect){ 0, 0, WIDTH, HEIGHT }, &lab);
}

static int run_focus(struct scene *s)
{
	struct vd_focus focus;

	return vd_focus_measure(&s->grey, &focus);
}

static int run_texture(struct scene *s)
{
	struct vd_texture_result result;
	const int r = vd_texture_find(s->texture, &s->grey, 100, &s->texture_work, &result);

	if (r == 0)
		vd_blobs_fini(&result.blobs);
	return r;
}

static int run_bars(struct scene *s)
{
	return vd_code_read(s->reader, &s->quarter, VD_CODE_DATAMATRIX - 1, CODE_MS, &s->codes);
}

static int run_matrix(struct scene *s)
{
	return vd_code_read(s->reader, &s->quarter, VD_CODE_DATAMATRIX, CODE_MS, &s->codes);
}

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct scene *s, const char *name, int (*run)(struct scene *))
{
	uint64_t us[ROUNDS];
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++) {
		const uint64_t start = vd_clock_mono_us();

		r = run(s);
		us[i] = vd_clock_mono_us() - start;
	}
	if (r != 0) {
		(void)printf("%-34s not measured (%d)\n", name, r);
		return;
	}
	qsort(us, ROUNDS, sizeof *us, ascending);
	(void)printf("%-34s %8.3f ms\n", name, (double)us[ROUNDS / 2] / 1000);
}

int main(void)
{
	static const struct {
		const char *name;
		int (*run)(struct scene *);
	} tools[] = {
		{ "decode grey", run_decode },
		{ "decode RGB (colour steps only)", run_decode_rgb },
		{ "caliper 1700 x 21 px", run_caliper },
		{ "blob, fixed", run_count_fixed },
		{ "blob, Otsu", run_count_otsu },
		{ "blob, local mean 65 px", run_count_local },
		{ "presence 200 x 200 px, +-4 px", run_presence },
		{ "stain, segments of 4 px", run_stain_4 },
		{ "stain, segments of 16 px", run_stain_16 },
		{ "colour", run_colour },
		{ "focus", run_focus },
		{ "texture, cells of 8 px", run_texture },
		{ "bar and QR codes, 960 x 540 px", run_bars },
		{ "Data Matrix, 960 x 540 px", run_matrix },
	};
	struct scene *s = calloc(1, sizeof *s);

	if (!s || set_up(s) < 0)
		return 1;
	for (size_t i = 0; i < VD_COUNT(tools); i++)
		measure(s, tools[i].name, tools[i].run);
	return 0;
}
