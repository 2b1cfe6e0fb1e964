/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/station.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/inspect/assembly.h"
#include "modules/inspect/notice.h"
#include "modules/inspect/publisher.h"
#include "modules/inspect/recent.h"
#include "modules/inspect/tally.h"
#include "modules/inspect/worker.h"

enum { VERSION_UNKNOWN = -1 };
enum { REFUSALS_TOLD = 3, GATHER_MOST = 100000, GATHER_SECONDS = 31 * 86400 };
enum { PEERS_MOST = 32, REPORT_MS = 1000, FOLDER_BYTES = 4096 };

/* What came last from a camera, to know a stale frame by. */
struct peer {
	char name[VD_NAME_BYTES];
	bool has_frame;
	uint64_t seq, t_mono_ms;
};

struct vd_station {
	struct vd_module *module;
	struct vd_recipe_set *set;
	struct vd_assembly *assembly;
	struct vd_worker *worker;
	struct vd_publisher *publisher;
	struct vd_frame_in *frames;
	struct vd_source *deadline, *report;
	struct peer peers[PEERS_MOST];
	int peer_count;
	struct vd_tally tally;
	struct vd_recent recent;
	bool is_refused; /* the alarm that verdicts are refused is raised */
	cJSON *state;    /* the last that the inspector told */
	bool is_changed, is_stopping;
};

static void arm(struct vd_source *timer, uint64_t delay_ms)
{
	const int r = vd_timer_arm(timer, delay_ms);

	if (r < 0)
		vd_log(VD_ERROR, "timer.notArmed", "text=\"%s\"", strerror(-r));
}

/* ---- reports ---- */

static void send_report(void *argument)
{
	struct vd_station *station = argument;
	VD_CLEANUP(vd_json_free)
	cJSON *body = station->state ? cJSON_Duplicate(station->state, true) : cJSON_CreateObject();

	if (body && vd_tally_add(&station->tally, body) &&
	    vd_json_add_number(body, "queue", (double)vd_worker_waiting(station->worker)) &&
	    vd_json_add_number(body, "unstored",
			       (double)(vd_publisher_unstored(station->publisher) +
					vd_publisher_waiting(station->publisher))) &&
	    vd_json_add_number(body, "refusedWaiting",
			       (double)vd_publisher_refused(station->publisher)) &&
	    vd_module_report(station->module, body) == 0) {
		station->is_changed = false;
		return;
	}
	arm(station->report, REPORT_MS);
}

static void changed(struct vd_station *station)
{
	station->is_changed = true;
	if (!vd_timer_is_armed(station->report))
		arm(station->report, REPORT_MS);
}

/* ---- verdicts out ---- */

static bool is_in_hand(struct vd_station *station)
{
	return !vd_worker_is_idle(station->worker) ||
	       vd_publisher_waiting(station->publisher) > 0 ||
	       vd_publisher_unstored(station->publisher) > 0 ||
	       vd_publisher_refused(station->publisher) > 0;
}

static void leave_if_done(struct vd_station *station)
{
	if (station->is_stopping && !is_in_hand(station))
		vd_module_exit(station->module, 0);
}

static const char *name_of(const struct vd_station *station)
{
	return station->set->station[0] ? station->set->station
					: vd_module_instance(station->module);
}

/* Takes *body. */
static void say(struct vd_station *station, const char *output, const char *record_class,
		cJSON **body)
{
	const int r =
		*body ? vd_publisher_put_record(station->publisher, output, record_class, body)
		      : -ENOMEM;

	if (r < 0)
		vd_log(VD_ERROR, "notice.lost", "output=%s text=\"%s\"", output, strerror(-r));
}

static void raise_alarm(struct vd_station *station, const char *kind, bool is_raised,
			const char *text)
{
	cJSON *body = vd_alarm_body(kind, is_raised, NULL, text);

	if (body && !vd_json_add_string(body, "station", name_of(station)))
		body = vd_json_free(body);
	say(station, "alarm", "alarm", &body);
}

static void say_all(struct vd_station *station, cJSON *notices)
{
	cJSON *notice;

	cJSON_ArrayForEach(notice, notices)
	{
		cJSON *body = cJSON_DetachItemFromObjectCaseSensitive(notice, "body");

		say(station, vd_json_string(notice, "output", ""),
		    vd_json_string(notice, "class", ""), &body);
	}
}

