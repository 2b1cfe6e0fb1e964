/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features have different units, so that each is divided by its spread within positions before
 * its covariance is shrunk towards the identity. A floor under that spread keeps a feature that
 * never changed in the good images from deciding alone.
 */
#include "modules/vision/texture.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "modules/vision/warp.h"

enum {
	LEVELS = 3,
	PER_LEVEL = 8,
	D = VD_TEXTURE_FEATURES,
	PACKED = D * (D + 1) / 2,
	SIDE_LEAST = 32,
	BLUR_ONE = 256,
	EXCESS_SCALE = 16,
};

_Static_assert(D == LEVELS * PER_LEVEL + 1, "the mean, and eight a level");

static const double SPREAD_LEAST = 0.25; /* grey levels */

/* ---- features ---- */

/* What is summed, or is the largest, down a column of a cell. */
enum {
	BRIGHT, /* of the difference of Gaussians, times 256 */
	DARK,
	BRIGHT_MOST,
	DARK_MOST,
	ACROSS, /* derivatives */
	DOWN,
	FALLING,
	RISING,
	SUM,
	KINDS,
};

static int clamp(int value, int most)
{
	return value < 0 ? 0 : value > most ? most : value;
}

static int reserve(struct vd_texture_work *work, int width, int height, size_t cells)
{
	if (width == work->width && height == work->height)
		return 0;
	vd_texture_work_fini(work);
	work->blur = malloc(((size_t)width * ((size_t)height + 1) + 4) * sizeof *work->blur);
	work->kinds = malloc(KINDS * (size_t)width * sizeof *work->kinds);
	work->features = malloc(cells * D * sizeof *work->features);
	work->scores = malloc(cells * sizeof *work->scores);
	if (!work->blur || !work->kinds || !work->features || !work->scores)
		return -ENOMEM;
	work->width = width;
	work->height = height;
	return 0;
}

void vd_texture_work_fini(struct vd_texture_work *work)
{
	for (int i = 0; i < 2; i++)
		vd_image_fini(&work->levels[i]);
	free(work->blur);
	free(work->kinds);
	free(work->features);
	free(work->scores);
	vd_excess_fini(&work->excess);
	*work = (struct vd_texture_work){ 0 };
}

static unsigned binomial(unsigned a, unsigned b, unsigned c, unsigned d, unsigned e)
{
	return a + 4 * b + 6 * c + 4 * d + e;
}

static void sum_columns(const struct vd_image *image, int y, uint16_t *columns)
{
	const int width = image->width;
	const uint8_t *rows[5];

	for (int k = 0; k < 5; k++)
		rows[k] = vd_image_row(image, clamp(y + k - 2, image->height - 1));
	for (int x = 0; x < width; x++)
		columns[x + 2] = (uint16_t)binomial(rows[0][x], rows[1][x], rows[2][x], rows[3][x],
						    rows[4][x]);
	columns[0] = columns[1] = columns[2];
	columns[width + 2] = columns[width + 3] = columns[width + 1];
}

/* A binomial of 5 x 5, times 256: it just fits. After the image stands one row of column sums. */
static void blur(const struct vd_image *image, uint16_t *out)
{
	const size_t width = (size_t)image->width;
	uint16_t *restrict columns = out + width * (size_t)image->height;

	for (int y = 0; y < image->height; y++) {
		uint16_t *restrict to = out + (size_t)y * width;

		sum_columns(image, y, columns);
		for (size_t x = 0; x < width; x++)
			to[x] = (uint16_t)binomial(columns[x], columns[x + 1], columns[x + 2],
						   columns[x + 3], columns[x + 4]);
	}
}

static int magnitude(int value)
{
	return value < 0 ? -value : value;
}

/* kinds: KINDS rows of width values; columns from .. to - 1, whose neighbours are at +-1. */
static void add_pixels(const uint8_t *above, const uint8_t *row, const uint8_t *below,
		       const uint16_t *blurred, int from, int to, int width,
		       int32_t *restrict kinds)
{
	for (int x = from; x < to; x++) {
		const int difference = BLUR_ONE * row[x] - blurred[x];
		const int bright = difference > 0 ? difference : 0;
		const int dark = difference < 0 ? -difference : 0;
		int32_t *most = &kinds[BRIGHT_MOST * width + x];

		kinds[BRIGHT * width + x] += bright;
		kinds[DARK * width + x] += dark;
		*most = bright > *most ? bright : *most;
		most = &kinds[DARK_MOST * width + x];
		*most = dark > *most ? dark : *most;
		kinds[ACROSS * width + x] += magnitude(row[x + 1] - row[x - 1]);
		kinds[DOWN * width + x] += magnitude(below[x] - above[x]);
		kinds[FALLING * width + x] += magnitude(below[x + 1] - above[x - 1]);
		kinds[RISING * width + x] += magnitude(below[x - 1] - above[x + 1]);
		kinds[SUM * width + x] += row[x];
	}
}

