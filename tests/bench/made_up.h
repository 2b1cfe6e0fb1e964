/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "modules/image/image.h"

/*
 * Pictures for benchmarks, made up: smooth waves and discs, with as much fine grain as wanted. The
 * same in each run.
 */
double made_up_noise(void); /* -0.5 .. 0.5 */

/* -ENOMEM. */
VD_MUST int made_up_picture(int width, int height, double grain, struct vd_image *out);

/* Another capture: a sub-pixel shift, fresh noise. -ENOMEM. */
VD_MUST int made_up_capture(const struct vd_image *image, double dx, double dy,
			    struct vd_image *out);

/* As a camera sends it: three components, 4:2:0, though grey in content. -ENOMEM. */
VD_MUST int made_up_encode(const struct vd_image *grey, struct vd_buf *out);
