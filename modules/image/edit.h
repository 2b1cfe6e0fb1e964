/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Operations on decoded images, grey or RGB. What they make is shaped into out, another image than
 * the one they read, whose memory is used again. Areas are clipped to the image: one pixel, or a
 * list of none, is an area or list like any other. On failure out holds nothing of use; -ENOMEM.
 */

/* What of the area lies inside the image. -ERANGE: nothing. */
VD_MUST int vd_image_crop(const struct vd_image *image, struct vd_rect area, struct vd_image *out);

/*
 * How a pixel of another size is made: of the nearest one; or of all around, weighed by a triangle
 * or by Lanczos' kernel of three lobes, which widen with the scale when the image shrinks, so that
 * nothing between the samples is lost. Integer arithmetic: the same bits on each machine.
 */
enum vd_resample { VD_NEAREST, VD_BILINEAR, VD_LANCZOS };

/* -EINVAL: a side below 1 or above 16384. No more memory than for what is larger, image or out. */
VD_MUST int vd_image_resize(const struct vd_image *image, int width, int height,
			    enum vd_resample resample, struct vd_image *out);

/* Luminance as JPEG has it (BT.601), or grey three times; a copy if it is so already. */
VD_MUST int vd_image_to_grey(const struct vd_image *image, struct vd_image *out);
VD_MUST int vd_image_to_rgb(const struct vd_image *image, struct vd_image *out);

/* Clockwise by so many quarters of a turn; negative: the other way. */
VD_MUST int vd_image_turn(const struct vd_image *image, int quarters, struct vd_image *out);

/*
 * Makes each area unrecognisable, in place: three means over a third of its width and height in
 * turn, from pixels of the area alone, so that nothing of it shows outside and no outline stays.
 */
VD_MUST int vd_image_blur(struct vd_image *image, const struct vd_rect *areas, size_t count);

/* The part of the area inside the image; width 0: none. */
struct vd_rect vd_image_clip(const struct vd_image *image, struct vd_rect area);