/* The first or last column: the border goes on beyond it. */
static void add_border(const uint8_t *above, const uint8_t *row, const uint8_t *below,
		       const uint16_t *blurred, int x, int width, int32_t *kinds)
{
	const int left = clamp(x - 1, width - 1), right = clamp(x + 1, width - 1);
	const uint8_t a[3] = { above[left], above[x], above[right] };
	const uint8_t r[3] = { row[left], row[x], row[right] };
	const uint8_t b[3] = { below[left], below[x], below[right] };
	int32_t one[3 * KINDS] = { 0 };

	for (int kind = 0; kind < KINDS; kind++)
		one[3 * kind + 1] = kinds[kind * width + x];
	add_pixels(a, r, b, (const uint16_t[]){ 0, blurred[x], 0 }, 1, 2, 3, one);
	for (int kind = 0; kind < KINDS; kind++)
		kinds[kind * width + x] = one[3 * kind + 1];
}

static void add_row(const struct vd_image *image, const uint16_t *blurred, int y, int32_t *kinds)
{
	const int width = image->width;
	const uint8_t *above = vd_image_row(image, clamp(y - 1, image->height - 1));
	const uint8_t *row = vd_image_row(image, y);
	const uint8_t *below = vd_image_row(image, clamp(y + 1, image->height - 1));
	const uint16_t *smooth = blurred + (size_t)y * (size_t)width;

	add_border(above, row, below, smooth, 0, width, kinds);
	add_pixels(above, row, below, smooth, 1, width - 1, width, kinds);
	add_border(above, row, below, smooth, width - 1, width, kinds);
}

/* The columns x .. x + side - 1 of all kinds. */
static void gather(const int32_t *kinds, int width, int x, int side, int32_t totals[static KINDS])
{
	for (int kind = 0; kind < KINDS; kind++) {
		const int32_t *columns = kinds + (size_t)kind * (size_t)width + x;
		const bool is_most = kind == BRIGHT_MOST || kind == DARK_MOST;

		totals[kind] = 0;
		for (int k = 0; k < side; k++)
			totals[kind] = !is_most                    ? totals[kind] + columns[k]
				       : columns[k] > totals[kind] ? columns[k]
								   : totals[kind];
	}
}

static void put_features(const int32_t totals[static KINDS], int side, float *out)
{
	const float n = (float)(side * side);

	out[0] = (float)totals[BRIGHT] / n / BLUR_ONE;
	out[1] = (float)totals[DARK] / n / BLUR_ONE;
	out[2] = (float)totals[BRIGHT_MOST] / BLUR_ONE;
	out[3] = (float)totals[DARK_MOST] / BLUR_ONE;
	for (int i = 0; i < 4; i++)
		out[4 + i] = (float)totals[ACROSS + i] / n;
}

static void measure_level(const struct vd_image *image, int level, int columns, int rows,
			  struct vd_texture_work *work)
{
	const int side = VD_TEXTURE_CELL >> level;

	blur(image, work->blur);
	for (int cy = 0; cy < rows; cy++) {
		memset(work->kinds, 0, (size_t)KINDS * (size_t)image->width * sizeof *work->kinds);
		for (int y = cy * side; y < (cy + 1) * side; y++)
			add_row(image, work->blur, y, work->kinds);
		for (int cx = 0; cx < columns; cx++) {
			float *out = work->features + (size_t)(cy * columns + cx) * D;
			int32_t totals[KINDS];

			gather(work->kinds, image->width, cx * side, side, totals);
			put_features(totals, side, out + 1 + level * PER_LEVEL);
			if (level == 0)
				out[0] = (float)totals[SUM] / (float)(side * side);
		}
	}
}

static int measure(const struct vd_image *image, struct vd_texture_work *work)
{
	const int columns = image->width / VD_TEXTURE_CELL, rows = image->height / VD_TEXTURE_CELL;
	const struct vd_image *level = image;
	int r = reserve(work, image->width, image->height, (size_t)columns * (size_t)rows);

	for (int i = 0; r == 0 && i < LEVELS; i++) {
		measure_level(level, i, columns, rows, work);
		if (i + 1 < LEVELS) {
			r = vd_image_halve(level, &work->levels[i]);
			level = &work->levels[i];
		}
	}
	return r;
}

/* ---- learning ---- */

