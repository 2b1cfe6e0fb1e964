/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Immerkaer's mask is the difference of two Laplacians: blind to planes and straight edges, so
 * that what is left is noise. Variance rather than mean square of the Laplacian: a vignette
 * does not count as sharpness.
 */
#include "modules/vision/focus.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>

enum { DARK = 5, BRIGHT = 250 };

static void measure_levels(const struct vd_image *image, struct vd_focus *focus)
{
	const double pixels = (double)image->width * image->height;
	uint64_t sum = 0, dark = 0, bright = 0;

	for (int y = 0; y < image->height; y++) {
		const uint8_t *row = vd_image_row(image, y);
		uint32_t row_sum = 0, row_dark = 0, row_bright = 0;

		for (int x = 0; x < image->width; x++) {
			row_sum += row[x];
			row_dark += row[x] <= DARK;
			row_bright += row[x] >= BRIGHT;
		}
		sum += row_sum;
		dark += row_dark;
		bright += row_bright;
	}
	focus->mean = (double)sum / pixels;
	focus->dark = (double)dark / pixels;
	focus->bright = (double)bright / pixels;
}

struct detail {
	int64_t sum, squares; /* of the Laplacian */
	int64_t rough;        /* of the noise mask's magnitude */
};

/* up, row, down start one pixel to the left of the first that is looked at. */
static void add_row(const uint8_t *up, const uint8_t *row, const uint8_t *down, int n,
		    struct detail *detail)
{
	for (int from = 0; from < n; from += 1024) {
		const int to = n - from < 1024 ? n : from + 1024;
		int32_t sum = 0, squares = 0, rough = 0;

		for (int x = from; x < to; x++) {
			const int ring = up[x + 1] + down[x + 1] + row[x] + row[x + 2];
			const int corners = up[x] + up[x + 2] + down[x] + down[x + 2];
			const int laplacian = 4 * row[x + 1] - ring;
			const int mask = corners - 2 * ring + 4 * row[x + 1];

			sum += laplacian;
			squares += laplacian * laplacian;
			rough += mask < 0 ? -mask : mask;
		}
		detail->sum += sum;
		detail->squares += squares;
		detail->rough += rough;
	}
}

int vd_focus_measure(const struct vd_image *image, struct vd_focus *ret_focus)
{
	struct detail detail = { 0 };
	struct vd_focus focus;
	double n, mean;

	if (image->width < 3 || image->height < 3)
		return -EINVAL;
	measure_levels(image, &focus);
	for (int y = 1; y + 1 < image->height; y++)
		add_row(vd_image_row(image, y - 1), vd_image_row(image, y),
			vd_image_row(image, y + 1), image->width - 2, &detail);
	n = (double)(image->width - 2) * (image->height - 2);
	mean = (double)detail.sum / n;
	focus.sharpness = (double)detail.squares / n - mean * mean;
	focus.noise = sqrt(M_PI / 2) * (double)detail.rough / (6 * n);
	*ret_focus = focus;
	return 0;
}
