/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Is the thing there? Correlation with a taught patch, whatever the lighting (normalised cross
 * correlation, Lewis 1995), and mean and spread of the grey levels, for things without a face.
 */
struct vd_presence {
	double score;        /* best correlation, -1 to 1; NaN: no patch, or nothing to compare */
	double mean, spread; /* of the region, without its margin */
	int dx, dy;          /* of the best place, px */
};

/* Has the patch texture to be found by? */
bool vd_presence_can_teach(const struct vd_image *patch);

/*
 * image: the region with margin px more on every side, within which the patch may lie. patch:
 * as large as the region, or NULL. -EINVAL: sizes that do not fit.
 */
VD_MUST int vd_presence_measure(const struct vd_image *image, int margin,
				const struct vd_image *patch, struct vd_presence *ret_presence);