/* Sums over samples: features, and products of features above the diagonal and on it. */
struct sums {
	double first[D], second[PACKED];
};

struct vd_texture_learner {
	int width, height, columns, rows, images;
	enum vd_texture_scope scope;
	struct sums *sums; /* one a Gaussian */
	struct vd_texture_work work;
};

static size_t gaussians(enum vd_texture_scope scope, int columns, int rows)
{
	return scope == VD_TEXTURE_GLOBAL ? 1 : (size_t)columns * (size_t)rows;
}

int vd_texture_learner_new(int width, int height, enum vd_texture_scope scope,
			   struct vd_texture_learner **ret_learner)
{
	VD_CLEANUP(vd_texture_learner_free) struct vd_texture_learner *learner = NULL;

	if (width < SIDE_LEAST || height < SIDE_LEAST)
		return -EINVAL;
	learner = calloc(1, sizeof *learner);
	if (!learner)
		return -ENOMEM;
	learner->width = width;
	learner->height = height;
	learner->columns = width / VD_TEXTURE_CELL;
	learner->rows = height / VD_TEXTURE_CELL;
	learner->scope = scope;
	learner->sums =
		calloc(gaussians(scope, learner->columns, learner->rows), sizeof *learner->sums);
	if (!learner->sums)
		return -ENOMEM;
	*ret_learner = VD_TAKE(learner);
	return 0;
}

struct vd_texture_learner *vd_texture_learner_free(struct vd_texture_learner *learner)
{
	if (!learner)
		return NULL;
	vd_texture_work_fini(&learner->work);
	free(learner->sums);
	free(learner);
	return NULL;
}

static void add_sample(struct sums *sums, const float *x, double times)
{
	double *second = sums->second;

	for (int i = 0; i < D; i++) {
		sums->first[i] += times * (double)x[i];
		for (int k = 0; k <= i; k++)
			*second++ += times * (double)x[i] * (double)x[k];
	}
}

/* times: 1 learns, -1 takes it out again; features are single, sums double. */
static int count(struct vd_texture_learner *learner, const struct vd_image *image, int times)
{
	const int cells = learner->columns * learner->rows;
	int r;

	if (image->width != learner->width || image->height != learner->height ||
	    image->channels != VD_GREY || learner->images + times < 0)
		return -EINVAL;
	r = measure(image, &learner->work);
	for (int i = 0; r == 0 && i < cells; i++)
		add_sample(&learner->sums[learner->scope == VD_TEXTURE_GLOBAL ? 0 : i],
			   learner->work.features + (size_t)i * D, times);
	if (r == 0)
		learner->images += times;
	return r;
}

int vd_texture_learn(struct vd_texture_learner *learner, const struct vd_image *image)
{
	return count(learner, image, 1);
}

int vd_texture_unlearn(struct vd_texture_learner *learner, const struct vd_image *image)
{
	return count(learner, image, -1);
}

int vd_texture_images(const struct vd_texture_learner *learner)
{
	return learner->images;
}

/* ---- the model ---- */

struct gaussian {
	float mean[D];
	float factor[PACKED]; /* Cholesky's of the covariance, rows of the lower triangle */
};

struct vd_texture {
	int width, height, columns, rows;
	enum vd_texture_scope scope;
	struct gaussian *gaussians;
	float scale[D]; /* of a feature: 1 / spread */
};

struct vd_texture *vd_texture_free(struct vd_texture *texture)
{
	if (!texture)
		return NULL;
	free(texture->gaussians);
	free(texture);
	return NULL;
}

static void covariance(const struct sums *sums, double n, double s[static PACKED])
{
	for (int i = 0, at = 0; i < D; i++) {
		for (int k = 0; k <= i; k++, at++)
			s[at] = (sums->second[at] - sums->first[i] * sums->first[k] / n) / (n - 1);
	}
}

/* 1 / the spread of each feature within positions, in the mean over them. */
static void measure_scale(const struct vd_texture_learner *learner, size_t count, double n,
			  float scale[static D])
{
	double s[PACKED], variance[D] = { 0 };

	for (size_t g = 0; g < count; g++) {
		covariance(&learner->sums[g], n, s);
		for (int i = 0; i < D; i++)
			variance[i] += s[i * (i + 1) / 2 + i] / (double)count;
	}
	for (int i = 0; i < D; i++)
		scale[i] = (float)(1 / fmax(sqrt(fmax(variance[i], 0)), SPREAD_LEAST));
}

