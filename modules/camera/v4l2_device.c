/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a device is a row of small steps; each asks the driver, reads back what it really did,
 * and says in a fault which step failed. A driver may change any value that it is given.
 */
#include "modules/camera/v4l2_device.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modules/camera/v4l2_controls.h"
#include "modules/camera/v4l2_modes.h"
#include "modules/camera/v4l2_twin.h"

static const struct {
	enum vd_pixel_format format;
	uint32_t fourcc;
} fourccs[] = {
	/* in the order of auto */
	{ VD_PIXELS_MJPEG, V4L2_PIX_FMT_MJPEG }, { VD_PIXELS_MJPEG, V4L2_PIX_FMT_JPEG },
	{ VD_PIXELS_GREY, V4L2_PIX_FMT_GREY },   { VD_PIXELS_YUYV, V4L2_PIX_FMT_YUYV },
	{ VD_PIXELS_NV12, V4L2_PIX_FMT_NV12 },
};

enum { FORMATS = 64 };

static int control(const struct vd_v4l2_device *d, unsigned long request, void *argument)
{
	return d->io->ioctl(d->io->context, d->fd, request, argument);
}

static bool is_gone(int r)
{
	return r == -ENODEV || r == -ENXIO || r == -ENOENT || r == -EIO;
}

static int failed(const struct vd_v4l2_device *d, struct vd_fault *fault, const char *step, int r)
{
	vd_fault_set(fault, 503, NULL, "%s: %s: %s", d->path, step, strerror(-r));
	if (r == -ENOMEM)
		return r;
	return is_gone(r) ? VD_SOURCE_LOST : VD_SOURCE_FAILED;
}

static int deviates(struct vd_v4l2_device *d, const char *format, ...) VD_PRINTF(2, 3);

static int deviates(struct vd_v4l2_device *d, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (d->deviations++ == 0)
		(void)vsnprintf(d->deviation, sizeof d->deviation, format, arguments);
	va_end(arguments);
	return 0;
}

/* Exactly one match; two cameras behind one pattern must never be swapped silently. */
static int find(struct vd_v4l2_device *d, const char *pattern, struct vd_fault *fault)
{
	glob_t found;
	int r = glob(pattern, GLOB_ERR, NULL, &found), outcome = VD_SOURCE_FAILED;

	if (r == GLOB_NOSPACE)
		return -ENOMEM;
	if (r != 0 || found.gl_pathc == 0) {
		vd_fault_set(fault, 503, NULL, "%s: no such device", pattern);
		outcome = VD_SOURCE_LOST;
	} else if (found.gl_pathc > 1) {
		vd_fault_set(fault, 409, NULL, "%s is ambiguous: %zu devices, among them %s and %s",
			     pattern, found.gl_pathc, found.gl_pathv[0], found.gl_pathv[1]);
	} else if (strlen(found.gl_pathv[0]) >= sizeof d->path) {
		vd_fault_set(fault, 503, NULL, "the device's path is too long");
	} else {
		memcpy(d->path, found.gl_pathv[0], strlen(found.gl_pathv[0]) + 1);
		outcome = 0;
	}
	globfree(&found);
	return outcome;
}

/* A path by its plug names one camera; a name by what the camera says of itself may fit two. */
static int check_twin(const struct vd_v4l2_device *d, struct vd_fault *fault)
{
	char other[64];

	if (!d->io->sysfs || strstr(d->path, "/by-path/") ||
	    !vd_v4l2_has_twin(d->io->sysfs, d->path, other, sizeof other))
		return 0;
	vd_fault_set(fault, 409, NULL,
		     "%s is ambiguous: %s is the same camera by vendor, product and serial number; "
		     "name it below /dev/v4l/by-path",
		     d->path, other);
	return VD_SOURCE_FAILED;
}

static int check_capability(struct vd_v4l2_device *d, struct vd_fault *fault)
{
	const uint32_t needed = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
	int r = control(d, VIDIOC_QUERYCAP, &d->capability);
	uint32_t has;

	if (r < 0)
		return failed(d, fault, "query capabilities", r);
	has = d->capability.capabilities & V4L2_CAP_DEVICE_CAPS ? d->capability.device_caps
								: d->capability.capabilities;
	if ((has & needed) == needed)
		return 0;
	vd_fault_set(fault, 503, NULL, "%s: is no streaming capture device", d->path);
	return VD_SOURCE_FAILED;
}

