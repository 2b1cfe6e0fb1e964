/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-camera: the loop decides when to capture and hands frames over; the worker's thread
 * captures. Nothing here waits for a device.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/camera/commands.h"
#include "modules/camera/health.h"
#include "modules/camera/pace.h"
#include "modules/camera/reply.h"
#include "modules/camera/settings.h"
#include "modules/camera/worker.h"
#include "modules/sdk/module.h"

extern const char vd_schema_json[];

enum { SLOTS = 4, LOOK_MS = 100, TRIGGER_AGE_MS = 1000 };

/* The part of the settings that the loop needs; the rest is the worker's. */
struct timing {
	enum vd_camera_trigger trigger;
	uint64_t period_us, health_ms;
	bool wait_for_consumer, is_folder;
};

struct camera {
	struct vd_module *module;
	struct vd_frame_out *out;
	struct vd_camera_worker *worker;
	struct vd_commands *commands;
	struct vd_commands_settings next_commands; /* in force once the worker has applied them */
	struct vd_source *tick, *report, *look;
	struct timing timing, next_timing; /* in force; in force once the worker has applied it */
	bool is_applying;
	struct vd_pace pace;
	struct vd_camera_health health;
	cJSON *actual; /* what the source is, with its modes; NULL: not open */
	uint64_t seq, calls, messages;
	uint64_t
		triggers; /* of the timer; a tick that was missed is counted, and triggers nothing */
	uint64_t unsent;  /* frames that no slot could be made for */
	unsigned pending; /* requests with the worker */
	bool is_tick_pending;
};