static void publish(struct vd_station *station, struct vd_done *done)
{
	vd_tally_verdict(&station->tally, done->outcome.verdict);
	vd_recent_put(&station->recent, done->item, done->outcome.verdict);
	if (vd_publisher_put(station->publisher, done) < 0)
		vd_log(VD_ERROR, "verdict.lost", "text=\"out of memory\"");
	vd_module_work(station->module, 1);
	changed(station);
}

static void answer(struct vd_station *station, int64_t id, int status, const char *key,
		   const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, key, text) ||
	    vd_module_answer(station->module, id, status, body) != 0)
		vd_log(VD_WARN, "call.unanswered", "id=%lld", (long long)id);
}

static void answer_order(struct vd_station *station, const struct vd_done *done)
{
	const struct vd_recipe *recipe = &station->set->recipes[station->set->active];

	if (done->status < 0)
		answer(station, done->call, done->status == -ENOMEM ? 500 : 409, "text",
		       done->text[0] ? done->text : strerror(-done->status));
	else
		answer(station, done->call, 200, "recipe", recipe->name);
}

static void take_results(void *argument)
{
	struct vd_station *station = argument;
	struct vd_done done = { 0 };
	cJSON *notices = NULL;

	while (vd_worker_take(station->worker, &done)) {
		if (done.outcome.state) {
			(void)vd_json_free(station->state);
			station->state = VD_TAKE(done.outcome.state);
			changed(station);
		}
		if (done.call >= 0)
			answer_order(station, &done);
		notices = VD_TAKE(done.outcome.notices);
		if (done.item) {
			vd_tally_latency(&station->tally, done.outcome.total_ms);
			publish(station, &done);
		}
		say_all(station, notices);
		notices = vd_json_free(notices);
		vd_done_fini(&done);
	}
	vd_module_due(station->module, !vd_worker_is_idle(station->worker));
	leave_if_done(station);
}

/* From the worker's thread. */
static void wake(void *argument)
{
	struct vd_station *station = argument;

	if (vd_module_post(station->module, take_results, station) == -ENOMEM)
		vd_log(VD_ERROR, "verdict.delayed", "text=\"out of memory\"");
}

/* Hysteresis: raised with the third refusal that waits, cleared when none does any more. */
static void watch_refusals(struct vd_station *station, const char *text)
{
	const size_t waiting = vd_publisher_refused(station->publisher);

	if (!station->is_refused && text && waiting >= REFUSALS_TOLD) {
		station->is_refused = true;
		raise_alarm(station, "verdictsRefused", true, text);
	} else if (station->is_refused && waiting == 0 && !text) {
		station->is_refused = false;
		raise_alarm(station, "verdictsRefused", false, "all are stored");
	}
}

static void on_answer(const char *item_id, int64_t seq, const char *text, void *argument)
{
	struct vd_station *station = argument;

	if (text)
		station->tally.refused++;
	else
		station->tally.stored++;
	if (!text && item_id[0])
		vd_recent_stored(&station->recent, item_id, seq);
	watch_refusals(station, text);
	changed(station);
	leave_if_done(station);
}

static void on_lost(const char *item_id, const char *text, void *argument)
{
	struct vd_station *station = argument;
	char prose[192];

	station->tally.lost++;
	changed(station);
	if (!item_id[0] || station->is_stopping)
		return;
	(void)snprintf(prose, sizeof prose, "item %s: given up, %.100s", item_id, text);
	raise_alarm(station, "verdictLost", true, prose);
}

/* ---- items in ---- */

static void refuse(struct vd_station *station, struct vd_item **item, const char *reason)
{
	struct vd_done done = { 0 };

	vd_outcome_refused(*item, vd_module_instance(station->module), reason, &done.outcome);
	done.item = VD_TAKE(*item);
	publish(station, &done);
}

/* Verdicts that the agent has not taken hold memory like items that wait. */
static void submit(struct vd_station *station, struct vd_item *item)
{
	const size_t waiting =
		vd_worker_waiting(station->worker) + vd_publisher_waiting(station->publisher);

	if (waiting >= (size_t)item->set->queue_max) {
		station->tally.queue_full++;
		refuse(station, &item, "queue_full: more items than queueMax wait");
		return;
	}
	if (vd_worker_submit(station->worker, &item) < 0) {
		refuse(station, &item, "internal: out of memory");
		return;
	}
	vd_module_due(station->module, true);
}

