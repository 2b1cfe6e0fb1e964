/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How exactly things are found, and how steadily: locate against known poses, calipers on a bar
 * of known width, the same part thirty times, and what lamp, focus and camera do to verdicts as
 * they drift. Poses, light and noise are simulated (simulate.h); the photographs are real.
 *
 *	gauges PHOTOGRAPH.jpg …
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "figures.h"
#include "modules/image/jpeg.h"
#include "modules/vision/caliper.h"
#include "modules/vision/locate.h"
#include "modules/vision/variation.h"
#include "modules/vision/warp.h"
#include "simulate.h"

enum { POSES = 100, REPEATS = 50, SAME = 30, LEARNT = 40, FIXING = 300, DRIFTS = 60, MARGIN = 20 };
enum { FILE_MOST = 64 << 20 };

struct station {
	const char *name;
	struct vd_image part;
	struct vd_rect where;
	struct vd_locator *locator;
	struct vd_variation *variation;
	struct vd_variation_work work;
	double limit;
};

static void station_fini(struct station *station)
{
	(void)vd_locator_free(station->locator);
	(void)vd_variation_free(station->variation);
	vd_variation_work_fini(&station->work);
	vd_image_fini(&station->part);
}

static void station_fini_p(struct station *station)
{
	station_fini(station);
}

static int read_part(const char *path, struct station *station)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	const char *name = strrchr(path, '/');
	struct vd_fault fault = { 0 };

	station->name = name ? name + 1 : path;
	if (vd_file_read(path, FILE_MOST, &bytes, &fault) == 0 &&
	    vd_jpeg_decode_grey(bytes.data, bytes.len, NULL, &station->part, NULL, &fault) == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", path, fault.text);
	return -EIO;
}

static int set_up_locator(struct station *station, double angle_deg)
{
	const int width = station->part.width, height = station->part.height;
	const struct vd_rect patch = { width / 4, height / 4, width / 2, height / 2 };
	const struct vd_locate_options options = { .search_px = 16,
						   .angle_deg = angle_deg,
						   .min_score = 0.5 };

	station->locator = vd_locator_free(station->locator);
	station->where =
		(struct vd_rect){ MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN };
	return vd_locator_new(&station->part, patch, &options, &station->locator);
}

/* ---- locate ---- */

struct errors {
	double shift, angle, worst; /* sums of squares; px */
	int count, lost;
};

static int locate_once(struct station *station, struct sim_capture *capture,
		       struct sim_random *random, struct errors *errors)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	const double x = (station->part.width - 1) / 2.0, y = (station->part.height - 1) / 2.0;
	double true_x, true_y, found_x, found_y, off;
	struct vd_pose pose;
	int r = sim_take(&station->part, capture, random, &image, NULL);

	if (r < 0)
		return r;
	r = vd_locator_find(station->locator, &image, &pose);
	if (r != 0) {
		errors->lost++;
		return r < 0 ? r : 0;
	}
	sim_map(capture, &station->part, x, y, &true_x, &true_y);
	vd_pose_map(&pose, x, y, &found_x, &found_y);
	off = hypot(found_x - true_x, found_y - true_y);
	errors->shift += off * off / 2; /* of each axis */
	errors->worst = fmax(errors->worst, off);
	errors->angle += pow(pose.angle_deg - capture->angle_deg, 2);
	errors->count++;
	return 0;
}

static int measure_locate(struct station *station, double angle_deg)
{
	struct sim_random random = { 11 };
	struct errors errors = { 0 };
	int r = set_up_locator(station, angle_deg > 0 ? 2.5 : 0);

	for (int i = 0; r == 0 && i < POSES; i++) {
		struct sim_capture capture = sim_plain();

		capture.dx = sim_uniform(&random, -10, 10);
		capture.dy = sim_uniform(&random, -10, 10);
		capture.angle_deg = sim_uniform(&random, -angle_deg, angle_deg);
		capture.gain = sim_uniform(&random, 0.9, 1.1);
		capture.read_noise = 3;
		r = locate_once(station, &capture, &random, &errors);
	}
	if (r == 0)
		(void)printf("locate  %-20s %s %d poses: rms %.4f px an axis (target 0.05), worst "
			     "%.3f px, angle rms %.4f deg (target 0.02), not located %d\n",
			     station->name, angle_deg > 0 ? "turned by 2 deg" : "shifted        ",
			     POSES, sqrt(errors.shift / errors.count), errors.worst,
			     sqrt(errors.angle / errors.count), errors.lost);
	return r;
}

/* ---- caliper ---- */

