/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/vision/locate.h"

/*
 * Sampling at 1/64 pixel, bilinear unless said. What lies outside the image is the nearest pixel of its
 * border; use vd_warp_inside where that must not be judged.
 */

/* One row of n samples at (x, y), (x + 1, y) ...; scratch: 2 * (n + 1) bytes. */
void vd_warp_row(const struct vd_image *image, double x, double y, int n, uint8_t *out,
		 uint8_t *scratch);

/*
 * Soft sampling (kernels.h) of rows of n samples that begin at the same x and follow each other from
 * top to bottom: each row of the image is taken across once. The image is borrowed until
 * vd_sampler_fini. Starts as { 0 }.
 */
struct vd_sampler {
	const struct vd_image *image;
	int n, x, phase;
	int y[3]; /* which rows across holds */
	uint16_t *across[3];
	uint8_t *edge;
};

/* Three rows for vd_row_down, and their phase. */
struct vd_triple {
	const uint16_t *above, *middle, *below;
	int phase;
};

VD_MUST int vd_sampler_init(struct vd_sampler *sampler, const struct vd_image *image, double x,
			    int n);
void vd_sampler_fini(struct vd_sampler *sampler);

VD_UNUSED static inline void vd_sampler_fini_p(struct vd_sampler *sampler)
{
	vd_sampler_fini(sampler);
}

/* What the row at y is put together from, until the next call. */
struct vd_triple vd_sampler_take(struct vd_sampler *sampler, double y);

/* out (shaped here) = the region where (in taught coordinates) of image as the pose has it. */
VD_MUST int vd_warp(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
		    struct vd_image *out);

/* The same by soft sampling: what is compared with a learnt model, and what it is learnt from. */
VD_MUST int vd_warp_soft(const struct vd_image *image, const struct vd_pose *pose,
			 struct vd_rect where, struct vd_image *out);

/* Does the whole region lie inside the image, to within a pixel? */
bool vd_warp_inside(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where);

/* out (shaped here) = image at half size: means of 2 x 2; an odd last row or column is left out. */
VD_MUST int vd_image_halve(const struct vd_image *image, struct vd_image *out);
