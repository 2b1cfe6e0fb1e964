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
enum vd_camera_kind { VD_CAMERA_FOLDER, VD_CAMERA_V4L2, VD_CAMERA_HTTP, VD_CAMERA_ARAVIS };
enum vd_camera_trigger { VD_TRIGGER_TIMER, VD_TRIGGER_DEVICE, VD_TRIGGER_CALL };
enum vd_pixel_format {
	VD_PIXELS_MJPEG,
	VD_PIXELS_GREY,
	VD_PIXELS_YUYV,
	VD_PIXELS_NV12,
	VD_PIXELS_AUTO
};

enum { VD_HOST_TEXT = 264 };

struct vd_camera_settings {
	cJSON *parameters; /* owned; the strings below live in it */
	enum vd_camera_kind kind;
	const char *path; /* http: the URL; aravis: the serial number or id */
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

	/* http */
	char host[VD_HOST_TEXT];      /* with its port, as the URL has it, for messages */
	const char *ca_file, *secret; /* NULL: none; secret: the name behind secretref: */
	uint64_t connect_ms;
	bool is_encrypted, refuses_repeats;

	/* aravis */
	double exposure_us, gain;   /* below 0: the device's */
	const char *device_trigger; /* NULL: none, free running */
	bool is_software_triggered;

	/* v4l2 and aravis */
	enum vd_pixel_format pixel_format;
	bool is_grey; /* hand over luminance */
	int quality;
	uint32_t width, height; /* 0: the device's */
	double fps;             /* 0: the device's */
	const cJSON *controls;
	bool is_strict;
	unsigned settle_frames;
	uint64_t settle_ms;

	/* the shape of the picture: what is cut out, then how it is turned, clockwise */
	struct vd_camera_roi {
		uint32_t x, y, width, height; /* width 0: the whole */
	} roi;
	unsigned rotation; /* 0, 90, 180, 270 */
	bool is_shaped;    /* roi or rotation say something */
	bool is_recoding;  /* and may be done to a JPEG */
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
