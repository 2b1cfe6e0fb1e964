/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/station_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/inspect/recipe/inventory.h"
#include "modules/inspect/notice.h"
#include "modules/inspect/tools/shelf.h"

enum { VERSION_UNKNOWN = -1, REFUSALS_TOLD = 3 };

void vd_station_arm(struct vd_source *timer, uint64_t delay_ms)
{
	const int r = vd_timer_arm(timer, delay_ms);

	if (r < 0)
		vd_log(VD_ERROR, "timer.notArmed", "text=\"%s\"", strerror(-r));
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

const char *vd_station_name(const struct vd_station *station)
{
	return station->set->station[0] ? station->set->station
					: vd_module_instance(station->module);
}

void vd_station_say(struct vd_station *station, const char *output, const char *record_class,
		    cJSON **body)
{
	const int r =
		*body ? vd_publisher_put_record(station->publisher, output, record_class, body)
		      : -ENOMEM;

	if (r < 0)
		vd_log(VD_ERROR, "notice.lost", "output=%s text=\"%s\"", output, strerror(-r));
}

void vd_station_alarm(struct vd_station *station, const char *kind, bool is_raised,
		      const char *text)
{
	cJSON *body = vd_alarm_body(kind, is_raised, NULL, text);

	if (body && !vd_json_add_string(body, "station", vd_station_name(station)))
		body = vd_json_free(body);
	vd_station_say(station, "alarm", "alarm", &body);
}

static void say_all(struct vd_station *station, cJSON *notices)
{
	cJSON *notice;

	cJSON_ArrayForEach(notice, notices)
	{
		cJSON *body = cJSON_DetachItemFromObjectCaseSensitive(notice, "body");

		vd_station_say(station, vd_json_string(notice, "output", ""),
			       vd_json_string(notice, "class", ""), &body);
	}
}

/* What the inspection does not know of its item. */
static void add_circumstances(const struct vd_station *station, const struct vd_item *item,
			      cJSON *body)
{
	if ((item->supersedes[0] && !vd_json_add_string(body, "supersedes", item->supersedes)) ||
	    !vd_readings_add(&station->readings, &station->reading_options, item->started_us / 1000,
			     body))
		vd_log(VD_WARN, "verdict.incomplete", "itemId=%s text=\"out of memory\"", item->id);
}

static void publish(struct vd_station *station, struct vd_done *done)
{
	vd_item_enter(done->item, VD_ITEM_JUDGED);
	if (done->outcome.body)
		add_circumstances(station, done->item, done->outcome.body);
	vd_tally_verdict(&station->tally, done->outcome.verdict);
	vd_recent_put(&station->recent, done->item, done->outcome.verdict);
	if (vd_publisher_put(station->publisher, done) < 0)
		vd_log(VD_ERROR, "verdict.lost", "text=\"out of memory\"");
	vd_module_work(station->module, 1);
	vd_station_changed(station);
}

static void answer_order(struct vd_station *station, const struct vd_done *done)
{
	const struct vd_recipe *recipe = &station->set->recipes[station->set->active];

	if (done->status < 0)
		vd_station_answer(station, done->call, done->status == -ENOMEM ? 500 : 409, "text",
				  done->text[0] ? done->text : strerror(-done->status));
	else
		vd_station_answer(station, done->call, 200, "recipe", recipe->name);
}

static void count_stages(struct vd_station *station, struct vd_item *item)
{
	const uint64_t now = vd_clock_mono_us();

	vd_stages_put(&station->stages, VD_STAGE_CAPTURE, item->queued_us - item->started_us);
	vd_stages_put(&station->stages, VD_STAGE_QUEUE, item->begun_us - item->queued_us);
	vd_stages_put(&station->stages, VD_STAGE_INSPECT, now - item->begun_us);
	item->judged_us = now;
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
			vd_station_changed(station);
		}
		if (done.call >= 0)
			answer_order(station, &done);
		notices = VD_TAKE(done.outcome.notices);
		if (done.item && done.item->is_test) {
			vd_station_tested(station, &done.outcome);
		} else if (done.item) {
			count_stages(station, done.item);
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
		vd_station_alarm(station, "verdictsRefused", true, text);
	} else if (station->is_refused && waiting == 0 && !text) {
		station->is_refused = false;
		vd_station_alarm(station, "verdictsRefused", false, "all are stored");
	}
}

