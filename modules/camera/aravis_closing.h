/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "modules/camera/aravis_library.h"

/*
 * Closing a camera that does not answer any more takes Aravis ten seconds, in which no capture
 * could be told that it failed. So it is done aside, in a thread of its own.
 */
struct vd_aravis_closing;

/* What is given up. done_fd is the stream's thread's to write to, -1: none; stream may be NULL. */
struct vd_aravis_ends {
	const struct vd_aravis *arv;
	struct _ArvCamera *camera;
	struct _ArvStream *stream;
	int done_fd;
};

void vd_aravis_close(const struct vd_aravis_ends *ends);

/* The same, aside. NULL: there was no memory for it, and they are closed now. */
struct vd_aravis_closing *vd_aravis_close_aside(const struct vd_aravis_ends *ends);

/* Has it ended? A NULL has. */
bool vd_aravis_closing_ended(const struct vd_aravis_closing *closing);

/* Waits for nothing: what has not ended ends by itself. Returns NULL. */
struct vd_aravis_closing *vd_aravis_closing_free(struct vd_aravis_closing *closing);
