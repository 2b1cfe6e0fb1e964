/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <limits.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Images on their way to the hub. Each is handed out once there is none before it: alarms' first,
 * then those of parts that are not good, then the others; the oldest first within. What became of
 * it is told with vd_upload_ended, in the loop's thread as everything here, and committed with the
 * next transaction: an image of which nothing was told when the agent ended is handed out again.
 */
struct vd_store;

enum vd_image_state {
	VD_IMAGE_WAITING,
	VD_IMAGE_UPLOADED,
	VD_IMAGE_REFUSED, /* for good: by the hub, or it is not what it was */
	VD_IMAGE_LOST,    /* evicted before the hub had it */
};
enum { VD_IMAGE_STATES = VD_IMAGE_LOST + 1 };

struct vd_image_count {
	uint64_t count, bytes;
};

enum { VD_BLOB_BYTES = 192 };
struct vd_upload {
	int64_t id;
	char sha256[65];
	char blob[VD_BLOB_BYTES]; /* <date>/<bootId>-<seq>-<attachment>-<sha256, 8 digits>.<ext> */
	char media_type[64];
	uint64_t bytes;
	char path[PATH_MAX];
};

/* 1: ret_upload is the next one; 0: there is none yet, on_image follows when there is. */
VD_MUST int vd_upload_next(struct vd_store *store, struct vd_upload *ret_upload);

/* UPLOADED or REFUSED; an image that was evicted meanwhile stays what it was. */
void vd_upload_ended(struct vd_store *store, int64_t id, enum vd_image_state state);