static void arm_deadline(struct vd_station *station)
{
	const uint64_t deadline = vd_assembly_deadline_us(station->assembly);
	const uint64_t now = vd_clock_mono_us();

	if (deadline == UINT64_MAX)
		vd_timer_disarm(station->deadline);
	else
		arm(station->deadline, deadline > now ? (deadline - now) / 1000 + 1 : 0);
}

static void expire(void *argument)
{
	struct vd_station *station = argument;
	struct vd_item *item;

	while ((item = vd_assembly_expired(station->assembly, vd_clock_mono_us())))
		submit(station, item);
	arm_deadline(station);
}

static void put(struct vd_station *station, struct vd_arrival *arrival)
{
	struct vd_item *item = NULL;
	int r;

	/* Only once a set is in force, after the callback that brought it, is its version known. */
	if (station->set->version == VERSION_UNKNOWN)
		station->set->version = vd_module_version(station->module);
	r = vd_assembly_put(station->assembly, station->set, arrival, vd_clock_mono_us(), &item);

	switch (r) {
	case VD_ITEM_OPEN:
		break;
	case VD_ITEM_COMPLETE:
		submit(station, item);
		break;
	case VD_ITEM_LATE:
		station->tally.late_frames++;
		changed(station);
		break;
	case VD_CAMERA_UNKNOWN:
		if (station->tally.unexpected_frames++ == 0)
			vd_log(VD_WARN, "frame.unexpected", "camera=%s", arrival->camera);
		changed(station);
		break;
	default:
		vd_log(VD_ERROR, "frame.lost", "camera=%s text=\"%s\"", arrival->camera,
		       strerror(-r));
		break;
	}
	expire(station);
}

static struct peer *peer_of(struct vd_station *station, const char *name)
{
	struct peer *peer;

	for (int i = 0; i < station->peer_count; i++) {
		if (strcmp(station->peers[i].name, name) == 0)
			return &station->peers[i];
	}
	if (station->peer_count == PEERS_MOST)
		return NULL;
	peer = &station->peers[station->peer_count++];
	(void)snprintf(peer->name, sizeof peer->name, "%s", name);
	return peer;
}

static bool is_stale(struct vd_station *station, const char *name, uint64_t seq, uint64_t t_mono_ms)
{
	struct peer *peer = peer_of(station, name);
	bool is_old;

	if (!peer)
		return false;
	is_old = peer->has_frame && (seq <= peer->seq || t_mono_ms < peer->t_mono_ms);
	if (!is_old)
		*peer = (struct peer){ .has_frame = true, .seq = seq, .t_mono_ms = t_mono_ms };
	if (!is_old)
		(void)snprintf(peer->name, sizeof peer->name, "%s", name);
	return is_old;
}

static void on_peer(const char *name, bool is_connected, void *argument)
{
	struct peer *peer = peer_of(argument, name);

	/* A camera that was started again counts from the beginning. */
	if (peer)
		peer->has_frame = false;
}

/* What any packet about a capture says; strings are copied. */
static void fill(struct vd_arrival *arrival, const char *camera, const cJSON *about)
{
	arrival->camera = camera;
	arrival->trigger = vd_json_object(about, "trigger");
	arrival->seq = (uint64_t)vd_json_int(about, "seq", 0);
	arrival->serial = vd_json_string(about, "serial", NULL);
	(void)snprintf(arrival->shot.captured_at, sizeof arrival->shot.captured_at, "%s",
		       vd_json_string(about, "tWall", ""));
	(void)snprintf(arrival->shot.claimed, sizeof arrival->shot.claimed, "%s",
		       vd_json_string(about, "sha256", ""));
}

static void take_frame(struct vd_station *station, const struct vd_frame *frame)
{
	struct vd_arrival arrival = { 0 };
	struct vd_shot *shot = &arrival.shot;

	fill(&arrival, frame->peer, frame->about);
	shot->is_jpeg = strcmp(frame->format, "jpeg") == 0;
	shot->width = (int)frame->width;
	shot->height = (int)frame->height;
	shot->stride = (int)frame->stride;
	shot->is_stale = is_stale(station, frame->peer, frame->seq, frame->t_mono_ms);
	shot->state = VD_SHOT_TAKEN;
	if (vd_buf_append(&shot->bytes, frame->bytes, frame->len) < 0) {
		shot->state = VD_SHOT_FAILED;
		(void)snprintf(shot->text, sizeof shot->text, "out of memory");
	}
	put(station, &arrival);
}

