/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a verdict costs beyond the decoding that nobody can save. For each picture, in turns of
 * the same run: (a) bare grey decode of the JPEG, (b) decode, locate, normalise, compare with a
 * variation model over the whole picture less a margin, open, label. Medians and their ratio.
 *
 *	bench_inspect [PHOTOGRAPH.jpg ...]
 *
 * Without arguments the pictures are made up: 1080p soft, 1080p busy, 12 MP busy (smooth waves,
 * the same with fine grain), quality 85 and 4:2:0 like a camera's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "made_up.h"
#include "modules/image/jpeg.h"
#include "modules/vision/locate.h"
#include "modules/vision/variation.h"
#include "modules/vision/warp.h"

enum { ROUNDS = 31, MARGIN = 16, PARTS = 6, FILE_MOST = 64 << 20 };

struct subject {
	struct vd_image image; /* grey, what the parts are made of */
	struct vd_buf jpeg;
	struct vd_locator *locator;
	struct vd_variation *variation;
	struct vd_rect region;
};

static int learn(struct subject *subject, struct vd_variation_learner *learner)
{
	struct vd_image image = { 0 }, registered = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	int r = 0;

	for (int i = 0; r == 0 && i < PARTS; i++) {
		struct vd_pose pose;

		r = made_up_capture(&subject->image, 2.3 * made_up_noise(), 2.3 * made_up_noise(),
				    &image);
		if (r == 0)
			r = made_up_encode(&image, &jpeg);
		if (r == 0)
			r = vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &image, NULL, NULL);
		if (r == 0)
			r = vd_locator_find(subject->locator, &image, &pose);
		if (r == 0)
			r = vd_warp_soft(&image, &pose, subject->region, &registered);
		if (r == 0)
			r = vd_variation_learn(learner, &registered);
	}
	vd_image_fini(&image);
	vd_image_fini(&registered);
	return r;
}

static int teach(struct subject *subject)
{
	const struct vd_locate_options locate = { .search_px = 16, .min_score = 0.5 };
	const struct vd_variation_options options = vd_variation_defaults();
	const int width = subject->image.width, height = subject->image.height;
	VD_CLEANUP(vd_variation_learner_free) struct vd_variation_learner *learner = NULL;
	struct vd_variation_model model = { 0 };
	struct vd_image image = { 0 };
	int r;

	subject->region =
		(struct vd_rect){ MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN };
	r = vd_locator_new(&subject->image,
			   (struct vd_rect){ width / 2 - 64, height / 2 - 64, 128, 128 }, &locate,
			   &subject->locator);
	if (r == 0)
		r = vd_variation_learner_new(subject->region.width, subject->region.height,
					     options.window_px, &learner);
	if (r == 0)
		r = learn(subject, learner);
	if (r == 0)
		r = vd_variation_finish(learner, &model);
	if (r == 0)
		r = vd_variation_new(&model, subject->region, &options, &subject->variation);
	if (r == 0)
		r = made_up_capture(&subject->image, 1.4, -0.7, &image);
	if (r == 0)
		r = made_up_encode(&image, &subject->jpeg);
	vd_image_fini(&image);
	vd_variation_model_fini(&model);
	return r;
}

static double ms_since(uint64_t start_us)
{
	return (double)(vd_clock_mono_us() - start_us) / 1000;
}

static double time_decode(const struct subject *subject, struct vd_image *image)
{
	const uint64_t start = vd_clock_mono_us();

	if (vd_jpeg_decode_grey(subject->jpeg.data, subject->jpeg.len, NULL, image, NULL, NULL))
		abort();
	return ms_since(start);
}

static double time_verdict(const struct subject *subject, struct vd_image *image,
			   struct vd_variation_work *work, size_t *ret_defects)
{
	const uint64_t start = vd_clock_mono_us();
	struct vd_blobs blobs = { 0 };
	struct vd_pose pose;
	double ms;

	if (vd_jpeg_decode_grey(subject->jpeg.data, subject->jpeg.len, NULL, image, NULL, NULL) ||
	    vd_locator_find(subject->locator, image, &pose) != 0 ||
	    vd_variation_compare(subject->variation, image, &pose, work, &blobs) != 0)
		abort();
	ms = ms_since(start);
	*ret_defects = blobs.count;
	vd_blobs_fini(&blobs);
	return ms;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, by_value);
	return values[ROUNDS / 2];
}

static void run(const char *name, struct subject *subject, double target)
{
	static double decode[ROUNDS], verdict[ROUNDS], locate[ROUNDS];
	struct vd_variation_work work = { 0 };
	struct vd_image image = { 0 };
	struct vd_pose pose;
	size_t defects = 0;

	for (int i = -2; i < ROUNDS; i++) {
		const double d = time_decode(subject, &image);
		const double v = time_verdict(subject, &image, &work, &defects);
		const uint64_t start = vd_clock_mono_us();

		if (vd_locator_find(subject->locator, &image, &pose) != 0)
			abort();
		if (i < 0)
			continue;
		decode[i] = d;
		verdict[i] = v;
		locate[i] = ms_since(start);
	}
	(void)printf("%-14s %5dx%-5d %5zu kB  decode %7.2f ms  verdict %7.2f ms  ratio %.3f", name,
		     subject->image.width, subject->image.height, subject->jpeg.len / 1024,
		     median(decode), median(verdict), median(verdict) / median(decode));
	if (target > 0)
		(void)printf(" (target %.2f)", target);
	(void)printf("  beyond decode %.2f ms, of it locate %.2f  defects %zu\n",
		     verdict[ROUNDS / 2] - decode[ROUNDS / 2], median(locate), defects);
	vd_variation_work_fini(&work);
	vd_image_fini(&image);
}

static int bench(const char *name, struct subject *subject, double target)
{
	const int r = teach(subject);

	if (r == 0)
		run(name, subject, target);
	else
		(void)fprintf(stderr, "%s: could not be taught (%d)\n", name, r);
	(void)vd_locator_free(subject->locator);
	(void)vd_variation_free(subject->variation);
	vd_image_fini(&subject->image);
	vd_buf_fini(&subject->jpeg);
	return r;
}

static int bench_file(const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct subject subject = { 0 };
	struct vd_fault fault = { 0 };
	const char *name = strrchr(path, '/');

	if (vd_file_read(path, FILE_MOST, &bytes, &fault) < 0 ||
	    vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, &subject.image, NULL, &fault) != 0) {
		(void)fprintf(stderr, "%s: %s\n", path, fault.text);
		return -1;
	}
	return bench(name ? name + 1 : path, &subject, 0);
}

static int bench_made_up(const char *name, int width, int height, double grain, double target)
{
	struct subject subject = { 0 };
	int r = made_up_picture(width, height, grain, &subject.image);

	return r < 0 ? r : bench(name, &subject, target);
}

int main(int argc, char **argv)
{
	int r = 0;

	for (int i = 1; i < argc; i++)
		r |= bench_file(argv[i]);
	if (argc > 1)
		return r ? 1 : 0;
	r |= bench_made_up("1080p soft", 1920, 1080, 0, 1.30);
	r |= bench_made_up("1080p busy", 1920, 1080, 60, 1.15);
	r |= bench_made_up("12 MP busy", 4000, 3000, 60, 1.10);
	return r ? 1 : 0;
}
