/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Normalised cross correlation of one patch at one place: what locate and the tile-wise
 * registration are made of. The patch points into an image that outlives it. Large patches are sampled at
 * every row_step-th row.
 */
struct vd_patch {
	const uint8_t *pixels;
	size_t stride;
	int width, height, row_step;
	int64_t samples, sum, squares;
};

/* samples_most bounds the cost of one comparison; where must lie inside image. */
struct vd_patch vd_patch_of(const struct vd_image *image, struct vd_rect where, int samples_most);

/* Variance of the patch's grey levels. */
double vd_patch_variance(const struct vd_patch *patch);

/* Correlation with image at (x, y), which must lie wholly inside; 0 where either is flat. */
double vd_patch_score(const struct vd_patch *patch, const struct vd_image *image, int x, int y);

struct vd_match {
	int x, y;
	double score;
};

/*
 * The best place not more than reach from (x, y) in either direction, where the patch fits.
 * pull lowers the score by pull * distance^2 in the choice (not in what is returned), so that a
 * patch of parallel lines stays where it is along them. score is -2 if nothing fits.
 */
struct vd_match vd_patch_search(const struct vd_patch *patch, const struct vd_image *image, int x,
				int y, int reach, double pull);

/* Vertex of the parabola through three equally spaced values, -0.5 .. 0.5; 0 if there is none. */
double vd_parabola_vertex(double before, double at, double after);

/*
 * Sub-pixel correction of a match by parabolas through its four neighbours, where the patch
 * fits there.
 */
void vd_patch_subpixel(const struct vd_patch *patch, const struct vd_image *image,
		       const struct vd_match *match, double *ret_x, double *ret_y);