/* A dark bar with blurred edges, at a place and of a width that are no whole pixels. */
static int draw_bar(double left, double width, double angle_deg, struct sim_random *random,
		    struct vd_image *image)
{
	const double turn = angle_deg * M_PI / 180, soft = 0.9 * M_SQRT2;
	int r = vd_image_shape(image, 160, 80, VD_GREY);

	for (int y = 0; r == 0 && y < image->height; y++) {
		for (int x = 0; x < image->width; x++) {
			const double at = x * cos(turn) + (y - 39.5) * sin(turn);
			double v = 180 -
				   50 * (erf((at - left) / soft) - erf((at - left - width) / soft));

			v += 3 * sim_normal(random);
			vd_image_row(image, y)[x] = (uint8_t)lrint(fmin(fmax(v, 0), 255));
		}
	}
	return r;
}

static int measure_caliper(bool is_moved)
{
	const struct vd_line line = { .x0 = 10, .y0 = 39.5, .x1 = 150, .y1 = 39.5, .width = 20 };
	const struct vd_caliper_options options = vd_caliper_defaults();
	const double width = 61.37;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct sim_random random = { 5 };
	double sum = 0, squares = 0, sigma, bias;

	for (int i = 0; i < REPEATS; i++) {
		const double left = 48.2 + (is_moved ? sim_uniform(&random, -3, 3) : 0);
		struct vd_bars bars;

		if (draw_bar(left, width, 0, &random, &image) < 0 ||
		    vd_caliper_bars(&image, &line, &options, &bars) < 0 || bars.count != 1)
			return -EIO;
		sum += bars.list[0].width_px;
		squares += pow(bars.list[0].width_px, 2);
	}
	bias = sum / REPEATS - width;
	sigma = sqrt(fmax(0, (squares - sum * sum / REPEATS) / (REPEATS - 1)));
	(void)printf(
		"caliper %s %d repeats: sigma %.4f px (target %s), bias %+.4f px, Cg 1.33 from "
		"a tolerance of %.2f px on\n",
		is_moved ? "moved by 3 px " : "fresh noise   ", REPEATS, sigma,
		is_moved ? "0.06" : "0.03", bias, 6 * sigma * 1.33 / 0.2);
	return 0;
}

/* ---- learning and judging ---- */

static int learn(struct station *station, struct sim_random *random)
{
	const struct vd_variation_options options = vd_variation_defaults();
	VD_CLEANUP(vd_variation_learner_free) struct vd_variation_learner *learner = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image registered = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_variation_model model = { 0 };
	int r = vd_variation_learner_new(station->where.width, station->where.height,
					 options.window_px, &learner);

	for (int i = 0; r == 0 && i < LEARNT; i++) {
		const struct sim_capture capture = sim_draw(random);
		struct vd_pose pose;

		r = sim_take(&station->part, &capture, random, &image, &bytes);
		if (r == 0)
			r = vd_locator_find(station->locator, &image, &pose);
		if (r == 0)
			r = vd_warp_soft(&image, &pose, station->where, &registered);
		if (r == 0)
			r = vd_variation_learn(learner, &registered);
	}
	if (r == 0)
		r = vd_variation_finish(learner, &model);
	if (r == 0)
		r = vd_variation_new(&model, station->where, &options, &station->variation);
	vd_variation_model_fini(&model);
	return r;
}

/* INFINITY: not located or not covered, which is NO_DECISION. */
static double judge(struct station *station, const struct vd_image *part,
		    const struct sim_capture *capture, struct sim_random *random, double *ret_gain)
{
	static struct vd_image image;
	static struct vd_buf bytes;
	struct vd_blobs blobs = { 0 };
	struct vd_pose pose;
	double score = INFINITY;

	*ret_gain = 1;
	if (sim_take(part, capture, random, &image, &bytes) == 0 &&
	    vd_locator_find(station->locator, &image, &pose) == 0 &&
	    vd_variation_compare(station->variation, &image, &pose, &station->work, &blobs) == 0) {
		score = blobs.score;
		*ret_gain = station->work.band.gains.mean;
	}
	vd_blobs_fini(&blobs);
	return score;
}

/* The limit that 1 % of good captures exceed, of which none was learnt from. */
static int prepare(struct station *station)
{
	static double scores[FIXING];
	struct sim_random random = { 21 };
	int r = set_up_locator(station, 0.6);

	if (r == 0)
		r = learn(station, &random);
	for (int i = 0; r == 0 && i < FIXING; i++) {
		const struct sim_capture capture = sim_draw(&random);
		double gain;

		scores[i] = judge(station, &station->part, &capture, &random, &gain);
	}
	station->limit = limit_for(scores, FIXING, 0.01);
	return r;
}

