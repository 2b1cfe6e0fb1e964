/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/settings.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

static const char *const kinds[] = { [VD_CAMERA_FOLDER] = "folder",
				     [VD_CAMERA_V4L2] = "v4l2",
				     [VD_CAMERA_HTTP] = "http",
				     [VD_CAMERA_ARAVIS] = "aravis" };
static const char *const formats[] = { [VD_PIXELS_MJPEG] = "mjpeg",
				       [VD_PIXELS_GREY] = "grey",
				       [VD_PIXELS_YUYV] = "yuyv",
				       [VD_PIXELS_NV12] = "nv12",
				       [VD_PIXELS_AUTO] = "auto" };

/* What may change while the source stays open. */
static const char *const outside_source[] = {
	"trigger", "intervalMs", "waitForConsumer", "timeoutMs", "healthIntervalMs", "ring",
	"kept",    "clip"
};

#define ONE(kind) (1U << (kind))
enum {
	FOLDER = ONE(VD_CAMERA_FOLDER),
	V4L2 = ONE(VD_CAMERA_V4L2),
	HTTP = ONE(VD_CAMERA_HTTP),
	ARAVIS = ONE(VD_CAMERA_ARAVIS)
};

/* A parameter of some kinds of source that says something else than this is refused for others. */
static const struct foreign {
	unsigned kinds;            /* that know it */
	const char *key, *neutral; /* NULL: must be absent; else JSON text of its default */
} foreigns[] = {
	{ FOLDER, "startAfter", NULL },
	{ FOLDER, "serialPattern", NULL },
	{ FOLDER, "resume", "false" },
	{ FOLDER, "delayMs", "0" },
	{ FOLDER, "failEvery", "0" },
	{ FOLDER, "corruptEvery", "0" },
	{ HTTP, "caFile", NULL },
	{ HTTP, "credentials", NULL },
	{ ARAVIS, "exposureUs", NULL },
	{ ARAVIS, "gain", NULL },
	{ ARAVIS, "deviceTrigger", NULL },
	{ V4L2, "pixelFormat", "\"auto\"" },
	{ V4L2 | ARAVIS, "output", "\"jpeg\"" },
	{ V4L2 | ARAVIS, "width", NULL },
	{ V4L2 | ARAVIS, "height", NULL },
	{ V4L2 | ARAVIS, "controls", "{}" },
	{ V4L2 | ARAVIS | HTTP, "settleMs", "0" },
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

static int read_folder_path(struct vd_camera_settings *s, struct vd_fault *fault)
{
	return s->path[0] == '/' ? 0 : refuse(fault, "source", "the folder is no absolute path");
}

static int read_device_path(struct vd_camera_settings *s, struct vd_fault *fault)
{
	if (!strstr(s->path, "/../") && is_stable_path(s->path))
		return 0;
	return refuse(fault, "source",
		      "is not below /dev/v4l/by-id or /dev/v4l/by-path: other device names "
		      "change with the order of plugging");
}

/* A password in the address would stand in the twin, in logs and in messages. */
static int read_url(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const char *authority = strstr(s->path, "://");
	size_t len;

	if (!authority || authority > s->path + 5)
		return refuse(fault, "source", "is no http:// or https:// address");
	authority += 3;
	len = strcspn(authority, "/?#");
	if (memchr(authority, '@', len))
		return refuse(fault, "source",
			      "holds a user or password: give them as credentials");
	if (len == 0 || authority[0] == ':' || len >= sizeof s->host)
		return refuse(fault, "source", "names no host");
	for (const char *p = s->path; *p; p++) {
		if (*p <= ' ' || *p == '\\' || *p == 0x7f)
			return refuse(fault, "source", "is no valid address");
	}
	memcpy(s->host, authority, len);
	s->host[len] = '\0';
	return 0;
}

static int read_camera_name(struct vd_camera_settings *s, struct vd_fault *fault)
{
	return s->path[0] ? 0 : refuse(fault, "source", "names no camera");
}

static const struct origin {
	const char *prefix;
	enum vd_camera_kind kind;
	bool is_whole; /* the prefix is part of the path */
	int (*read)(struct vd_camera_settings *s, struct vd_fault *fault);
} origins[] = {
	{ "folder:", VD_CAMERA_FOLDER, false, read_folder_path },
	{ "v4l2:", VD_CAMERA_V4L2, false, read_device_path },
	{ "http:", VD_CAMERA_HTTP, true, read_url },
	{ "https:", VD_CAMERA_HTTP, true, read_url },
	{ "aravis:", VD_CAMERA_ARAVIS, false, read_camera_name },
};

static int read_source(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const char *source = vd_json_string(s->parameters, "source", "");

	for (size_t i = 0; i < VD_COUNT(origins); i++) {
		size_t len = strlen(origins[i].prefix);

		if (strncmp(source, origins[i].prefix, len) != 0)
			continue;
		s->kind = origins[i].kind;
		s->path = origins[i].is_whole ? source : source + len;
		return origins[i].read(s, fault);
	}
	return refuse(fault, "source",
		      "begins with none of folder: v4l2: http:// https:// aravis:");
}

static int check_foreign(const struct vd_camera_settings *s, struct vd_fault *fault)
{
	for (size_t i = 0; i < VD_COUNT(foreigns); i++) {
		const cJSON *value = vd_json_get(s->parameters, foreigns[i].key);
		char *text;
		bool is_neutral;

		if (foreigns[i].kinds & ONE(s->kind) || !value)
			continue;
		text = vd_json_text(value);
		is_neutral = text && foreigns[i].neutral && strcmp(text, foreigns[i].neutral) == 0;
		free(text);
		if (is_neutral)
			continue;
		vd_fault_set(fault, 400, NULL, "is not for a source of kind %s", kinds[s->kind]);
		vd_fault_under(fault, foreigns[i].key);
		return -EINVAL;
	}
	return 0;
}

/* What starts a capture if nothing says so. */
static enum vd_camera_trigger usual_trigger(const struct vd_camera_settings *s, bool has_interval)
{
	if (has_interval || s->kind == VD_CAMERA_FOLDER || s->kind == VD_CAMERA_HTTP)
		return VD_TRIGGER_TIMER;
	return s->is_software_triggered ? VD_TRIGGER_CALL : VD_TRIGGER_DEVICE;
}

static int check_trigger(const struct vd_camera_settings *s, bool has_interval,
			 struct vd_fault *fault)
{
	bool is_device = s->kind == VD_CAMERA_V4L2 || s->kind == VD_CAMERA_ARAVIS;

	if (s->trigger == VD_TRIGGER_DEVICE && !is_device)
		return refuse(fault, "trigger",
			      "a folder or an address does not trigger by itself");
	if (s->trigger == VD_TRIGGER_DEVICE && s->is_software_triggered)
		return refuse(fault, "trigger", "contradicts deviceTrigger, which is Software");
	if (s->trigger != VD_TRIGGER_DEVICE && s->device_trigger && !s->is_software_triggered)
		return refuse(fault, "trigger", "contradicts deviceTrigger, which is a line");
	if (s->trigger != VD_TRIGGER_TIMER && has_interval)
		return refuse(fault, "intervalMs", "contradicts trigger, which is not timer");
	if (!is_device && has_interval && s->fps > 0)
		return refuse(fault, "intervalMs", "contradicts fps: give one of them");
	return 0;
}

static int read_trigger(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const char *trigger = vd_json_string(s->parameters, "trigger", "auto");
	double interval_ms = vd_json_number(s->parameters, "intervalMs", 0);
	bool has_interval = interval_ms > 0;

	s->fps = vd_json_number(s->parameters, "fps", 0);
	if (strcmp(trigger, "call") == 0)
		s->trigger = VD_TRIGGER_CALL;
	else if (strcmp(trigger, "device") == 0)
		s->trigger = VD_TRIGGER_DEVICE;
	else if (strcmp(trigger, "auto") == 0)
		s->trigger = usual_trigger(s, has_interval);
	if (!has_interval)
		interval_ms = s->fps > 0 ? 1000 / s->fps : 1000;
	s->period_us = (uint64_t)llround(interval_ms * 1000);
	return check_trigger(s, has_interval, fault);
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

/* The name of a file below the folder of secrets, and nothing else. */
static int read_secret(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const char *reference = vd_json_string(s->parameters, "credentials", NULL);

	if (!reference)
		return 0;
	if (strncmp(reference, "secretref:", 10) != 0)
		return refuse(fault, "credentials", "is no reference secretref:NAME");
	s->secret = reference + 10;
	if (!s->secret[0] || s->secret[0] == '.' || strchr(s->secret, '/'))
		return refuse(fault, "credentials", "is no plain name behind secretref:");
	return 0;
}

static int read_http(struct vd_camera_settings *s, struct vd_fault *fault)
{
	s->is_encrypted = strncmp(s->path, "https:", 6) == 0;
	s->ca_file = vd_json_string(s->parameters, "caFile", NULL);
	s->connect_ms = count_of(s, "connectTimeoutMs");
	s->refuses_repeats = vd_json_bool(s->parameters, "refuseRepeats", true);
	s->settle_ms = count_of(s, "settleMs");
	if (s->ca_file && !s->is_encrypted)
		return refuse(fault, "caFile", "is for https://");
	if (s->ca_file && s->ca_file[0] != '/')
		return refuse(fault, "caFile", "is no absolute path");
	return read_secret(s, fault);
}

static int check_controls(const struct vd_camera_settings *s, struct vd_fault *fault)
{
	const cJSON *control;

	cJSON_ArrayForEach(control, s->controls)
	{
		if (cJSON_IsString(control) ||
		    (cJSON_IsNumber(control) &&
		     control->valuedouble != (double)(int64_t)control->valuedouble)) {
			vd_fault_set(fault, 400, NULL, "a V4L2 control is an integer or a boolean");
			vd_fault_under(fault, control->string);
			vd_fault_under(fault, "controls");
			return -EINVAL;
		}
	}
	return 0;
}

/* What a V4L2 device and a GenICam camera have in common. */
static int read_device(struct vd_camera_settings *s, struct vd_fault *fault)
{
	s->is_grey = strcmp(vd_json_string(s->parameters, "output", "jpeg"), "grey") == 0;
	s->width = (uint32_t)count_of(s, "width");
	s->height = (uint32_t)count_of(s, "height");
	s->controls = vd_json_object(s->parameters, "controls");
	s->is_strict = vd_json_bool(s->parameters, "strictSettings", false);
	s->settle_frames = (unsigned)count_of(s, "settleFrames");
	s->settle_ms = count_of(s, "settleMs");
	if (!s->width != !s->height)
		return refuse(fault, s->width ? "width" : "height",
			      "width and height go together: the other one is absent");
	return 0;
}

static int read_v4l2(struct vd_camera_settings *s, struct vd_fault *fault)
{
	int r = read_device(s, fault);

	s->pixel_format = pixel_format_of(vd_json_string(s->parameters, "pixelFormat", "auto"));
	if (r == 0 && s->is_grey && s->pixel_format == VD_PIXELS_MJPEG)
		return refuse(fault, "output", "mjpeg is handed over as jpeg, never as grey");
	return r == 0 ? check_controls(s, fault) : r;
}

static int read_aravis(struct vd_camera_settings *s, struct vd_fault *fault)
{
	s->exposure_us = vd_json_number(s->parameters, "exposureUs", -1);
	s->gain = vd_json_number(s->parameters, "gain", -1);
	return read_device(s, fault);
}

static int read_kind(struct vd_camera_settings *s, struct vd_fault *fault)
{
	static int (*const readers[])(struct vd_camera_settings *, struct vd_fault *) = {
		[VD_CAMERA_FOLDER] = read_folder,
		[VD_CAMERA_V4L2] = read_v4l2,
		[VD_CAMERA_HTTP] = read_http,
		[VD_CAMERA_ARAVIS] = read_aravis,
	};

	s->device_trigger = vd_json_string(s->parameters, "deviceTrigger", NULL);
	s->is_software_triggered = s->device_trigger && strcmp(s->device_trigger, "Software") == 0;
	return readers[s->kind](s, fault);
}

/* Turning or cutting a JPEG makes another file of it: only if that was asked for. */
static int read_shape(struct vd_camera_settings *s, struct vd_fault *fault)
{
	const cJSON *roi = vd_json_object(s->parameters, "roi");
	bool is_jpeg = s->kind == VD_CAMERA_FOLDER || s->kind == VD_CAMERA_HTTP ||
		       (s->kind == VD_CAMERA_V4L2 && s->pixel_format == VD_PIXELS_MJPEG);

	s->quality = (int)vd_json_int(s->parameters, "quality", 90);
	s->rotation = (unsigned)vd_json_int(s->parameters, "rotate", 0);
	if (roi)
		s->roi =
			(struct vd_camera_roi){ .x = (uint32_t)vd_json_int(roi, "x", 0),
						.y = (uint32_t)vd_json_int(roi, "y", 0),
						.width = (uint32_t)vd_json_int(roi, "width", 0),
						.height = (uint32_t)vd_json_int(roi, "height", 0) };
	s->is_shaped = s->rotation || s->roi.width;
	s->is_recoding = s->is_shaped && vd_json_bool(s->parameters, "recode", false);
	if (s->is_shaped && is_jpeg && !s->is_recoding)
		return refuse(fault, s->rotation ? "rotate" : "roi",
			      "changes the JPEG that the source gives: set recode if it may");
	return 0;
}

static int read_all(struct vd_camera_settings *s, struct vd_fault *fault)
{
	int r = read_source(s, fault);

	if (r == 0)
		r = check_foreign(s, fault);
	if (r == 0)
		r = read_kind(s, fault);
	if (r == 0)
		r = read_trigger(s, fault);
	if (r == 0)
		r = read_shape(s, fault);
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
