/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/json.h"

/* A set of images and boxes in COCO's form, https://cocodataset.org/#format-data. Pure. */
struct vd_coco;

VD_MUST int vd_coco_new(struct vd_coco **ret_coco);
struct vd_coco *vd_coco_free(struct vd_coco *coco);
VD_DEFINE_CLEANUP(struct vd_coco, vd_coco_free)

struct vd_coco_image {
	const char *sha256, *file;
	int width, height;
	const char *device, *item, *verdict, *label, *time; /* NULL: not known */
};
bool vd_coco_has(const struct vd_coco *coco, const char *sha256);
/* Later boxes are of this one. -EEXIST: its digest is there. -ENOMEM. */
VD_MUST int vd_coco_add_image(struct vd_coco *coco, const struct vd_coco_image *image);

/*
 * A box {"x","y","width","height","label"?} of the last image, cut at its edges; what lies outside,
 * or is no box, is left out. category names it if it does not name itself. -ENOMEM.
 */
VD_MUST int vd_coco_add_box(struct vd_coco *coco, const cJSON *box, const char *category,
			    const char *source);

/* The whole; NULL: no memory. Borrowed. */
const cJSON *vd_coco_json(const struct vd_coco *coco);
