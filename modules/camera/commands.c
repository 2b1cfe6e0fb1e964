/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/commands.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/schema.h"
#include "modules/camera/backroom.h"
#include "modules/camera/clip.h"
#include "modules/camera/keep.h"
#include "modules/camera/photo.h"
#include "modules/camera/preview.h"
#include "modules/camera/receipts.h"
#include "modules/camera/reply.h"
#include "modules/camera/shelf.h"

extern const char vd_camera_methods_json[];

enum { RECENT_MS = 3600000 }; /* an older time in a message is taken for nonsense */

struct vd_commands {
	struct vd_backroom room;
	struct vd_camera_worker *worker;
	struct vd_commands_settings settings;
	cJSON *methods; /* schemas of their arguments */
	struct vd_ring ring;
	struct vd_keep *keep;
	struct vd_clip *clip;
	struct vd_preview *preview;
	struct vd_receipts receipts;
	struct vd_photos photos;
	struct vd_shelf shelf;
	uint64_t watch_us; /* asked of the worker */
};
VD_DEFINE_CLEANUP(struct vd_commands, vd_commands_free)

/* --- Settings --- */

static const char *const verdicts[] = { "OK", "WARN", "NG", "NO_DECISION" };

static unsigned verdict_bit(const char *name)
{
	for (unsigned i = 0; i < VD_COUNT(verdicts); i++) {
		if (strcmp(name, verdicts[i]) == 0)
			return 1U << i;
	}
	return 0;
}

static uint64_t milliseconds(const cJSON *group, const char *key)
{
	return (uint64_t)llround(vd_json_number(group, key, 0) * 1000);
}

static uint32_t period_us(const cJSON *group)
{
	double fps = vd_json_number(group, "fps", 0);

	return fps > 0 ? (uint32_t)llround(1e6 / fps) : 0;
}

static void read_ring(const cJSON *ring, struct vd_commands_settings *s)
{
	const cJSON *verdict;

	s->ring = (struct vd_ring_limits){ .frames = (size_t)vd_json_int(ring, "frames", 0),
					   .age_ms = milliseconds(ring, "seconds"),
					   .bytes = (size_t)vd_json_int(ring, "maxBytes", 0) };
	s->ring_period_us = s->ring.frames > 0 ? period_us(ring) : 0;
	s->before_ms = milliseconds(ring, "beforeS");
	s->after_ms = milliseconds(ring, "afterS");
	cJSON_ArrayForEach(verdict, vd_json_array(ring, "keepOn"))
	{
		s->keep_on |= verdict_bit(verdict->valuestring);
	}
}

int vd_commands_read(const struct vd_camera_settings *settings,
		     struct vd_commands_settings *ret_settings, struct vd_fault *fault)
{
	const cJSON *ring = vd_json_object(settings->parameters, "ring");
	const cJSON *kept = vd_json_object(settings->parameters, "kept");
	const cJSON *clip = vd_json_object(settings->parameters, "clip");
	struct vd_commands_settings s = { 0 };

	if (vd_json_get(ring, "fps") && settings->is_software_triggered) {
		vd_fault_set(fault, 400, "/ring/fps",
			     "contradicts deviceTrigger: no frame comes between captures");
		return -EINVAL;
	}
	if (vd_json_get(ring, "fps") && settings->kind != VD_CAMERA_V4L2 &&
	    settings->kind != VD_CAMERA_ARAVIS) {
		vd_fault_set(fault, 400, "/ring/fps",
			     "is not for a source of kind %s: it has no frames between captures",
			     vd_camera_kind_name(settings->kind));
		return -EINVAL;
	}
	read_ring(ring, &s);
	s.kept.bytes = (uint64_t)vd_json_int(kept, "maxBytes", 0);
	s.kept.free_bytes = (uint64_t)vd_json_int(kept, "minFreeBytes", 0);
	s.clip_ms = milliseconds(clip, "maxSeconds");
	s.clip_bytes = (uint64_t)vd_json_int(clip, "maxBytes", 0);
	*ret_settings = s;
	return 0;
}

/* Asks the worker for frames between captures as often as somebody wants them. */
static void update_watch(struct vd_commands *c)
{
	const uint32_t wanted[] = { c->settings.ring_period_us, vd_clip_period_us(c->clip),
				    vd_preview_period_us(c->preview) };
	uint64_t shortest = 0;

	for (size_t i = 0; i < VD_COUNT(wanted); i++) {
		if (wanted[i] > 0 && (shortest == 0 || wanted[i] < shortest))
			shortest = wanted[i];
	}
	if (shortest == c->watch_us)
		return;
	c->watch_us = shortest;
	vd_camera_worker_watch(c->worker, shortest);
}