/* Copied and given back at once: items may wait longer than the camera has slots. */
static void on_frame(struct vd_frame *frame, void *argument)
{
	struct vd_station *station = argument;

	if (!station->is_stopping)
		take_frame(station, frame);
	(void)vd_frame_release(frame);
}

static void on_failed(const char *camera, const cJSON *about, void *argument)
{
	struct vd_station *station = argument;
	struct vd_arrival arrival = { 0 };

	if (station->is_stopping)
		return;
	fill(&arrival, camera, about);
	arrival.shot.state = VD_SHOT_FAILED;
	(void)snprintf(arrival.shot.text, sizeof arrival.shot.text, "%s",
		       vd_json_string(about, "text", "no reason was given"));
	put(station, &arrival);
}

/* ---- parameters, methods, life ---- */

int vd_station_configure(struct vd_station *station, const cJSON *parameters,
			 struct vd_fault *fault)
{
	struct vd_recipe_set *set = NULL;
	int r = vd_recipe_set_parse(parameters, &set, fault);

	if (r < 0)
		return r;
	set->version = VERSION_UNKNOWN;
	(void)vd_recipe_set_unref(station->set);
	station->set = set;
	return vd_worker_order(station->worker, VD_ORDER_STATE, set, -1, NULL);
}

static void order(struct vd_station *station, int64_t id, enum vd_worker_order what,
		  const struct vd_gather_order *gather)
{
	if (vd_worker_order(station->worker, what, station->set, id, gather) < 0)
		answer(station, id, 500, "text", "out of memory");
}

static void refuse_call(struct vd_station *station, int64_t id, const struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "pointer", fault->pointer) ||
	    !vd_json_add_string(body, "text", fault->text) ||
	    vd_module_answer(station->module, id, fault->code, body) != 0)
		vd_log(VD_WARN, "call.unanswered", "id=%lld", (long long)id);
}

static void call_learn(struct vd_station *station, int64_t id, const cJSON *body)
{
	order(station, id, VD_ORDER_LEARN, NULL);
}

static void call_arm(struct vd_station *station, int64_t id, const cJSON *body)
{
	order(station, id, VD_ORDER_ARM, NULL);
}

static void call_roll_back(struct vd_station *station, int64_t id, const cJSON *body)
{
	order(station, id, VD_ORDER_ROLL_BACK, NULL);
}

static void call_gather(struct vd_station *station, int64_t id, const cJSON *body)
{
	const char *label = vd_json_string(body, "label", "");
	const int64_t count = vd_json_int(body, "count", 0);
	const int64_t seconds = vd_json_int(body, "seconds", 0);
	struct vd_gather_order gather = { .count = (int)count };
	struct vd_fault fault = { 0 };

	if (vd_json_bool(body, "stop", false)) {
		order(station, id, VD_ORDER_GATHER, NULL);
		return;
	}
	if (!vd_name_is_plain(label))
		vd_fault_set(&fault, 400, "/label", "letters, digits, '.', '_', '-'");
	else if (count < 1 || count > GATHER_MOST)
		vd_fault_set(&fault, 400, "/count", "1 to %d", GATHER_MOST);
	else if (seconds < 1 || seconds > GATHER_SECONDS)
		vd_fault_set(&fault, 400, "/seconds", "1 to %d", GATHER_SECONDS);
	if (fault.code) {
		refuse_call(station, id, &fault);
		return;
	}
	(void)snprintf(gather.label, sizeof gather.label, "%s", label);
	gather.until_wall_ms = vd_clock_wall_ms() + 1000 * seconds;
	gather.bytes_most = vd_json_int(body, "maxBytes", INT64_C(1) << 30);
	order(station, id, VD_ORDER_GATHER, &gather);
}

