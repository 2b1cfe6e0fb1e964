/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/settings.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

static const char *const kinds[] = { [VD_CAMERA_FOLDER] = "folder", [VD_CAMERA_V4L2] = "v4l2" };
static const char *const formats[] = { [VD_PIXELS_MJPEG] = "mjpeg",
				       [VD_PIXELS_GREY] = "grey",
				       [VD_PIXELS_YUYV] = "yuyv",
				       [VD_PIXELS_NV12] = "nv12",
				       [VD_PIXELS_AUTO] = "auto" };

/* What may change while the source stays open. */
static const char *const outside_source[] = { "trigger", "intervalMs", "waitForConsumer",
					      "timeoutMs", "healthIntervalMs" };

/* A parameter of one kind of source that says something other than this is refused for the other. */
static const struct foreign {
	enum vd_camera_kind kind;  /* that knows it */
	const char *key, *neutral; /* NULL: must be absent; else JSON text of its default */
} foreigns[] = {
	{ VD_CAMERA_FOLDER, "startAfter", NULL },
	{ VD_CAMERA_FOLDER, "serialPattern", NULL },
	{ VD_CAMERA_FOLDER, "resume", "false" },
	{ VD_CAMERA_FOLDER, "delayMs", "0" },
	{ VD_CAMERA_FOLDER, "failEvery", "0" },
	{ VD_CAMERA_FOLDER, "corruptEvery", "0" },
	{ VD_CAMERA_V4L2, "pixelFormat", "\"auto\"" },
	{ VD_CAMERA_V4L2, "output", "\"jpeg\"" },
	{ VD_CAMERA_V4L2, "width", NULL },
	{ VD_CAMERA_V4L2, "height", NULL },
	{ VD_CAMERA_V4L2, "controls", "{}" },
	{ VD_CAMERA_V4L2, "settleMs", "0" },
};

const char *vd_pixel_format_name(enum vd_pixel_format format)
{
	return formats[format];
}

const char *vd_camera_kind_name(enum vd_camera_kind kind)
{
	return kinds[kind];
}

static int refuse(struct vd_fault *fault, const char *key, const char *text)
{
	vd_fault_set(fault, 400, NULL, "%s", text);
	vd_fault_under(fault, key);
	return -EINVAL;
}

static bool is_stable_path(const char *path)
{
	return strncmp(path, "/dev/v4l/by-id/", 15) == 0 ||
	       strncmp(path, "/dev/v4l/by-path/", 17) == 0;
}

static int read_source(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const char *source = vd_json_string(s->parameters, "source", "");

	if (strncmp(source, "folder:", 7) == 0) {
		s->kind = VD_CAMERA_FOLDER;
		s->path = source + 7;
		return s->path[0] == '/'
			       ? 0
			       : refuse(fault, "source", "the folder is no absolute path");
	}
	if (strncmp(source, "v4l2:", 5) != 0)
		return refuse(fault, "source", "is neither folder:PATH nor v4l2:PATH");
	s->kind = VD_CAMERA_V4L2;
	s->path = source + 5;
	if (strstr(s->path, "/../") || !is_stable_path(s->path))
		return refuse(fault, "source",
			      "is not below /dev/v4l/by-id or /dev/v4l/by-path: other device names "
			      "change with the order of plugging");
	return 0;
}

static int check_foreign(const struct vd_camera_settings *s, struct vd_fault *fault)
{
	for (size_t i = 0; i < VD_COUNT(foreigns); i++) {
		const cJSON *value = vd_json_get(s->parameters, foreigns[i].key);
		char *text;
		bool is_neutral;

		if (foreigns[i].kind == s->kind || !value)
			continue;
		text = vd_json_text(value);
		is_neutral = text && foreigns[i].neutral && strcmp(text, foreigns[i].neutral) == 0;
		free(text);
		if (is_neutral)
			continue;
		vd_fault_set(fault, 400, NULL, "is for a %s source; this one is %s",
			     kinds[foreigns[i].kind], kinds[s->kind]);
		vd_fault_under(fault, foreigns[i].key);
		return -EINVAL;
	}
	return 0;
}

static int read_trigger(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const char *trigger = vd_json_string(s->parameters, "trigger", "auto");
	double interval_ms = vd_json_number(s->parameters, "intervalMs", 0);
	bool is_v4l2 = s->kind == VD_CAMERA_V4L2;

	s->fps = vd_json_number(s->parameters, "fps", 0);
	if (strcmp(trigger, "call") == 0)
		s->trigger = VD_TRIGGER_CALL;
	else if (strcmp(trigger, "device") == 0)
		s->trigger = VD_TRIGGER_DEVICE;
	else if (strcmp(trigger, "auto") == 0 && is_v4l2 && interval_ms <= 0)
		s->trigger = VD_TRIGGER_DEVICE;
	if (s->trigger == VD_TRIGGER_DEVICE && !is_v4l2)
		return refuse(fault, "trigger", "a folder does not trigger by itself");
	if (s->trigger != VD_TRIGGER_TIMER && interval_ms > 0)
		return refuse(fault, "intervalMs", "contradicts trigger, which is not timer");
	if (!is_v4l2 && interval_ms > 0 && s->fps > 0)
		return refuse(fault, "intervalMs", "contradicts fps: give one of them");
	if (interval_ms <= 0)
		interval_ms = s->fps > 0 ? 1000 / s->fps : 1000;
	s->period_us = (uint64_t)llround(interval_ms * 1000);
	return 0;
}

