/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint32_t id;
	int32_t minimum, maximum, step;
} controls[FAKE_CONTROLS] = {
	/* by their ids, as drivers enumerate */
	{ "White Balance, Automatic", V4L2_CID_AUTO_WHITE_BALANCE, 0, 1, 1 },
	{ "Gain", V4L2_CID_GAIN, 0, 255, 1 },
	{ "Exposure Time, Absolute", V4L2_CID_EXPOSURE_ABSOLUTE, 1, 1000, 10 },
};

static int fake_open(void *context, const char *path)
{
	struct fake_driver *d = context;

	if (!d->is_there)
		return -ENODEV;
	if (d->is_busy)
		return -EBUSY;
	d->is_open = true;
	d->opens++;
	return FAKE_FD;
}

static void fake_close(void *context, int fd)
{
	struct fake_driver *d = context;

	d->is_open = false;
	memset(d->is_queued, 0, sizeof d->is_queued);
	memset(d->is_done, 0, sizeof d->is_done);
}

static int fake_map(void *context, int fd, size_t len, uint32_t offset, void **ret_memory)
{
	struct fake_driver *d = context;

	*ret_memory = d->memory[offset];
	d->mapped++;
	return 0;
}

static void fake_unmap(void *context, void *memory, size_t len)
{
	struct fake_driver *d = context;

	d->mapped--;
}

static void stamp(struct fake_driver *d, struct v4l2_buffer *buffer, bool is_old)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	buffer->timestamp.tv_sec = now.tv_sec - (is_old ? 10 : 0);
	buffer->timestamp.tv_usec = now.tv_nsec / 1000;
	buffer->flags |= V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
	if (d->has_timestamps)
		buffer->flags |= V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
}

static void happen(struct fake_driver *d, enum fake_frame frame)
{
	unsigned index = d->next_queued;
	struct v4l2_buffer *buffer = &d->buffers[index];

	d->sequence += frame == FAKE_GAP ? 3 : 1;
	if (!d->is_queued[index])
		return; /* as a driver does: without a buffer the frame is gone */
	d->next_queued = (index + 1) % FAKE_BUFFERS;
	d->is_queued[index] = false;
	d->is_done[index] = true;
	*buffer = (struct v4l2_buffer){ .index = index, .sequence = d->sequence };
	buffer->bytesused = frame == FAKE_EMPTY ? 0 : (uint32_t)d->picture.len;
	buffer->flags = frame == FAKE_ERROR ? V4L2_BUF_FLAG_ERROR : 0;
	memcpy(d->memory[index], d->picture.data, d->picture.len);
	stamp(d, buffer, frame == FAKE_OLD);
}

static int fake_poll(void *context, struct pollfd *fds, unsigned count, int timeout_ms)
{
	struct fake_driver *d = context;
	enum fake_frame frame = d->at < d->script_len ? d->script[d->at++] : d->rest;
	struct pollfd wake = { .fd = -1 };
	int r;

	if (count > 1)
		wake = fds[1];
	if (frame == FAKE_UNPLUG)
		d->is_there = false;
	/* A frame takes a moment; none at all takes what is waited for, unless woken. */
	r = poll(&wake, 1, frame == FAKE_NONE ? timeout_ms : 2);
	fds[0].revents = 0;
	if (count > 1)
		fds[1].revents = wake.revents;
	if (!d->is_there)
		fds[0].revents = POLLERR | POLLHUP;
	else if (frame != FAKE_NONE)
		happen(d, frame);
	if (d->is_there && frame != FAKE_NONE)
		fds[0].revents = POLLIN;
	return r + (fds[0].revents != 0);
}

static int query_capability(struct fake_driver *d, struct v4l2_capability *capability)
{
	(void)snprintf((char *)capability->driver, sizeof capability->driver, "fake");
	(void)snprintf((char *)capability->card, sizeof capability->card, "Fake camera");
	capability->capabilities = d->capabilities | V4L2_CAP_DEVICE_CAPS;
	capability->device_caps = d->capabilities;
	return 0;
}

static int enumerate_format(struct fake_driver *d, struct v4l2_fmtdesc *format)
{
	if (format->index >= 4 || !d->formats[format->index])
		return -EINVAL;
	format->pixelformat = d->formats[format->index];
	return 0;
}

static int enumerate_size(const struct fake_driver *d, struct v4l2_frmsizeenum *size)
{
	if (!d->endless_modes && size->index >= 2)
		return -EINVAL;
	size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
	size->discrete.width = d->width << (size->index & 1);
	size->discrete.height = d->height << (size->index & 1);
	return 0;
}

static int enumerate_rate(const struct fake_driver *d, struct v4l2_frmivalenum *rate)
{
	if (!d->endless_modes && rate->index >= 2)
		return -EINVAL;
	rate->type = V4L2_FRMIVAL_TYPE_DISCRETE;
	rate->discrete = (struct v4l2_fract){ rate->index + 1, 30 };
	return 0;
}