int vd_commands_set(struct vd_commands *c, const struct vd_commands_settings *settings)
{
	int r = vd_ring_limit(&c->ring, &settings->ring);

	if (r < 0)
		return r;
	c->settings = *settings;
	if (c->room.archive)
		vd_archive_limit(c->room.archive, &settings->kept);
	update_watch(c);
	return 0;
}

/* --- Frames --- */

static bool is_photo(const struct vd_camera_event *event)
{
	return strcmp(event->request.trigger, "photo") == 0;
}

static bool is_wanted(const struct vd_commands *c, const struct vd_camera_event *event)
{
	return c->ring.limits.frames > 0 || vd_clip_period_us(c->clip) > 0 ||
	       vd_preview_wants(c->preview, vd_clock_mono_us()) || is_photo(event);
}

void vd_commands_frame(struct vd_commands *c, struct vd_camera_event *event)
{
	VD_CLEANUP(vd_shot_free) struct vd_shot *shot = NULL;

	update_watch(c); /* a clip or preview may have ended by itself */
	if (!is_wanted(c, event))
		return;
	shot = vd_shot_take(event);
	if (!shot) {
		vd_log(VD_ERROR, "camera.no_memory", "seq=%llu",
		       (unsigned long long)event->request.seq);
		if (is_photo(event))
			vd_reply(c->room.module, event->request.call, 500, NULL);
		return;
	}
	vd_ring_put(&c->ring, shot);
	vd_keep_shot(c->keep, shot);
	vd_clip_shot(c->clip, shot);
	vd_preview_shot(c->preview, shot);
	if (is_photo(event))
		vd_photo_shot(&c->photos, event->request.call, shot);
}

void vd_commands_lost(struct vd_commands *c, const char *text)
{
	vd_clip_end(c->clip, text);
}

/* --- Keep --- */

/* When the part was triggered, for the verdict comes later; now, if the message says nothing sound. */
static uint64_t time_of(const cJSON *body)
{
	uint64_t now_ms = vd_clock_mono_ms();
	double at_ms = vd_json_number(vd_json_object(body, "trigger"), "tMono", 0);

	if (at_ms >= 1 && at_ms <= (double)now_ms && at_ms + RECENT_MS >= (double)now_ms)
		return (uint64_t)at_ms;
	return now_ms;
}

void vd_commands_message(struct vd_commands *c, const char *from, const cJSON *body)
{
	const char *verdict = vd_json_string(body, "verdict", NULL);
	struct vd_keep_demand demand = { .at_ms = time_of(body),
					 .before_ms = c->settings.before_ms,
					 .after_ms = c->settings.after_ms,
					 .by = from,
					 .reason = verdict ? verdict
							   : vd_json_string(body, "reason", NULL),
					 .item_id = vd_json_string(body, "itemId", NULL),
					 .serial = vd_json_string(body, "serial", NULL) };
	char name[VD_ARCHIVE_NAME];
	struct vd_fault fault = { 0 };

	if (verdict && !(verdict_bit(verdict) & c->settings.keep_on))
		return;
	vd_ring_expire(&c->ring, vd_clock_mono_ms());
	if (vd_keep_want(c->keep, &demand, name, &fault) != 0)
		vd_log(VD_WARN, "camera.not_kept", "from=%s text=\"%s\"", from, fault.text);
}

static void answer_name(struct vd_commands *c, int64_t call, const char *name)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (body && vd_json_add_string(body, "name", name))
		vd_reply(c->room.module, call, 202, body);
	else
		vd_reply(c->room.module, call, 500, NULL);
}

static void call_keep(struct vd_commands *c, int64_t call, const cJSON *arguments)
{
	struct vd_keep_demand demand = { .at_ms = vd_clock_mono_ms(),
					 .before_ms = c->settings.before_ms,
					 .after_ms = c->settings.after_ms,
					 .by = "call",
					 .reason = vd_json_string(arguments, "reason", NULL) };
	char name[VD_ARCHIVE_NAME];
	struct vd_fault fault = { 0 };
	int status;

	if (vd_json_get(arguments, "beforeS"))
		demand.before_ms = milliseconds(arguments, "beforeS");
	if (vd_json_get(arguments, "afterS"))
		demand.after_ms = milliseconds(arguments, "afterS");
	vd_ring_expire(&c->ring, demand.at_ms);
	status = vd_keep_want(c->keep, &demand, name, &fault);
	if (status != 0)
		vd_reply_text(c->room.module, call, status, fault.text);
	else
		answer_name(c, call, name);
}

