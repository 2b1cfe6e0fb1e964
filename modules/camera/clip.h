/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/backroom.h"

/*
 * A film of what the camera sees, for a while, one at a time: clip.avi with the JPEGs bit for bit,
 * and index.json with the true time of each. On the loop; the writing is the sideline's.
 *
 *     idle ──begin──▶ recording ──time is up, lost, full──▶ finishing ──written──▶ idle
 */
struct vd_clip;

enum vd_clip_state { VD_CLIP_IDLE, VD_CLIP_RECORDING, VD_CLIP_FINISHING };

struct vd_clip_wish {
	uint64_t duration_ms;
	uint32_t period_us; /* of the film; frames that come faster are left out */
	uint64_t most_bytes;
};

VD_MUST int vd_clip_new(const struct vd_backroom *room, struct vd_clip **ret_clip);
/* A film under way is ended with what it has. Before the sideline is freed. */
struct vd_clip *vd_clip_free(struct vd_clip *clip);

/* 0 with its name; a status as in HTTP with fault: 409 one is being made, 507 no place. */
VD_MUST int vd_clip_begin(struct vd_clip *clip, const struct vd_clip_wish *wish,
			  char name[static VD_ARCHIVE_NAME], struct vd_fault *fault);

void vd_clip_shot(struct vd_clip *clip, struct vd_shot *shot);
void vd_clip_end(struct vd_clip *clip, const char *text); /* early; text is static */
uint32_t vd_clip_period_us(const struct vd_clip *clip);   /* while recording, else 0 */
