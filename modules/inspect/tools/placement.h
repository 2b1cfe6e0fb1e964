/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/image/image.h"
#include "modules/vision/locate.h"

/*
 * Where an image lies in another one that it was made from: cropped, resized, turned, cut as a part
 * lies. Each of these can be undone, so that whatever is found in the image has a place in the
 * camera's frame. Pure. A point is in pixels from the outer corner of the first pixel.
 */
struct vd_placement {
	double xx, xy, x; /* x' = xx x + xy y + x */
	double yx, yy, y; /* y' = yx x + yy y + y */
};

struct vd_placement vd_placement_identity(void);

/* The image begins at (x, y) of the other one. */
struct vd_placement vd_placement_shift(double x, double y);

/* A pixel of the image is x by y pixels of the other one; both above 0. */
struct vd_placement vd_placement_scale(double x, double y);

/* The image is the other one, of width x height, turned clockwise by so many quarters, 0 to 3. */
struct vd_placement vd_placement_turn(int quarters, int width, int height);

/* The image shows what was taught where the pose has it in the other one. */
struct vd_placement vd_placement_pose(const struct vd_pose *pose);

/* First inner, then outer. */
struct vd_placement vd_placement_join(const struct vd_placement *outer,
				      const struct vd_placement *inner);

/* The way back. */
struct vd_placement vd_placement_back(const struct vd_placement *placement);

void vd_placement_map(const struct vd_placement *placement, double x, double y, double *ret_x,
		      double *ret_y);

/* The smallest upright box of whole pixels around what the box becomes; cut at 2^29. */
struct vd_rect vd_placement_box(const struct vd_placement *placement, struct vd_rect box);

/* Where an edited image lies in its camera's frame, and where it would if the part lay as taught. */
struct vd_place {
	struct vd_placement in_frame, as_taught;
	int frame_width, frame_height;
};