static void on_answer(const char *item_id, struct vd_item **item, int64_t seq, const char *text,
		      void *argument)
{
	struct vd_station *station = argument;

	if (text)
		station->tally.refused++;
	else
		station->tally.stored++;
	if (!text && item_id[0]) {
		vd_recent_stored(&station->recent, item_id, seq);
		vd_station_settled(station, item_id);
	}
	if (*item && (*item)->judged_us > 0)
		vd_stages_put(&station->stages, VD_STAGE_STORE,
			      vd_clock_mono_us() - (*item)->judged_us);
	if (*item && (*item)->is_kept)
		vd_kept_put(&station->kept, item, station->triggers.kept_items);
	watch_refusals(station, text);
	vd_station_changed(station);
	leave_if_done(station);
}

static void on_lost(const char *item_id, const char *text, void *argument)
{
	struct vd_station *station = argument;
	char prose[192];

	station->tally.lost++;
	vd_station_changed(station);
	if (!item_id[0] || station->is_stopping)
		return;
	(void)snprintf(prose, sizeof prose, "item %s: given up, %.100s", item_id, text);
	vd_station_alarm(station, "verdictLost", true, prose);
}

/* ---- items in ---- */

void vd_station_refuse(struct vd_station *station, struct vd_item **item, const char *reason)
{
	struct vd_done done = { 0 };

	vd_outcome_refused(*item, vd_module_instance(station->module), reason, &done.outcome);
	done.item = VD_TAKE(*item);
	publish(station, &done);
}

size_t vd_station_in_hand(const struct vd_station *station)
{
	return vd_assembly_count(station->assembly) + vd_worker_in_hand(station->worker) +
	       vd_publisher_waiting(station->publisher);
}

/*
 * Verdicts that the agent has not taken hold memory like items that wait. Room for an item that
 * was asked for was found before its cameras were asked.
 */
static bool has_no_room(const struct vd_station *station, const struct vd_item *item)
{
	return !item->is_asked &&
	       vd_worker_waiting(station->worker) + vd_publisher_waiting(station->publisher) >=
		       (size_t)item->set->queue_max;
}

void vd_station_submit(struct vd_station *station, struct vd_item **item)
{
	if (has_no_room(station, *item)) {
		station->tally.queue_full++;
		vd_station_refuse(station, item, "queue_full: more items than queueMax wait");
		return;
	}
	vd_item_enter(*item, VD_ITEM_QUEUED);
	(*item)->is_kept = station->triggers.kept_items > 0;
	(*item)->queued_us = vd_clock_mono_us();
	if (vd_worker_submit(station->worker, item) < 0) {
		vd_station_refuse(station, item, "internal: out of memory");
		return;
	}
	vd_module_due(station->module, true);
}

/* Only once a set is in force, after the callback that brought it, is its version known. */
struct vd_recipe_set *vd_station_set(struct vd_station *station)
{
	if (station->set->version == VERSION_UNKNOWN)
		station->set->version = vd_module_version(station->module);
	return station->set;
}

void vd_station_arm_deadline(struct vd_station *station)
{
	const uint64_t deadline = vd_assembly_deadline_us(station->assembly);
	const uint64_t now = vd_clock_mono_us();

	if (deadline == UINT64_MAX)
		vd_timer_disarm(station->deadline);
	else
		vd_station_arm(station->deadline, deadline > now ? (deadline - now) / 1000 + 1 : 0);
}

static void expire(void *argument)
{
	struct vd_station *station = argument;
	struct vd_item *item;

	while ((item = vd_assembly_expired(station->assembly, vd_clock_mono_us())))
		vd_station_submit(station, &item);
	vd_station_arm_deadline(station);
}

static void put(struct vd_station *station, struct vd_arrival *arrival)
{
	struct vd_recipe_set *set = vd_station_set(station);
	struct vd_item *item = NULL;
	int r;

	if (vd_assembly_begins(station->assembly, set, arrival) &&
	    !vd_station_admits(station, arrival)) {
		vd_buf_fini(&arrival->shot.bytes);
		return;
	}
	r = vd_assembly_put(station->assembly, set, arrival, vd_clock_mono_us(), &item);
	switch (r) {
	case VD_ITEM_OPEN:
		break;
	case VD_ITEM_COMPLETE:
		vd_station_submit(station, &item);
		break;
	case VD_ITEM_LATE:
		station->tally.late_frames++;
		vd_station_changed(station);
		break;
	case VD_FRAME_OLD:
		station->tally.old_frames++;
		vd_station_changed(station);
		break;
	case VD_CAMERA_UNKNOWN:
		if (station->tally.unexpected_frames++ == 0)
			vd_log(VD_WARN, "frame.unexpected", "camera=%s", arrival->camera);
		vd_station_changed(station);
		break;
	default:
		vd_log(VD_ERROR, "frame.lost", "camera=%s text=\"%s\"", arrival->camera,
		       strerror(-r));
		break;
	}
	expire(station);
}

