/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/buf.h"
#include "modules/image/image.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/tools/rig.h"

/*
 * The picture an operator looks at: the frame at half size, the regions of the steps, a box around
 * each defect, the verdict and its reasons in the corner; as JPEG.
 */
struct vd_overlay {
	const struct vd_image *frame; /* grey */
	const struct vd_recipe *recipe;
	int camera;
	const struct vd_step_result *results; /* one a step of the recipe */
	enum vd_verdict verdict;
	const char *const *reasons;
	int reason_count;
};

/* Appends the JPEG. -ENOMEM, -EINVAL. */
VD_MUST int vd_overlay_encode(const struct vd_overlay *overlay, int quality, struct vd_buf *out);

struct vd_colour {
	uint8_t red, green, blue;
};

/* The outline of box, thickness pixels towards the outside, clipped to the RGB image. */
void vd_draw_box(struct vd_image *image, struct vd_rect box, int thickness,
		 struct vd_colour colour);

/* A line of text, 6 x 8 pixels a character times scale, on a dark ground; clipped. ASCII. */
void vd_draw_text(struct vd_image *image, int x, int y, int scale, const char *text,
		  struct vd_colour colour);
