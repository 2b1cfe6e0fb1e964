/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers fill buffers whether somebody looks or not, and a queue that nobody drains hands out
 * the past. So the device is drained all the time (tend), a capture takes the first frame that
 * began after its trigger by the driver's own time stamp, and the bytes are copied out before
 * the buffer goes back at once.
 */
#include "modules/camera/v4l2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "modules/camera/develop.h"
#include "modules/camera/v4l2_controls.h"
#include "modules/camera/v4l2_device.h"
#include "modules/image/jpeg.h"

struct v4l2 {
	struct vd_camera_source source;
	const struct vd_v4l2_io *io;
	struct vd_v4l2_device device;
	unsigned settle;   /* frames still to drop */
	uint64_t last_us;  /* when the last buffer came */
	uint32_t sequence; /* its number */
	bool has_sequence;
	struct vd_darkroom room;
};

static struct v4l2 *v4l2_of(struct vd_camera_source *source)
{
	return VD_CONTAINER(source, struct v4l2, source);
}

static int lost(struct v4l2 *v, struct vd_fault *fault, int r)
{
	vd_fault_set(fault, 503, NULL, "%s: lost: %s", v->device.path, strerror(-r));
	return VD_SOURCE_LOST;
}

static uint64_t monotonic_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * When the frame began, on our clock. Drivers stamp with CLOCK_MONOTONIC, which stands still
 * in suspend; ours does not. A stamp of the frame's end is moved to its begin; one of another
 * clock, or from the future, is replaced by the time of arrival.
 */
static uint64_t began_us(const struct v4l2 *v, const struct v4l2_buffer *buffer, uint64_t now_us)
{
	uint64_t stamp_us =
		(uint64_t)buffer->timestamp.tv_sec * 1000000 + (uint64_t)buffer->timestamp.tv_usec;
	uint64_t monotonic = monotonic_us(), age_us, frame_us = 0;

	if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC ||
	    stamp_us > monotonic)
		return now_us;
	if ((buffer->flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK) == V4L2_BUF_FLAG_TSTAMP_SRC_EOF &&
	    v->device.fps > 0)
		frame_us = (uint64_t)(1000000 / v->device.fps);
	age_us = monotonic - stamp_us + frame_us;
	return age_us < now_us ? now_us - age_us : 0;
}

/* Counts what the buffer says about the stream. Is it a frame? */
static bool account(struct v4l2 *v, const struct v4l2_buffer *buffer, uint64_t now_us)
{
	uint32_t step = buffer->sequence - v->sequence;

	if (v->has_sequence && step > 1 && step < UINT32_MAX / 2)
		v->source.counts.sequence_gaps += step - 1;
	v->sequence = buffer->sequence;
	v->has_sequence = true;
	v->last_us = now_us;
	if (buffer->flags & V4L2_BUF_FLAG_ERROR || buffer->bytesused == 0 ||
	    buffer->bytesused > v->device.mappings[buffer->index].len) {
		v->source.counts.flagged++;
		return false;
	}
	if (v->settle > 0) {
		v->settle--;
		return false;
	}
	return true;
}

static int stalled(struct v4l2 *v, uint64_t now_us, struct vd_fault *fault)
{
	uint64_t timeout_ms = v->source.settings->timeout_ms;

	if (now_us - v->last_us < timeout_ms * 1000)
		return 0;
	vd_fault_set(fault, 504, NULL, "%s: no frame for %llu ms", v->device.path,
		     (unsigned long long)timeout_ms);
	return VD_SOURCE_LOST;
}

enum { TIMED_OUT = 100 };

/* Until a buffer may be ready: 0, TIMED_OUT, VD_SOURCE_INTERRUPTED or VD_SOURCE_LOST. */
static int wait_for_buffer(struct v4l2 *v, const struct vd_camera_wish *wish,
			   struct vd_fault *fault)
{
	struct pollfd fds[2] = { { .fd = v->device.fd, .events = POLLIN },
				 { .fd = wish->wake_fd, .events = POLLIN } };
	uint64_t now_ms = vd_clock_mono_ms();
	int r;

	if (now_ms >= wish->deadline_ms)
		return TIMED_OUT;
	r = v->io->poll(v->io->context, fds, wish->wake_fd >= 0 ? 2 : 1,
			(int)(wish->deadline_ms - now_ms));
	if (r < 0)
		return r == -EINTR ? 0 : lost(v, fault, r);
	if (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL))
		return lost(v, fault, -ENODEV);
	if (wish->wake_fd >= 0 && fds[1].revents)
		return VD_SOURCE_INTERRUPTED;
	return 0;
}

