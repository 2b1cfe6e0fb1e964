/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/vision/locate.h"

/*
 * The colour of a region against a taught one, as an eye would see the difference: sRGB
 * (IEC 61966-2-1) to CIELAB (D65), CIEDE2000 (Sharma, Wu and Dalal 2005). A camera's colours
 * are comparable under the same lighting and white balance only.
 */
struct vd_lab {
	double l, a, b;
};

struct vd_lab vd_lab_of_srgb(double r, double g, double b); /* 0 to 255 each */

/* CIEDE2000 with kL = kC = kH = 1. */
double vd_lab_difference(const struct vd_lab *x, const struct vd_lab *y);

/*
 * The colour of the mean light of a region (in taught coordinates) of an RGB image, as the pose
 * has it, nearest pixels. -EINVAL: not VD_RGB; -ERANGE: the region is not inside the image.
 */
VD_MUST int vd_colour_measure(const struct vd_image *image, const struct vd_pose *pose,
			      struct vd_rect where, struct vd_lab *ret_lab);
