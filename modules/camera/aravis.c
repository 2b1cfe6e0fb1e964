/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera sends a frame once it is exposed, so what says when a frame began is the time at which
 * its first packet came, less its exposure; the clock of the camera itself is nobody's. Of a
 * camera that runs freely a capture takes only frames that began after the trigger even if the
 * camera kept them for one frame time. Buffers are drained between captures, as of V4L2.
 */
#include "modules/camera/aravis.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "modules/camera/aravis_camera.h"
#include "modules/camera/develop.h"
#include "modules/camera/gvcp.h"

enum {
	TIMED_OUT = 100,
	ASK_MS = 500,
	CLOCKS_US = 2000 /* by so much two clocks that are read one after the other may differ */
};

struct aravis {
	struct vd_camera_source source;
	struct vd_aravis_camera camera;
	struct vd_gvcp probe;
	unsigned settle;   /* frames still to drop */
	uint64_t last_ms;  /* when the last buffer came */
	uint64_t asked_ms; /* when the camera was asked last, if it is not on the network */
	uint64_t frame_id; /* of the last buffer */
	bool has_frame_id, is_gone;
	struct vd_aravis_closing *closing; /* of the connection before; NULL: none */
	uint64_t commanded_us;             /* when the software trigger went out */
	struct vd_darkroom room;
};

static const struct {
	uint32_t code; /* of the PFNC */
	enum vd_sensor_format format;
	unsigned bytes; /* a pixel */
} formats[] = {
	{ 0x01080001, VD_SENSOR_GREY, 1 },     { 0x02100032, VD_SENSOR_YUYV, 2 },
	{ 0x02180014, VD_SENSOR_RGB, 3 },      { 0x01080008, VD_SENSOR_BAYER_GR, 1 },
	{ 0x01080009, VD_SENSOR_BAYER_RG, 1 }, { 0x0108000a, VD_SENSOR_BAYER_GB, 1 },
	{ 0x0108000b, VD_SENSOR_BAYER_BG, 1 },
};

static struct aravis *aravis_of(struct vd_camera_source *source)
{
	return VD_CONTAINER(source, struct aravis, source);
}

static int lost(struct aravis *a, struct vd_fault *fault, const char *text)
{
	a->is_gone = true;
	vd_fault_set(fault, 503, NULL, "aravis %s: lost: %s", a->camera.id, text);
	return VD_SOURCE_LOST;
}

/* --- Buffers --- */

/* When its first packet came, on our clock. Aravis stamps with the wall clock. */
static uint64_t arrival_us(const struct aravis *a, struct _ArvBuffer *buffer)
{
	uint64_t stamp_ns = a->camera.arv->buffer_get_system_timestamp(buffer);
	uint64_t now_us = vd_clock_mono_us(), wall_ns, age_us;
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	wall_ns = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
	age_us = wall_ns > stamp_ns ? (wall_ns - stamp_ns) / 1000 : 0;
	return age_us < now_us ? now_us - age_us : 0;
}

static uint64_t exposure_us(const struct aravis *a)
{
	return a->camera.exposure_us > 0 ? (uint64_t)a->camera.exposure_us : 0;
}

/* The latest time at which the frame may have begun, and still count as begun then. */
static uint64_t surely_began_us(const struct aravis *a, uint64_t arrived_us)
{
	const struct vd_camera_settings *s = a->source.settings;
	uint64_t early_us = exposure_us(a);

	if (!s->device_trigger && a->camera.fps > 0)
		early_us += (uint64_t)(1000000 / a->camera.fps);
	return arrived_us > early_us ? arrived_us - early_us : 0;
}

static void count_gap(struct aravis *a, struct _ArvBuffer *buffer)
{
	uint64_t id = a->camera.arv->buffer_get_frame_id(buffer);

	if (a->has_frame_id && id > a->frame_id + 1) /* a smaller one: the counter began again */
		a->source.counts.sequence_gaps += id - a->frame_id - 1;
	a->frame_id = id;
	a->has_frame_id = true;
}

static const char *status_text(int status)
{
	static const char *const texts[] = { "whole",         "not filled",
					     "packets late",  "packets missing",
					     "wrong packets", "larger than its buffer",
					     "not filled",    "broken off" };

	return status >= 0 && (size_t)status < VD_COUNT(texts) ? texts[status] : "unknown";
}

static int find_format(uint32_t code, enum vd_sensor_format *ret_format, unsigned *ret_bytes)
{
	for (size_t i = 0; i < VD_COUNT(formats); i++) {
		if (formats[i].code != code)
			continue;
		*ret_format = formats[i].format;
		*ret_bytes = formats[i].bytes;
		return 0;
	}
	return -ENOENT;
}