/* --- Other methods --- */

static void call_kept(struct vd_commands *c, int64_t call, const cJSON *arguments)
{
	vd_shelf_list(&c->shelf, call, (size_t)vd_json_int(arguments, "limit", 20));
}

static void call_fetch(struct vd_commands *c, int64_t call, const cJSON *arguments)
{
	vd_shelf_fetch(&c->shelf, call, vd_json_string(arguments, "name", ""),
		       vd_json_array(arguments, "files"));
}

static void call_clip(struct vd_commands *c, int64_t call, const cJSON *arguments)
{
	struct vd_clip_wish wish = { .duration_ms = milliseconds(arguments, "seconds"),
				     .period_us = period_us(arguments),
				     .most_bytes = c->settings.clip_bytes };
	uint64_t most_bytes = (uint64_t)vd_json_int(arguments, "maxBytes", 0);
	char name[VD_ARCHIVE_NAME];
	struct vd_fault fault = { 0 };
	int status;

	if (wish.duration_ms > c->settings.clip_ms) {
		vd_reply_text(c->room.module, call, 400, "/seconds: is above clip.maxSeconds");
		return;
	}
	if (most_bytes > 0 && most_bytes < wish.most_bytes)
		wish.most_bytes = most_bytes;
	status = vd_clip_begin(c->clip, &wish, name, &fault);
	if (status != 0) {
		vd_reply_text(c->room.module, call, status, fault.text);
		return;
	}
	update_watch(c);
	answer_name(c, call, name);
}

static void call_preview(struct vd_commands *c, int64_t call, const cJSON *arguments)
{
	const struct vd_preview_wish wish = { .duration_ms = milliseconds(arguments, "seconds"),
					      .period_us = period_us(arguments),
					      .width = (int)vd_json_int(arguments, "width", 320) };
	VD_CLEANUP(vd_json_free) cJSON *status = NULL;
	int r = vd_preview_begin(c->preview, &wish);

	update_watch(c);
	status = r == 0 ? vd_preview_status(c->preview) : NULL;
	vd_reply(c->room.module, call, status ? 200 : 500, status);
}

static void call_preview_frame(struct vd_commands *c, int64_t call, const cJSON *arguments)
{
	const cJSON *newest =
		vd_preview_newest(c->preview, (uint64_t)vd_json_int(arguments, "after", 0));

	if (newest)
		vd_reply(c->room.module, call, 200, newest);
	else if (vd_preview_period_us(c->preview) > 0)
		vd_reply_text(c->room.module, call, 404, "there is no newer picture yet");
	else
		vd_reply_text(c->room.module, call, 409, "no preview is on");
}

static const struct {
	const char *method;
	void (*fn)(struct vd_commands *c, int64_t call, const cJSON *arguments);
} calls[] = {
	{ "keep", call_keep }, { "kept", call_kept },       { "fetch", call_fetch },
	{ "clip", call_clip }, { "preview", call_preview }, { "previewFrame", call_preview_frame },
};

static void answer_unknown(struct vd_commands *c, int64_t call)
{
	char text[256] = "the methods are";
	const cJSON *method;

	cJSON_ArrayForEach(method, c->methods)
	{
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof text - len, " %s", method->string);
	}
	vd_reply_text(c->room.module, call, 404, text);
}

/* The arguments with their defaults; NULL: the call was answered. */
static cJSON *check_arguments(struct vd_commands *c, int64_t call, const cJSON *schema,
			      const cJSON *arguments)
{
	VD_CLEANUP(vd_json_free)
	cJSON *filled =
		cJSON_IsNull(arguments) ? cJSON_CreateObject() : cJSON_Duplicate(arguments, true);
	struct vd_fault fault = { 0 };
	int r = filled ? vd_schema_check(schema, filled, &fault) : -ENOMEM;

	if (r == 0)
		r = vd_schema_fill(schema, filled);
	if (r == 0)
		return VD_TAKE(filled);
	if (fault.pointer[0])
		vd_fault_prefix(&fault, "%s", fault.pointer);
	vd_reply_text(c->room.module, call, fault.code ? fault.code : 500, fault.text);
	return NULL;
}

