/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Position adjustment: where does the taught patch lie in this image? Normalised cross
 * correlation (invariant to a linear change of lighting) over a pyramid 1/4, 1/2, 1; then
 * sub-pixel by a parabola and Gauss-Newton steps on the patch's gradient.
 * All sums are integers: the same image gives the same pose on every machine.
 */

/*
 * From taught coordinates to the image's: x' = R(angle) (x - cx) + cx + dx, likewise y.
 * Angle in degrees, positive from the x axis towards the y axis (clockwise on the screen).
 */
struct vd_pose {
	double cx, cy;
	double dx, dy;
	double angle_deg;
	double score; /* correlation at the place found, -1 .. 1 */
};

void vd_pose_map(const struct vd_pose *pose, double x, double y, double *ret_x, double *ret_y);

/* Taught position, no shift. */
struct vd_pose vd_pose_identity(void);

struct vd_locate_options {
	int search_px;    /* how far in x and y, 1 .. 512 */
	double angle_deg; /* how far to both sides; 0: no rotation */
	double min_score; /* below: not located */
};

struct vd_locator;

/*
 * Teaches the patch `where` of image; pixels are copied. -EINVAL: where is not inside the image
 * or smaller than 16 x 16; -ENODATA: the patch has no texture to hold on to; -ENOMEM.
 */
VD_MUST int vd_locator_new(const struct vd_image *image, struct vd_rect where,
			   const struct vd_locate_options *options,
			   struct vd_locator **ret_locator);

/* Says where the patch stands in the taught frame, if image was only a cut-out of it. */
void vd_locator_place(struct vd_locator *locator, int x, int y);

struct vd_locator *vd_locator_free(struct vd_locator *locator);
VD_DEFINE_CLEANUP(struct vd_locator, vd_locator_free)

enum vd_locate_outcome {
	VD_NOT_LOCATED = 1, /* the best score is below min_score; ret_pose says where it was */
};

/* 0 located, VD_NOT_LOCATED, -EINVAL image too small for the patch, -ENOMEM. */
VD_MUST int vd_locator_find(const struct vd_locator *locator, const struct vd_image *image,
			    struct vd_pose *ret_pose);