/* As wait_for_buffer, with the buffer taken from the driver. */
static int next_buffer(struct v4l2 *v, const struct vd_camera_wish *wish,
		       struct v4l2_buffer *ret_buffer, struct vd_fault *fault)
{
	for (;;) {
		int r = vd_v4l2_device_dequeue(&v->device, ret_buffer);

		if (r == 0)
			return 0;
		if (r != -EAGAIN)
			return lost(v, fault, r);
		r = wait_for_buffer(v, wish, fault);
		if (r != 0)
			return r;
	}
}

static enum vd_sensor_format sensor_format(enum vd_pixel_format format)
{
	if (format == VD_PIXELS_YUYV)
		return VD_SENSOR_YUYV;
	return format == VD_PIXELS_NV12 ? VD_SENSOR_NV12 : VD_SENSOR_GREY;
}

static int take_raw(struct v4l2 *v, const uint8_t *bytes, size_t len, struct vd_camera_frame *frame,
		    struct vd_fault *fault)
{
	const struct vd_v4l2_device *d = &v->device;
	const struct vd_sensor_frame raw = { .format = sensor_format(d->format),
					     .width = d->width,
					     .height = d->height,
					     .stride = d->stride,
					     .bytes = bytes,
					     .len = len };
	int r = vd_camera_develop(&v->room, &raw, v->source.settings, frame, fault);

	if (r > 0)
		vd_fault_prefix(fault, "%s", d->path);
	return r;
}

static int take_jpeg(struct v4l2 *v, const uint8_t *bytes, size_t len,
		     struct vd_camera_frame *frame, struct vd_fault *fault)
{
	const struct vd_jpeg_limits limits = { .pixels = v->source.settings->max_pixels };
	struct vd_jpeg_info info;
	int r = vd_jpeg_head(bytes, len, &limits, &info, fault);

	if (r < 0) {
		vd_fault_prefix(fault, "%s", v->device.path);
		return r == -ENOMEM ? r : VD_SOURCE_FAILED;
	}
	frame->width = (uint32_t)info.width;
	frame->height = (uint32_t)info.height;
	frame->stride = 0;
	frame->format = VD_FRAME_JPEG;
	return vd_buf_append(&frame->bytes, bytes, len);
}

static int take(struct v4l2 *v, const struct v4l2_buffer *buffer, struct vd_camera_frame *frame,
		struct vd_fault *fault)
{
	const uint8_t *bytes = v->device.mappings[buffer->index].memory;

	vd_buf_clear(&frame->bytes);
	frame->serial[0] = frame->name[0] = '\0';
	frame->sequence = buffer->sequence;
	if (buffer->bytesused > v->source.settings->max_bytes) {
		vd_fault_set(fault, 413, NULL, "%s: a frame of %u bytes is above maxBytes",
			     v->device.path, buffer->bytesused);
		return VD_SOURCE_FAILED;
	}
	if (v->device.format == VD_PIXELS_MJPEG)
		return take_jpeg(v, bytes, buffer->bytesused, frame, fault);
	return take_raw(v, bytes, buffer->bytesused, frame, fault);
}

static void stamp(struct vd_camera_frame *frame, uint64_t frame_us, uint64_t now_us)
{
	frame->t_mono_ms = frame_us / 1000;
	frame->t_wall_ms = vd_clock_wall_ms() - (int64_t)((now_us - frame_us) / 1000);
}

/* One frame too late, or none at all any more. */
static int timed_out(struct v4l2 *v, struct vd_fault *fault)
{
	int r = stalled(v, vd_clock_mono_us(), fault);

	if (r != 0)
		return r;
	vd_fault_set(fault, 504, NULL, "%s: no frame within %llu ms", v->device.path,
		     (unsigned long long)v->source.settings->timeout_ms);
	return VD_SOURCE_FAILED;
}

static int check_strict(struct v4l2 *v, struct vd_fault *fault)
{
	if (!v->source.settings->is_strict || v->device.deviations == 0)
		return 0;
	vd_fault_set(fault, 409, NULL, "%s: %s", v->device.path, v->device.deviation);
	return VD_SOURCE_FAILED;
}

/* One buffer: 0 with the frame, -EAGAIN if it was not wanted, or an outcome. */
static int try_buffer(struct v4l2 *v, const struct vd_camera_wish *wish,
		      struct vd_camera_frame *frame, struct vd_fault *fault)
{
	uint64_t now_us, frame_us;
	struct v4l2_buffer buffer;
	int r = next_buffer(v, wish, &buffer, fault), queued;

	if (r != 0)
		return r;
	now_us = vd_clock_mono_us();
	frame_us = began_us(v, &buffer, now_us);
	r = -EAGAIN;
	if (account(v, &buffer, now_us)) {
		if (frame_us < wish->not_before_ms * 1000) {
			v->source.counts.stale++;
		} else {
			stamp(frame, frame_us, now_us);
			r = take(v, &buffer, frame, fault);
		}
	}
	queued = vd_v4l2_device_queue(&v->device, buffer.index);
	return queued < 0 ? lost(v, fault, queued) : r;
}

