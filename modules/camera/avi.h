/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/*
 * A film of JPEGs, as they are: Motion JPEG in AVI 1.0 with its index (Microsoft, "AVI RIFF File
 * Reference"). The frame rate is constant; a place on the time line without a frame is an empty
 * chunk, at which players go on to show the frame before. libavformat would do the same with
 * twenty libraries behind it; the format is 250 bytes of header and 16 a frame.
 */
enum { VD_AVI_BYTES = 1 << 30 }; /* AVI 1.0 readers count with 31 bits */

struct vd_avi {
	int fd; /* the caller's */
	uint32_t width, height, period_us;
	uint32_t places; /* on the time line, empty ones too */
	uint32_t largest;
	uint64_t bytes;
	struct vd_buf index;
};

/* Writes the head into an empty file. Each function: -errno; -EFBIG: above VD_AVI_BYTES. */
VD_MUST int vd_avi_begin(struct vd_avi *avi, int fd, uint32_t width, uint32_t height,
			 uint32_t period_us);
VD_MUST int vd_avi_add(struct vd_avi *avi, const void *jpeg, size_t len); /* 0: an empty place */

/* What the file grows by in all: by such a frame now and by the index at the end. */
size_t vd_avi_cost(size_t len);

/*
 * Writes index and sizes and syncs: before, the file is no film. A failed vd_avi_add before it
 * does no harm: the file ends with the last whole frame.
 */
VD_MUST int vd_avi_end(struct vd_avi *avi);
void vd_avi_fini(struct vd_avi *avi);
