/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/highlight.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "modules/vision/kernels.h"
#include "modules/vision/warp.h"

enum { WHITE = 255 };

struct review {
	const struct vd_band *band;
	const struct vd_image *image;
	struct vd_excess *excess;
	uint16_t *gains; /* of the row at hand */
};

static int clamp(int v, int most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

/* The 3 x 3 pixels around one, each as it may have been under the lamp that was learnt. */
struct spot {
	int pixels[3][3]; /* 1/VD_GAIN_ONE grey level */
	bool is_clipped;  /* one of them, here or there */
};

static struct spot spot_at(const struct vd_image *image, int x, int y, int gain, bool is_dark)
{
	struct spot spot = { .is_clipped = false };

	for (int j = 0; j < 3; j++) {
		const uint8_t *row = vd_image_row(image, clamp(y + j - 1, image->height - 1));

		for (int i = 0; i < 3; i++) {
			const int v = row[clamp(x + i - 1, image->width - 1)];
			const int lit = is_dark && v >= VD_CLIPPED ? WHITE * VD_GAIN_ONE : v * gain;

			spot.pixels[j][i] = clamp(lit, WHITE * VD_GAIN_ONE);
			spot.is_clipped |= spot.pixels[j][i] != v * gain;
		}
	}
	return spot;
}

static uint8_t soften(const struct spot *spot, int phase_x, int phase_y)
{
	int64_t sum = 0;

	for (int j = 0; j < 3; j++) {
		for (int i = 0; i < 3; i++)
			sum += (int64_t)vd_soft_weight(phase_y, j - 1) *
			       vd_soft_weight(phase_x, i - 1) * spot->pixels[j][i];
	}
	return (uint8_t)clamp(
		(int)((sum / (VD_BLEND_ONE * VD_BLEND_ONE) + VD_GAIN_ONE / 2) / VD_GAIN_ONE),
		WHITE);
}

static void review_pixel(const struct review *review, int x, int y, double u, double v)
{
	const int at_x = (int)floor(u * VD_BLEND_ONE) + VD_BLEND_ONE / 2;
	const int at_y = (int)floor(v * VD_BLEND_ONE) + VD_BLEND_ONE / 2;
	uint8_t *excess = vd_image_row(&review->excess->excess, y) + x;
	uint8_t *bits = vd_image_row(&review->excess->bits, y) + x;
	const struct spot spot = spot_at(review->image, at_x / VD_BLEND_ONE, at_y / VD_BLEND_ONE,
					 review->gains[x], *bits == VD_DARK);
	int value, beyond;

	if (!spot.is_clipped)
		return;
	value = soften(&spot, at_x & (VD_BLEND_ONE - 1), at_y & (VD_BLEND_ONE - 1));
	beyond = *bits == VD_BRIGHT ? value - vd_image_row(&review->band->upper, y)[x]
				    : vd_image_row(&review->band->lower, y)[x] - value;
	if (beyond >= *excess)
		return;
	*excess = (uint8_t)(beyond > 0 ? beyond : 0);
	if (*excess == 0)
		*bits = 0;
}

/* From the left end to the right one positions change evenly. */
static void review_row(const struct review *review, const struct vd_pose *pose,
		       struct vd_rect where, int y)
{
	const uint8_t *excess = vd_image_row(&review->excess->excess, y);
	double x0, y0, x1, y1;

	vd_pose_map(pose, where.x, where.y + y, &x0, &y0);
	vd_pose_map(pose, where.x + 1, where.y + y, &x1, &y1);
	for (int x = 0; x < where.width; x++) {
		const double u = x0 + x * (x1 - x0), v = y0 + x * (y1 - y0);

		if (excess[x] > 0 && u >= 0 && v >= 0)
			review_pixel(review, x, y, u, v);
	}
}

int vd_highlights_review(const struct vd_band *band, const struct vd_image *image,
			 const struct vd_pose *pose, struct vd_rect where,
			 struct vd_band_work *work)
{
	VD_CLEANUP(vd_free) uint16_t *gains = malloc((size_t)where.width * sizeof *gains);
	const struct review review = { band, image, &work->excess, gains };
	int r = gains ? 0 : -ENOMEM;

	for (int y = 0; r == 0 && y < where.height; y++) {
		if (!work->excess.any[y])
			continue;
		r = vd_gains_row(&work->gains, y, where.width, gains);
		if (r == 0)
			review_row(&review, pose, where, y);
	}
	return r;
}