static bool has_format(struct vd_v4l2_device *d, uint32_t fourcc)
{
	for (uint32_t i = 0; i < FORMATS; i++) {
		struct v4l2_fmtdesc format = { .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };

		if (control(d, VIDIOC_ENUM_FMT, &format) < 0)
			return false;
		if (format.pixelformat == fourcc)
			return true;
	}
	return false;
}

/* The first of the device's formats that settings allow; 0: none. */
static uint32_t choose_format(struct vd_v4l2_device *d, const struct vd_camera_settings *settings)
{
	bool needs_raw = settings->is_grey || (settings->is_shaped && !settings->is_recoding);

	for (size_t i = 0; i < VD_COUNT(fourccs); i++) {
		enum vd_pixel_format format = fourccs[i].format;

		if (settings->pixel_format != VD_PIXELS_AUTO && settings->pixel_format != format)
			continue;
		if (needs_raw && format == VD_PIXELS_MJPEG)
			continue;
		if (has_format(d, fourccs[i].fourcc)) {
			d->format = format;
			return fourccs[i].fourcc;
		}
	}
	return 0;
}

static int check_size(struct vd_v4l2_device *d, const struct vd_camera_settings *settings,
		      const struct v4l2_pix_format *pix, struct vd_fault *fault)
{
	uint32_t line = d->format == VD_PIXELS_YUYV ? 2 * pix->width : pix->width;

	d->width = pix->width;
	d->height = pix->height;
	d->stride = pix->bytesperline > line ? pix->bytesperline : line;
	if (!pix->width || !pix->height || pix->width > 65500 || pix->height > 65500 ||
	    (uint64_t)pix->width * pix->height > settings->max_pixels) {
		vd_fault_set(fault, 413, NULL, "%s: gives %ux%u, which is out of bounds", d->path,
			     pix->width, pix->height);
		return VD_SOURCE_FAILED;
	}
	if (settings->width && (settings->width != d->width || settings->height != d->height))
		return deviates(d, "wanted %ux%u, the device gives %ux%u", settings->width,
				settings->height, d->width, d->height);
	return 0;
}

static int set_format(struct vd_v4l2_device *d, const struct vd_camera_settings *settings,
		      struct vd_fault *fault)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	uint32_t fourcc = choose_format(d, settings);
	int r;

	if (!fourcc) {
		vd_fault_set(fault, 503, NULL, "%s: has no pixel format %s that can be used",
			     d->path, vd_pixel_format_name(settings->pixel_format));
		return VD_SOURCE_FAILED;
	}
	r = control(d, VIDIOC_G_FMT, &format);
	format.fmt.pix.pixelformat = fourcc;
	format.fmt.pix.bytesperline = 0;
	format.fmt.pix.sizeimage = 0;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	if (settings->width) {
		format.fmt.pix.width = settings->width;
		format.fmt.pix.height = settings->height;
	}
	if (r >= 0)
		r = control(d, VIDIOC_S_FMT, &format);
	if (r < 0)
		return failed(d, fault, "set format", r);
	if (format.fmt.pix.pixelformat != fourcc) {
		vd_fault_set(fault, 503, NULL, "%s: does not give the pixel format %s", d->path,
			     vd_pixel_format_name(d->format));
		return VD_SOURCE_FAILED;
	}
	return check_size(d, settings, &format.fmt.pix, fault);
}

/* Many drivers have no frame rate: then there is only something to say if one was asked for. */
static int set_rate(struct vd_v4l2_device *d, const struct vd_camera_settings *settings)
{
	struct v4l2_streamparm parm = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_fract *period = &parm.parm.capture.timeperframe;
	int r = control(d, VIDIOC_G_PARM, &parm);

	if (r >= 0 && settings->fps > 0) {
		period->numerator = 1000;
		period->denominator = (uint32_t)lround(settings->fps * 1000);
		r = control(d, VIDIOC_S_PARM, &parm);
	}
	if (r >= 0 && period->numerator && period->denominator)
		d->fps = (double)period->denominator / period->numerator;
	if (settings->fps > 0 && fabs(d->fps - settings->fps) > settings->fps * 0.01)
		return deviates(d, "wanted %g frames a second, the device gives %g", settings->fps,
				d->fps);
	return 0;
}

/* The first control that is not as wanted, for a person to read. */
static void name_control(struct vd_v4l2_device *d)
{
	const cJSON *entry;

	cJSON_ArrayForEach(entry, d->controls)
	{
		const char *text = vd_json_string(entry, "text", NULL);

		if (!text)
			continue;
		(void)deviates(d, "control %s: wanted %lld: %s", entry->string,
			       (long long)vd_json_int(entry, "wanted", 0), text);
		return;
	}
}

