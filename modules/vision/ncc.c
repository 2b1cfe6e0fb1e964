/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/ncc.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "modules/vision/kernels.h"

struct vd_patch vd_patch_of(const struct vd_image *image, struct vd_rect where, int samples_most)
{
	const int64_t area = (int64_t)where.width * where.height;
	struct vd_patch patch = {
		.pixels = vd_image_row(image, where.y) + where.x,
		.stride = image->stride,
		.width = where.width,
		.height = where.height,
		.row_step = (int)(area / samples_most) + 1,
	};

	for (int y = 0; y < patch.height; y += patch.row_step) {
		const uint8_t *row = patch.pixels + (size_t)y * patch.stride;
		struct vd_products sums = { 0 };

		vd_row_products(row, row, patch.width, &sums);
		patch.sum += sums.b;
		patch.squares += sums.bb;
		patch.samples += patch.width;
	}
	return patch;
}

double vd_patch_variance(const struct vd_patch *patch)
{
	const double n = (double)patch->samples, mean = (double)patch->sum / n;

	return (double)patch->squares / n - mean * mean;
}

double vd_patch_score(const struct vd_patch *patch, const struct vd_image *image, int x, int y)
{
	struct vd_products sums = { 0 };
	double n, together, own, other;

	for (int row = 0; row < patch->height; row += patch->row_step)
		vd_row_products(patch->pixels + (size_t)row * patch->stride,
				vd_image_row(image, y + row) + x, patch->width, &sums);
	n = (double)patch->samples;
	together = n * (double)sums.ab - (double)patch->sum * (double)sums.b;
	own = n * (double)patch->squares - (double)patch->sum * (double)patch->sum;
	other = n * (double)sums.bb - (double)sums.b * (double)sums.b;
	/* A quarter grey level of standard deviation is no texture. */
	if (own < n * n / 16 || other < n * n / 16)
		return 0;
	return together / sqrt(own) / sqrt(other);
}

static bool fits(const struct vd_patch *patch, const struct vd_image *image, int x, int y)
{
	return x >= 0 && y >= 0 && x + patch->width <= image->width &&
	       y + patch->height <= image->height;
}

struct vd_match vd_patch_search(const struct vd_patch *patch, const struct vd_image *image, int x,
				int y, int reach, double pull)
{
	struct vd_match best = { .x = x, .y = y, .score = -2 };
	double best_pulled = -1e9;

	for (int dy = -reach; dy <= reach; dy++) {
		for (int dx = -reach; dx <= reach; dx++) {
			double score, pulled;

			if (!fits(patch, image, x + dx, y + dy))
				continue;
			score = vd_patch_score(patch, image, x + dx, y + dy);
			pulled = score - pull * (dx * dx + dy * dy);
			if (pulled > best_pulled) {
				best = (struct vd_match){ x + dx, y + dy, score };
				best_pulled = pulled;
			}
		}
	}
	return best;
}

double vd_parabola_vertex(double before, double at, double after)
{
	const double curve = before - 2 * at + after, vertex = (before - after) / (2 * curve);

	if (!(curve < 0))
		return 0;
	return vertex > 0.5 ? 0.5 : vertex < -0.5 ? -0.5 : vertex;
}

static double vertex_along(const struct vd_patch *patch, const struct vd_image *image,
			   const struct vd_match *match, int step_x, int step_y)
{
	if (!fits(patch, image, match->x - step_x, match->y - step_y) ||
	    !fits(patch, image, match->x + step_x, match->y + step_y))
		return 0;
	return vd_parabola_vertex(
		vd_patch_score(patch, image, match->x - step_x, match->y - step_y), match->score,
		vd_patch_score(patch, image, match->x + step_x, match->y + step_y));
}

void vd_patch_subpixel(const struct vd_patch *patch, const struct vd_image *image,
		       const struct vd_match *match, double *ret_x, double *ret_y)
{
	*ret_x = match->x + vertex_along(patch, image, match, 1, 0);
	*ret_y = match->y + vertex_along(patch, image, match, 0, 1);
}
