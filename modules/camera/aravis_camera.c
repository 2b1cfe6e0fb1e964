/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening is a row of small steps, as of a V4L2 device: each asks the camera, reads back what it
 * really did, and counts what is not as asked.
 */
#include "modules/camera/aravis_camera.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "modules/camera/aravis_controls.h"
#include "modules/camera/source.h"

enum { AUTO_OFF = 0, MODES = 64 };

static const double tolerance = 0.01; /* of a time or rate that the camera rounds */

bool vd_aravis_ok(const struct vd_aravis *arv, struct _GError **error, char *text, size_t size)
{
	if (!*error)
		return true;
	(void)snprintf(text, size, "%s", (*error)->message);
	arv->error_free(*error);
	*error = NULL;
	return false;
}

static bool drop_error(const struct vd_aravis_camera *c, struct _GError **error)
{
	char text[8];

	return vd_aravis_ok(c->arv, error, text, sizeof text);
}

static void deviates(struct vd_aravis_camera *c, const char *format, ...) VD_PRINTF(2, 3);

static void deviates(struct vd_aravis_camera *c, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (c->deviations++ == 0)
		(void)vsnprintf(c->deviation, sizeof c->deviation, format, arguments);
	va_end(arguments);
}

static void copy(char *to, size_t size, const char *text)
{
	(void)snprintf(to, size, "%s", text ? text : "");
}

/* Exactly one camera of that id or serial number; serials of two makers may agree. */
static int find(struct vd_aravis_camera *c, const char *name, struct vd_fault *fault)
{
	unsigned count, matches = 0;

	c->arv->update_device_list();
	count = c->arv->get_n_devices();
	for (unsigned i = 0; i < count; i++) {
		const char *id = c->arv->get_device_id(i);
		const char *serial = c->arv->get_device_serial_nbr(i);

		if (!id || (strcmp(id, name) != 0 && (!serial || strcmp(serial, name) != 0)))
			continue;
		if (matches++ > 0) {
			vd_fault_set(fault, 409, NULL,
				     "%s is ambiguous: a serial number of %s and of %s", name,
				     c->id, id);
			return VD_SOURCE_FAILED;
		}
		copy(c->id, sizeof c->id, id);
		copy(c->serial, sizeof c->serial, serial);
		copy(c->address, sizeof c->address, c->arv->get_device_address(i));
	}
	if (matches == 1)
		return 0;
	vd_fault_set(fault, 503, NULL, "aravis %s: no such camera", name);
	return VD_SOURCE_LOST;
}

static int failed(const struct vd_aravis_camera *c, struct vd_fault *fault, const char *step,
		  struct _GError **error)
{
	char text[160] = "no reason given";

	(void)vd_aravis_ok(c->arv, error, text, sizeof text);
	vd_fault_set(fault, 503, NULL, "aravis %s: %s: %s", c->id, step, text);
	return VD_SOURCE_FAILED;
}

/* Position and size, where the camera lets them be set. */
static int set_region(struct vd_aravis_camera *c, const struct vd_camera_settings *s,
		      struct vd_fault *fault)
{
	struct _GError *error = NULL;
	char text[96] = "";

	if (s->width) {
		c->arv->camera_set_region(c->camera, -1, -1, (int)s->width, (int)s->height, &error);
		(void)vd_aravis_ok(c->arv, &error, text, sizeof text);
	}
	c->arv->camera_get_region(c->camera, &c->x, &c->y, &c->width, &c->height, &error);
	if (error)
		return failed(c, fault, "read the region", &error);
	if (s->width && ((int)s->width != c->width || (int)s->height != c->height))
		deviates(c, "wanted %ux%u, the camera gives %dx%d%s%s", s->width, s->height,
			 c->width, c->height, text[0] ? ": " : "", text);
	if (c->width > 0 && c->height > 0 && c->width <= 65500 && c->height <= 65500 &&
	    (uint64_t)c->width * (uint64_t)c->height <= s->max_pixels)
		return 0;
	vd_fault_set(fault, 413, NULL, "aravis %s: gives %dx%d, which is out of bounds", c->id,
		     c->width, c->height);
	return VD_SOURCE_FAILED;
}

static int set_controls(struct vd_aravis_camera *c, const struct vd_camera_settings *s)
{
	const cJSON *entry;
	int r;

	c->controls = cJSON_CreateObject();
	if (!c->controls)
		return -ENOMEM;
	r = vd_aravis_controls_apply(c->arv, c->camera, s->controls, c->controls);
	if (r < 0)
		return r;
	cJSON_ArrayForEach(entry, c->controls)
	{
		const char *text = vd_json_string(entry, "text", NULL);

		if (text)
			deviates(c, "control %s: %s", entry->string, text);
	}
	return 0;
}