static int develop(struct aravis *a, struct _ArvBuffer *buffer, struct vd_camera_frame *frame,
		   struct vd_fault *fault)
{
	const struct vd_aravis *arv = a->camera.arv;
	int width = arv->buffer_get_image_width(buffer);
	int height = arv->buffer_get_image_height(buffer);
	struct vd_sensor_frame raw = { 0 };
	unsigned bytes;

	if (arv->buffer_get_payload_type(buffer) != VD_ARAVIS_IMAGE ||
	    find_format(arv->buffer_get_image_pixel_format(buffer), &raw.format, &bytes) < 0) {
		vd_fault_set(fault, 415, NULL, "aravis %s: pixel format %s cannot be used",
			     a->camera.id, a->camera.pixel_format);
		return VD_SOURCE_FAILED;
	}
	if (width != a->camera.width || height != a->camera.height) {
		vd_fault_set(fault, 502, NULL, "aravis %s: a frame of %dx%d instead of %dx%d",
			     a->camera.id, width, height, a->camera.width, a->camera.height);
		return VD_SOURCE_FAILED;
	}
	raw.width = (uint32_t)width;
	raw.height = (uint32_t)height;
	raw.stride = (size_t)width * bytes;
	raw.bytes = arv->buffer_get_data(buffer, &raw.len);
	return vd_camera_develop(&a->room, &raw, a->source.settings, frame, fault);
}

static int take(struct aravis *a, struct _ArvBuffer *buffer, uint64_t arrived_us,
		struct vd_camera_frame *frame, struct vd_fault *fault)
{
	uint64_t began_us = arrived_us > exposure_us(a) ? arrived_us - exposure_us(a) : 0;

	if (began_us < a->commanded_us)
		began_us = a->commanded_us;
	vd_buf_clear(&frame->bytes);
	frame->serial[0] = frame->name[0] = '\0';
	frame->sequence = a->frame_id;
	frame->t_mono_ms = began_us / 1000;
	frame->t_wall_ms = vd_clock_wall_ms() - (int64_t)((vd_clock_mono_us() - began_us) / 1000);
	return develop(a, buffer, frame, fault);
}

/* One buffer that came: 0 with the frame, -EAGAIN if it was not wanted, or an outcome. */
static int judge(struct aravis *a, struct _ArvBuffer *buffer, const struct vd_camera_wish *wish,
		 struct vd_camera_frame *frame, struct vd_fault *fault)
{
	int status = a->camera.arv->buffer_get_status(buffer);
	uint64_t arrived_us = arrival_us(a, buffer);

	a->last_ms = vd_clock_mono_ms();
	count_gap(a, buffer);
	if (status != VD_ARAVIS_SUCCESS)
		a->source.counts.flagged++;
	if (a->settle > 0) {
		a->settle--;
		return -EAGAIN;
	}
	if (!frame)
		return -EAGAIN;
	if (arrived_us + CLOCKS_US < a->commanded_us ||
	    surely_began_us(a, arrived_us) < wish->not_before_ms * 1000) {
		a->source.counts.stale++;
		return -EAGAIN;
	}
	if (status != VD_ARAVIS_SUCCESS) {
		vd_fault_set(fault, 502, NULL, "aravis %s: incomplete frame: %s", a->camera.id,
			     status_text(status));
		return VD_SOURCE_FAILED;
	}
	return take(a, buffer, arrived_us, frame, fault);
}

/* --- Waiting --- */

/* A camera that is on no network answers, or fails, at once. */
static bool is_there(struct aravis *a, uint64_t now_ms)
{
	if (a->probe.fd >= 0)
		return vd_gvcp_tend(&a->probe, now_ms);
	if (now_ms < a->asked_ms + ASK_MS)
		return true;
	a->asked_ms = now_ms;
	return vd_aravis_camera_answers(&a->camera);
}

static int stalled(struct aravis *a, uint64_t now_ms, struct vd_fault *fault)
{
	uint64_t timeout_ms = a->source.settings->timeout_ms;
	char text[64];

	if (!is_there(a, now_ms))
		return lost(a, fault, "it does not answer");
	if (a->source.settings->device_trigger || now_ms - a->last_ms < timeout_ms)
		return 0;
	(void)snprintf(text, sizeof text, "no frame for %llu ms", (unsigned long long)timeout_ms);
	return lost(a, fault, text);
}

/* Until a buffer may be there: 0, TIMED_OUT, VD_SOURCE_INTERRUPTED or VD_SOURCE_LOST. */
static int wait_for_buffer(struct aravis *a, const struct vd_camera_wish *wish,
			   struct vd_fault *fault)
{
	struct pollfd fds[3] = { { .fd = a->camera.done_fd, .events = POLLIN },
				 { .fd = a->probe.fd, .events = POLLIN },
				 { .fd = wish->wake_fd, .events = POLLIN } };
	uint64_t now_ms = vd_clock_mono_ms(), left_ms, count;
	int r = stalled(a, now_ms, fault);

