/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/v4l2_controls.h"

#include <ctype.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <string.h>

enum { CONTROLS = 1024 }; /* a driver that enumerates for ever is stopped here */

void vd_v4l2_control_name(const char *driver_name, char *text, size_t size)
{
	size_t len = 0;

	for (const char *p = driver_name; *p && len + 1 < size; p++) {
		if (isalnum((unsigned char)*p))
			text[len++] = (char)tolower((unsigned char)*p);
		else if (len > 0 && text[len - 1] != '_')
			text[len++] = '_';
	}
	while (len > 0 && text[len - 1] == '_')
		len--;
	text[len] = '\0';
}

/* 0, -ENOENT or what the driver says. */
static int find(const struct vd_v4l2_io *io, int fd, const char *name,
		struct v4l2_query_ext_ctrl *ret_control)
{
	struct v4l2_query_ext_ctrl control = { .id = 0 };
	char text[sizeof control.name + 1];

	for (int i = 0; i < CONTROLS; i++) {
		int r;

		control.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
		r = io->ioctl(io->context, fd, VIDIOC_QUERY_EXT_CTRL, &control);
		if (r < 0)
			return r == -EINVAL ? -ENOENT : r;
		control.name[sizeof control.name - 1] = '\0';
		vd_v4l2_control_name(control.name, text, sizeof text);
		if (strcmp(text, name) == 0) {
			*ret_control = control;
			return 0;
		}
	}
	return -ENOENT;
}

static int access_one(const struct vd_v4l2_io *io, int fd, unsigned long request,
		      const struct v4l2_query_ext_ctrl *about, int64_t *value)
{
	struct v4l2_ext_control control = { .id = about->id };
	struct v4l2_ext_controls controls = { .which = V4L2_CTRL_WHICH_CUR_VAL,
					      .count = 1,
					      .controls = &control };
	bool is_wide = about->type == V4L2_CTRL_TYPE_INTEGER64;
	int r;

	if (is_wide)
		control.value64 = *value;
	else
		control.value = (int32_t)*value;
	r = io->ioctl(io->context, fd, request, &controls);
	if (r >= 0)
		*value = is_wide ? control.value64 : control.value;
	return r;
}

static int64_t value_of(const cJSON *wanted)
{
	if (cJSON_IsBool(wanted))
		return cJSON_IsTrue(wanted);
	return (int64_t)wanted->valuedouble;
}

/* *ret_actual is written when the control could be read. The -errno of what failed first. */
static int set_and_read(const struct vd_v4l2_io *io, int fd, const cJSON *wanted, bool *ret_is_read,
			int64_t *ret_actual)
{
	struct v4l2_query_ext_ctrl about;
	int64_t value = value_of(wanted);
	int r = find(io, fd, wanted->string, &about), read;

	if (r < 0)
		return r;
	if (value < about.minimum || value > about.maximum)
		r = -ERANGE;
	else
		r = access_one(io, fd, VIDIOC_S_EXT_CTRLS, &about, &value);
	read = access_one(io, fd, VIDIOC_G_EXT_CTRLS, &about, &value);
	*ret_is_read = read >= 0;
	*ret_actual = value;
	return r < 0 ? r : read;
}

static const char *reason(int r)
{
	if (r == -ENOENT)
		return "the device has no such control";
	if (r == -ERANGE)
		return "is out of the device's bounds";
	return strerror(-r);
}

/* 1: as wanted; 0: not; -ENODEV, -ENOMEM. */
static int apply_one(const struct vd_v4l2_io *io, int fd, const cJSON *wanted, cJSON *report)
{
	VD_CLEANUP(vd_json_free) cJSON *entry = cJSON_CreateObject();
	bool is_read = false, ok = entry != NULL;
	int64_t actual = 0;
	int r = set_and_read(io, fd, wanted, &is_read, &actual);

	ok = ok && vd_json_add_number(entry, "wanted", (double)value_of(wanted));
	if (is_read)
		ok = ok && vd_json_add_number(entry, "actual", (double)actual);
	if (r < 0)
		ok = ok && vd_json_add_string(entry, "text", reason(r));
	else if (actual != value_of(wanted))
		ok = ok && vd_json_add_string(entry, "text", "the device chose another value");
	if (!ok || !vd_json_add_take(report, wanted->string, &entry))
		return -ENOMEM;
	if (r == -ENODEV)
		return r;
	return r >= 0 && actual == value_of(wanted);
}

int vd_v4l2_controls_apply(const struct vd_v4l2_io *io, int fd, const cJSON *wanted, cJSON *report)
{
	const cJSON *control;
	int deviating = 0;

	cJSON_ArrayForEach(control, wanted)
	{
		int r = apply_one(io, fd, control, report);

		if (r < 0)
			return r;
		deviating += r == 0;
	}
	return deviating;
}

/* The first of these that the device has; below 0: none. */
static double read_first(const struct vd_v4l2_io *io, int fd, const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct v4l2_query_ext_ctrl about = { .id = ids[i], .type = V4L2_CTRL_TYPE_INTEGER };
		int64_t value = 0;

		if (access_one(io, fd, VIDIOC_G_EXT_CTRLS, &about, &value) >= 0)
			return (double)value;
	}
	return -1;
}

void vd_v4l2_levels_read(const struct vd_v4l2_io *io, int fd, struct vd_camera_levels *levels)
{
	static const uint32_t exposures[] = { V4L2_CID_EXPOSURE_ABSOLUTE };
	static const uint32_t gains[] = { V4L2_CID_GAIN, V4L2_CID_ANALOGUE_GAIN };
	double exposure = read_first(io, fd, exposures, VD_COUNT(exposures));

	levels->exposure_us = exposure < 0 ? -1 : exposure * 100; /* in units of 100 us */
	levels->gain = read_first(io, fd, gains, VD_COUNT(gains));
}
