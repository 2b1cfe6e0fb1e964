/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "modules/image/image.h"
#include "modules/image/libjpeg.h"

/*
 * Private to this folder. Between two restart markers the entropy-coded data of a JPEG stand on
 * their own, so that the parts which a region needs make a smaller JPEG, whose pixels are those of
 * the large one to the bit.
 */
struct vd_excerpt {
	struct vd_buf bytes; /* the smaller JPEG */
	int x, y;            /* where in the whole its top left corner stands */
	int lines;           /* to be read of it: then damage in what is wanted has shown */
};

enum vd_excerpt_outcome {
	VD_EXCERPT_NONE = 1, /* no restart markers, or in places that do not suit */
	VD_EXCERPT_BROKEN =
		2, /* markers missing, repeated or out of order, or the end is missing */
};

/*
 * cinfo: after jpeg_read_header of these bytes by jpeg_mem_src. region: inside the picture. All of
 * the file is walked, marker by marker. excerpt starts as { 0 }; free its bytes whatever is
 * returned. 0; VD_EXCERPT_NONE or _BROKEN with nothing of use in it; -ENOMEM.
 */
VD_MUST int vd_excerpt_cut(const struct jpeg_decompress_struct *cinfo, const void *bytes,
			   size_t len, struct vd_rect region, struct vd_excerpt *excerpt);
