/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/image/edit.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MOST = 16384, WEIGHT_BITS = 14, WEIGHT_ONE = 1 << WEIGHT_BITS, LOBES = 3 };

struct vd_rect vd_image_clip(const struct vd_image *image, struct vd_rect area)
{
	const int64_t right = (int64_t)area.x + area.width, low = (int64_t)area.y + area.height;
	const int x = area.x < 0 ? 0 : area.x, y = area.y < 0 ? 0 : area.y;
	const int64_t width = (right < image->width ? right : image->width) - x;
	const int64_t height = (low < image->height ? low : image->height) - y;

	if (width < 1 || height < 1)
		return (struct vd_rect){ 0 };
	return (struct vd_rect){ x, y, (int)width, (int)height };
}

int vd_image_crop(const struct vd_image *image, struct vd_rect area, struct vd_image *out)
{
	const struct vd_rect rect = vd_image_clip(image, area);
	const size_t pixel = (size_t)image->channels;
	int r;

	if (rect.width == 0)
		return -ERANGE;
	r = vd_image_shape(out, rect.width, rect.height, image->channels);
	for (int y = 0; r == 0 && y < rect.height; y++)
		memcpy(vd_image_row(out, y),
		       vd_image_row(image, rect.y + y) + (size_t)rect.x * pixel,
		       (size_t)rect.width * pixel);
	return r;
}

/* ---- another size ---- */

/* Of which samples, and how much of each, those of another size are made: along one axis. */
struct weights {
	int *first, *count; /* one a sample made */
	int32_t *shares;    /* most of them a sample made */
	int most;
};

static void weights_fini_p(struct weights *weights)
{
	free(weights->first);
	free(weights->count);
	free(weights->shares);
}

