/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/vision/blob.h"
#include "modules/vision/integral.h"

/*
 * Stains on a surface without texture, without learning: the mean of a segment against those of
 * segments shifted by a quarter of its side; the largest minus the smallest of them is the stain
 * level (the method of Keyence's stain tool). Slow changes of lighting cancel out.
 */
enum vd_stain_direction { VD_STAIN_X = 1, VD_STAIN_Y = 2, VD_STAIN_XY = 3 };

struct vd_stain_options {
	int segment_px; /* side of a segment, 2 to 256 */
	int travel;     /* segments that are compared in a direction, 2 to 16 */
	enum vd_stain_direction direction;
	int level;       /* grey levels that are still no stain, 1 to 255 */
	int min_area_px; /* smaller stains are left out */
	int merge_px;    /* stains closer than this are one */
};

struct vd_stain_options vd_stain_defaults(void);

/* Memory that serves one image after the other. Starts as { 0 }. */
struct vd_stain_work {
	struct vd_integral integral;
	struct vd_image high, low, row;
	struct vd_excess excess;
};

void vd_stain_work_fini(struct vd_stain_work *work);

struct vd_stains {
	struct vd_blobs blobs; /* boxes in the image's pixels; excess is level above the limit */
	int level;             /* the largest one anywhere */
};

/* -EINVAL: the image is smaller than the segments that are compared. -ENOMEM. */
VD_MUST int vd_stain_find(const struct vd_image *image, const struct vd_stain_options *options,
			  struct vd_stain_work *work, struct vd_stains *ret_stains);