bool vd_aravis_camera_answers(const struct vd_aravis_camera *c)
{
	struct _GError *error = NULL;

	(void)c->arv->camera_get_payload(c->camera, &error);
	return drop_error(c, &error);
}

void vd_aravis_camera_read_levels(struct vd_aravis_camera *c)
{
	struct _GError *error = NULL;
	bool has_exposure, has_gain;
	double exposure_us = c->arv->camera_get_exposure_time(c->camera, &error), gain;

	has_exposure = drop_error(c, &error);
	gain = c->arv->camera_get_gain(c->camera, &error);
	has_gain = drop_error(c, &error);
	c->exposure_us = has_exposure ? exposure_us : -1;
	c->gain = has_gain ? gain : -1;
}

static void set_levels(struct vd_aravis_camera *c, const struct vd_camera_settings *s)
{
	struct _GError *error = NULL;
	char text[96] = "the camera chose another value";

	if (s->exposure_us >= 0) {
		if (c->arv->camera_is_exposure_auto_available(c->camera, NULL))
			c->arv->camera_set_exposure_time_auto(c->camera, AUTO_OFF, NULL);
		c->arv->camera_set_exposure_time(c->camera, s->exposure_us, &error);
		(void)vd_aravis_ok(c->arv, &error, text, sizeof text);
	}
	if (s->gain >= 0) {
		if (c->arv->camera_is_gain_auto_available(c->camera, NULL))
			c->arv->camera_set_gain_auto(c->camera, AUTO_OFF, NULL);
		c->arv->camera_set_gain(c->camera, s->gain, &error);
		(void)vd_aravis_ok(c->arv, &error, text, sizeof text);
	}
	vd_aravis_camera_read_levels(c);
	if (s->exposure_us >= 0 &&
	    fabs(c->exposure_us - s->exposure_us) > s->exposure_us * tolerance)
		deviates(c, "wanted exposureUs %g, the camera has %g: %s", s->exposure_us,
			 c->exposure_us, text);
	if (s->gain >= 0 && fabs(c->gain - s->gain) > s->gain * tolerance + tolerance)
		deviates(c, "wanted gain %g, the camera has %g: %s", s->gain, c->gain, text);
}

/* With a trigger the camera sends what is triggered; its own rate says nothing then. */
static int set_pace(struct vd_aravis_camera *c, const struct vd_camera_settings *s,
		    struct vd_fault *fault)
{
	struct _GError *error = NULL;

	c->fps = -1;
	c->arv->camera_clear_triggers(c->camera, &error);
	(void)drop_error(c, &error);
	if (s->fps > 0 && c->arv->camera_is_frame_rate_available(c->camera, NULL))
		c->arv->camera_set_frame_rate(c->camera, s->fps, &error);
	(void)drop_error(c, &error);
	if (s->device_trigger) {
		c->arv->camera_set_trigger(c->camera, s->device_trigger, &error);
		return error ? failed(c, fault, "set deviceTrigger", &error) : 0;
	}
	if (c->arv->camera_is_frame_rate_available(c->camera, NULL))
		c->fps = c->arv->camera_get_frame_rate(c->camera, &error);
	if (!drop_error(c, &error))
		c->fps = -1;
	if (s->fps > 0 && fabs(c->fps - s->fps) > s->fps * tolerance)
		deviates(c, "wanted %g frames a second, the camera gives %g", s->fps, c->fps);
	return 0;
}

/* --- What it can do --- */

static bool add_formats(const struct vd_aravis_camera *c, cJSON *modes)
{
	VD_CLEANUP(vd_json_free) cJSON *formats = cJSON_CreateArray();
	struct _GError *error = NULL;
	unsigned count = 0;
	const char **names =
		c->arv->camera_dup_available_pixel_formats_as_strings(c->camera, &count, &error);
	bool ok = formats != NULL;

	(void)drop_error(c, &error);
	for (unsigned i = 0; ok && names && i < count && i < MODES; i++) {
		cJSON *name = cJSON_CreateString(names[i]);

		ok = name && cJSON_AddItemToArray(formats, name);
	}
	c->arv->free(names);
	return ok && vd_json_add_take(modes, "pixelFormats", &formats);
}