static uint64_t minimum(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void arm(struct vd_source *timer, uint64_t delay_ms)
{
	int r = vd_timer_arm(timer, delay_ms);

	if (r < 0)
		vd_log(VD_ERROR, "camera.timer", "text=\"%s\"", strerror(-r));
}

static void tell_due(struct camera *c)
{
	vd_module_due(c->module, c->pending > 0);
}

/* --- Requests --- */

static int request(struct camera *c, struct vd_camera_request *wanted)
{
	int r;

	wanted->seq = c->seq + 1;
	r = vd_camera_worker_submit(c->worker, wanted);
	if (r != 0)
		return r;
	c->seq++;
	c->pending++;
	tell_due(c);
	return 0;
}

static bool is_heard(const struct camera *c)
{
	return !c->timing.wait_for_consumer || vd_frame_out_peers(c->out) > 0;
}

/*
 * A folder can wait until a consumer gives a slot back, and then loses no file to a slow one; a
 * part on a line cannot. The first frame is let through: it decides how large the slots are.
 */
static bool has_room(struct camera *c)
{
	struct vd_frame_slot slot;

	if (!c->timing.is_folder || !c->timing.wait_for_consumer || c->health.captures == 0)
		return true;
	if (vd_frame_out_acquire(c->out, 1, &slot) != 0)
		return false;
	vd_frame_out_abandon(c->out, &slot);
	return true;
}

static void start_tick(struct camera *c, uint64_t tick_us)
{
	struct vd_camera_request wanted = { .trigger = "timer",
					    .trigger_seq = c->triggers + 1,
					    .trigger_ms = tick_us / 1000,
					    .call = -1 };

	if (c->is_tick_pending || !has_room(c)) {
		c->pace.missed++;
	} else if (request(c, &wanted) == 0) {
		c->is_tick_pending = true;
		c->triggers++;
	}
}

static void on_tick(void *argument)
{
	struct camera *c = argument;
	uint64_t now_us = vd_clock_mono_us(), tick_us;

	if (c->timing.trigger != VD_TRIGGER_TIMER || c->health.state == VD_CAMERA_EXHAUSTED)
		return;
	if (!is_heard(c)) {
		vd_pace_start(&c->pace, c->timing.period_us, now_us);
		arm(c->tick, minimum(LOOK_MS, c->timing.period_us / 1000 + 1));
		return;
	}
	if (vd_pace_due(&c->pace, now_us, &tick_us))
		start_tick(c, tick_us);
	arm(c->tick, vd_pace_wait_ms(&c->pace, vd_clock_mono_us()));
}

/* Free running depends on who listens, which nothing announces. */
static void on_look(void *argument)
{
	struct camera *c = argument;

	if (c->timing.trigger != VD_TRIGGER_DEVICE)
		return;
	vd_camera_worker_run_free(c->worker, is_heard(c));
	arm(c->look, LOOK_MS);
}

/* --- Frames --- */

static cJSON *make_trigger(const struct vd_camera_request *wanted)
{
	cJSON *trigger = cJSON_CreateObject();

	if (trigger && vd_json_add_string(trigger, "source", wanted->trigger) &&
	    vd_json_add_number(trigger, "seq", (double)wanted->trigger_seq) &&
	    vd_json_add_number(trigger, "tMono", (double)wanted->trigger_ms) &&
	    (!wanted->trigger_id[0] || vd_json_add_string(trigger, "id", wanted->trigger_id)))
		return trigger;
	return vd_json_free(trigger);
}

static const char *serial_of(const struct vd_camera_event *event)
{
	if (event->request.serial[0])
		return event->request.serial;
	return event->frame.serial[0] ? event->frame.serial : NULL;
}

static struct vd_frame_about about_of(const struct vd_camera_event *event, const cJSON *trigger)
{
	bool ok = event->outcome == 0;

	return (struct vd_frame_about){
		.format = event->frame.format == VD_FRAME_GREY ? "grey" : "jpeg",
		.width = event->frame.width,
		.height = event->frame.height,
		.stride = event->frame.stride,
		.seq = event->request.seq,
		.t_mono_ms = ok ? event->frame.t_mono_ms : vd_clock_mono_ms(),
		.t_wall_ms = ok ? event->frame.t_wall_ms : vd_clock_wall_ms(),
		.sha256 = event->sha256,
		.serial = serial_of(event),
		.trigger = trigger,
	};
}

static const char *hand_over(struct camera *c, const struct vd_camera_event *event,
			     const struct vd_frame_about *about)
{
	int r = vd_frame_out_offer(c->out, event->frame.bytes.data, event->frame.bytes.len, about);
	struct vd_frame_out_counts counts;

	vd_frame_out_counts(c->out, &counts);
	c->health.drops = counts.no_slot + c->unsent;
	if (r == VD_FRAME_NOBODY) {
		c->health.unseen++;
		return "nobody";
	}
	vd_camera_worker_handed_over(c->worker, event);
	if (r == 0)
		return "consumers";
	if (r < 0) {
		c->health.drops = counts.no_slot + ++c->unsent;
		vd_log(VD_ERROR, "camera.offer", "text=\"%s\"", strerror(-r));
		vd_frame_out_failed(c->out, about, strerror(-r));
	}
	return "dropped";
}

static bool add_times(cJSON *body, const struct camera *c, const struct vd_frame_about *about)
{
	char wall[VD_TIME_TEXT];

	return vd_json_add_string(body, "source", vd_module_instance(c->module)) &&
	       vd_json_add_number(body, "seq", (double)about->seq) &&
	       vd_json_add_number(body, "tMono", (double)about->t_mono_ms) &&
	       vd_json_add_string(body, "tWall", vd_time_text(about->t_wall_ms, wall));
}

static bool add_frame(cJSON *body, const struct vd_camera_event *event,
		      const struct vd_frame_about *about, const char *handed)
{
	return vd_json_add_string(body, "format", about->format) &&
	       vd_json_add_number(body, "bytes", (double)event->frame.bytes.len) &&
	       vd_json_add_number(body, "width", about->width) &&
	       vd_json_add_number(body, "height", about->height) &&
	       vd_json_add_string(body, "sha256", about->sha256) &&
	       vd_json_add_string(body, "serial", about->serial) &&
	       vd_json_add_string(body, "handedTo", handed);
}

static void answer_call(struct camera *c, const struct vd_camera_event *event,
			const struct vd_frame_about *about, const char *handed)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	bool ok = body && add_times(body, c, about);
	int status = 200;

	if (event->outcome == 0) {
		ok = ok && add_frame(body, event, about, handed);
	} else {
		status = event->outcome == VD_SOURCE_EXHAUSTED ? 410 : 503;
		ok = ok && vd_json_add_string(body, "text", event->fault.text);
	}
	vd_reply(c->module, event->request.call, ok ? status : 500, ok ? body : NULL);
}

/* The end of a folder is no failed capture; but whoever asked for a frame must hear of it. */
static bool is_failure(const struct vd_camera_event *event)
{
	return event->outcome != VD_SOURCE_EXHAUSTED ||
	       strcmp(event->request.trigger, "timer") != 0;
}