static int set_controls(struct vd_v4l2_device *d, const struct vd_camera_settings *settings,
			struct vd_fault *fault)
{
	int r;

	d->controls = cJSON_CreateObject();
	if (!d->controls)
		return -ENOMEM;
	r = vd_v4l2_controls_apply(d->io, d->fd, settings->controls, d->controls);
	if (r < 0)
		return r == -ENOMEM ? r : failed(d, fault, "set controls", r);
	if (r > 0)
		name_control(d);
	if (r > 1)
		d->deviations += r - 1;
	return 0;
}

static int map_one(struct vd_v4l2_device *d, unsigned index)
{
	struct v4l2_buffer buffer = { .index = index,
				      .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				      .memory = V4L2_MEMORY_MMAP };
	struct vd_v4l2_mapping *mapping = &d->mappings[index];
	int r = control(d, VIDIOC_QUERYBUF, &buffer);

	if (r >= 0)
		r = d->io->map(d->io->context, d->fd, buffer.length, buffer.m.offset,
			       &mapping->memory);
	if (r < 0)
		return r;
	mapping->len = buffer.length;
	d->mapping_count = index + 1;
	return vd_v4l2_device_queue(d, index);
}

static int start_stream(struct vd_v4l2_device *d, struct vd_fault *fault)
{
	struct v4l2_requestbuffers request = { .count = VD_V4L2_BUFFERS,
					       .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
					       .memory = V4L2_MEMORY_MMAP };
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int r = control(d, VIDIOC_REQBUFS, &request);

	if (r >= 0 && request.count < 2)
		r = -ENOMEM;
	if (request.count > VD_V4L2_BUFFERS_MOST)
		request.count = VD_V4L2_BUFFERS_MOST;
	for (unsigned i = 0; r >= 0 && i < request.count; i++)
		r = map_one(d, i);
	if (r >= 0)
		r = control(d, VIDIOC_STREAMON, &type);
	if (r < 0)
		return failed(d, fault, "start streaming", r);
	d->is_streaming = true;
	return 0;
}

int vd_v4l2_device_open(struct vd_v4l2_device *device, const struct vd_v4l2_io *io,
			const struct vd_camera_settings *settings, struct vd_fault *fault)
{
	int r;

	*device = (struct vd_v4l2_device){ .io = io, .fd = -1 };
	r = find(device, settings->path, fault);
	if (r == 0)
		r = check_twin(device, fault);
	if (r != 0)
		return r;
	device->fd = io->open(io->context, device->path);
	if (device->fd < 0)
		return failed(device, fault, "open", device->fd);
	r = check_capability(device, fault);
	if (r == 0) {
		device->modes = vd_v4l2_modes(io, device->fd);
		r = device->modes ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = set_format(device, settings, fault);
	if (r == 0)
		r = set_rate(device, settings);
	if (r == 0)
		r = set_controls(device, settings, fault);
	return r == 0 ? start_stream(device, fault) : r;
}

void vd_v4l2_device_close(struct vd_v4l2_device *device)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	if (!device->io)
		return;
	if (device->is_streaming)
		(void)control(device, VIDIOC_STREAMOFF, &type);
	for (unsigned i = 0; i < device->mapping_count; i++)
		device->io->unmap(device->io->context, device->mappings[i].memory,
				  device->mappings[i].len);
	if (device->fd >= 0)
		device->io->close(device->io->context, device->fd);
	(void)vd_json_free(device->controls);
	(void)vd_json_free(device->modes);
	*device = (struct vd_v4l2_device){ .fd = -1 };
}

int vd_v4l2_device_dequeue(struct vd_v4l2_device *device, struct v4l2_buffer *ret_buffer)
{
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				      .memory = V4L2_MEMORY_MMAP };
	int r = control(device, VIDIOC_DQBUF, &buffer);

	if (r < 0)
		return r;
	if (buffer.index >= device->mapping_count)
		return -EPROTO;
	*ret_buffer = buffer;
	return 0;
}

int vd_v4l2_device_queue(struct vd_v4l2_device *device, unsigned index)
{
	struct v4l2_buffer buffer = { .index = index,
				      .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
				      .memory = V4L2_MEMORY_MMAP };
	int r = control(device, VIDIOC_QBUF, &buffer);

	return r < 0 ? r : 0;
}