static int v4l2_capture(struct vd_camera_source *source, const struct vd_camera_wish *wish,
			struct vd_camera_frame *frame, struct vd_fault *fault)
{
	struct v4l2 *v = v4l2_of(source);
	struct vd_camera_wish settled = *wish;
	int r = check_strict(v, fault);

	if (wish->not_before_ms)
		settled.not_before_ms += source->settings->settle_ms;
	if (r == 0) {
		do
			r = try_buffer(v, &settled, frame, fault);
		while (r == -EAGAIN && vd_clock_mono_ms() < wish->deadline_ms);
	}
	return r == TIMED_OUT || r == -EAGAIN ? timed_out(v, fault) : r;
}

static int v4l2_tend(struct vd_camera_source *source, const struct vd_camera_wish *wish,
		     struct vd_fault *fault)
{
	struct v4l2 *v = v4l2_of(source);

	for (;;) {
		struct v4l2_buffer buffer;
		int r = next_buffer(v, wish, &buffer, fault);

		if (r == TIMED_OUT)
			return stalled(v, vd_clock_mono_us(), fault);
		if (r != 0)
			return r;
		(void)account(v, &buffer, vd_clock_mono_us());
		r = vd_v4l2_device_queue(&v->device, buffer.index);
		if (r < 0)
			return lost(v, fault, r);
		if (vd_clock_mono_ms() >= wish->deadline_ms)
			return 0;
	}
}

static int v4l2_open(struct vd_camera_source *source, struct vd_fault *fault)
{
	struct v4l2 *v = v4l2_of(source);
	int r = vd_v4l2_device_open(&v->device, v->io, source->settings, fault);

	v->settle = source->settings->settle_frames;
	v->last_us = vd_clock_mono_us();
	v->has_sequence = false;
	if (r != 0)
		vd_v4l2_device_close(&v->device);
	return r;
}

static void v4l2_close(struct vd_camera_source *source)
{
	vd_v4l2_device_close(&v4l2_of(source)->device);
}

static bool add_device(cJSON *object, const struct vd_v4l2_device *d)
{
	char driver[17], card[33], bus[33];

	(void)snprintf(driver, sizeof driver, "%.16s", (const char *)d->capability.driver);
	(void)snprintf(card, sizeof card, "%.32s", (const char *)d->capability.card);
	(void)snprintf(bus, sizeof bus, "%.32s", (const char *)d->capability.bus_info);
	return vd_json_add_string(object, "kind", "v4l2") &&
	       vd_json_add_string(object, "device", d->path) &&
	       vd_json_add_string(object, "driver", driver) &&
	       vd_json_add_string(object, "card", card) && vd_json_add_string(object, "bus", bus);
}

static cJSON *describe(const struct vd_camera_source *source)
{
	const struct v4l2 *v = VD_CONTAINER(source, const struct v4l2, source);
	const struct vd_v4l2_device *d = &v->device;
	cJSON *object = cJSON_CreateObject();
	bool ok = object && add_device(object, d);

	ok = ok && vd_json_add_string(object, "pixelFormat", vd_pixel_format_name(d->format)) &&
	     vd_json_add_number(object, "width", d->width) &&
	     vd_json_add_number(object, "height", d->height) &&
	     vd_json_add_number(object, "fps", d->fps) &&
	     vd_json_add_number(object, "deviations", d->deviations) &&
	     vd_json_add_string(object, "deviation", d->deviations ? d->deviation : NULL);
	if (ok && d->controls)
		ok = vd_json_add_copy(object, "controls", d->controls);
	if (ok && d->modes)
		ok = vd_json_add_copy(object, "modes", d->modes);
	return ok ? object : vd_json_free(object);
}

static void v4l2_levels(struct vd_camera_source *source, struct vd_camera_levels *levels)
{
	const struct v4l2 *v = v4l2_of(source);

	vd_v4l2_levels_read(v->io, v->device.fd, levels);
}

static struct vd_camera_source *v4l2_free(struct vd_camera_source *source)
{
	v4l2_close(source);
	vd_darkroom_fini(&v4l2_of(source)->room);
	free(v4l2_of(source));
	return NULL;
}

static const struct vd_camera_source_type v4l2_type = {
	.open = v4l2_open,
	.capture = v4l2_capture,
	.tend = v4l2_tend,
	.describe = describe,
	.levels = v4l2_levels,
	.close = v4l2_close,
	.free = v4l2_free,
};

int vd_v4l2_source_new(const struct vd_camera_settings *settings, const struct vd_v4l2_io *io,
		       struct vd_camera_source **ret_source)
{
	struct v4l2 *v = calloc(1, sizeof *v);

	if (!v)
		return -ENOMEM;
	v->source = (struct vd_camera_source){ .type = &v4l2_type, .settings = settings };
	v->io = io;
	v->device.fd = -1;
	*ret_source = &v->source;
	return 0;
}