static void settle_request(struct camera *c, const struct vd_camera_event *event)
{
	if (strcmp(event->request.trigger, "device") != 0 && c->pending > 0)
		c->pending--;
	if (strcmp(event->request.trigger, "timer") == 0)
		c->is_tick_pending = false;
	vd_module_work(c->module, 1);
	tell_due(c);
}

static void on_captured(struct camera *c, struct vd_camera_event *event)
{
	VD_CLEANUP(vd_json_free) cJSON *trigger = make_trigger(&event->request);
	const bool is_photo = strcmp(event->request.trigger, "photo") == 0;
	struct vd_frame_about about;
	const char *handed = NULL;

	settle_request(c, event);
	vd_camera_health_capture(&c->health, event);
	if (event->request.seq == 0)
		event->request.seq = ++c->seq;
	about = about_of(event, trigger);
	if (event->outcome == 0 && !is_photo)
		handed = hand_over(c, event, &about);
	else if (is_failure(event) && !is_photo)
		vd_frame_out_failed(c->out, &about, event->fault.text);
	if (event->request.call >= 0 && !(is_photo && event->outcome == 0))
		answer_call(c, event, &about, handed);
	if (event->outcome == 0)
		vd_commands_frame(c->commands, event);
}

/* --- State and health --- */

static const char *const ends_of_clips[VD_CAMERA_EXHAUSTED + 1] = {
	[VD_CAMERA_WAITING] = "the camera was opened anew",
	[VD_CAMERA_LOST] = "the camera was lost",
	[VD_CAMERA_EXHAUSTED] = "the folder is exhausted",
};

static void on_state(struct camera *c, struct vd_camera_event *event)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	int r = -ENOMEM;

	if (ends_of_clips[event->state])
		vd_commands_lost(c->commands, ends_of_clips[event->state]);
	c->health.state = event->state;
	c->health.opened = event->opened;
	(void)snprintf(c->health.text, sizeof c->health.text, "%s", event->fault.text);
	(void)vd_json_free(c->actual);
	c->actual = cJSON_Duplicate(event->source, true);
	cJSON_DeleteItemFromObjectCaseSensitive(event->source, "modes"); /* long, and asked for */
	if (body && vd_json_add_string(body, "state", vd_camera_state_name(event->state)) &&
	    vd_json_add_string(body, "text", event->fault.text[0] ? event->fault.text : NULL) &&
	    (event->source ? vd_json_add_copy(body, "actual", event->source)
			   : vd_json_add_string(body, "actual", NULL)))
		r = vd_module_report(c->module, body);
	if (r != 0)
		vd_log(VD_WARN, "camera.report", "error=%d", r);
}

static void on_report(void *argument)
{
	struct camera *c = argument;
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	int r = -ENOMEM;

	c->health.missed = c->pace.missed;
	body = vd_camera_health_report(&c->health, vd_clock_mono_ms());
	if (body) {
		const struct vd_publication publication = { .output = "health",
							    .record_class = "telemetry",
							    .body = body };

		r = vd_module_publish(c->module, &publication, NULL);
	}
	if (r != 0)
		vd_log(VD_WARN, "camera.health", "error=%d", r);
	vd_camera_worker_look(c->worker);
	arm(c->report, c->timing.health_ms);
}

/* --- Parameters --- */

/* What was exhausted may have got a new source: its state comes as an event of its own, before. */
static void start_timing(struct camera *c)
{
	bool is_same = c->timing.trigger == c->next_timing.trigger &&
		       c->timing.period_us == c->next_timing.period_us;

	c->timing = c->next_timing;
	if (!c->health.since_ms)
		c->health.since_ms = vd_clock_mono_ms();
	if (!is_same || !vd_timer_is_armed(c->tick))
		vd_pace_start(&c->pace, c->timing.period_us, vd_clock_mono_us());
	vd_camera_worker_run_free(c->worker, false);
	vd_camera_worker_look(c->worker);
	arm(c->tick, 0);
	arm(c->look, 0);
	arm(c->report, c->timing.health_ms);
}

