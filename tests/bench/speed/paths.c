/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges one JPEG so often and prints a digest of everything that came out: pixels, pose, defects,
 * scores, to the last bit. test_paths.py runs it with every instruction set and compares; it is
 * built a second time with the plain loops of kernels.c. Fails if two rounds differ.
 *
 *	speed_paths ROUNDS
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "modules/image/jpeg.h"
#include "modules/vision/golden.h"
#include "modules/vision/locate.h"
#include "modules/vision/variation.h"
#include "modules/vision/warp.h"

enum { WIDTH = 321, HEIGHT = 243, PARTS = 4 }; /* odd: loops have ends */

static const struct vd_rect WHERE = { 17, 13, 281, 209 }, PATCH = { 90, 60, 130, 110 };

static uint32_t random_state = 2463534242;

static double noise(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state / 4294967296.0 - 0.5;
}

/* A part with a pit and a scratch, moved, as a JPEG. */
static int take(double dx, double dy, bool is_bad, struct vd_buf *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	int r = vd_image_shape(&image, WIDTH, HEIGHT, VD_GREY);

	for (int y = 0; r == 0 && y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			const double u = x - dx, v = y - dy;
			double grey =
				120 + 40 * sin(u / 7) * cos(v / 9) + 20 * sin((u + 2 * v) / 31);

			grey += is_bad && hypot(u - 200, v - 90) < 6 ? 60 : 0;
			grey -= is_bad && fabs(u - v - 20) < 2 && v > 120 && v < 150 ? 50 : 0;
			grey += 10 * noise();
			vd_image_row(&image, y)[x] = (uint8_t)lrint(fmin(fmax(grey, 0), 255));
		}
	}
	vd_buf_clear(out);
	return r < 0 ? r : vd_jpeg_encode(&image, 85, out);
}

struct subject {
	struct vd_locator *locator;
	struct vd_variation *variation;
	struct vd_golden *golden;
	struct vd_variation_work work;
	struct vd_golden_work golden_work;
	struct vd_image image;
};

static int learn(struct subject *subject, struct vd_variation_learner *learner)
{
	VD_CLEANUP(vd_image_fini) struct vd_image registered = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	int r = 0;

	for (int i = 0; r == 0 && i < PARTS; i++) {
		struct vd_pose pose;

		r = take(noise(), noise(), false, &bytes);
		if (r == 0)
			r = vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, &subject->image, NULL,
						NULL);
		if (r == 0)
			r = vd_locator_find(subject->locator, &subject->image, &pose);
		if (r == 0)
			r = vd_warp_soft(&subject->image, &pose, WHERE, &registered);
		if (r == 0)
			r = vd_variation_learn(learner, &registered);
	}
	return r;
}

static int teach(struct subject *subject)
{
	const struct vd_locate_options locate = { .search_px = 12,
						  .angle_deg = 1,
						  .min_score = 0.5 };
	const struct vd_variation_options options = vd_variation_defaults();
	const struct vd_golden_options golden = vd_golden_defaults();
	VD_CLEANUP(vd_variation_learner_free) struct vd_variation_learner *learner = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_variation_model model = { 0 };
	int r = take(0, 0, false, &bytes);

	if (r == 0)
		r = vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, &subject->image, NULL, NULL);
	if (r == 0)
		r = vd_locator_new(&subject->image, PATCH, &locate, &subject->locator);
	if (r == 0)
		r = vd_golden_new(&subject->image, WHERE, &golden, &subject->golden);
	if (r == 0)
		r = vd_variation_learner_new(WHERE.width, WHERE.height, options.window_px,
					     &learner);
	if (r == 0)
		r = learn(subject, learner);
	if (r == 0)
		r = vd_variation_finish(learner, &model);
	if (r == 0)
		r = vd_variation_new(&model, WHERE, &options, &subject->variation);
	vd_variation_model_fini(&model);
	return r;
}

static int add_blobs(struct vd_buf *out, const struct vd_blobs *blobs)
{
	int r = vd_buf_printf(out, "%zu %a\n", blobs->count, blobs->score);

	for (size_t i = 0; r == 0 && i < blobs->count; i++) {
		const struct vd_defect *d = &blobs->defects[i];

		r = vd_buf_printf(out, "%d %d %d %d %d %d %d %a\n", d->box.x, d->box.y,
				  d->box.width, d->box.height, d->area_px, d->peak,
				  (int)d->polarity, d->score);
	}
	return r;
}

static int compare(struct subject *subject, const struct vd_pose *pose, struct vd_buf *out)
{
	struct vd_blobs blobs = { 0 };
	int r = vd_variation_compare(subject->variation, &subject->image, pose, &subject->work,
				     &blobs);

	if (r == 0)
		r = add_blobs(out, &blobs);
	vd_blobs_fini(&blobs);
	if (r == 0)
		r = vd_golden_compare(subject->golden, &subject->image, pose, &subject->golden_work,
				      &blobs);
	if (r == 0)
		r = add_blobs(out, &blobs);
	vd_blobs_fini(&blobs);
	return r;
}

/* Turned and only shifted: two ways of sampling. */
static int judge(struct subject *subject, const struct vd_buf *bytes, struct vd_buf *out)
{
	struct vd_pose pose;
	int r = vd_jpeg_decode_grey(bytes->data, bytes->len, NULL, &subject->image, NULL, NULL);

	vd_buf_clear(out);
	for (int y = 0; r == 0 && y < subject->image.height; y++)
		r = vd_buf_append(out, vd_image_row(&subject->image, y),
				  (size_t)subject->image.width);
	if (r == 0)
		r = vd_locator_find(subject->locator, &subject->image, &pose);
	if (r == 0)
		r = vd_buf_printf(out, "%a %a %a %a\n", pose.dx, pose.dy, pose.angle_deg,
				  pose.score);
	if (r == 0)
		r = compare(subject, &pose, out);
	pose.angle_deg = 0;
	return r == 0 ? compare(subject, &pose, out) : r;
}

int main(int argc, char **argv)
{
	const long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 20;
	static struct subject subject;
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 }, out = { 0 };
	char first[VD_SHA256_TEXT] = "", text[VD_SHA256_TEXT];
	int r = teach(&subject);

	if (r == 0)
		r = take(1.4, -0.7, true, &bytes);
	for (long i = 0; r == 0 && i < rounds; i++) {
		r = judge(&subject, &bytes, &out);
		if (r == 0)
			r = vd_sha256_text(out.data, out.len, text);
		if (i == 0)
			memcpy(first, text, sizeof first);
		if (r == 0 && strcmp(first, text) != 0) {
			(void)printf("round %ld differs\n", i);
			return 1;
		}
	}
	(void)printf("%s\n", r == 0 ? first : "failed");
	return r == 0 ? 0 : 1;
}
