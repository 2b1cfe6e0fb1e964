/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/count.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct vd_count_options vd_count_defaults(void)
{
	return (struct vd_count_options){ .threshold = VD_THRESHOLD_OTSU,
					  .level = 20,
					  .window_px = 65,
					  .polarity = VD_BRIGHT,
					  .open_px = 1,
					  .area_min = 1,
					  .area_max = INFINITY,
					  .aspect_max = INFINITY };
}

void vd_count_work_fini(struct vd_count_work *work)
{
	vd_integral_fini(&work->integral);
	vd_excess_fini(&work->excess);
}

/* ---- thresholds ---- */

/* Four histograms in turn: neighbours of one level do not wait for each other. */
static void count_levels(const struct vd_image *image, double histogram[static 256])
{
	uint32_t counts[4][256] = { 0 };

	for (int y = 0; y < image->height; y++) {
		const uint8_t *row = vd_image_row(image, y);

		for (int x = 0; x < image->width; x++)
			counts[x & 3][row[x]]++;
	}
	for (int i = 0; i < 256; i++)
		histogram[i] = (double)counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];
}

double vd_threshold_otsu(const struct vd_image *image, int *ret_threshold)
{
	double histogram[256], sum = 0, n = 0, dark = 0, dark_sum = 0, best = -1, distance = 0;

	*ret_threshold = 255;
	count_levels(image, histogram);
	for (int i = 0; i < 256; i++) {
		n += histogram[i];
		sum += i * histogram[i];
	}
	for (int i = 0; i < 255; i++) {
		double apart, between;

		dark += histogram[i];
		dark_sum += i * histogram[i];
		if (dark == 0 || dark == n)
			continue;
		apart = (sum - dark_sum) / (n - dark) - dark_sum / dark;
		between = dark * (n - dark) * apart * apart;
		if (between > best) {
			best = between;
			distance = apart;
			*ret_threshold = i;
		}
	}
	return distance;
}

/* Marks where row leaves limit: above it for bright objects, below it for dark ones. */
static bool mark(uint8_t value, int limit, enum vd_polarity polarity, uint8_t *excess, uint8_t *bit)
{
	const int by = polarity == VD_BRIGHT ? value - limit : limit - value;

	*excess = (uint8_t)(by > 0 ? (by < 255 ? by : 255) : 0);
	*bit = by > 0 ? (uint8_t)polarity : 0;
	return by > 0;
}

static void mark_all(const struct vd_image *image, int limit, enum vd_polarity polarity,
		     struct vd_excess *excess)
{
	for (int y = 0; y < image->height; y++) {
		const uint8_t *row = vd_image_row(image, y);
		uint8_t *by = vd_image_row(&excess->excess, y);
		uint8_t *bits = vd_image_row(&excess->bits, y);
		bool any = false;

		for (int x = 0; x < image->width; x++)
			any |= mark(row[x], limit, polarity, &by[x], &bits[x]);
		excess->any[y] = any;
	}
}

static int clamp(int value, int most)
{
	return value < 0 ? 0 : value > most ? most : value;
}

/* The window around a pixel, cut off at the border. */
struct window {
	const struct vd_integral *integral;
	int half, y0, y1;
};

static bool mark_local_row(const uint8_t *row, const struct window *window,
			   const struct vd_count_options *options, uint8_t *by, uint8_t *bits)
{
	const int offset = options->polarity == VD_BRIGHT ? options->level : -options->level;
	const int width = window->integral->width;
	bool any = false;

	for (int x = 0; x < width; x++) {
		const int x0 = clamp(x - window->half, width);
		const int x1 = clamp(x + window->half + 1, width);
		const int n = (x1 - x0) * (window->y1 - window->y0);
		const int sum =
			(int)vd_integral_sum(window->integral, x0, window->y0, x1, window->y1);
		const int far = (row[x] - offset) * n - sum;

		by[x] = bits[x] = 0;
		/* Most pixels are settled without a division. */
		if (options->polarity == VD_BRIGHT ? far > 0 : far < n)
			any |= mark(row[x], (sum + n / 2) / n + offset, options->polarity, &by[x],
				    &bits[x]);
	}
	return any;
}

static int mark_local(const struct vd_image *image, const struct vd_count_options *options,
		      struct vd_count_work *work)
{
	struct window window = { &work->integral, options->window_px / 2, 0, 0 };
	int r = vd_integral_measure(&work->integral, image);

	for (int y = 0; r == 0 && y < image->height; y++) {
		window.y0 = clamp(y - window.half, image->height);
		window.y1 = clamp(y + window.half + 1, image->height);
		work->excess.any[y] = mark_local_row(vd_image_row(image, y), &window, options,
						     vd_image_row(&work->excess.excess, y),
						     vd_image_row(&work->excess.bits, y));
	}
	return r;
}

static int threshold(const struct vd_image *image, const struct vd_count_options *options,
		     struct vd_count_work *work, int *ret_threshold)
{
	int level = options->level;

	*ret_threshold = -1;
	if (options->threshold == VD_THRESHOLD_LOCAL)
		return mark_local(image, options, work);
	if (options->threshold == VD_THRESHOLD_OTSU) {
		const bool is_plain = vd_threshold_otsu(image, &level) < options->level;

		/* Of the two classes, the darker one reaches up to and including level. */
		level += options->polarity == VD_DARK ? 1 : 0;
		if (is_plain)
			level = options->polarity == VD_DARK ? 0 : 255;
	}
	*ret_threshold = level;
	mark_all(image, level, options->polarity, &work->excess);
	return 0;
}

/* ---- filters ---- */

static bool passes(const struct vd_defect *object, const struct vd_count_options *options)
{
	return object->area_px >= options->area_min && object->area_px <= options->area_max &&
	       object->circularity >= options->circularity_min &&
	       object->aspect <= options->aspect_max;
}

static void filter(struct vd_objects *objects, const struct vd_count_options *options)
{
	struct vd_blobs *blobs = &objects->blobs;
	const size_t found = blobs->count;

	blobs->count = 0;
	blobs->area_px = 0;
	for (size_t i = 0; i < found; i++) {
		const struct vd_defect object = blobs->defects[i];

		if (!passes(&object, options))
			continue;
		blobs->defects[blobs->count++] = object;
		blobs->area_px += object.area_px;
	}
	blobs->score = blobs->count ? blobs->defects[0].score : 0;
	objects->left_out = (int)(found - blobs->count);
}

int vd_count_find(const struct vd_image *image, const struct vd_count_options *options,
		  struct vd_count_work *work, struct vd_objects *ret_objects)
{
	const struct vd_blob_options blobs = { .open_px = options->open_px,
					       .min_area_px = 1,
					       .polarity = options->polarity };
	struct vd_objects objects = { .threshold = 0 };
	int r;

	if (options->polarity == VD_BRIGHT_AND_DARK || options->window_px < 3 ||
	    options->window_px > 1023)
		return -EINVAL;
	r = vd_excess_shape(&work->excess, image->width, image->height);
	if (r == 0)
		r = threshold(image, options, work, &objects.threshold);
	if (r == 0)
		r = vd_blobs_find(&work->excess, NULL, &blobs, &objects.blobs);
	if (r < 0)
		return r;
	if (objects.blobs.is_crowded) {
		vd_blobs_fini(&objects.blobs);
		return -EOVERFLOW;
	}
	filter(&objects, options);
	*ret_objects = objects;
	return 0;
}