static int set_format(struct fake_driver *d, struct v4l2_format *format)
{
	if (d->given_format)
		format->fmt.pix.pixelformat = d->given_format;
	format->fmt.pix.width = d->width;
	format->fmt.pix.height = d->height;
	format->fmt.pix.bytesperline = d->width + d->stride_more;
	if (format->fmt.pix.pixelformat == V4L2_PIX_FMT_YUYV)
		format->fmt.pix.bytesperline = 2 * d->width + d->stride_more;
	return 0;
}

static int set_parm(struct v4l2_streamparm *parm)
{
	parm->parm.capture.timeperframe = (struct v4l2_fract){ 1, 30 };
	return 0;
}

static int query_control(struct v4l2_query_ext_ctrl *control)
{
	uint32_t id = control->id & V4L2_CTRL_ID_MASK;
	uint32_t index = 0;

	while (index < FAKE_CONTROLS && controls[index].id <= id)
		index++;
	if (index >= FAKE_CONTROLS)
		return -EINVAL;
	control->id = controls[index].id;
	control->type = V4L2_CTRL_TYPE_INTEGER;
	(void)snprintf(control->name, sizeof control->name, "%s", controls[index].name);
	control->minimum = controls[index].minimum;
	control->maximum = controls[index].maximum;
	return 0;
}

static int access_control(struct fake_driver *d, struct v4l2_ext_controls *all, bool is_write)
{
	struct v4l2_ext_control *control = all->controls;
	uint32_t index = 0;

	while (index < FAKE_CONTROLS && controls[index].id != control->id)
		index++;
	if (index >= FAKE_CONTROLS || (!is_write && d->hides_controls))
		return -EINVAL;
	if (is_write && d->refuses_controls)
		return -EACCES;
	if (is_write)
		d->controls[index] = control->value / controls[index].step * controls[index].step;
	control->value = d->controls[index];
	return 0;
}

static int queue(struct fake_driver *d, const struct v4l2_buffer *buffer)
{
	d->is_queued[buffer->index] = true;
	return 0;
}

static int dequeue(struct fake_driver *d, struct v4l2_buffer *buffer)
{
	for (unsigned i = 0; i < FAKE_BUFFERS; i++) {
		unsigned index = (d->next_queued + i) % FAKE_BUFFERS;

		if (!d->is_done[index])
			continue;
		d->is_done[index] = false;
		*buffer = d->buffers[index];
		return 0;
	}
	return -EAGAIN;
}

static int query_buffer(struct v4l2_buffer *buffer)
{
	buffer->length = 65536;
	buffer->m.offset = buffer->index;
	return 0;
}

static int fake_ioctl(void *context, int fd, unsigned long number, void *argument)
{
	struct fake_driver *d = context;

	if (!d->is_there)
		return -ENODEV;
	switch (number) {
	case VIDIOC_QUERYCAP:
		return query_capability(d, argument);
	case VIDIOC_ENUM_FMT:
		return enumerate_format(d, argument);
	case VIDIOC_ENUM_FRAMESIZES:
		return enumerate_size(d, argument);
	case VIDIOC_ENUM_FRAMEINTERVALS:
		return enumerate_rate(d, argument);
	case VIDIOC_G_FMT:
	case VIDIOC_S_FMT:
		return set_format(d, argument);
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM:
		return set_parm(argument);
	case VIDIOC_QUERY_EXT_CTRL:
		return query_control(argument);
	case VIDIOC_S_EXT_CTRLS:
		return access_control(d, argument, true);
	case VIDIOC_G_EXT_CTRLS:
		return access_control(d, argument, false);
	case VIDIOC_REQBUFS:
		return 0;
	case VIDIOC_QUERYBUF:
		return query_buffer(argument);
	case VIDIOC_QBUF:
		return queue(d, argument);
	case VIDIOC_DQBUF:
		return dequeue(d, argument);
	case VIDIOC_STREAMON:
		d->next_queued = 0;
		d->is_streaming = true;
		return 0;
	case VIDIOC_STREAMOFF:
		d->is_streaming = false;
		return 0;
	default:
		return -ENOTTY;
	}
}

struct vd_v4l2_io fake_driver_init(struct fake_driver *driver, uint32_t format)
{
	*driver = (struct fake_driver){ .is_there = true,
					.formats = { format },
					.width = 64,
					.height = 48,
					.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING,
					.has_timestamps = true };
	return (struct vd_v4l2_io){ .open = fake_open,
				    .close = fake_close,
				    .ioctl = fake_ioctl,
				    .map = fake_map,
				    .unmap = fake_unmap,
				    .poll = fake_poll,
				    .context = driver };
}

void fake_driver_fini(struct fake_driver *driver)
{
	vd_buf_fini(&driver->picture);
}
