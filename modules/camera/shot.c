/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/shot.h"

#include <stdio.h>
#include <stdlib.h>

/* A buffer grows by doubling; a frame that stays gives the rest back. */
static void trim(struct vd_buf *bytes)
{
	char *data = bytes->len + 1 < bytes->capacity ? realloc(bytes->data, bytes->len + 1) : NULL;

	if (!data)
		return;
	bytes->data = data;
	bytes->capacity = bytes->len + 1;
}

struct vd_shot *vd_shot_take(struct vd_camera_event *event)
{
	struct vd_shot *shot = malloc(sizeof *shot);

	if (!shot)
		return NULL;
	*shot = (struct vd_shot){
		.frame = event->frame,
		.seq = event->request.seq,
		.trigger = event->request.trigger,
	};
	atomic_init(&shot->users, 1);
	(void)snprintf(shot->sha256, sizeof shot->sha256, "%s", event->sha256);
	(void)snprintf(shot->serial, sizeof shot->serial, "%s",
		       event->request.serial[0] ? event->request.serial : event->frame.serial);
	event->frame.bytes = (struct vd_buf){ 0 };
	trim(&shot->frame.bytes);
	return shot;
}

struct vd_shot *vd_shot_share(struct vd_shot *shot)
{
	atomic_fetch_add(&shot->users, 1);
	return shot;
}

struct vd_shot *vd_shot_free(struct vd_shot *shot)
{
	if (!shot || atomic_fetch_sub(&shot->users, 1) > 1)
		return NULL;
	vd_camera_frame_fini(&shot->frame);
	free(shot);
	return NULL;
}

size_t vd_shot_bytes(const struct vd_shot *shot)
{
	return sizeof *shot + shot->frame.bytes.len;
}