	if (r != 0)
		return r;
	if (now_ms >= wish->deadline_ms)
		return TIMED_OUT;
	left_ms = wish->deadline_ms - now_ms;
	if (left_ms > VD_GVCP_PERIOD_MS / 2)
		left_ms = VD_GVCP_PERIOD_MS / 2;
	(void)poll(fds, 3, (int)left_ms);
	(void)!read(a->camera.done_fd, &count, sizeof count);
	return fds[2].revents ? VD_SOURCE_INTERRUPTED : 0;
}

/* The next buffer that is wanted, or with frame NULL none: 0, or an outcome. */
static int pump(struct aravis *a, const struct vd_camera_wish *wish, struct vd_camera_frame *frame,
		struct vd_fault *fault)
{
	const struct vd_aravis *arv = a->camera.arv;

	for (;;) {
		struct _ArvBuffer *buffer = arv->stream_try_pop_buffer(a->camera.stream);
		int r;

		if (buffer) {
			r = judge(a, buffer, wish, frame, fault);
			arv->stream_push_buffer(a->camera.stream, buffer);
		} else {
			r = wait_for_buffer(a, wish, fault);
		}
		if (r != 0 && r != -EAGAIN)
			return r;
		if (r == 0 && buffer)
			return 0;
	}
}

/* --- The source --- */

static int check_strict(const struct aravis *a, struct vd_fault *fault)
{
	if (!a->source.settings->is_strict || a->camera.deviations == 0)
		return 0;
	vd_fault_set(fault, 409, NULL, "aravis %s: %s", a->camera.id, a->camera.deviation);
	return VD_SOURCE_FAILED;
}

/* What still lies there belongs to an earlier trigger. */
static void drain(struct aravis *a)
{
	struct vd_fault ignored;
	struct _ArvBuffer *buffer;

	while ((buffer = a->camera.arv->stream_try_pop_buffer(a->camera.stream))) {
		(void)judge(a, buffer, NULL, NULL, &ignored);
		a->source.counts.stale++;
		a->camera.arv->stream_push_buffer(a->camera.stream, buffer);
	}
}

static int trigger(struct aravis *a, struct vd_fault *fault)
{
	struct _GError *error = NULL;
	char text[160];

	drain(a);
	a->settle = 0; /* each frame is triggered, and none before this one was */
	a->commanded_us = vd_clock_mono_us();
	a->camera.arv->camera_software_trigger(a->camera.camera, &error);
	return vd_aravis_ok(a->camera.arv, &error, text, sizeof text) ? 0 : lost(a, fault, text);
}

/* Without the frame of its trigger the stream cannot be told from that of the next one. */
static int timed_out(struct aravis *a, struct vd_fault *fault)
{
	unsigned long long timeout_ms = a->source.settings->timeout_ms;

	vd_fault_set(fault, 504, NULL, "aravis %s: no frame within %llu ms", a->camera.id,
		     timeout_ms);
	a->is_gone = a->source.settings->is_software_triggered; /* as far as anybody knows */
	return a->is_gone ? VD_SOURCE_LOST : VD_SOURCE_FAILED;
}

static void settle(const struct vd_camera_wish *wish)
{
	uint64_t now_ms = vd_clock_mono_ms();

	if (wish->not_before_ms > now_ms)
		(void)poll(NULL, 0, (int)(wish->not_before_ms - now_ms));
}

/* No part passed the input that triggers the camera, and nobody asked for a frame. */
static bool is_at_rest(const struct aravis *a, const struct vd_camera_wish *wish)
{
	const struct vd_camera_settings *s = a->source.settings;

	return s->device_trigger && !s->is_software_triggered && !wish->not_before_ms;
}

static int aravis_capture(struct vd_camera_source *source, const struct vd_camera_wish *wish,
			  struct vd_camera_frame *frame, struct vd_fault *fault)
{
	struct aravis *a = aravis_of(source);
	struct vd_camera_wish settled = *wish;
	int r = check_strict(a, fault);

	if (wish->not_before_ms)
		settled.not_before_ms += source->settings->settle_ms;
	if (r == 0 && source->settings->is_software_triggered) {
		settle(&settled);
		r = trigger(a, fault);
		settled.not_before_ms = 0; /* what comes now was exposed for this trigger */
	}
	if (r == 0)
		r = pump(a, &settled, frame, fault);
	if (r == TIMED_OUT && is_at_rest(a, wish))
		return VD_SOURCE_INTERRUPTED;
	return r == TIMED_OUT ? timed_out(a, fault) : r;
}

