/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "agent/ipc/pool.h"
#include "base/json.h"

/* What a `frame` packet claims, once it is known to be true of the pool. */
struct vd_frame_claim {
	unsigned slot, width, height, stride;
	int64_t bytes;
	const char *format; /* inside the packet */
	uint64_t seq, t_mono_ms;
};

enum { VD_FRAME_SIDE_PX = 65535 };

/*
 * Checks a packet from another process against the pool it speaks of (NULL: it sent none): the
 * bytes lie in the slot; sides are 1 to VD_FRAME_SIDE_PX for "grey", where stride x height
 * bytes are there, and 0 to that for other formats. -EINVAL with 400 in fault.
 */
VD_MUST int vd_frame_check(const cJSON *packet, const struct vd_pool_view *view,
			   struct vd_frame_claim *ret_claim, struct vd_fault *fault);
