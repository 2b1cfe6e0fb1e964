/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/backroom.h"

/*
 * Small pictures for somebody who adjusts a camera, for a while. One is made at a time, at the
 * lowest priority, of a frame that comes by anyway; one that comes while the last is not yet made
 * and taken by the agent is passed over. On the loop.
 *
 * The newest can be asked for by a call, which leaves nothing behind anywhere. Each is published
 * besides, without attachment, so that without a route nothing touches a disk, and never more
 * than VD_PREVIEW_BYTES_IN_ALL.
 */
enum { VD_PREVIEW_BYTES = 40000, VD_PREVIEW_BYTES_IN_ALL = 16 << 20 };

struct vd_preview;

struct vd_preview_wish {
	uint64_t duration_ms; /* 0: end it */
	uint32_t period_us;
	int width;
};

VD_MUST int vd_preview_new(const struct vd_backroom *room, struct vd_preview **ret_preview);
struct vd_preview *vd_preview_free(struct vd_preview *preview); /* before the sideline */

/* A running one goes on as the new wish says. -errno. */
VD_MUST int vd_preview_begin(struct vd_preview *preview, const struct vd_preview_wish *wish);

bool vd_preview_wants(const struct vd_preview *preview, uint64_t now_us); /* a frame now? */
void vd_preview_shot(struct vd_preview *preview, struct vd_shot *shot);
uint32_t vd_preview_period_us(const struct vd_preview *preview); /* 0: none is on */

/* {"state","frames","skipped",…}; NULL: no memory. */
cJSON *vd_preview_status(const struct vd_preview *preview);

/* Of the newest picture, borrowed; NULL: none newer than that number. */
const cJSON *vd_preview_newest(const struct vd_preview *preview, uint64_t after);
