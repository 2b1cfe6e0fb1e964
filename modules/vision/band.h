/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/vision/blob.h"
#include "modules/vision/normalise.h"

/*
 * A band of accepted grey levels a pixel, and the comparison of a registered image with it:
 * what the golden template and the variation model have in common.
 */
struct vd_band {
	struct vd_image upper, lower;
	struct vd_image sigma; /* quarter grey levels; no pixels: 1 grey level everywhere */
	struct vd_cells cells; /* brightness of the ideal image, for normalisation */
	int window_px;         /* of normalisation; 0: none */
};

void vd_band_fini(struct vd_band *band);

/* Memory that serves one comparison after the other. Starts as { 0 }. */
struct vd_band_work {
	struct vd_cells cells;
	struct vd_gains gains; /* gains.mean of the last comparison, 1 without normalisation */
	struct vd_excess excess;
};

void vd_band_work_fini(struct vd_band_work *work);

/*
 * Leaves in work->excess where image, normalised, is outside the band. image must have the
 * band's shape: -EINVAL. -ENOMEM.
 */
VD_MUST int vd_band_compare(const struct vd_band *band, struct vd_image *image,
			    struct vd_band_work *work);

/*
 * The same for the part of image that begins at (x, y), fractions allowed, without an image in
 * between: rows are sampled, normalised and compared while they are in the cache.
 */
VD_MUST int vd_band_compare_at(const struct vd_band *band, const struct vd_image *image, double x,
			       double y, struct vd_band_work *work);