static int check_serial_pattern(const char *pattern, struct vd_fault *fault)
{
	regex_t regex;
	size_t groups;
	char text[128];
	int r;

	if (!pattern)
		return 0;
	r = regcomp(&regex, pattern, REG_EXTENDED);
	if (r != 0) {
		(void)regerror(r, &regex, text, sizeof text);
		return refuse(fault, "serialPattern", text);
	}
	groups = regex.re_nsub;
	regfree(&regex);
	return groups == 1 ? 0 : refuse(fault, "serialPattern", "needs exactly one group");
}

static uint64_t count_of(const struct vd_camera_settings *s, const char *key)
{
	int64_t n = vd_json_int(s->parameters, key, 0);

	return n > 0 ? (uint64_t)n : 0;
}

static int read_folder(struct vd_camera_settings *s, struct vd_fault *fault)
{
	s->pattern = vd_json_string(s->parameters, "pattern", "*");
	s->start_after = vd_json_string(s->parameters, "startAfter", NULL);
	s->serial_pattern = vd_json_string(s->parameters, "serialPattern", NULL);
	s->is_random = strcmp(vd_json_string(s->parameters, "order", ""), "random") == 0;
	s->is_looping = vd_json_bool(s->parameters, "loop", true);
	s->is_resuming = vd_json_bool(s->parameters, "resume", false);
	s->seed = (uint32_t)count_of(s, "seed");
	s->delay_ms = count_of(s, "delayMs");
	s->fail_every = count_of(s, "failEvery");
	s->corrupt_every = count_of(s, "corruptEvery");
	if (s->start_after && s->is_random)
		return refuse(fault, "startAfter", "contradicts order, which is random");
	return check_serial_pattern(s->serial_pattern, fault);
}

static enum vd_pixel_format pixel_format_of(const char *name)
{
	for (size_t i = 0; i < VD_COUNT(formats); i++) {
		if (strcmp(name, formats[i]) == 0)
			return (enum vd_pixel_format)i;
	}
	return VD_PIXELS_AUTO;
}

static int read_v4l2(struct vd_camera_settings *s, struct vd_fault *fault)
{
	s->pixel_format = pixel_format_of(vd_json_string(s->parameters, "pixelFormat", "auto"));
	s->is_grey = strcmp(vd_json_string(s->parameters, "output", "jpeg"), "grey") == 0;
	s->quality = (int)vd_json_int(s->parameters, "quality", 90);
	s->width = (uint32_t)count_of(s, "width");
	s->height = (uint32_t)count_of(s, "height");
	s->controls = vd_json_object(s->parameters, "controls");
	s->is_strict = vd_json_bool(s->parameters, "strictSettings", false);
	s->settle_frames = (unsigned)count_of(s, "settleFrames");
	s->settle_ms = count_of(s, "settleMs");
	if (s->is_grey && s->pixel_format == VD_PIXELS_MJPEG)
		return refuse(fault, "output", "mjpeg is handed over as jpeg, never as grey");
	if (!s->width != !s->height)
		return refuse(fault, s->width ? "width" : "height",
			      "width and height go together: the other one is absent");
	return 0;
}

static int read_all(struct vd_camera_settings *s, struct vd_fault *fault)
{
	int r = read_source(s, fault);

	if (r == 0)
		r = check_foreign(s, fault);
	if (r == 0)
		r = read_trigger(s, fault);
	if (r == 0)
		r = s->kind == VD_CAMERA_FOLDER ? read_folder(s, fault) : read_v4l2(s, fault);
	s->wait_for_consumer = vd_json_bool(s->parameters, "waitForConsumer", true);
	s->timeout_ms = (uint64_t)vd_json_int(s->parameters, "timeoutMs", 2000);
	s->health_ms = (uint64_t)vd_json_int(s->parameters, "healthIntervalMs", 10000);
	s->max_bytes = (size_t)vd_json_int(s->parameters, "maxBytes", 32 << 20);
	s->max_pixels = (uint64_t)vd_json_int(s->parameters, "maxPixels", 50000000);
	if (r == 0 && s->settle_ms >= s->timeout_ms)
		return refuse(fault, "settleMs", "is not below timeoutMs");
	return r;
}

struct vd_camera_settings *vd_camera_settings_free(struct vd_camera_settings *settings)
{
	if (!settings)
		return NULL;
	vd_json_free(settings->parameters);
	free(settings);
	return NULL;
}

int vd_camera_settings_new(const cJSON *parameters, struct vd_camera_settings **ret_settings,
			   struct vd_fault *fault)
{
	VD_CLEANUP(vd_camera_settings_free)
	struct vd_camera_settings *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->parameters = cJSON_Duplicate(parameters, true);
	if (!s->parameters)
		return -ENOMEM;
	r = read_all(s, fault);
	if (r < 0)
		return r;
	*ret_settings = VD_TAKE(s);
	return 0;
}

bool vd_camera_settings_same_source(const struct vd_camera_settings *a,
				    const struct vd_camera_settings *b)
{
	VD_CLEANUP(vd_json_free) cJSON *left = cJSON_Duplicate(a->parameters, true);
	VD_CLEANUP(vd_json_free) cJSON *right = cJSON_Duplicate(b->parameters, true);

	if (!left || !right)
		return false;
	for (size_t i = 0; i < VD_COUNT(outside_source); i++) {
		cJSON_DeleteItemFromObjectCaseSensitive(left, outside_source[i]);
		cJSON_DeleteItemFromObjectCaseSensitive(right, outside_source[i]);
	}
	if (a->kind == VD_CAMERA_FOLDER && b->kind == VD_CAMERA_FOLDER) { /* is the timer's there */
		cJSON_DeleteItemFromObjectCaseSensitive(left, "fps");
		cJSON_DeleteItemFromObjectCaseSensitive(right, "fps");
	}
	return cJSON_Compare(left, right, true);
}
