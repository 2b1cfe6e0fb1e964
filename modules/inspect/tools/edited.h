/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "modules/image/edit.h"
#include "modules/image/image.h"
#include "modules/inspect/tools/placement.h"

/*
 * An image that a step makes of a camera's frame, or of another such image, by a list of operations
 * (modules/image/edit.h). What it is made of stays as it is.
 */
enum vd_edit_kind { VD_EDIT_CROP, VD_EDIT_RESIZE, VD_EDIT_ROTATE, VD_EDIT_BLUR, VD_EDIT_GREY };

enum {
	VD_EDITS_MOST = 16,
	VD_EDIT_AREAS_MOST = 16,
	VD_EDIT_PIXELS_MOST = 1 << 24 /* that a resize may make */
};

/* Areas and sizes are in pixels of the image that the operations before it have made. */
struct vd_edit {
	enum vd_edit_kind kind;
	struct vd_rect area; /* VD_EDIT_CROP */
	int width, height;   /* VD_EDIT_RESIZE */
	enum vd_resample resample;
	int quarters;                             /* VD_EDIT_ROTATE: clockwise, 1 to 3 */
	struct vd_rect areas[VD_EDIT_AREAS_MOST]; /* VD_EDIT_BLUR */
	int area_count;
};

struct vd_edited {
	struct vd_image grey;
	struct vd_image colour; /* RGB; of no use unless has_colour */
	bool has_colour;
	struct vd_place place;
};

void vd_edited_fini(struct vd_edited *edited);

/* Memory that is used again, from image to image. Starts as { 0 }. */
struct vd_edit_work {
	struct vd_image spare, plane, moved;
};

void vd_edit_work_fini(struct vd_edit_work *work);

/* What an image is made of; all of it is borrowed. */
struct vd_edit_source {
	const struct vd_image *grey;
	const struct vd_image *colour; /* NULL: none */
	const struct vd_place *place;  /* NULL: it is the frame itself */
	const struct vd_pose *pose; /* the first operation is a crop, as the part lies; NULL: not */
};

/*
 * Colours stay unless an operation takes them. A crop is clipped to the image, but not one with a
 * pose: that region must be there whole. -ERANGE: nothing of a crop lies inside, or not all of it;
 * -ENOMEM. On failure out holds nothing of use.
 */
VD_MUST int vd_edit(const struct vd_edit *edits, int count, const struct vd_edit_source *source,
		    struct vd_edit_work *work, struct vd_edited *out);

/* RGB channel by channel, as vd_warp does grey. -ENOMEM. */
VD_MUST int vd_warp_rgb(const struct vd_image *image, const struct vd_pose *pose,
			struct vd_rect where, struct vd_edit_work *work, struct vd_image *out);