static void call_override(struct vd_station *station, int64_t id, const cJSON *call)
{
	struct vd_fault fault = { 0 };
	VD_CLEANUP(vd_json_free)
	cJSON *body = vd_override_body(&station->recent, call, name_of(station), vd_clock_wall_ms(),
				       &fault);

	if (!body) {
		refuse_call(station, id, &fault);
		return;
	}
	station->tally.overrides++;
	changed(station);
	answer(station, id, 200, "itemId", vd_json_string(body, "itemId", ""));
	say(station, "override", "verdict", &body);
}

void vd_station_call(struct vd_station *station, int64_t id, const char *method, const cJSON *body)
{
	static const struct {
		const char *name;
		void (*call)(struct vd_station *station, int64_t id, const cJSON *body);
	} methods[] = { { "learn", call_learn },
			{ "arm", call_arm },
			{ "rollback", call_roll_back },
			{ "gather", call_gather },
			{ "override", call_override } };

	for (size_t i = 0; i < VD_COUNT(methods); i++) {
		if (strcmp(methods[i].name, method) == 0) {
			methods[i].call(station, id, body);
			return;
		}
	}
	answer(station, id, 404, "text", "methods are learn, arm, rollback, gather and override");
}

bool vd_station_stop(struct vd_station *station)
{
	station->is_stopping = true;
	vd_publisher_hurry(station->publisher);
	return !is_in_hand(station);
}

/* From the worker's thread. */
static void on_progress(void *argument)
{
	const struct vd_station *station = argument;

	vd_module_work(station->module, 1);
}

static int start_worker(struct vd_station *station)
{
	static const struct vd_worker_handlers handlers = { .on_done = wake };
	const char *folder = vd_module_state_folder(station->module);
	char models[FOLDER_BYTES] = "", gathered[FOLDER_BYTES] = "";
	const struct vd_inspector_options options = {
		.station = vd_module_instance(station->module),
		.model_folder = models,
		.gather_folder = gathered,
		.now_us = vd_clock_mono_us,
		.on_progress = on_progress,
		.argument = station,
	};

	if (folder[0] && (snprintf(models, sizeof models, "%s/models", folder) >= FOLDER_BYTES ||
			  snprintf(gathered, sizeof gathered, "%s/gather", folder) >= FOLDER_BYTES))
		return -ENAMETOOLONG;
	return vd_worker_new(&options, &handlers, station, &station->worker);
}

static int start(struct vd_station *station, const cJSON *parameters, struct vd_fault *fault)
{
	static const struct vd_publisher_handlers publisher = { .on_answer = on_answer,
								.on_lost = on_lost };
	static const struct vd_frame_in_handlers frames = { .on_frame = on_frame,
							    .on_failed = on_failed,
							    .on_peer = on_peer };
	struct vd_loop *loop = vd_module_loop(station->module);
	int r = vd_assembly_new(&station->assembly);

	if (r == 0)
		r = start_worker(station);
	if (r == 0)
		r = vd_publisher_new(station->module, &publisher, station, &station->publisher);
	if (r == 0)
		r = vd_loop_timer(loop, expire, station, &station->deadline);
	if (r == 0)
		r = vd_loop_timer(loop, send_report, station, &station->report);
	if (r == 0)
		r = vd_station_configure(station, parameters, fault);
	if (r == 0)
		r = vd_frame_in_new(station->module, "frame", &frames, station, &station->frames);
	return r;
}

int vd_station_new(struct vd_module *module, const cJSON *parameters,
		   struct vd_station **ret_station, struct vd_fault *fault)
{
	struct vd_station *station = calloc(1, sizeof *station);
	int r;

	if (!station)
		return -ENOMEM;
	station->module = module;
	r = start(station, parameters, fault);
	if (r < 0) {
		if (fault->code == 0)
			vd_fault_set(fault, 500, "", "%s", strerror(-r));
		(void)vd_station_free(station);
		return r;
	}
	*ret_station = station;
	return 0;
}

struct vd_station *vd_station_free(struct vd_station *station)
{
	if (!station)
		return NULL;
	(void)vd_frame_in_free(station->frames);
	(void)vd_worker_free(station->worker);
	(void)vd_publisher_free(station->publisher);
	(void)vd_assembly_free(station->assembly);
	(void)vd_source_free(station->deadline);
	(void)vd_source_free(station->report);
	(void)vd_recipe_set_unref(station->set);
	(void)vd_json_free(station->state);
	free(station);
	return NULL;
}