static int read_modes(struct vd_aravis_camera *c)
{
	struct _GError *error = NULL;
	int width = 0, height = 0;
	double slowest = 0, fastest = 0;
	bool ok;

	c->modes = cJSON_CreateObject();
	ok = c->modes && add_formats(c, c->modes);
	c->arv->camera_get_sensor_size(c->camera, &width, &height, &error);
	if (drop_error(c, &error))
		ok = ok && vd_json_add_number(c->modes, "sensorWidth", width) &&
		     vd_json_add_number(c->modes, "sensorHeight", height);
	c->arv->camera_get_frame_rate_bounds(c->camera, &slowest, &fastest, &error);
	if (drop_error(c, &error) && isfinite(slowest) && isfinite(fastest))
		ok = ok && vd_json_add_number(c->modes, "fpsLeast", slowest) &&
		     vd_json_add_number(c->modes, "fpsMost", fastest);
	return ok ? 0 : -ENOMEM;
}

/* --- The stream --- */

/* In the stream's thread. */
static void on_stream(void *argument, unsigned kind, struct _ArvBuffer *buffer)
{
	int done_fd = (int)(intptr_t)argument; /* the camera may be closed while this still comes */
	uint64_t one = 1;

	if (kind == VD_ARAVIS_BUFFER_DONE)
		(void)!write(done_fd, &one, sizeof one);
}

static int start_stream(struct vd_aravis_camera *c, const struct vd_camera_settings *s,
			struct vd_fault *fault)
{
	struct _GError *error = NULL;
	unsigned payload = c->arv->camera_get_payload(c->camera, &error);

	if (error)
		return failed(c, fault, "read the size of a frame", &error);
	if (payload == 0 || payload > s->max_bytes) {
		vd_fault_set(fault, 413, NULL, "aravis %s: a frame of %u bytes is above maxBytes",
			     c->id, payload);
		return VD_SOURCE_FAILED;
	}
	c->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->done_fd < 0)
		return -errno;
	c->stream = c->arv->camera_create_stream(c->camera, on_stream, (void *)(intptr_t)c->done_fd,
						 &error);
	if (!c->stream)
		return failed(c, fault, "create the stream", &error);
	for (int i = 0; i < VD_ARAVIS_BUFFERS; i++)
		c->arv->stream_push_buffer(c->stream, c->arv->buffer_new(payload, NULL));
	c->arv->camera_start_acquisition(c->camera, &error);
	return error ? failed(c, fault, "start the acquisition", &error) : 0;
}

static int set_up(struct vd_aravis_camera *c, const struct vd_camera_settings *s,
		  struct vd_fault *fault)
{
	struct _GError *error = NULL;
	int r = set_controls(c, s); /* first: among them may be the pixel format */

	if (r == 0)
		r = set_region(c, s, fault);
	if (r != 0)
		return r;
	set_levels(c, s);
	r = set_pace(c, s, fault);
	if (r == 0)
		r = read_modes(c);
	copy(c->pixel_format, sizeof c->pixel_format,
	     c->arv->camera_get_pixel_format_as_string(c->camera, &error));
	(void)drop_error(c, &error);
	return r == 0 ? start_stream(c, s, fault) : r;
}

int vd_aravis_camera_open(struct vd_aravis_camera *camera,
			  const struct vd_camera_settings *settings, struct vd_fault *fault)
{
	struct _GError *error = NULL;
	int r;

	*camera = (struct vd_aravis_camera){ .done_fd = -1 };
	if (vd_aravis_load(&camera->arv, fault) < 0)
		return VD_SOURCE_FAILED;
	r = find(camera, settings->path, fault);
	if (r != 0)
		return r;
	camera->camera = camera->arv->camera_new(camera->id, &error);
	if (!camera->camera)
		return failed(camera, fault, "open", &error);
	return set_up(camera, settings, fault);
}

struct vd_aravis_closing *vd_aravis_camera_close(struct vd_aravis_camera *camera, bool is_gone)
{
	const struct vd_aravis_ends ends = { .arv = camera->arv,
					     .camera = camera->camera,
					     .stream = camera->stream,
					     .done_fd = camera->done_fd };
	struct vd_aravis_closing *closing = NULL;

	if (camera->stream && !is_gone)
		camera->arv->camera_stop_acquisition(camera->camera, NULL);
	if (is_gone)
		closing = vd_aravis_close_aside(&ends);
	else
		vd_aravis_close(&ends);
	(void)vd_json_free(camera->controls);
	(void)vd_json_free(camera->modes);
	*camera = (struct vd_aravis_camera){ .done_fd = -1 };
	return closing;
}
