/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <linux/videodev2.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/fault.h"
#include "modules/camera/settings.h"
#include "modules/camera/source.h"
#include "modules/camera/v4l2_io.h"

/* An open, streaming device: found, negotiated, set, mapped. Private to the V4L2 source. */
enum { VD_V4L2_BUFFERS = 4, VD_V4L2_BUFFERS_MOST = 8 };

struct vd_v4l2_device {
	const struct vd_v4l2_io *io;
	int fd; /* -1: closed */
	char path[512];
	struct v4l2_capability capability;
	enum vd_pixel_format format;
	uint32_t width, height, stride;
	double fps;          /* 0: the driver does not say */
	cJSON *modes;        /* what it can do; NULL before open */
	cJSON *controls;     /* what was asked and what is; NULL before open */
	int deviations;      /* settings and controls that are not as asked */
	char deviation[128]; /* the first setting among them */
	struct vd_v4l2_mapping {
		void *memory;
		size_t len;
	} mappings[VD_V4L2_BUFFERS_MOST];
	unsigned mapping_count;
	bool is_streaming;
};

/*
 * 0; VD_SOURCE_LOST: nothing there; VD_SOURCE_FAILED: there, but busy, ambiguous, forbidden or
 * not able to do what settings ask; both with fault. -ENOMEM. Close it in any case.
 */
VD_MUST int vd_v4l2_device_open(struct vd_v4l2_device *device, const struct vd_v4l2_io *io,
				const struct vd_camera_settings *settings, struct vd_fault *fault);
void vd_v4l2_device_close(struct vd_v4l2_device *device);

/* -EAGAIN: none is ready. -ENODEV and others: the device is gone. The index is checked. */
VD_MUST int vd_v4l2_device_dequeue(struct vd_v4l2_device *device, struct v4l2_buffer *ret_buffer);
VD_MUST int vd_v4l2_device_queue(struct vd_v4l2_device *device, unsigned index);