static int aravis_tend(struct vd_camera_source *source, const struct vd_camera_wish *wish,
		       struct vd_fault *fault)
{
	int r = pump(aravis_of(source), wish, NULL, fault);

	return r == TIMED_OUT ? 0 : r;
}

static void aravis_close(struct vd_camera_source *source)
{
	struct aravis *a = aravis_of(source);

	struct vd_aravis_closing *closing;

	vd_gvcp_close(&a->probe);
	closing = vd_aravis_camera_close(&a->camera, a->is_gone);
	if (closing) {
		(void)vd_aravis_closing_free(a->closing);
		a->closing = closing;
	}
	a->is_gone = false;
}

static int aravis_open(struct vd_camera_source *source, struct vd_fault *fault)
{
	struct aravis *a = aravis_of(source);
	int r;

	/* Its farewell would take the camera away from the new connection. */
	if (!vd_aravis_closing_ended(a->closing)) {
		vd_fault_set(fault, 503, NULL, "aravis %s: lost, and still being closed",
			     source->settings->path);
		return VD_SOURCE_LOST;
	}
	a->closing = vd_aravis_closing_free(a->closing);
	r = vd_aravis_camera_open(&a->camera, source->settings, fault);
	a->settle = source->settings->settle_frames;
	a->last_ms = a->asked_ms = vd_clock_mono_ms();
	a->has_frame_id = false;
	a->is_gone = r != 0 && a->camera.camera; /* it may be why: nobody waits for its closing */
	if (r == 0)
		vd_gvcp_open(&a->probe, a->camera.address, a->last_ms);
	else
		aravis_close(source);
	return r;
}

static bool add_settings(cJSON *object, const struct vd_aravis_camera *c)
{
	return vd_json_add_string(object, "pixelFormat", c->pixel_format) &&
	       vd_json_add_number(object, "x", c->x) && vd_json_add_number(object, "y", c->y) &&
	       vd_json_add_number(object, "width", c->width) &&
	       vd_json_add_number(object, "height", c->height) &&
	       (c->fps < 0 || vd_json_add_number(object, "fps", c->fps)) &&
	       (c->exposure_us < 0 || vd_json_add_number(object, "exposureUs", c->exposure_us)) &&
	       (c->gain < 0 || vd_json_add_number(object, "gain", c->gain)) &&
	       vd_json_add_number(object, "deviations", c->deviations) &&
	       vd_json_add_string(object, "deviation", c->deviations ? c->deviation : NULL) &&
	       vd_json_add_copy(object, "controls", c->controls);
}

static cJSON *describe(const struct vd_camera_source *source)
{
	const struct aravis *a = VD_CONTAINER(source, const struct aravis, source);
	const struct vd_aravis_camera *c = &a->camera;
	cJSON *object = cJSON_CreateObject();

	if (object && vd_json_add_string(object, "kind", "aravis") &&
	    vd_json_add_string(object, "device", c->id) &&
	    vd_json_add_string(object, "serial", c->serial) &&
	    vd_json_add_string(object, "address", c->address) &&
	    vd_json_add_string(object, "vendor", c->arv->camera_get_vendor_name(c->camera, NULL)) &&
	    vd_json_add_string(object, "card", c->arv->camera_get_model_name(c->camera, NULL)) &&
	    add_settings(object, c) && vd_json_add_copy(object, "modes", c->modes))
		return object;
	return vd_json_free(object);
}

static void aravis_levels(struct vd_camera_source *source, struct vd_camera_levels *levels)
{
	struct vd_aravis_camera *c = &aravis_of(source)->camera;

	vd_aravis_camera_read_levels(c);
	*levels = (struct vd_camera_levels){ .exposure_us = c->exposure_us, .gain = c->gain };
}

static struct vd_camera_source *aravis_free(struct vd_camera_source *source)
{
	struct aravis *a = aravis_of(source);

	aravis_close(source);
	(void)vd_aravis_closing_free(a->closing);
	vd_darkroom_fini(&a->room);
	free(a);
	return NULL;
}

static const struct vd_camera_source_type aravis_type = {
	.open = aravis_open,
	.capture = aravis_capture,
	.tend = aravis_tend,
	.describe = describe,
	.levels = aravis_levels,
	.close = aravis_close,
	.free = aravis_free,
};

int vd_aravis_source_new(const struct vd_camera_settings *settings,
			 struct vd_camera_source **ret_source)
{
	struct aravis *a = calloc(1, sizeof *a);

	if (!a)
		return -ENOMEM;
	a->source = (struct vd_camera_source){ .type = &aravis_type, .settings = settings };
	a->camera.done_fd = -1;
	a->probe.fd = -1;
	*ret_source = &a->source;
	return 0;
}
