/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdatomic.h>

#include "modules/camera/worker.h"

/*
 * A frame that outlives its event: the ring, a keep, a clip and the preview share one, in
 * different threads, and the last of them frees it. Nothing but the count changes after it was
 * made.
 */
struct vd_shot {
	struct vd_camera_frame frame;
	uint64_t seq;                /* of the capture; 0: it was taken between two captures */
	char sha256[VD_SHA256_TEXT]; /* "": not computed */
	char serial[64];
	const char *trigger; /* static */
	atomic_uint users;
};

/* Moves the frame out of the event, which keeps the rest. NULL: no memory, the event keeps all. */
struct vd_shot *vd_shot_take(struct vd_camera_event *event);

struct vd_shot *vd_shot_share(struct vd_shot *shot);
struct vd_shot *vd_shot_free(struct vd_shot *shot); /* one user's end; NULL allowed */
VD_DEFINE_CLEANUP(struct vd_shot, vd_shot_free)

/* What it costs in memory. */
size_t vd_shot_bytes(const struct vd_shot *shot);