static int with_defect(const struct vd_image *part, struct vd_rect where, double contrast,
		       uint64_t seed, struct vd_image *out)
{
	struct sim_random random = { seed };
	const int r = vd_image_shape(out, part->width, part->height, VD_GREY);

	for (int y = 0; r == 0 && y < part->height; y++)
		memcpy(vd_image_row(out, y), vd_image_row(part, y), (size_t)part->width);
	if (r == 0 && contrast > 0)
		sim_draw_defect(out, where, SIM_BLOB, contrast, &random);
	return r;
}

static int repeat(struct station *station, double contrast)
{
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };
	struct sim_random random = { 31 };
	double sum = 0, squares = 0;
	int rejected = 0;

	if (with_defect(&station->part, station->where, contrast, 3, &part) < 0)
		return -ENOMEM;
	for (int i = 0; i < SAME; i++) {
		const struct sim_capture capture = sim_draw(&random);
		double gain;
		const double score = judge(station, &part, &capture, &random, &gain);

		sum += score;
		squares += score * score;
		rejected += score > station->limit;
	}
	(void)printf("repeat  %-20s defect of contrast %2.0f, %d times: NG %2d, score %.1f sigma "
		     "%.1f, limit %.1f%s\n",
		     station->name, contrast, SAME, rejected, sum / SAME,
		     sqrt(fmax(0, (squares - sum * sum / SAME) / (SAME - 1))), station->limit,
		     rejected == 0 || rejected == SAME ? "" : "  verdicts differ");
	return 0;
}

/* ---- drift ---- */

enum drift { GAIN, FOCUS, BUMP };

static struct sim_capture drifted(enum drift drift, double amount, struct sim_random *random)
{
	struct sim_capture capture = sim_draw(random);

	if (drift == GAIN)
		capture.gain *= 1 + amount / 100;
	else if (drift == FOCUS)
		capture.blur_px = amount;
	else
		capture.dx += amount;
	return capture;
}

static int drift_step(struct station *station, enum drift drift, double amount)
{
	static const char *const names[] = { "gain %", "focus px", "bump px" };
	struct sim_random random = { 41 };
	int rejected = 0, escaped = 0, undecided = 0, alarms = 0;

	for (int i = 0; i < 2 * DRIFTS; i++) {
		const struct sim_capture capture = drifted(drift, amount, &random);
		VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };
		double gain, score;

		if (with_defect(&station->part, station->where, i % 2 ? 40 : 0, (uint64_t)i + 1,
				&part) < 0)
			return -ENOMEM;
		score = judge(station, &part, &capture, &random, &gain);
		alarms += fabs(gain - 1) > 0.2;
		undecided += !isfinite(score);
		rejected += i % 2 == 0 && score > station->limit;
		escaped += i % 2 == 1 && score <= station->limit;
	}
	(void)printf(
		"drift   %-20s %-8s %+6.1f: good rejected %5.1f %%, contrast 40 escaped %5.1f %%, "
		"not located %5.1f %%, gain beyond 20 %% %5.1f %%\n",
		station->name, names[drift], amount, 100.0 * rejected / DRIFTS,
		100.0 * escaped / DRIFTS, 50.0 * undecided / DRIFTS, 50.0 * alarms / DRIFTS);
	return 0;
}

static int measure_drift(struct station *station)
{
	int r = 0;

	for (int gain = -30; r == 0 && gain <= 30; gain += 10)
		r = drift_step(station, GAIN, gain);
	for (int half = 1; r == 0 && half <= 4; half++)
		r = drift_step(station, FOCUS, half / 2.0);
	for (int px = 6; r == 0 && px <= 24; px += 6)
		r = drift_step(station, BUMP, px);
	return r;
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc < 2) {
		(void)printf("skipped: no photographs given; gauges.py finds Debian's\n");
		return 77;
	}
	r |= measure_caliper(false) | measure_caliper(true);
	for (int i = 1; r == 0 && i < argc; i++) {
		VD_CLEANUP(station_fini) struct station station = { 0 };

		r = read_part(argv[i], &station);
		if (r == 0)
			r = measure_locate(&station, 0);
		if (r == 0)
			r = measure_locate(&station, 2);
		if (r == 0)
			r = prepare(&station);
		for (int c = 0; r == 0 && c < 3; c++)
			r = repeat(&station, (const double[]){ 0, 15, 40 }[c]);
		if (r == 0 && i == 1)
			r = measure_drift(&station);
	}
	return r ? 1 : 0;
}
