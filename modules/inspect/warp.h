/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/inspect/locate.h"

/*
 * Bilinear sampling at 1/64 pixel. What lies outside the image is the nearest pixel of its
 * border; use vd_warp_inside where that must not be judged.
 */

/* One row of n samples at (x, y), (x + 1, y) ...; scratch: 2 * (n + 1) bytes. */
void vd_warp_row(const struct vd_image *image, double x, double y, int n, uint8_t *out,
		 uint8_t *scratch);

/* out (shaped here) = the region where (in taught coordinates) of image as the pose has it. */
VD_MUST int vd_warp(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
		    struct vd_image *out);

/* Does the whole region lie inside the image, to within a pixel? */
bool vd_warp_inside(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where);

/* out (shaped here) = image at half size: means of 2 x 2; an odd last row or column is left out. */
VD_MUST int vd_image_halve(const struct vd_image *image, struct vd_image *out);
