/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C side of verdict.py: learns a model from the captures of a folder (golden.jpg,
 * good-*.jpg), writes it out for the peers, and then judges test.jpg whenever a line comes in,
 * answering with the milliseconds of bare grey decode and of the whole verdict. So peers take
 * turns with it in one run, on the same file.
 *
 *	speed_verdict FOLDER
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "modules/image/jpeg.h"
#include "modules/vision/locate.h"
#include "modules/vision/variation.h"
#include "modules/vision/warp.h"

enum { MARGIN = 16, PATCH = 128, FILE_MOST = 64 << 20, PATH_BYTES = 4096 };

struct subject {
	const char *folder;
	struct vd_locator *locator;
	struct vd_variation *variation;
	struct vd_variation_work work;
	struct vd_rect where;
	struct vd_buf test;
	struct vd_image image;
};

static int read_image(const char *folder, const char *name, struct vd_image *image)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_fault fault = { 0 };
	char path[PATH_BYTES];
	int r;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	r = vd_file_read(path, FILE_MOST, &bytes, &fault);
	return r < 0 ? r : vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, image, NULL, &fault);
}

static int learn_one(struct subject *subject, const char *name,
		     struct vd_variation_learner *learner)
{
	VD_CLEANUP(vd_image_fini) struct vd_image registered = { 0 };
	struct vd_pose pose;
	int r = read_image(subject->folder, name, &subject->image);

	if (r == 0)
		r = vd_locator_find(subject->locator, &subject->image, &pose);
	if (r == 0)
		r = vd_warp_soft(&subject->image, &pose, subject->where, &registered);
	return r == 0 ? vd_variation_learn(learner, &registered) : r;
}

static int learn_folder(struct subject *subject, struct vd_variation_learner *learner)
{
	DIR *dir = opendir(subject->folder);
	struct dirent *entry;
	int r = dir ? 0 : -1;

	while (r == 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "good-", 5) == 0)
			r = learn_one(subject, entry->d_name, learner);
	}
	if (dir)
		(void)closedir(dir);
	return r;
}

/* Mean and spread as doubles would be large: 16 bits, 1/256 grey level, for numpy.fromfile. */
static int write_model(const struct subject *subject, const struct vd_variation_model *model)
{
	const size_t bytes = (size_t)model->width * (size_t)model->height * 2;
	char path[PATH_BYTES];
	int r;

	(void)snprintf(path, sizeof path, "%s/mean.u16", subject->folder);
	r = vd_file_write(path, model->mean, bytes, 0600);
	(void)snprintf(path, sizeof path, "%s/spread.u16", subject->folder);
	return r < 0 ? r : vd_file_write(path, model->spread, bytes, 0600);
}

/* Thresholds under which peers that sample bilinearly find nothing either. */
static struct vd_variation_options robust(void)
{
	struct vd_variation_options options = vd_variation_defaults();

	options.abs_threshold[0] = options.abs_threshold[1] = 10;
	options.var_threshold[0] = options.var_threshold[1] = 3;
	options.edge_tolerance_px = 0.5;
	options.blobs.open_px = 2;
	options.blobs.merge_px = 8;
	options.blobs.min_area_px = 8;
	return options;
}

static int teach(struct subject *subject)
{
	const struct vd_locate_options locate = { .search_px = 16, .min_score = 0.5 };
	const struct vd_variation_options options = robust();
	VD_CLEANUP(vd_variation_learner_free) struct vd_variation_learner *learner = NULL;
	struct vd_variation_model model = { 0 };
	struct vd_image *image = &subject->image;
	int r = read_image(subject->folder, "golden.jpg", image);

	if (r != 0)
		return r;
	subject->where = (struct vd_rect){ MARGIN, MARGIN, image->width - 2 * MARGIN,
					   image->height - 2 * MARGIN };
	r = vd_locator_new(image,
			   (struct vd_rect){ (image->width - PATCH) / 2,
					     (image->height - PATCH) / 2, PATCH, PATCH },
			   &locate, &subject->locator);
	if (r == 0)
		r = vd_variation_learner_new(subject->where.width, subject->where.height,
					     options.window_px, &learner);
	if (r == 0)
		r = learn_folder(subject, learner);
	if (r == 0)
		r = vd_variation_finish(learner, &model);
	if (r == 0)
		r = write_model(subject, &model);
	if (r == 0)
		r = vd_variation_new(&model, subject->where, &options, &subject->variation);
	vd_variation_model_fini(&model);
	return r;
}

static double ms_since(uint64_t start_us)
{
	return (double)(vd_clock_mono_us() - start_us) / 1000;
}

static int decode(struct subject *subject)
{
	return vd_jpeg_decode_grey(subject->test.data, subject->test.len, NULL, &subject->image,
				   NULL, NULL);
}

static int answer(struct subject *subject)
{
	struct vd_blobs blobs = { 0 };
	struct vd_pose pose;
	double decoding, verdict;
	uint64_t start = vd_clock_mono_us();

	if (decode(subject) != 0)
		return -1;
	decoding = ms_since(start);
	start = vd_clock_mono_us();
	if (decode(subject) != 0 ||
	    vd_locator_find(subject->locator, &subject->image, &pose) != 0 ||
	    vd_variation_compare(subject->variation, &subject->image, &pose, &subject->work,
				 &blobs) != 0)
		return -1;
	verdict = ms_since(start);
	(void)printf("%.4f %.4f %zu %.3f %.3f\n", decoding, verdict, blobs.count, pose.dx, pose.dy);
	vd_blobs_fini(&blobs);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct subject subject = { .folder = argc == 2 ? argv[1] : "." };
	struct vd_fault fault = { 0 };
	char path[PATH_BYTES], line[16];
	int r = teach(&subject);

	(void)snprintf(path, sizeof path, "%s/test.jpg", subject.folder);
	if (r == 0)
		r = vd_file_read(path, FILE_MOST, &subject.test, &fault);
	if (r != 0) {
		(void)fprintf(stderr, "speed_verdict: %s: could not be taught (%d)\n",
			      subject.folder, r);
		return 1;
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (r == 0 && fgets(line, sizeof line, stdin))
		r = answer(&subject);
	return r ? 1 : 0;
}