static void on_applied(struct camera *c, const struct vd_camera_event *event)
{
	if (!c->is_applying)
		return;
	c->is_applying = false;
	if (event->fault.code) {
		vd_module_refused(c->module, &event->fault);
		return;
	}
	if (vd_commands_set(c->commands, &c->next_commands) < 0)
		vd_log(VD_ERROR, "camera.no_memory", "text=\"the ring stays as it was\"");
	start_timing(c);
	vd_module_applied(c->module);
}

static void on_events(void *argument)
{
	struct camera *c = argument;
	struct vd_camera_event *event;

	while ((event = vd_camera_worker_take(c->worker))) {
		if (event->kind == VD_CAMERA_CAPTURED)
			on_captured(c, event);
		else if (event->kind == VD_CAMERA_SEEN)
			vd_commands_frame(c->commands, event);
		else if (event->kind == VD_CAMERA_STATE)
			on_state(c, event);
		else if (event->kind == VD_CAMERA_LOOKED)
			vd_camera_health_look(&c->health, event);
		else
			on_applied(c, event);
		vd_camera_event_done(c->worker, event);
	}
}

/* In the worker's thread. An event whose wake-up has no memory is taken with the next one. */
static void wake(void *argument)
{
	struct camera *c = argument;

	(void)!vd_module_post(c->module, on_events, c);
}

static int make_source(const struct vd_camera_settings *settings, const char *state_folder,
		       struct vd_camera_source **ret_source, void *argument)
{
	return vd_camera_source_new(settings, state_folder, ret_source);
}

static int on_parameters(struct vd_module *module, const cJSON *parameters, void *argument,
			 struct vd_fault *fault)
{
	VD_CLEANUP(vd_camera_settings_free) struct vd_camera_settings *settings = NULL;
	struct camera *c = argument;
	struct vd_commands_settings commands;
	int r = vd_camera_settings_new(parameters, &settings, fault);

	if (r == 0)
		r = vd_commands_read(settings, &commands, fault);
	if (r < 0)
		return r;
	c->next_commands = commands;
	c->next_timing = (struct timing){ .trigger = settings->trigger,
					  .period_us = settings->period_us,
					  .health_ms = settings->health_ms,
					  .wait_for_consumer = settings->wait_for_consumer,
					  .is_folder = settings->kind == VD_CAMERA_FOLDER };
	c->is_applying = true;
	vd_camera_worker_set(c->worker, &settings);
	return VD_MODULE_LATER;
}

static int set_up(struct camera *c, struct vd_module *module)
{
	static const struct vd_camera_worker_handlers handlers = { .wake = wake,
								   .make = make_source };
	struct vd_loop *loop = vd_module_loop(module);
	int r;

	if (c->commands)
		return 0;
	c->module = module;
	r = c->out ? 0 : vd_frame_out_new(module, "frame", SLOTS, 0, &c->out);
	if (r == 0 && !c->tick)
		r = vd_loop_timer(loop, on_tick, c, &c->tick);
	if (r == 0 && !c->report)
		r = vd_loop_timer(loop, on_report, c, &c->report);
	if (r == 0 && !c->look)
		r = vd_loop_timer(loop, on_look, c, &c->look);
	if (r == 0 && !c->worker)
		r = vd_camera_worker_new(&handlers, c, vd_module_state_folder(module), &c->worker);
	if (r == 0)
		r = vd_commands_new(module, c->worker, &c->commands);
	return r;
}

static int on_start(struct vd_module *module, const cJSON *parameters, void *argument,
		    struct vd_fault *fault)
{
	struct camera *c = argument;
	int r = set_up(c, module);

	if (r < 0) {
		vd_fault_set(fault, 500, NULL, "%s", strerror(-r));
		return r;
	}
	return on_parameters(module, parameters, argument, fault);
}

/* --- Triggers from outside --- */

static void take_serial(struct vd_camera_request *wanted, const cJSON *body)
{
	(void)snprintf(wanted->serial, sizeof wanted->serial, "%s",
		       vd_json_string(body, "serial", ""));
}

/*
 * A station asks each of its cameras by name, and one route brings every camera all of it. Its
 * trigger has a time of its own, a little earlier than the message.
 */
