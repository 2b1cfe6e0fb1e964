/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/camera/source.h"

/*
 * How a picture looks, for the camera's health: a lens that went out of focus, a lamp that
 * failed, an exposure that drifted. Of luminance; figures compare only with those of the same scene.
 */
struct vd_camera_look {
	double mean;         /* 0 to 255 */
	double dark, bright; /* share of pixels at 5 and below, at 250 and above */
	double sharpness;    /* mean square of the 4-neighbour Laplacian */
	bool is_damaged;     /* the JPEG decoded with warnings */
};

/* -EBADMSG: does not decode. -ENOMEM, -EINVAL. */
VD_MUST int vd_camera_look(const struct vd_camera_frame *frame, struct vd_camera_look *ret_look);
