/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/shot.h"

/*
 * The last frames, in memory: at most so many, so old and so large together, whichever bound is
 * met first. Pure: time is that of the frames. Starts as `= { 0 }`, a ring for no frame.
 */
struct vd_ring_limits {
	size_t frames; /* 0: none is held */
	uint64_t age_ms;
	size_t bytes;
};

struct vd_ring {
	struct vd_ring_limits limits;
	struct vd_shot **shots; /* limits.frames places */
	size_t first, count, bytes;
	uint64_t too_large; /* frames above the bound of bytes by themselves */
};

/* The newest frames within the new bounds stay. -ENOMEM: all is as before. */
VD_MUST int vd_ring_limit(struct vd_ring *ring, const struct vd_ring_limits *limits);

/* Shares the shot and lets go of what is out of bounds then. */
void vd_ring_put(struct vd_ring *ring, struct vd_shot *shot);

/* Lets go of what is older than age_ms. */
void vd_ring_expire(struct vd_ring *ring, uint64_t now_ms);

struct vd_shot *vd_ring_at(const struct vd_ring *ring, size_t i); /* borrowed; 0 is the oldest */
uint64_t vd_ring_span_ms(const struct vd_ring *ring);
void vd_ring_fini(struct vd_ring *ring);
