/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/variation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/highlight.h"
#include "modules/vision/kernels.h"
#include "modules/vision/warp.h"

enum { POOL_REACH = 2 };

static const float ONE = 256, SPREAD_FLOOR = 1;

struct vd_variation_options vd_variation_defaults(void)
{
	return (struct vd_variation_options){
		.abs_threshold = { 5, 5 },
		.var_threshold = { 3.5, 3.5 },
		.edge_tolerance_px = 0,
		.window_px = 65,
		.blobs = { .open_px = 1,
			   .merge_px = 1,
			   .min_area_px = 4,
			   .polarity = VD_BRIGHT_AND_DARK },
	};
}

void vd_variation_model_fini(struct vd_variation_model *model)
{
	free(model->mean);
	free(model->spread);
	*model = (struct vd_variation_model){ 0 };
}

/* ---- learning ---- */

struct vd_variation_learner {
	int width, height, window_px, parts;
	float *mean, *m2;
	struct vd_cells first; /* brightness of the first part */
	struct vd_variation_light light;
};

int vd_variation_learner_new(int width, int height, int window_px,
			     struct vd_variation_learner **ret_learner)
{
	VD_CLEANUP(vd_variation_learner_free) struct vd_variation_learner *learner = NULL;
	const size_t count = (size_t)width * (size_t)height;

	learner = calloc(1, sizeof *learner);
	if (!learner)
		return -ENOMEM;
	learner->width = width;
	learner->height = height;
	learner->window_px = window_px;
	learner->mean = calloc(count, sizeof *learner->mean);
	learner->m2 = calloc(count, sizeof *learner->m2);
	if (!learner->mean || !learner->m2)
		return -ENOMEM;
	*ret_learner = VD_TAKE(learner);
	return 0;
}

struct vd_variation_learner *vd_variation_learner_free(struct vd_variation_learner *learner)
{
	if (!learner)
		return NULL;
	free(learner->mean);
	free(learner->m2);
	vd_cells_fini(&learner->first);
	vd_variation_light_fini(&learner->light);
	free(learner);
	return NULL;
}

void vd_variation_light_fini(struct vd_variation_light *light)
{
	vd_cells_fini(&light->cells);
	vd_gains_fini(&light->gains);
}

int vd_variation_normalise(const struct vd_variation_learner *learner, struct vd_image *image,
			   struct vd_variation_light *light)
{
	int r = 0;

	if (learner->window_px == 0)
		return 0;
	r = vd_cells_measure(&light->cells, image);
	return r < 0 ? r
		     : vd_cells_level(&learner->first, &light->cells, learner->window_px,
				      &light->gains, image);
}

int vd_variation_learn(struct vd_variation_learner *learner, struct vd_image *registered)
{
	const struct vd_image *image = registered;
	int r;

	if (registered->width != learner->width || registered->height != learner->height)
		return -EINVAL;
	if (learner->window_px > 0 && learner->first.columns == 0)
		r = vd_cells_measure(&learner->first, registered);
	else
		r = vd_variation_normalise(learner, registered, &learner->light);
	if (r < 0)
		return r;
	vd_variation_add_rows(learner, &image, 1, 0, learner->height);
	vd_variation_added(learner, 1);
	return 0;
}

void vd_variation_add_rows(struct vd_variation_learner *learner,
			   const struct vd_image *const *images, int count, int top, int bottom)
{
	for (int y = top; y < bottom; y++) {
		const size_t at = (size_t)y * (size_t)learner->width;

		for (int i = 0; i < count; i++)
			vd_row_learn(vd_image_row(images[i], y), learner->mean + at,
				     learner->m2 + at, learner->parts + i + 1, learner->width);
	}
}

void vd_variation_added(struct vd_variation_learner *learner, int count)
{
	learner->parts += count;
}

static void unlearn_row(const uint8_t *row, float *mean, float *m2, int left, int n)
{
	for (int x = 0; x < n; x++) {
		const float v = row[x], with = mean[x];
		const float without = with + (with - v) / (float)left;

		mean[x] = without;
		m2[x] -= (v - with) * (v - without);
		m2[x] = m2[x] > 0 ? m2[x] : 0;
	}
}

int vd_variation_unlearn(struct vd_variation_learner *learner, const struct vd_image *normalised)
{
	if (normalised->width != learner->width || normalised->height != learner->height ||
	    learner->parts < 2)
		return -EINVAL;
	learner->parts--;
	for (int y = 0; y < learner->height; y++) {
		const size_t at = (size_t)y * (size_t)learner->width;

		unlearn_row(vd_image_row(normalised, y), learner->mean + at, learner->m2 + at,
			    learner->parts, learner->width);
	}
	return 0;
}

