/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/drift.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/learn/pupil.h"
#include "modules/vision/kernels.h"
#include "modules/vision/normalise.h"

enum { ROWS_LOOKED_AT = 8, SETTLING = 20 };

enum { SQUARE = 4, SQUARES = 4096 }; /* pixels a side; about so many a region */

static const double WEIGHT = 0.05, SLACK = 0.75, CUSUM_SIGMAS = 5, CUSUM_MOST = 1000,
		    CONTRAST_LEAST = 12, SOUND_LEAST = 0.1;

/* Good parts in a row differ less than those of a week. */
static const double LEAST[2][VD_SIGHTS] = { { 0.5, 0.25, 0.005 }, { 0.1, 0.1, 0.02 } };

const char *vd_drift_name(bool of_step, int i)
{
	static const char *const names[2][VD_SIGHTS] = { { "mean", "contrast", "sharpness" },
							 { "dx", "dy", "angleDeg" } };

	return names[of_step][i];
}

double vd_sharpness(const struct vd_image *image)
{
	double sum = 0, squares = 0, steps = 0, n = 0, mean;

	for (int y = 0; y < image->height; y += ROWS_LOOKED_AT) {
		const uint8_t *row = vd_image_row(image, y);
		int64_t row_sum = 0, row_squares = 0, row_steps = 0;

		for (int x = 1; x < image->width; x++) {
			const int step = row[x] - row[x - 1];

			row_sum += row[x];
			row_squares += row[x] * row[x];
			row_steps += step * step;
		}
		sum += (double)row_sum;
		squares += (double)row_squares;
		steps += (double)row_steps;
		n += image->width - 1;
	}
	if (n < 1)
		return 0;
	mean = sum / n;
	return steps / fmax(1, squares - n * mean * mean);
}

/* ---- charts ---- */

enum vd_chart_outcome vd_chart_put(struct vd_chart *chart, double value, int parts, double sigma)
{
	/* The reference itself is only known to 1 / sqrt(parts) deviations. */
	const double error = sqrt(WEIGHT / (2 - WEIGHT) + 1.0 / (parts > 1 ? parts : 1));
	const double limit = sigma * error, most = CUSUM_SIGMAS * sigma;
	const bool was_alarm = chart->is_alarm;

	chart->mean += (value - chart->mean) * WEIGHT;
	chart->above = fmin(CUSUM_MOST, fmax(0, chart->above + value - SLACK));
	chart->below = fmin(CUSUM_MOST, fmax(0, chart->below - value - SLACK));
	chart->count++;
	if (chart->count < SETTLING)
		return VD_CHART_SAME;
	chart->is_alarm =
		was_alarm ? fabs(chart->mean) >= limit / 2
			  : fabs(chart->mean) > limit || chart->above > most || chart->below > most;
	if (was_alarm && !chart->is_alarm)
		chart->above = chart->below = 0;
	if (chart->is_alarm == was_alarm)
		return VD_CHART_SAME;
	return was_alarm ? VD_CHART_CLEARED : VD_CHART_RAISED;
}

/* NaN: not measured on this item. */
static double quantity(const struct vd_recipe *recipe, const struct vd_look *looks,
		       const struct vd_step_result *results, const double *sharpness, int of,
		       int what)
{
	const int step = of - recipe->camera_count;

	if (step < 0 && !looks[of].is_good)
		return NAN;
	if (step < 0)
		return what == 0 ? looks[of].mean : what == 1 ? looks[of].spread : sharpness[of];
	return results[step].verdict == VD_NO_DECISION
		       ? NAN
		       : results[step].values[what == 0   ? VD_MEASURE_DX
					      : what == 1 ? VD_MEASURE_DY
							  : VD_MEASURE_ANGLE];
}

static const struct vd_reference *find(const struct vd_model *model, const char *of,
				       const char *what, int *ret_index)
{
	char name[VD_NAME_BYTES + 16];

	(void)snprintf(name, sizeof name, "%s/%s", of, what);
	for (int i = 0; i < model->reference_count; i++) {
		if (strcmp(model->references[i].name, name) != 0)
			continue;
		*ret_index = i;
		return &model->references[i];
	}
	return NULL;
}

static int put_one(struct vd_drift *drift, const struct vd_recipe *recipe,
		   const struct vd_model *model, int of, int what, double value,
		   struct vd_drift_change *change)
{
	const int step = of - recipe->camera_count;
	const char *name = step < 0 ? recipe->cameras[of] : recipe->steps[step].id;
	int index = 0;
	const struct vd_reference *reference =
		find(model, name, vd_drift_name(step >= 0, what), &index);
	enum vd_chart_outcome outcome;
	double deviation;

	if (!reference || !isfinite(value))
		return 0;
	deviation = fmax(reference->deviation, LEAST[step >= 0][what]);
	outcome = vd_chart_put(&drift->charts[index], (value - reference->mean) / deviation,
			       model->parts, recipe->drift.alarm_sigma);
	if (outcome == VD_CHART_SAME)
		return 0;
	drift->raised += outcome == VD_CHART_RAISED;
	*change = (struct vd_drift_change){
		.reference = index,
		.is_raised = outcome == VD_CHART_RAISED,
		.value = reference->mean + drift->charts[index].mean * deviation,
		.z = drift->charts[index].mean,
	};
	return 1;
}