static double sinc(double x)
{
	return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double kernel(enum vd_resample resample, double x)
{
	if (resample == VD_BILINEAR)
		return fmax(0, 1 - fabs(x));
	return fabs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

/* Shares add up to WEIGHT_ONE exactly: what is plain stays plain. */
static void weigh(struct weights *weights, enum vd_resample resample, int i, int from, double scale)
{
	const double widen = scale > 1 ? scale : 1,
		     reach = widen * (resample == VD_LANCZOS ? LOBES : 1);
	const double centre = (i + 0.5) * scale - 0.5;
	const int first = (int)fmax(0, ceil(centre - reach));
	const int last = (int)fmin(from - 1, floor(centre + reach));
	int32_t *shares = weights->shares + (size_t)i * (size_t)weights->most;
	int32_t left = WEIGHT_ONE;
	double sum = 0;
	int peak = 0;

	for (int k = first; k <= last; k++)
		sum += kernel(resample, (k - centre) / widen);
	for (int k = first; k <= last; k++) {
		shares[k - first] =
			(int32_t)lrint(kernel(resample, (k - centre) / widen) / sum * WEIGHT_ONE);
		left -= shares[k - first];
		if (shares[k - first] > shares[peak])
			peak = k - first;
	}
	shares[peak] += left;
	weights->first[i] = first;
	weights->count[i] = last - first + 1;
}

static int weights_init(struct weights *weights, enum vd_resample resample, int from, int to)
{
	const double scale = (double)from / to, widen = scale > 1 ? scale : 1;

	weights->most = 2 * (int)ceil(widen * LOBES) + 2;
	weights->first = calloc((size_t)to, sizeof *weights->first);
	weights->count = calloc((size_t)to, sizeof *weights->count);
	weights->shares = calloc((size_t)to * (size_t)weights->most, sizeof *weights->shares);
	if (!weights->first || !weights->count || !weights->shares)
		return -ENOMEM;
	for (int i = 0; i < to; i++)
		weigh(weights, resample, i, from, scale);
	return 0;
}

static uint8_t rounded(int32_t sum)
{
	const int32_t value = (sum + WEIGHT_ONE / 2) >> WEIGHT_BITS;

	return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void widen_row(const uint8_t *row, int channels, const struct weights *weights, uint8_t *out,
		      int width)
{
	for (int x = 0; x < width; x++) {
		const int32_t *shares = weights->shares + (size_t)x * (size_t)weights->most;

		for (int c = 0; c < channels; c++) {
			const uint8_t *p = row + weights->first[x] * channels + c;
			int32_t sum = 0;

			for (int k = 0; k < weights->count[x]; k++)
				sum += shares[k] * p[k * channels];
			out[x * channels + c] = rounded(sum);
		}
	}
}

static void mix_rows(const struct vd_image *image, const struct weights *weights, int y,
		     int32_t *sums, uint8_t *out)
{
	const size_t samples = (size_t)image->width * (size_t)image->channels;
	const int32_t *shares = weights->shares + (size_t)y * (size_t)weights->most;

	memset(sums, 0, samples * sizeof *sums);
	for (int k = 0; k < weights->count[y]; k++) {
		const uint8_t *row = vd_image_row(image, weights->first[y] + k);

		for (size_t i = 0; i < samples; i++)
			sums[i] += shares[k] * row[i];
	}
	for (size_t i = 0; i < samples; i++)
		out[i] = rounded(sums[i]);
}

static int resize_across(const struct vd_image *image, int width, enum vd_resample resample,
			 struct vd_image *out)
{
	VD_CLEANUP(weights_fini) struct weights weights = { 0 };
	int r = vd_image_shape(out, width, image->height, image->channels);

	if (r == 0)
		r = weights_init(&weights, resample, image->width, width);
	for (int y = 0; r == 0 && y < image->height; y++)
		widen_row(vd_image_row(image, y), image->channels, &weights, vd_image_row(out, y),
			  width);
	return r;
}

static int resize_down(const struct vd_image *image, int height, enum vd_resample resample,
		       struct vd_image *out)
{
	const size_t samples = (size_t)image->width * (size_t)image->channels;
	VD_CLEANUP(weights_fini) struct weights weights = { 0 };
	VD_CLEANUP(vd_free) int32_t *sums = calloc(samples, sizeof *sums);
	int r = sums ? vd_image_shape(out, image->width, height, image->channels) : -ENOMEM;

	if (r == 0)
		r = weights_init(&weights, resample, image->height, height);
	for (int y = 0; r == 0 && y < height; y++)
		mix_rows(image, &weights, y, sums, vd_image_row(out, y));
	return r;
}

static int pick_nearest(const struct vd_image *image, int width, int height, struct vd_image *out)
{
	const int channels = image->channels;
	int r = vd_image_shape(out, width, height, channels);

	for (int y = 0; r == 0 && y < height; y++) {
		const uint8_t *from = vd_image_row(
			image, (int)(((int64_t)2 * y + 1) * image->height / (2 * (int64_t)height)));
		uint8_t *to = vd_image_row(out, y);

		for (int x = 0; x < width; x++)
			memcpy(to + x * channels,
			       from + ((int64_t)2 * x + 1) * image->width / (2 * (int64_t)width) *
					       channels,
			       (size_t)channels);
	}
	return r;
}

/*
 * Rows first shrink: the smaller image is the one walked down. Unless what lies between were larger
 * than both what is given and what is wanted: a tall image made wide.
 */
static bool is_across_first(const struct vd_image *image, int width, int height)
{
	const int64_t between = (int64_t)width * image->height;

	return between <= (int64_t)image->width * image->height ||
	       between <= (int64_t)width * height;
}

int vd_image_resize(const struct vd_image *image, int width, int height, enum vd_resample resample,
		    struct vd_image *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image half = { 0 };
	int r;

	if (width < 1 || height < 1 || width > SIDE_MOST || height > SIDE_MOST)
		return -EINVAL;
	if (resample == VD_NEAREST)
		return pick_nearest(image, width, height, out);
	if (is_across_first(image, width, height)) {
		r = resize_across(image, width, resample, &half);
		return r < 0 ? r : resize_down(&half, height, resample, out);
	}
	r = resize_down(image, height, resample, &half);
	return r < 0 ? r : resize_across(&half, width, resample, out);
}

/* ---- colours ---- */

static int copy(const struct vd_image *image, struct vd_image *out)
{
	return vd_image_crop(image, (struct vd_rect){ 0, 0, image->width, image->height }, out);
}

int vd_image_to_grey(const struct vd_image *image, struct vd_image *out)
{
	int r;

	if (image->channels == VD_GREY)
		return copy(image, out);
	r = vd_image_shape(out, image->width, image->height, VD_GREY);
	for (int y = 0; r == 0 && y < image->height; y++) {
		const uint8_t *p = vd_image_row(image, y);
		uint8_t *to = vd_image_row(out, y);

		for (int x = 0; x < image->width; x++, p += 3)
			to[x] = (uint8_t)((19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 32768) >>
					  16);
	}
	return r;
}

int vd_image_to_rgb(const struct vd_image *image, struct vd_image *out)
{
	int r;

	if (image->channels == VD_RGB)
		return copy(image, out);
	r = vd_image_shape(out, image->width, image->height, VD_RGB);
	for (int y = 0; r == 0 && y < image->height; y++) {
		const uint8_t *from = vd_image_row(image, y);
		uint8_t *to = vd_image_row(out, y);

		for (int x = 0; x < image->width; x++)
			memset(to + 3 * (size_t)x, from[x], 3);
	}
	return r;
}

/* ---- turning ---- */

static void turn_pixel(const struct vd_image *image, int quarters, int x, int y,
		       struct vd_image *out)
{
	const size_t n = (size_t)image->channels;
	int to_x = x, to_y = y;

	if (quarters == 1) {
		to_x = image->height - 1 - y;
		to_y = x;
	} else if (quarters == 2) {
		to_x = image->width - 1 - x;
		to_y = image->height - 1 - y;
	} else if (quarters == 3) {
		to_x = y;
		to_y = image->width - 1 - x;
	}
	memcpy(vd_image_row(out, to_y) + (size_t)to_x * n, vd_image_row(image, y) + (size_t)x * n,
	       n);
}

int vd_image_turn(const struct vd_image *image, int quarters, struct vd_image *out)
{
	const int turns = (quarters % 4 + 4) % 4;
	const bool is_upright = turns % 2 == 0;
	int r = vd_image_shape(out, is_upright ? image->width : image->height,
			       is_upright ? image->height : image->width, image->channels);

	for (int y = 0; r == 0 && y < image->height; y++) {
		for (int x = 0; x < image->width; x++)
			turn_pixel(image, turns, x, y, out);
	}
	return r;
}

/* ---- privacy ---- */

/* A running mean over reach samples to both sides, of what there is, every step-th byte. */
static void mean_line(uint8_t *at, size_t step, int count, int reach, uint8_t *line)
{
	uint32_t sum = 0;
	int first = 0, end = 0;

	for (int i = 0; i < count; i++)
		line[i] = at[(size_t)i * step];
	for (int i = 0; i < count; i++) {
		for (; end < count && end <= i + reach; end++)
			sum += line[end];
		for (; first < i - reach; first++)
			sum -= line[first];
		at[(size_t)i * step] =
			(uint8_t)((sum + (uint32_t)(end - first) / 2) / (uint32_t)(end - first));
	}
}

static void mean_area(struct vd_image *image, struct vd_rect area, uint8_t *line)
{
	const int n = image->channels;
	const int across = area.width / 3 + 1, down = area.height / 3 + 1;

	for (int y = 0; y < area.height; y++) {
		for (int c = 0; c < n; c++)
			mean_line(vd_image_row(image, area.y + y) + area.x * n + c, (size_t)n,
				  area.width, across, line);
	}
	for (int x = 0; x < area.width * n; x++)
		mean_line(vd_image_row(image, area.y) + area.x * n + x, image->stride, area.height,
			  down, line);
}

int vd_image_blur(struct vd_image *image, const struct vd_rect *areas, size_t count)
{
	const int side = image->width > image->height ? image->width : image->height;
	VD_CLEANUP(vd_free) uint8_t *line = malloc((size_t)side);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct vd_rect area = vd_image_clip(image, areas[i]);

		for (int pass = 0; pass < 3 && area.width > 0; pass++)
			mean_area(image, area, line);
	}
	return 0;
}