int vd_variation_refer(struct vd_variation_learner *learner, const struct vd_image *image)
{
	return learner->window_px > 0 ? vd_cells_measure(&learner->first, image) : 0;
}

int vd_variation_mean(const struct vd_variation_learner *learner, struct vd_image *out)
{
	int r = vd_image_shape(out, learner->width, learner->height, VD_GREY);

	for (int y = 0; r == 0 && y < learner->height; y++) {
		const float *mean = learner->mean + (size_t)y * (size_t)learner->width;

		for (int x = 0; x < learner->width; x++)
			vd_image_row(out, y)[x] = vd_to_grey(mean[x]);
	}
	return r;
}

int vd_variation_parts(const struct vd_variation_learner *learner)
{
	return learner->parts;
}

static int model_init(const struct vd_variation_learner *learner, struct vd_variation_model *model)
{
	const size_t count = (size_t)learner->width * (size_t)learner->height;

	*model = (struct vd_variation_model){ .width = learner->width,
					      .height = learner->height,
					      .parts = learner->parts,
					      .mean = malloc(count * sizeof *model->mean),
					      .spread = malloc(count * sizeof *model->spread) };
	if (model->mean && model->spread)
		return 0;
	vd_variation_model_fini(model);
	return -ENOMEM;
}

int vd_variation_apart(const struct vd_variation_learner *learner,
		       const struct vd_image *normalised, struct vd_variation_model *io_model)
{
	int r = 0;

	if (normalised->width != learner->width || normalised->height != learner->height)
		return -EINVAL;
	if (learner->parts < 3)
		return -EAGAIN;
	if (io_model->width != learner->width || io_model->height != learner->height) {
		vd_variation_model_fini(io_model);
		r = model_init(learner, io_model);
	}
	if (r < 0)
		return r;
	io_model->parts = learner->parts - 1;
	for (int y = 0; y < learner->height; y++) {
		const size_t at = (size_t)y * (size_t)learner->width;

		vd_row_apart(vd_image_row(normalised, y), learner->mean + at, learner->m2 + at,
			     io_model->parts, learner->width, io_model->mean + at,
			     io_model->spread + at);
	}
	return 0;
}

int vd_variation_finish(const struct vd_variation_learner *learner,
			struct vd_variation_model *ret_model)
{
	const size_t count = (size_t)learner->width * (size_t)learner->height;
	struct vd_variation_model model;
	int r;

	if (learner->parts < 2)
		return -EAGAIN;
	r = model_init(learner, &model);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		model.mean[i] = vd_to_fixed(learner->mean[i]);
		model.spread[i] = vd_to_fixed(sqrtf(learner->m2[i] / (float)(learner->parts - 1)));
	}
	*ret_model = model;
	return 0;
}

/* ---- comparing ---- */

struct vd_variation {
	struct vd_rect where;
	struct vd_variation_options options;
	struct vd_band band;
};