static void take_trigger(struct vd_camera_request *wanted, const cJSON *body)
{
	const uint64_t now_ms = wanted->trigger_ms;
	const double at_ms = vd_json_number(body, "tMono", 0);

	(void)snprintf(wanted->trigger_id, sizeof wanted->trigger_id, "%s",
		       vd_json_string(body, "triggerId", ""));
	if (at_ms > 0 && at_ms <= (double)now_ms && (double)now_ms - at_ms <= TRIGGER_AGE_MS)
		wanted->trigger_ms = (uint64_t)at_ms;
}

static bool is_for_another(const struct camera *c, const cJSON *body)
{
	const char *instance = vd_module_instance(c->module);

	return strcmp(vd_json_string(body, "camera", instance), instance) != 0;
}

static void on_message(struct vd_module *module, const char *input, const char *from,
		       const cJSON *body, void *argument)
{
	struct camera *c = argument;
	struct vd_camera_request wanted = { .trigger = "message",
					    .trigger_ms = vd_clock_mono_ms(),
					    .call = -1 };
	struct vd_frame_about about = { .t_mono_ms = wanted.trigger_ms,
					.t_wall_ms = vd_clock_wall_ms() };
	VD_CLEANUP(vd_json_free) cJSON *trigger = NULL;

	if (c->commands && strcmp(input, "keep") == 0)
		vd_commands_message(c->commands, from, body);
	if (!c->worker || strcmp(input, "trigger") != 0 || is_for_another(c, body))
		return;
	wanted.trigger_seq = ++c->messages;
	take_serial(&wanted, body);
	take_trigger(&wanted, body);
	if (request(c, &wanted) == 0)
		return;
	trigger = make_trigger(&wanted);
	about.trigger = trigger;
	about.seq = ++c->seq;
	c->health.failures++;
	vd_frame_out_failed(c->out, &about, "too many captures wait");
}

/* trigger: "call" for a consumer's sake, "photo" for the caller's. */
static void call_capture(struct camera *c, int64_t id, const char *trigger, const cJSON *body)
{
	struct vd_camera_request wanted = { .trigger = trigger,
					    .trigger_ms = vd_clock_mono_ms(),
					    .call = id };

	wanted.trigger_seq = ++c->calls;
	take_serial(&wanted, body);
	if (request(c, &wanted) != 0)
		vd_reply_text(c->module, id, 429, "too many captures wait");
}

static void call_health(struct camera *c, int64_t id)
{
	struct vd_camera_health copy = c->health; /* fps goes on to count from the last report */
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;

	copy.missed = c->pace.missed;
	body = vd_camera_health_report(&copy, vd_clock_mono_ms());
	vd_reply(c->module, id, body ? 200 : 500, body);
}

static void call_metadata(struct camera *c, int64_t id)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	bool ok = body &&
		  vd_json_add_string(body, "state", vd_camera_state_name(c->health.state)) &&
		  (c->actual ? vd_json_add_copy(body, "actual", c->actual)
			     : vd_json_add_string(body, "actual", NULL));

	vd_reply(c->module, id, ok ? 200 : 500, ok ? body : NULL);
}

static void on_call(struct vd_module *module, int64_t id, const char *method, const cJSON *body,
		    void *argument)
{
	struct camera *c = argument;

	if (!c->commands) {
		vd_reply_text(module, id, 503, "no parameters are in force yet");
		return;
	}
	if (vd_commands_call(c->commands, id, method, body))
		return;
	if (strcmp(method, "health") == 0)
		call_health(c, id);
	else if (strcmp(method, "metadata") == 0)
		call_metadata(c, id);
	else
		call_capture(c, id, strcmp(method, "photo") == 0 ? "photo" : "call", body);
}

static void on_end(struct vd_module *module, void *argument)
{
	struct camera *c = argument;

	c->commands = vd_commands_free(c->commands);
	c->worker = vd_camera_worker_free(c->worker);
	c->out = vd_frame_out_free(c->out);
	c->actual = vd_json_free(c->actual);
	c->tick = vd_source_free(c->tick);
	c->report = vd_source_free(c->report);
	c->look = vd_source_free(c->look);
}

int main(int argc, char **argv)
{
	static const struct vd_module_program program = {
		.name = "camera",
		.version = VD_CAMERA_VERSION,
		.schema = vd_schema_json,
		.on_start = on_start,
		.on_parameters = on_parameters,
		.on_message = on_message,
		.on_call = on_call,
		.on_end = on_end,
	};
	struct camera camera = { 0 };

	return vd_module_run(argc, argv, &program, &camera);
}
