/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/vision/band.h"
#include "modules/vision/blob.h"
#include "modules/vision/locate.h"
#include "modules/vision/tiles.h"

/*
 * Golden template: one good image is the model. After tile-wise registration a pixel is
 * accepted if it lies between the darkest and the brightest of the template's pixels within
 * tolerance_px, widened by threshold grey levels.
 */
struct vd_golden_options {
	int tolerance_px;             /* 0 .. 16 */
	int threshold;                /* grey levels, 1 .. 255 */
	int window_px;                /* of the local normalisation, 0: none */
	struct vd_tile_options tiles; /* search_px 0: no local registration */
	struct vd_blob_options blobs;
};

/* What is used where a recipe says nothing. */
struct vd_golden_options vd_golden_defaults(void);

struct vd_golden;

/* Pixels are copied. -EINVAL: where is not inside image; -ENOMEM. */
VD_MUST int vd_golden_new(const struct vd_image *image, struct vd_rect where,
			  const struct vd_golden_options *options, struct vd_golden **ret_golden);
struct vd_golden *vd_golden_free(struct vd_golden *golden);
VD_DEFINE_CLEANUP(struct vd_golden, vd_golden_free)

/* Memory that serves one comparison after the other. Starts as { 0 }. */
struct vd_golden_work {
	struct vd_image window, registered;
	struct vd_field field;
	struct vd_band_work band;
};

void vd_golden_work_fini(struct vd_golden_work *work);

enum vd_golden_outcome {
	VD_GOLDEN_FOREIGN = 1, /* hardly a tile was found again: not this part, or not its place */
};

/*
 * Compares image, seen through pose, with the template. Defects' boxes are in the template's
 * region (add where.x, where.y for taught coordinates). 0; VD_GOLDEN_FOREIGN (no blobs);
 * -EINVAL the image does not cover the region; -ENOMEM.
 */
VD_MUST int vd_golden_compare(const struct vd_golden *golden, const struct vd_image *image,
			      const struct vd_pose *pose, struct vd_golden_work *work,
			      struct vd_blobs *ret_blobs);