static struct vd_station_peer *peer_of(struct vd_station *station, const char *name)
{
	struct vd_station_peer *peer;

	for (int i = 0; i < station->peer_count; i++) {
		if (strcmp(station->peers[i].name, name) == 0)
			return &station->peers[i];
	}
	if (station->peer_count == VD_STATION_PEERS)
		return NULL;
	peer = &station->peers[station->peer_count++];
	(void)snprintf(peer->name, sizeof peer->name, "%s", name);
	return peer;
}

static bool is_stale(struct vd_station *station, const char *name, uint64_t seq, uint64_t t_mono_ms)
{
	struct vd_station_peer *peer = peer_of(station, name);
	bool is_old;

	if (!peer)
		return false;
	is_old = peer->has_frame && (seq <= peer->seq || t_mono_ms < peer->t_mono_ms);
	if (is_old)
		return true;
	peer->has_frame = true;
	peer->seq = seq;
	peer->t_mono_ms = t_mono_ms;
	return false;
}

static void on_peer(const char *name, bool is_connected, void *argument)
{
	struct vd_station_peer *peer = peer_of(argument, name);

	if (!peer)
		return;
	/* A camera that was started again counts from the beginning. */
	peer->has_frame = false;
	peer->is_connected = is_connected;
	vd_station_changed(argument);
}

