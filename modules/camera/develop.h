/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/fault.h"
#include "modules/camera/settings.h"
#include "modules/camera/source.h"
#include "modules/image/image.h"

/*
 * From what a sensor gives to what is handed over: cut and turned as settings ask, then once
 * encoded as JPEG, or kept as luminance. What arrives as JPEG is the evidence and stays as it is,
 * bit for bit; only vd_camera_recode, which settings must allow, makes another file of it.
 */
enum vd_sensor_format {
	VD_SENSOR_GREY,
	VD_SENSOR_YUYV,
	VD_SENSOR_NV12,
	VD_SENSOR_RGB,
	VD_SENSOR_BAYER_RG, /* the colours of the first two pixels of the first row */
	VD_SENSOR_BAYER_GR,
	VD_SENSOR_BAYER_GB,
	VD_SENSOR_BAYER_BG
};

struct vd_sensor_frame {
	enum vd_sensor_format format;
	uint32_t width, height; /* 1 to 65500 */
	size_t stride;          /* bytes from row to row, at least a row's */
	const uint8_t *bytes;
	size_t len;
};

/* Memory that serves the next frame too. Begins as { 0 }. */
struct vd_darkroom {
	struct vd_image whole, turned;
};

/* Appends to the empty frame->bytes. VD_SOURCE_FAILED with fault: too short, roi outside. -ENOMEM. */
VD_MUST int vd_camera_develop(struct vd_darkroom *room, const struct vd_sensor_frame *raw,
			      const struct vd_camera_settings *settings,
			      struct vd_camera_frame *frame, struct vd_fault *fault);

/*
 * Decodes the JPEG in frame, cuts, turns and encodes it. One that is damaged is a failed capture:
 * the damage would not be seen in the new file. Returns as vd_camera_develop.
 */
VD_MUST int vd_camera_recode(struct vd_darkroom *room, const struct vd_camera_settings *settings,
			     struct vd_camera_frame *frame, struct vd_fault *fault);

void vd_darkroom_fini(struct vd_darkroom *room);
