/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/v4l2_modes.h"

#include <ctype.h>
#include <linux/videodev2.h>
#include <math.h>

#include "base/attr.h"

enum { FORMATS = 8, SIZES = 32, RATES = 16 };

struct driver {
	const struct vd_v4l2_io *io;
	int fd;
};

static bool ask(const struct driver *d, unsigned long request, void *argument)
{
	return d->io->ioctl(d->io->context, d->fd, request, argument) >= 0;
}

static bool append(cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return true;
	(void)vd_json_free(item);
	return false;
}

static double rate_of(const struct v4l2_fract *period)
{
	if (!period->numerator)
		return 0;
	return round(100.0 * period->denominator / period->numerator) / 100;
}

/* Of a range the shortest period alone: the highest rate. */
static cJSON *rates_of(const struct driver *d, uint32_t format, uint32_t width, uint32_t height)
{
	VD_CLEANUP(vd_json_free) cJSON *rates = cJSON_CreateArray();
	bool ok = rates != NULL;

	for (uint32_t i = 0; ok && i < RATES; i++) {
		struct v4l2_frmivalenum interval = {
			.index = i, .pixel_format = format, .width = width, .height = height
		};
		bool is_one;

		if (!ask(d, VIDIOC_ENUM_FRAMEINTERVALS, &interval))
			break;
		is_one = interval.type == V4L2_FRMIVAL_TYPE_DISCRETE;
		ok = append(rates, cJSON_CreateNumber(rate_of(is_one ? &interval.discrete
								     : &interval.stepwise.min)));
		if (!is_one)
			break;
	}
	return ok ? VD_TAKE(rates) : NULL;
}

static cJSON *size_of(const struct driver *d, const struct v4l2_frmsizeenum *size)
{
	VD_CLEANUP(vd_json_free) cJSON *object = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *rates = NULL;
	bool is_one = size->type == V4L2_FRMSIZE_TYPE_DISCRETE;
	uint32_t width = is_one ? size->discrete.width : size->stepwise.min_width;
	uint32_t height = is_one ? size->discrete.height : size->stepwise.min_height;
	bool ok = object && vd_json_add_number(object, "width", width) &&
		  vd_json_add_number(object, "height", height);

	if (!is_one)
		ok = ok && vd_json_add_number(object, "widthMost", size->stepwise.max_width) &&
		     vd_json_add_number(object, "heightMost", size->stepwise.max_height);
	rates = rates_of(d, size->pixel_format, width, height);
	ok = ok && rates;
	if (ok && cJSON_GetArraySize(rates) > 0)
		ok = vd_json_add_take(object, "fps", &rates);
	return ok ? VD_TAKE(object) : NULL;
}

static cJSON *sizes_of(const struct driver *d, uint32_t format)
{
	VD_CLEANUP(vd_json_free) cJSON *sizes = cJSON_CreateArray();
	bool ok = sizes != NULL;

	for (uint32_t i = 0; ok && i < SIZES; i++) {
		struct v4l2_frmsizeenum size = { .index = i, .pixel_format = format };

		if (!ask(d, VIDIOC_ENUM_FRAMESIZES, &size))
			break;
		ok = append(sizes, size_of(d, &size));
		if (size.type != V4L2_FRMSIZE_TYPE_DISCRETE)
			break;
	}
	return ok ? VD_TAKE(sizes) : NULL;
}

/* "MJPG"; what is no letter or digit is a full stop, since it comes from a driver. */
static void name_of(uint32_t fourcc, char name[static 5])
{
	for (int i = 0; i < 4; i++) {
		int c = (int)(fourcc >> (8 * i) & 0x7f);

		name[i] = isalnum(c) ? (char)c : '.';
	}
	name[4] = '\0';
}

static cJSON *format_of(const struct driver *d, uint32_t fourcc)
{
	VD_CLEANUP(vd_json_free) cJSON *object = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *sizes = sizes_of(d, fourcc);
	char name[5];

	name_of(fourcc, name);
	if (object && sizes && vd_json_add_string(object, "pixelFormat", name) &&
	    vd_json_add_take(object, "sizes", &sizes))
		return VD_TAKE(object);
	return NULL;
}

cJSON *vd_v4l2_modes(const struct vd_v4l2_io *io, int fd)
{
	const struct driver d = { io, fd };
	VD_CLEANUP(vd_json_free) cJSON *modes = cJSON_CreateArray();
	bool ok = modes != NULL;

	for (uint32_t i = 0; ok && i < FORMATS; i++) {
		struct v4l2_fmtdesc format = { .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };

		if (!ask(&d, VIDIOC_ENUM_FMT, &format))
			break;
		ok = append(modes, format_of(&d, format.pixelformat));
	}
	return ok ? VD_TAKE(modes) : NULL;
}
