/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"
#include "modules/camera/aravis_closing.h"
#include "modules/camera/aravis_library.h"
#include "modules/camera/settings.h"

/* An open, streaming GenICam camera: found, set, read back. Private to the Aravis source. */
enum { VD_ARAVIS_BUFFERS = 4 };

struct vd_aravis_camera {
	const struct vd_aravis *arv;
	struct _ArvCamera *camera; /* NULL: closed */
	struct _ArvStream *stream;
	int done_fd; /* an eventfd: readable when a buffer was filled; -1: none */
	char id[128], serial[64], address[64];
	int x, y, width, height;
	double fps, exposure_us, gain; /* as read back; below 0: the camera does not say */
	cJSON *controls;               /* what was asked and what is; NULL before open */
	cJSON *modes;                  /* what it can do; NULL before open */
	char pixel_format[32];
	int deviations;      /* settings and controls that are not as asked */
	char deviation[128]; /* the first of them */
};

/*
 * 0; VD_SOURCE_LOST: nothing there; VD_SOURCE_FAILED: there, but ambiguous, busy or not able to do
 * what settings ask, or Aravis is not installed; both with fault. -ENOMEM. Close it in any case.
 */
VD_MUST int vd_aravis_camera_open(struct vd_aravis_camera *camera,
				  const struct vd_camera_settings *settings,
				  struct vd_fault *fault);

/* is_gone: nobody is there to be told; it is then closed aside, and the closing is returned. */
VD_MUST struct vd_aravis_closing *vd_aravis_camera_close(struct vd_aravis_camera *camera,
							 bool is_gone);

/* Exposure time and gain, read again. */
void vd_aravis_camera_read_levels(struct vd_aravis_camera *camera);

/* Reads a register that every camera has. One on the network that is gone takes seconds. */
bool vd_aravis_camera_answers(const struct vd_aravis_camera *camera);

/* true: no error; else its text is in text, and *error is freed and NULL. */
bool vd_aravis_ok(const struct vd_aravis *arv, struct _GError **error, char *text, size_t size);
