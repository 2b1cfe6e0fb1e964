/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/shot.h"

/*
 * Frames as pictures that every browser shows. Appended to out. -EBADMSG, -EINVAL: the frame is
 * no picture; -ENOMEM.
 */

/* A JPEG as it is, with the Huffman tables that a camera left out; luminance is encoded. */
VD_MUST int vd_still_whole(const struct vd_camera_frame *frame, struct vd_buf *out);

struct vd_still_size {
	int width, height;
	bool is_damaged;
};

/*
 * Encoded anew, not wider than width where that takes no more than an eighth of the picture's,
 * in at most most_bytes: at lower quality, then smaller, when it must. -E2BIG: not even then.
 */
VD_MUST int vd_still_small(const struct vd_camera_frame *frame, int width, size_t most_bytes,
			   struct vd_buf *out, struct vd_still_size *ret_size);
