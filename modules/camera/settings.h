/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"

/*
 * The parameters of schema.json, checked against each other, which a schema cannot. Whether a
 * folder or device is there is no matter of settings: it may come later.
 */
enum vd_camera_kind { VD_CAMERA_FOLDER, VD_CAMERA_V4L2 };
enum vd_camera_trigger { VD_TRIGGER_TIMER, VD_TRIGGER_DEVICE, VD_TRIGGER_CALL };
enum vd_pixel_format {
	VD_PIXELS_MJPEG,
	VD_PIXELS_GREY,
	VD_PIXELS_YUYV,
	VD_PIXELS_NV12,
	VD_PIXELS_AUTO
};

struct vd_camera_settings {
	cJSON *parameters; /* owned; the strings below live in it */
	enum vd_camera_kind kind;
	const char *path;
	enum vd_camera_trigger trigger;
	uint64_t period_us; /* of the timer */
	bool wait_for_consumer;
	uint64_t timeout_ms, health_ms;
	size_t max_bytes;
	uint64_t max_pixels;

	/* folder */
	const char *pattern, *start_after, *serial_pattern; /* NULL: none */
	bool is_random, is_looping, is_resuming;
	uint32_t seed;
	uint64_t delay_ms, fail_every, corrupt_every;

	/* v4l2 */
	enum vd_pixel_format pixel_format;
	bool is_grey; /* hand over luminance */
	int quality;
	uint32_t width, height; /* 0: the device's */
	double fps;             /* 0: the device's */
	const cJSON *controls;
	bool is_strict;
	unsigned settle_frames;
	uint64_t settle_ms;
};

/*
 * parameters: checked by the schema and filled with its defaults; copied. -EINVAL: 400 in fault
 * with the pointer of the parameter that contradicts another. -ENOMEM.
 */
VD_MUST int vd_camera_settings_new(const cJSON *parameters,
				   struct vd_camera_settings **ret_settings,
				   struct vd_fault *fault);
struct vd_camera_settings *vd_camera_settings_free(struct vd_camera_settings *settings);
VD_DEFINE_CLEANUP(struct vd_camera_settings, vd_camera_settings_free)

/* Do both ask for the same source, opened the same way, so that it may stay open? */
bool vd_camera_settings_same_source(const struct vd_camera_settings *a,
				    const struct vd_camera_settings *b);

const char *vd_pixel_format_name(enum vd_pixel_format format);
const char *vd_camera_kind_name(enum vd_camera_kind kind);