static int clamp(int v, int most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

static float larger(float a, float b)
{
	return a > b ? a : b;
}

static float mean_at(const struct vd_variation_model *model, int x, int y)
{
	return model->mean[(size_t)clamp(y, model->height - 1) * (size_t)model->width +
			   (size_t)clamp(x, model->width - 1)] /
	       ONE;
}

static float slope_at(const struct vd_variation_model *model, int x, int y)
{
	const float across = fabsf(mean_at(model, x + 1, y) - mean_at(model, x - 1, y)) / 2;
	const float down = fabsf(mean_at(model, x, y + 1) - mean_at(model, x, y - 1)) / 2;

	return larger(across, down);
}

/* Of the rows around y: sums of variances, each column its own. Returns how many rows. */
static int sum_columns(const struct vd_variation_model *model, int y, double *columns)
{
	const int top = clamp(y - POOL_REACH, model->height - 1);
	const int bottom = clamp(y + POOL_REACH, model->height - 1);

	memset(columns, 0, (size_t)model->width * sizeof *columns);
	for (int row = top; row <= bottom; row++) {
		const uint16_t *spread = model->spread + (size_t)row * (size_t)model->width;

		for (int x = 0; x < model->width; x++)
			columns[x] += (double)spread[x] * spread[x];
	}
	return bottom - top + 1;
}

/* Deviation over the columns around x, as many as there are. */
static float pool_at_edge(const double *columns, int x, int n, int rows)
{
	const int left = clamp(x - POOL_REACH, n - 1), right = clamp(x + POOL_REACH, n - 1);
	double sum = 0;

	for (int i = left; i <= right; i++)
		sum += columns[i];
	return (float)sqrt(sum / ((right - left + 1) * rows));
}

static void pool(const double *columns, int n, int rows, float *out)
{
	const double share = 1.0 / ((2 * POOL_REACH + 1) * rows);

	for (int x = 0; x < n && x < POOL_REACH; x++)
		out[x] = pool_at_edge(columns, x, n, rows);
	for (int x = POOL_REACH; x < n - POOL_REACH; x++) {
		const double *c = columns + x;

		out[x] = (float)sqrt((c[-2] + c[-1] + c[0] + c[1] + c[2]) * share);
	}
	for (int x = n - POOL_REACH > POOL_REACH ? n - POOL_REACH : POOL_REACH; x < n; x++)
		out[x] = pool_at_edge(columns, x, n, rows);
}

/* Own spread, that of the 5 x 5 around, and the floor: the largest. */
static void measure_spread(const struct vd_variation_model *model, int y, double *columns,
			   float *out)
{
	const uint16_t *own = model->spread + (size_t)y * (size_t)model->width;
	const int rows = sum_columns(model, y, columns);

	pool(columns, model->width, rows, out);
	for (int x = 0; x < model->width; x++)
		out[x] = larger(larger(out[x], own[x]) / ONE, SPREAD_FLOOR);
}

void vd_variation_allow(const struct vd_variation_model *model,
			const struct vd_variation_options *options, int y, double *columns,
			const struct vd_allowance *allowance)
{
	const uint16_t *mean = model->mean + (size_t)y * (size_t)model->width;
	const float abs_up = (float)options->abs_threshold[0],
		    abs_down = (float)options->abs_threshold[1];
	const float var_up = (float)options->var_threshold[0],
		    var_down = (float)options->var_threshold[1];
	const float edge_px = (float)options->edge_tolerance_px;

	measure_spread(model, y, columns, allowance->spread);
	for (int x = 0; x < model->width; x++) {
		allowance->mean[x] = mean[x] / ONE;
		allowance->edge[x] = 0;
		allowance->up[x] = larger(abs_up, var_up * allowance->spread[x]);
		allowance->down[x] = larger(abs_down, var_down * allowance->spread[x]);
	}
	for (int x = 0; edge_px > 0 && x < model->width; x++)
		allowance->edge[x] = edge_px * slope_at(model, x, y);
}

static float pool_at(const struct vd_variation_model *model, int x, int y)
{
	const int n = model->width, left = clamp(x - POOL_REACH, n - 1),
		  right = clamp(x + POOL_REACH, n - 1);
	const int top = clamp(y - POOL_REACH, model->height - 1);
	const int bottom = clamp(y + POOL_REACH, model->height - 1), rows = bottom - top + 1;
	double sum = 0;

	for (int row = top; row <= bottom; row++) {
		const uint16_t *spread = model->spread + (size_t)row * (size_t)n;

		for (int i = left; i <= right; i++)
			sum += (double)spread[i] * spread[i];
	}
	if (x >= POOL_REACH && x < n - POOL_REACH)
		return (float)sqrt(sum * (1.0 / ((2 * POOL_REACH + 1) * rows)));
	return (float)sqrt(sum / ((right - left + 1) * rows));
}

struct vd_allowed vd_variation_allow_at(const struct vd_variation_model *model,
					const struct vd_variation_options *options, int x, int y)
{
	const float own = model->spread[(size_t)y * (size_t)model->width + (size_t)x];
	const float edge_px = (float)options->edge_tolerance_px;
	const float spread = larger(larger(pool_at(model, x, y), own) / ONE, SPREAD_FLOOR);

	return (struct vd_allowed){
		.mean = mean_at(model, x, y),
		.edge = edge_px > 0 ? edge_px * slope_at(model, x, y) : 0,
		.up = larger((float)options->abs_threshold[0],
			     (float)options->var_threshold[0] * spread),
		.down = larger((float)options->abs_threshold[1],
			       (float)options->var_threshold[1] * spread),
		.spread = spread,
	};
}

uint8_t vd_variation_suspect(const struct vd_variation_model *model,
			     const struct vd_variation_options *options, const uint8_t *row, int y,
			     float scale, uint8_t *stray)
{
	const size_t at = (size_t)y * (size_t)model->width;
	const struct vd_leash leash = {
		.least = { (float)options->abs_threshold[0], (float)options->abs_threshold[1] },
		.times = { (float)options->var_threshold[0], (float)options->var_threshold[1] },
		.scale = scale,
	};

	return vd_row_stray(row, model->mean + at, model->spread + at, &leash, model->width, stray);
}

static void lay_out_row(struct vd_variation *variation, const struct vd_allowance *allowance,
			float scale, int y)
{
	struct vd_band *band = &variation->band;

	for (int x = 0; x < band->upper.width; x++) {
		const float mean = allowance->mean[x], edge = allowance->edge[x];

		vd_image_row(&band->upper, y)[x] =
			vd_to_grey(mean + edge + scale * allowance->up[x]);
		vd_image_row(&band->lower, y)[x] =
			vd_to_grey(mean - edge - scale * allowance->down[x]);
		vd_image_row(&band->sigma, y)[x] = vd_to_grey(4 * allowance->spread[x]);
	}
}

/* The brightness that images are normalised to: that of the mean. */
static int measure_ideal(struct vd_variation *variation, const struct vd_variation_model *model)
{
	VD_CLEANUP(vd_image_fini) struct vd_image ideal = { 0 };
	int r = vd_image_shape(&ideal, model->width, model->height, VD_GREY);

	for (int y = 0; r == 0 && y < model->height; y++) {
		for (int x = 0; x < model->width; x++)
			vd_image_row(&ideal, y)[x] = vd_to_grey(mean_at(model, x, y));
	}
	return r < 0 ? r : vd_cells_measure(&variation->band.cells, &ideal);
}

static int lay_out(struct vd_variation *variation, const struct vd_variation_model *model)
{
	const size_t n = (size_t)model->width;
	VD_CLEANUP(vd_free) double *columns = calloc(n, sizeof *columns);
	VD_CLEANUP(vd_free) float *rows = calloc(5 * n, sizeof *rows);
	const struct vd_allowance allowance = { rows, rows + n, rows + 2 * n, rows + 3 * n,
						rows + 4 * n };
	struct vd_band *band = &variation->band;
	int r = columns && rows ? vd_image_shape(&band->upper, model->width, model->height, VD_GREY)
				: -ENOMEM;

	if (r == 0)
		r = vd_image_shape(&band->lower, model->width, model->height, VD_GREY);
	if (r == 0)
		r = vd_image_shape(&band->sigma, model->width, model->height, VD_GREY);
	for (int y = 0; r == 0 && y < model->height; y++) {
		vd_variation_allow(model, &variation->options, y, columns, &allowance);
		lay_out_row(variation, &allowance, model->scale > 0 ? (float)model->scale : 1, y);
	}
	band->window_px = variation->options.window_px;
	return r < 0 ? r : measure_ideal(variation, model);
}

int vd_variation_new(const struct vd_variation_model *model, struct vd_rect where,
		     const struct vd_variation_options *options,
		     struct vd_variation **ret_variation)
{
	VD_CLEANUP(vd_variation_free) struct vd_variation *variation = NULL;
	int r;

	if (where.width != model->width || where.height != model->height)
		return -EINVAL;
	variation = calloc(1, sizeof *variation);
	if (!variation)
		return -ENOMEM;
	variation->where = where;
	variation->options = *options;
	r = lay_out(variation, model);
	if (r == 0)
		*ret_variation = VD_TAKE(variation);
	return r;
}

struct vd_variation *vd_variation_free(struct vd_variation *variation)
{
	if (!variation)
		return NULL;
	vd_band_fini(&variation->band);
	free(variation);
	return NULL;
}

void vd_variation_work_fini(struct vd_variation_work *work)
{
	vd_image_fini(&work->registered);
	vd_band_work_fini(&work->band);
}

int vd_variation_compare(const struct vd_variation *variation, const struct vd_image *image,
			 const struct vd_pose *pose, struct vd_variation_work *work,
			 struct vd_blobs *ret_blobs)
{
	int r;

	if (!vd_warp_inside(image, pose, variation->where))
		return -EINVAL;
	if (pose->angle_deg == 0)
		r = vd_band_compare_at(&variation->band, image, variation->where.x + pose->dx,
				       variation->where.y + pose->dy, &work->band);
	else
		r = vd_warp_soft(image, pose, variation->where, &work->registered);
	if (r == 0 && pose->angle_deg != 0)
		r = vd_band_compare(&variation->band, &work->registered, &work->band);
	if (r < 0)
		return r;
	if (variation->options.window_px > 0)
		r = vd_highlights_review(&variation->band, image, pose, variation->where,
					 &work->band);
	if (r < 0)
		return r;
	return vd_blobs_find(&work->band.excess, &variation->band.sigma, &variation->options.blobs,
			     ret_blobs);
}
