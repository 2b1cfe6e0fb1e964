/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/backroom.h"
#include "modules/camera/ring.h"

/*
 * Frames from before and after something happened, out of the ring and onto the disk, bit for
 * bit. What is demanded while frames are being gathered joins them. One may be gathered while
 * another is written; more is refused. On the loop.
 */
struct vd_keep;

struct vd_keep_demand {
	uint64_t at_ms, before_ms, after_ms; /* monotonic: when it happened, and what around it */
	const char *by;                      /* "call", or the output of another module */
	const char *reason;                  /* "NG"; NULL: none */
	const char *item_id, *serial;        /* of the part; NULL: none */
};

VD_MUST int vd_keep_new(const struct vd_backroom *room, const struct vd_ring *ring,
			struct vd_keep **ret_keep);
/* What was gathered is written still. Before the sideline is freed. */
struct vd_keep *vd_keep_free(struct vd_keep *keep);

/* 0 with the name under which it will be found, or a status as in HTTP with fault. */
VD_MUST int vd_keep_want(struct vd_keep *keep, const struct vd_keep_demand *demand,
			 char name[static VD_ARCHIVE_NAME], struct vd_fault *fault);

void vd_keep_shot(struct vd_keep *keep, struct vd_shot *shot);

/* What the ring holds, and how often nothing was kept: {"frames","seconds","bytes",…}; NULL: no memory. */
cJSON *vd_keep_status(const struct vd_keep *keep);