int vd_drift_put(struct vd_drift *drift, const struct vd_recipe *recipe,
		 const struct vd_model *model, const struct vd_look *looks,
		 const struct vd_step_result *results, struct vd_drift_change *ret_changes)
{
	double sharpness[VD_CAMERAS_MOST];
	int changes = 0;

	if (!(recipe->drift.alarm_sigma > 0) || model->reference_count == 0)
		return 0;
	for (int i = 0; i < recipe->camera_count; i++)
		sharpness[i] = looks[i].is_good ? vd_sharpness(&looks[i].image) : NAN;
	for (int of = 0; of < recipe->camera_count + recipe->step_count; of++) {
		const int step = of - recipe->camera_count;

		if (step >= 0 && !vd_step_locates(&recipe->steps[step]))
			continue;
		for (int what = 0; what < VD_SIGHTS && changes < VD_REFERENCES_MOST; what++)
			changes += put_one(drift, recipe, model, of, what,
					   quantity(recipe, looks, results, sharpness, of, what),
					   &ret_changes[changes]);
	}
	return changes;
}

/* ---- photometry ---- */

struct sums {
	double n, sum, squares;
};

static void put(struct sums *sums, double v)
{
	sums->n++;
	sums->sum += v;
	sums->squares += v * v;
}

static double deviation_of(const struct sums *sums)
{
	const double mean = sums->sum / sums->n;

	return sqrt(fmax(0, sums->squares / sums->n - mean * mean));
}

/*
 * Means of squares spread over the region, as they were learnt and as they are seen: single pixels
 * would make of every difference in sharpness one of the lamp.
 */
struct pairs {
	struct sums taught, seen;
};

struct square {
	double mean;
	bool is_clipped;
};

static struct square taught_square(const struct vd_model_step *step, int x, int y)
{
	const size_t width = (size_t)step->where.width;
	const uint16_t *mean = step->variation.mean + (size_t)y * width + (size_t)x;
	struct square square = { 0 };

	for (size_t i = 0; i < SQUARE * SQUARE; i++) {
		const int v = mean[i / SQUARE * width + i % SQUARE];

		square.mean += v / (256.0 * SQUARE * SQUARE);
		square.is_clipped |= v >= VD_CLIPPED * 256;
	}
	return square;
}

static struct square seen_square(const struct vd_image *image, int x, int y)
{
	struct square square = { 0 };

	for (int i = 0; i < SQUARE * SQUARE; i++) {
		const int v = vd_image_row(image, y + i / SQUARE)[x + i % SQUARE];

		square.mean += (double)v / (SQUARE * SQUARE);
		square.is_clipped |= v >= VD_CLIPPED;
	}
	return square;
}

static void put_pair(struct pairs *pairs, const struct square *taught, const struct square *seen)
{
	put(&pairs->taught, taught->mean);
	put(&pairs->seen, seen->mean);
}

static int pitch_of(const struct vd_model_step *step)
{
	const double pitch = sqrt((double)step->where.width * step->where.height / SQUARES);

	return (int)fmin(fmax(pitch, SQUARE), VD_CELL_PX);
}

/* Clipped pixels would make every brighter lamp look flat: only where all have are they used. */
static void collect_pairs(const struct vd_model_step *step, const struct vd_image *image,
			  const struct vd_pose *pose, struct pairs *all, struct pairs *sound)
{
	const int pitch = pitch_of(step);

	for (int y = 0; y + SQUARE <= step->where.height; y += pitch) {
		double left, top, right, bottom;

		vd_pose_map(pose, step->where.x, step->where.y + y, &left, &top);
		vd_pose_map(pose, step->where.x + 1, step->where.y + y, &right, &bottom);
		for (int x = 0; x + SQUARE <= step->where.width; x += pitch) {
			const double u = left + x * (right - left), v = top + x * (bottom - top);
			struct square taught, seen;

			if (!(u >= 0) || !(v >= 0) || u > image->width - SQUARE ||
			    v > image->height - SQUARE)
				continue;
			taught = taught_square(step, x, y);
			seen = seen_square(image, (int)lrint(u), (int)lrint(v));
			put_pair(all, &taught, &seen);
			if (!taught.is_clipped && !seen.is_clipped)
				put_pair(sound, &taught, &seen);
		}
	}
}

bool vd_photometry_measure(const struct vd_model_step *step, const struct vd_image *image,
			   const struct vd_pose *pose, struct vd_photometry *ret_photometry)
{
	struct pairs all = { 0 }, sound = { 0 };
	const struct pairs *pairs = &sound;

	collect_pairs(step, image, pose, &all, &sound);
	if (all.seen.n < 1)
		return false;
	if (sound.seen.n < SOUND_LEAST * all.seen.n)
		pairs = &all;
	ret_photometry->gain =
		deviation_of(&pairs->taught) < CONTRAST_LEAST
			? (pairs->seen.sum + pairs->seen.n) / (pairs->taught.sum + pairs->taught.n)
			: deviation_of(&pairs->seen) / deviation_of(&pairs->taught);
	ret_photometry->offset =
		(pairs->seen.sum - ret_photometry->gain * pairs->taught.sum) / pairs->seen.n;
	return true;
}

bool vd_photometry_is_within(const struct vd_photometry *photometry, double share)
{
	return !(share > 0) ||
	       (fabs(photometry->gain - 1) <= share && fabs(photometry->offset) <= share * 128);
}