/* Oracle approximating shrinkage towards a multiple of the identity. */
static void shrink(double s[static PACKED], double n)
{
	double trace = 0, squares = 0, share, mean;

	for (int i = 0, at = 0; i < D; i++) {
		for (int k = 0; k <= i; k++, at++)
			squares += (k < i ? 2 : 1) * s[at] * s[at];
		trace += s[at - 1];
	}
	mean = trace / D;
	share = ((1 - 2.0 / D) * squares + trace * trace) /
		((n + 1 - 2.0 / D) * (squares - trace * trace / D));
	share = share >= 0 && share < 1 ? share : 1;
	for (int i = 0, at = 0; i < D; i++) {
		for (int k = 0; k <= i; k++, at++)
			s[at] *= 1 - share;
		/* What never changed may still change by as much as sensors' noise. */
		s[at - 1] += share * mean + 0.01;
	}
}

/* In place; s is positive definite thanks to shrink(). */
static void factorise(double s[static PACKED])
{
	for (int i = 0; i < D; i++) {
		double *row = s + i * (i + 1) / 2;

		for (int k = 0; k <= i; k++) {
			const double *other = s + k * (k + 1) / 2;
			double sum = row[k];

			for (int j = 0; j < k; j++)
				sum -= row[j] * other[j];
			row[k] = k < i ? sum / other[k] : sqrt(fmax(sum, 1e-9));
		}
	}
}

static void fit(const struct sums *sums, double n, const float scale[static D],
		struct gaussian *gaussian)
{
	double s[PACKED];

	covariance(sums, n, s);
	for (int i = 0, at = 0; i < D; i++) {
		gaussian->mean[i] = (float)(sums->first[i] / n);
		for (int k = 0; k <= i; k++, at++)
			s[at] *= (double)scale[i] * (double)scale[k];
	}
	shrink(s, n);
	factorise(s);
	for (int at = 0; at < PACKED; at++)
		gaussian->factor[at] = (float)s[at];
}

static struct vd_texture *texture_new(int width, int height, enum vd_texture_scope scope)
{
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = calloc(1, sizeof *texture);

	if (!texture)
		return NULL;
	texture->width = width;
	texture->height = height;
	texture->columns = width / VD_TEXTURE_CELL;
	texture->rows = height / VD_TEXTURE_CELL;
	texture->scope = scope;
	texture->gaussians = calloc(gaussians(scope, texture->columns, texture->rows),
				    sizeof *texture->gaussians);
	return texture->gaussians ? VD_TAKE(texture) : NULL;
}

int vd_texture_finish(const struct vd_texture_learner *learner, struct vd_texture **ret_texture)
{
	const size_t count = gaussians(learner->scope, learner->columns, learner->rows);
	const double n = (double)learner->images *
			 (double)((size_t)learner->columns * (size_t)learner->rows / count);
	struct vd_texture *texture;

	if (learner->images < 2)
		return -EAGAIN;
	texture = texture_new(learner->width, learner->height, learner->scope);
	if (!texture)
		return -ENOMEM;
	measure_scale(learner, count, n, texture->scale);
	for (size_t g = 0; g < count; g++)
		fit(&learner->sums[g], n, texture->scale, &texture->gaussians[g]);
	*ret_texture = texture;
	return 0;
}

/* ---- as numbers: the scale, then mean and factor of each Gaussian ---- */

size_t vd_texture_numbers(int width, int height, enum vd_texture_scope scope)
{
	if (width < SIDE_LEAST || height < SIDE_LEAST)
		return 0;
	return D +
	       gaussians(scope, width / VD_TEXTURE_CELL, height / VD_TEXTURE_CELL) * (D + PACKED);
}

void vd_texture_write(const struct vd_texture *texture, float *numbers)
{
	const size_t count = gaussians(texture->scope, texture->columns, texture->rows);

	memcpy(numbers, texture->scale, sizeof texture->scale);
	numbers += D;
	for (size_t g = 0; g < count; g++) {
		memcpy(numbers, texture->gaussians[g].mean, sizeof texture->gaussians[g].mean);
		memcpy(numbers + D, texture->gaussians[g].factor,
		       sizeof texture->gaussians[g].factor);
		numbers += D + PACKED;
	}
}

/* A covariance's factor has a positive diagonal. */
static bool is_gaussian(const float *numbers)
{
	const float *factor = numbers + D;

	for (int i = 0; i < D + PACKED; i++) {
		if (!isfinite(numbers[i]))
			return false;
	}
	for (int i = 0, at = 0; i < D; i++, at += i + 1) {
		if (!(factor[at] > 0))
			return false;
	}
	return true;
}

static bool is_scale(const float *numbers)
{
	for (int i = 0; i < D; i++) {
		if (!isfinite(numbers[i]) || !(numbers[i] > 0))
			return false;
	}
	return true;
}