/* What any packet about a capture says; strings are copied. */
static void fill(struct vd_arrival *arrival, const char *camera, const cJSON *about)
{
	arrival->camera = camera;
	arrival->trigger = vd_json_object(about, "trigger");
	arrival->seq = (uint64_t)vd_json_int(about, "seq", 0);
	arrival->t_mono_ms = (uint64_t)vd_json_int(about, "tMono", 0);
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

/* ---- parameters ---- */

static int index_of(const struct vd_recipe_set *set, const char *name)
{
	for (int i = 0; i < set->count; i++) {
		if (strcmp(set->recipes[i].name, name) == 0)
			return i;
	}
	return -1;
}

int vd_station_digest(const struct vd_station *station, int recipe,
		      char digest[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(station->set->recipes[recipe].source);

	return text ? vd_sha256_text(text, strlen(text), digest) : -ENOMEM;
}

/* What the line selected goes before what the document says, as long as it is there. */
static void choose(struct vd_station *station, struct vd_recipe_set *set)
{
	const struct vd_panel before = station->panel;
	const char *name = vd_panel_recipe(&station->panel, set->recipes[set->active].name);
	const int chosen = index_of(set, name);

	if (chosen >= 0)
		set->active = chosen;
	else
		station->panel.recipe[0] = '\0';
	if (before.recipe[0] && !station->panel.recipe[0]) {
		vd_log(VD_NOTICE, "recipe.selectionEnded", "recipe=%s active=%s", before.recipe,
		       set->recipes[set->active].name);
		(void)!vd_panel_write(&station->panel, station->panel_path);
	}
}

/* Takes *set. */
static int put_in_force(struct vd_station *station, struct vd_recipe_set **set,
			struct vd_trigger_options *options, struct vd_fault *fault)
{
	VD_CLEANUP(vd_recipe_set_unref) struct vd_recipe_set *old = station->set;
	const struct vd_panel panel = station->panel;
	int r;

	choose(station, *set);
	station->set = VD_TAKE(*set);
	r = vd_station_digest(station, station->set->active, station->digest);
	if (r == 0)
		r = vd_station_triggers_configure(station, options, fault);
	if (r < 0 && old) { /* as it was */
		struct vd_recipe_set *refused = station->set;

		station->set = VD_TAKE(old);
		old = refused;
		station->panel = panel;
		(void)!vd_station_digest(station, station->set->active, station->digest);
	}
	return r;
}

/* Readings go with their names: what was read under other ones is forgotten. */
static void take_readings(struct vd_station *station, const cJSON *parameters)
{
	if (cJSON_Compare(vd_json_get(parameters, "values"),
			  vd_json_get(station->parameters, "values"), true))
		return;
	vd_readings_options_parse(parameters, &station->reading_options);
	station->readings = (struct vd_readings){ .counts = { 0 } };
}

static int configure(struct vd_station *station, const cJSON *parameters, int64_t version,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_recipe_set_unref) struct vd_recipe_set *set = NULL;
	VD_CLEANUP(vd_trigger_options_fini)
	struct vd_trigger_options options = { .when = { .is_set = false } };
	VD_CLEANUP(vd_selftest_options_fini) struct vd_selftest_options test = { .every_ms = 0 };
	int r = vd_recipe_set_parse(parameters, &set, fault);

	if (r == 0)
		r = vd_trigger_options_parse(parameters, &options, fault);
	if (r == 0)
		r = vd_selftest_options_parse(parameters, &test);
	if (r == 0)
		r = vd_inventory_check(set, fault);
	if (r == 0)
		r = vd_recipe_set_equip(set, fault);
	if (r < 0)
		return r;
	set->version = version;
	r = put_in_force(station, &set, &options, fault);
	if (r == 0) {
		vd_station_test_configure(station, &test);
		take_readings(station, parameters);
	}
	vd_station_changed(station);
	return r < 0 ? r : vd_worker_order(station->worker, VD_ORDER_STATE, station->set, -1, NULL);
}

int vd_station_configure(struct vd_station *station, const cJSON *parameters,
			 struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *own = cJSON_Duplicate(parameters, true);
	int r = own ? configure(station, parameters, VERSION_UNKNOWN, fault) : -ENOMEM;

	if (r < 0)
		return r;
	(void)vd_json_free(station->parameters);
	station->parameters = VD_TAKE(own);
	return 0;
}

int vd_station_choose(struct vd_station *station, struct vd_fault *fault)
{
	return configure(station, station->parameters, vd_station_set(station)->version, fault);
}

/* ---- life ---- */

bool vd_station_stop(struct vd_station *station)
{
	struct vd_item *item;

	station->is_stopping = true;
	while ((item = vd_assembly_expired(station->assembly, UINT64_MAX)))
		vd_station_refuse(station, &item, "interrupted: the station was stopped");
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
	char models[VD_STATION_PATH] = "", gathered[VD_STATION_PATH] = "";
	const struct vd_inspector_options options = {
		.station = vd_module_instance(station->module),
		.model_folder = models,
		.gather_folder = gathered,
		.now_us = vd_clock_mono_us,
		.on_progress = on_progress,
		.argument = station,
	};

	if (folder[0] &&
	    (snprintf(models, sizeof models, "%s/models", folder) >= VD_STATION_PATH ||
	     snprintf(gathered, sizeof gathered, "%s/gather", folder) >= VD_STATION_PATH))
		return -ENAMETOOLONG;
	return vd_worker_new(&options, &handlers, station, &station->worker);
}

static int read_panel(struct vd_station *station)
{
	const char *folder = vd_module_state_folder(station->module);

	if (!folder[0])
		return 0;
	if (snprintf(station->panel_path, VD_STATION_PATH, "%s/panel.json", folder) >=
	    VD_STATION_PATH)
		return -ENAMETOOLONG;
	vd_panel_read(station->panel_path, &station->panel);
	return 0;
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
		r = vd_loop_timer(loop, vd_station_send_report, station, &station->report);
	if (r == 0)
		r = vd_loop_timer(loop, vd_station_test, station, &station->test_timer);
	if (r == 0)
		r = read_panel(station);
	if (r == 0)
		r = vd_station_triggers_start(station);
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
	vd_station_triggers_stop(station);
	(void)vd_worker_free(station->worker);
	(void)vd_publisher_free(station->publisher);
	(void)vd_assembly_free(station->assembly);
	(void)vd_source_free(station->deadline);
	(void)vd_source_free(station->report);
	(void)vd_source_free(station->test_timer);
	vd_selftest_options_fini(&station->test_options);
	vd_kept_fini(&station->kept);
	(void)vd_recipe_set_unref(station->set);
	(void)vd_json_free(station->state);
	(void)vd_json_free(station->parameters);
	free(station);
	return NULL;
}
