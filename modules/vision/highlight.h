/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/vision/band.h"
#include "modules/vision/locate.h"

/*
 * A second look at what a comparison found around highlights. A sample is softened first and
 * normalised then, which is the same the other way round, but for what clips: a clipped pixel was
 * at least as bright as it looks, and one that gains too much would have clipped under the lamp
 * that was learnt. Else a lamp a little brighter, or darker, makes a defect of the rim of every
 * highlight. work: after the comparison of the region where of image, seen through pose; excess
 * and bits change. -ENOMEM.
 */
VD_MUST int vd_highlights_review(const struct vd_band *band, const struct vd_image *image,
				 const struct vd_pose *pose, struct vd_rect where,
				 struct vd_band_work *work);
