/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"

/*
 * How well a picture, or a part of it, can be judged: focus, exposure, noise. Figures compare
 * only with those of the same scene.
 */
struct vd_focus {
	double sharpness;    /* variance of the Laplacian (Pech-Pacheco et al. 2000) */
	double noise;        /* standard deviation, grey levels (Immerkaer 1996) */
	double mean;         /* grey level */
	double dark, bright; /* share of pixels at 5 and below, at 250 and above */
};

/* -EINVAL: smaller than 3 x 3. */
VD_MUST int vd_focus_measure(const struct vd_image *image, struct vd_focus *ret_focus);