bool vd_commands_call(struct vd_commands *c, int64_t call, const char *method,
		      const cJSON *arguments)
{
	const cJSON *schema = vd_json_object(c->methods, method);
	VD_CLEANUP(vd_json_free) cJSON *filled = NULL;

	if (!schema) {
		answer_unknown(c, call);
		return true;
	}
	filled = check_arguments(c, call, schema, arguments);
	if (!filled)
		return true;
	for (size_t i = 0; i < VD_COUNT(calls); i++) {
		if (strcmp(method, calls[i].method) == 0) {
			calls[i].fn(c, call, filled);
			return true;
		}
	}
	return false;
}

/* --- Life --- */

static void settle(void *argument)
{
	struct vd_commands *c = argument;

	vd_sideline_settle(c->room.disk);
	vd_sideline_settle(c->room.pictures);
}

/* In a sideline. What is not settled for want of memory is with the next job. */
static void wake(void *argument)
{
	struct vd_commands *c = argument;

	(void)!vd_module_post(c->room.module, settle, c);
}

/* A state folder that cannot be used is no reason not to inspect. */
static void open_archive(struct vd_commands *c)
{
	const char *state_folder = vd_module_state_folder(c->room.module);
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_fault fault = { 0 };

	if (!state_folder[0])
		vd_fault_set(&fault, 507, NULL, "there is no state folder to keep it in");
	else if (vd_buf_printf(&path, "%s/kept", state_folder) < 0)
		vd_fault_set(&fault, 507, NULL, "no memory");
	else
		(void)!vd_archive_open(path.data, &c->room.archive, &fault);
	(void)snprintf(c->room.archive_text, sizeof c->room.archive_text, "%s", fault.text);
	if (!c->room.archive && state_folder[0])
		vd_log(VD_ERROR, "camera.no_archive", "text=\"%s\"", fault.text);
}

/* What an earlier run reported of a clip or preview under way is no more. */
static void report_nothing(struct vd_module *module)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	int r = -ENOMEM;

	if (body && vd_json_add_string(body, "clip", NULL) &&
	    vd_json_add_string(body, "preview", NULL))
		r = vd_module_report(module, body);
	if (r != 0)
		vd_log(VD_WARN, "camera.report", "error=%d", r);
}

static int make_parts(struct vd_commands *c)
{
	int r = vd_json_parse(vd_camera_methods_json, strlen(vd_camera_methods_json), &c->methods,
			      NULL);

	if (r == 0)
		r = vd_sideline_new(wake, c, &c->room.disk);
	if (r == 0)
		r = vd_sideline_new(wake, c, &c->room.pictures);
	if (r == 0)
		r = vd_keep_new(&c->room, &c->ring, &c->keep);
	if (r == 0)
		r = vd_clip_new(&c->room, &c->clip);
	if (r == 0)
		r = vd_preview_new(&c->room, &c->preview);
	return r;
}

int vd_commands_new(struct vd_module *module, struct vd_camera_worker *worker,
		    struct vd_commands **ret_commands)
{
	VD_CLEANUP(vd_commands_free) struct vd_commands *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->room.module = module;
	c->worker = worker;
	(void)snprintf(c->room.instance, sizeof c->room.instance, "%s", vd_module_instance(module));
	c->photos = (struct vd_photos){ .room = &c->room, .receipts = &c->receipts };
	c->shelf = (struct vd_shelf){ .room = &c->room, .receipts = &c->receipts };
	open_archive(c);
	r = make_parts(c);
	if (r < 0)
		return r;
	c->shelf.keep = c->keep;
	report_nothing(module);
	*ret_commands = VD_TAKE(c);
	return 0;
}

struct vd_commands *vd_commands_free(struct vd_commands *c)
{
	if (!c)
		return NULL;
	c->keep = vd_keep_free(c->keep);
	c->clip = vd_clip_free(c->clip);
	c->preview = vd_preview_free(c->preview);
	c->room.pictures = vd_sideline_free(c->room.pictures);
	c->room.disk = vd_sideline_free(c->room.disk);
	c->room.archive = vd_archive_free(c->room.archive);
	vd_receipts_fini(&c->receipts);
	vd_ring_fini(&c->ring);
	c->methods = vd_json_free(c->methods);
	free(c);
	return NULL;
}