int vd_texture_read(int width, int height, enum vd_texture_scope scope, const float *numbers,
		    struct vd_texture **ret_texture)
{
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = NULL;
	size_t count;

	if (vd_texture_numbers(width, height, scope) == 0 || !is_scale(numbers))
		return -EINVAL;
	texture = texture_new(width, height, scope);
	if (!texture)
		return -ENOMEM;
	count = gaussians(scope, texture->columns, texture->rows);
	memcpy(texture->scale, numbers, sizeof texture->scale);
	numbers += D;
	for (size_t g = 0; g < count; g++, numbers += D + PACKED) {
		if (!is_gaussian(numbers))
			return -EINVAL;
		memcpy(texture->gaussians[g].mean, numbers, sizeof texture->gaussians[g].mean);
		memcpy(texture->gaussians[g].factor, numbers + D,
		       sizeof texture->gaussians[g].factor);
	}
	*ret_texture = VD_TAKE(texture);
	return 0;
}

/* ---- finding ---- */

/* Forward substitution: the length of L^-1 (x - mean). */
static float score_of(const struct gaussian *gaussian, const float scale[static D], const float *x)
{
	const float *row = gaussian->factor;
	float z[D], squares = 0;

	for (int i = 0; i < D; i++) {
		float sum = (x[i] - gaussian->mean[i]) * scale[i];

		for (int k = 0; k < i; k++)
			sum -= row[k] * z[k];
		z[i] = sum / row[i];
		squares += z[i] * z[i];
		row += i + 1;
	}
	return sqrtf(squares / D);
}

/* A score that is not a number is as bad as can be. */
static float mark(float score, double threshold, uint8_t *excess, uint8_t *bit)
{
	const double over = ((double)score - threshold) * EXCESS_SCALE;
	const bool is_bad = !((double)score <= threshold);

	*bit = is_bad ? VD_BRIGHT : 0;
	*excess = (uint8_t)(!is_bad ? 0 : over < 1 ? 1 : over < 255 ? over : 255);
	return isnan(score) ? INFINITY : score;
}

static int score_cells(const struct vd_texture *texture, double threshold,
		       struct vd_texture_work *work, double *ret_score)
{
	int r = vd_excess_shape(&work->excess, texture->columns, texture->rows);
	float worst = 0;

	for (int y = 0; r == 0 && y < texture->rows; y++) {
		uint8_t *excess = vd_image_row(&work->excess.excess, y);
		uint8_t *bits = vd_image_row(&work->excess.bits, y);
		bool any = false;

		for (int x = 0; x < texture->columns; x++) {
			const size_t i = (size_t)(y * texture->columns + x);
			const size_t g = texture->scope == VD_TEXTURE_GLOBAL ? 0 : i;
			const float score = mark(score_of(&texture->gaussians[g], texture->scale,
							  work->features + i * D),
						 threshold, &excess[x], &bits[x]);

			work->scores[i] = score;
			worst = score > worst ? score : worst;
			any |= bits[x] != 0;
		}
		work->excess.any[y] = any;
	}
	*ret_score = (double)worst;
	return r;
}

static void to_pixels(struct vd_blobs *blobs)
{
	blobs->area_px *= VD_TEXTURE_CELL * VD_TEXTURE_CELL;
	for (size_t i = 0; i < blobs->count; i++) {
		struct vd_defect *defect = &blobs->defects[i];
		struct vd_rect *box = &defect->box;

		*box = (struct vd_rect){ box->x * VD_TEXTURE_CELL, box->y * VD_TEXTURE_CELL,
					 box->width * VD_TEXTURE_CELL,
					 box->height * VD_TEXTURE_CELL };
		defect->area_px *= VD_TEXTURE_CELL * VD_TEXTURE_CELL;
	}
}

int vd_texture_find(const struct vd_texture *texture, const struct vd_image *image,
		    double threshold, struct vd_texture_work *work,
		    struct vd_texture_result *ret_result)
{
	const struct vd_blob_options options = {
		.open_px = 1, .merge_px = 1, .min_area_px = 1, .polarity = VD_BRIGHT
	};
	struct vd_texture_result result = { .score = 0 };
	int r;

	if (image->width != texture->width || image->height != texture->height ||
	    image->channels != VD_GREY)
		return -EINVAL;
	r = measure(image, work);
	if (r == 0)
		r = score_cells(texture, threshold, work, &result.score);
	if (r == 0)
		r = vd_blobs_find(&work->excess, NULL, &options, &result.blobs);
	if (r < 0)
		return r;
	to_pixels(&result.blobs);
	*ret_result = result;
	return 0;
}
