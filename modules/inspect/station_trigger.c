/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What begins an item. The cameras are asked at once and the trigger is written to the disk
 * meanwhile: a part that moves does not wait for a disk. Only the acknowledgement does. What is on
 * the disk and open is told of after a restart, whatever became of the process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/inspect/line/hindsight.h"
#include "modules/inspect/station_private.h"

enum { WATCH_MS = 250, OVERRUNS_MOST = 256 };

/* What a trigger says of itself. */
struct ask {
	enum vd_trigger_source source;
	const char *serial;               /* NULL: none */
	const char *from;                 /* of a message; NULL */
	const char *file;                 /* dropped; NULL */
	const struct vd_panel_word *word; /* who wants an item once more; NULL */
};

/* ---- the item and what is recorded of it ---- */

static cJSON *trigger_json(const struct ask *ask, uint64_t seq, uint64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "source", vd_trigger_source_name(ask->source)) ||
	    !vd_json_add_number(json, "seq", (double)seq) ||
	    !vd_json_add_number(json, "tMono", (double)now_ms) ||
	    (ask->from && !vd_json_add_string(json, "from", ask->from)) ||
	    (ask->file && !vd_json_add_string(json, "file", ask->file)) ||
	    (ask->word && (!vd_json_add_string(json, "by", ask->word->by) ||
			   !vd_json_add_string(json, "reason", ask->word->reason))))
		return NULL;
	return VD_TAKE(json);
}

static int mark(struct vd_station *station, const struct ask *ask, struct vd_item *item)
{
	item->is_asked = true;
	item->triggered_ms = item->started_us / 1000;
	item->trigger = trigger_json(ask, ++station->trigger_seq, item->triggered_ms);
	if (ask->serial)
		(void)snprintf(item->serial, sizeof item->serial, "%s", ask->serial);
	return item->trigger ? 0 : -ENOMEM;
}

static int new_item(struct vd_station *station, const struct ask *ask, struct vd_item **ret_item)
{
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	int r = vd_item_new(vd_station_set(station), vd_clock_mono_us(), &item);

	if (r == 0)
		r = mark(station, ask, item);
	if (r == 0)
		*ret_item = VD_TAKE(item);
	return r;
}

static bool add_recipe(cJSON *body, const struct vd_station *station, const struct vd_item *item)
{
	return vd_json_add_string(body, "station", vd_station_name(station)) &&
	       vd_json_add_string(body, "recipe", item->recipe->name) &&
	       vd_json_add_number(body, "rev", item->recipe->rev) &&
	       vd_json_add_string(body, "digest", station->digest) &&
	       vd_json_add_number(body, "parametersVersion", (double)item->set->version) &&
	       vd_json_add_string(body, "policy",
				  item->recipe->item_rule.missing_is_ng ? "NG" : "NO_DECISION");
}

static cJSON *accept_body(const struct vd_station *station, const struct vd_item *item)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	char wall[VD_TIME_TEXT];

	if (!body || !vd_json_add_string(body, "id", item->id) ||
	    !vd_json_add_string(body, "at", vd_time_text(vd_clock_wall_ms(), wall)) ||
	    !add_recipe(body, station, item) ||
	    (item->serial[0] && !vd_json_add_string(body, "serial", item->serial)) ||
	    (item->supersedes[0] && !vd_json_add_string(body, "supersedes", item->supersedes)) ||
	    (item->trigger && !vd_json_add_copy(body, "trigger", item->trigger)))
		return NULL;
	return VD_TAKE(body);
}

static void tell_durable(struct vd_station *station, int status)
{
	if ((status < 0) == station->is_not_durable)
		return;
	station->is_not_durable = status < 0;
	vd_station_alarm(station, "triggersNotDurable", status < 0,
			 status < 0 ? strerror(-status) : "triggers are on the disk again");
	vd_station_changed(station);
}

/* Takes *body. -errno: the item goes on, but a crash would lose it without a word. */
static int record_body(struct vd_station *station, cJSON **body)
{
	VD_CLEANUP(vd_json_free) cJSON *own = VD_TAKE(*body);
	int r = -ENOENT;

	if (station->ledger)
		r = own ? vd_ledger_accept(station->ledger, &own) : -ENOMEM;
	if (r < 0)
		tell_durable(station, r);
	return r;
}

static int record(struct vd_station *station, const struct vd_item *item)
{
	cJSON *body = accept_body(station, item);

	return record_body(station, &body);
}

/* ---- durability ---- */

static void answer_recorded(struct vd_station *station, int64_t call, const char *item_id,
			    int status)
{
	char text[160];

	if (status == 0) {
		vd_station_answer(station, call, 200, "itemId", item_id);
		return;
	}
	(void)snprintf(text, sizeof text, "notDurable: item %s goes on, but is not recorded: %s",
		       item_id, strerror(-status));
	vd_station_answer(station, call, 503, "text", text);
}

static void settle_call(struct vd_station *station, const struct vd_ledger_settled *settled)
{
	for (int i = 0; i < VD_STATION_CALLS; i++) {
		struct vd_station_call *call = &station->calls[i];

		if (strcmp(call->item_id, settled->id) != 0)
			continue;
		answer_recorded(station, call->id, call->item_id, settled->status);
		call->item_id[0] = '\0';
		return;
	}
}

static void take_settled(void *argument)
{
	struct vd_station *station = argument;
	struct vd_ledger_settled settled;

	while (vd_ledger_take(station->ledger, &settled)) {
		settle_call(station, &settled);
		tell_durable(station, settled.status);
	}
}

/* From the ledger's thread. */
static void wake(void *argument)
{
	struct vd_station *station = argument;

	(void)!vd_module_post(station->module, take_settled, station);
}

static void await_record(struct vd_station *station, int64_t id, const char *item_id, int r)
{
	if (r < 0) {
		answer_recorded(station, id, item_id, r);
		return;
	}
	for (int i = 0; i < VD_STATION_CALLS; i++) {
		if (station->calls[i].item_id[0])
			continue;
		station->calls[i].id = id;
		(void)snprintf(station->calls[i].item_id, VD_UUID_TEXT, "%s", item_id);
		return;
	}
	vd_station_answer(station, id, 429, "text", "too many calls wait for the disk");
}

void vd_station_settled(struct vd_station *station, const char *item_id)
{
	const cJSON *accepted = station->ledger ? vd_ledger_find(station->ledger, item_id) : NULL;
	const char *file = vd_json_string(vd_json_object(accepted, "trigger"), "file", NULL);

	/* The file first: a crash in between tells of the item once more, which is stored once. */
	if (file && station->drop)
		vd_drop_consume(station->drop, file);
	if (accepted)
		vd_ledger_close(station->ledger, item_id);
}

/* ---- asking for frames ---- */

static cJSON *capture_body(const struct vd_item *item, const char *camera)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "triggerId", item->id) ||
	    !vd_json_add_string(body, "camera", camera) ||
	    !vd_json_add_number(body, "tMono", (double)item->triggered_ms) ||
	    (item->serial[0] && !vd_json_add_string(body, "serial", item->serial)))
		return NULL;
	return VD_TAKE(body);
}

/* A camera that cannot even be asked has failed; the others may tell enough. */
static void ask_camera(struct vd_station *station, struct vd_item *item, int camera)
{
	VD_CLEANUP(vd_json_free)
	cJSON *body = capture_body(item, item->recipe->cameras[camera]);
	const struct vd_publication publication = { .output = "capture",
						    .record_class = "event",
						    .body = body };
	const int r = body ? vd_module_publish(station->module, &publication, NULL) : -ENOMEM;

	if (r == 0)
		return;
	item->shots[camera].state = VD_SHOT_FAILED;
	(void)snprintf(item->shots[camera].text, VD_SHOT_TEXT, "it could not be asked: %s",
		       r < 0 ? strerror(-r) : "the agent is slow");
}

static void ask_cameras(struct vd_station *station, struct vd_item **item)
{
	for (int i = 0; i < (*item)->recipe->camera_count; i++) {
		if ((*item)->shots[i].state == VD_SHOT_AWAITED)
			ask_camera(station, *item, i);
	}
	if (vd_item_is_complete(*item)) {
		vd_station_submit(station, item);
	} else if (vd_assembly_open(station->assembly, item, NULL, vd_clock_mono_us()) < 0) {
		vd_station_refuse(station, item, "overrun: too many items are open");
	} else {
		vd_station_arm_deadline(station);
	}
}

/* ---- admission ---- */

static void arm_watch(struct vd_station *station)
{
	if (!vd_timer_is_armed(station->watch))
		vd_station_arm(station->watch, WATCH_MS);
}

static void watch(void *argument)
{
	struct vd_station *station = argument;
	const double most = station->set->queue_max;
	const double share = (double)vd_station_in_hand(station) / most;
	char text[96];

	if (vd_pressure_put(&station->pressure, &station->triggers.pressure, share,
			    vd_clock_mono_ms())) {
		(void)snprintf(text, sizeof text, "%.0f of %.0f places are taken", share * most,
			       most);
		vd_station_alarm(station, "lineSpeed", station->pressure.is_raised, text);
		vd_station_changed(station);
	}
	if (share > 0 || station->pressure.is_raised)
		arm_watch(station);
}

static int check_open(struct vd_station *station, enum vd_trigger_source source,
		      struct vd_fault *fault)
{
	if (!station->triggers.is_on[source]) {
		vd_fault_set(fault, 403, NULL, "off: triggers by %s are not taken",
			     vd_trigger_source_name(source));
		return -EACCES;
	}
	if (station->is_stopping) {
		vd_fault_set(fault, 503, NULL, "stopping");
		return -ESHUTDOWN;
	}
	if (station->panel.is_held) {
		station->tally.held++;
		vd_fault_set(fault, 423, NULL, "held: by %.60s since %s: %.100s",
			     station->panel.hold.by, station->panel.hold.at,
			     station->panel.hold.reason);
		return -EBUSY;
	}
	return 0;
}

static int admit(struct vd_station *station, enum vd_trigger_source source, struct vd_fault *fault)
{
	const struct vd_admission_limits *limits = &station->triggers.limits[source];
	const enum vd_admission_outcome outcome =
		vd_admission_try(&station->admissions[source], limits, vd_clock_mono_ms());

	vd_station_changed(station);
	if (outcome == VD_ADMITTED)
		return 0;
	if (outcome == VD_BOUNCED)
		vd_fault_set(fault, 429, NULL, "tooSoon: within %llu ms of the last one",
			     (unsigned long long)limits->min_interval_ms);
	else
		vd_fault_set(fault, 429, NULL, "overRate: more than %g a second",
			     limits->per_second);
	return -EAGAIN;
}

static int check_room(struct vd_station *station, struct vd_fault *fault)
{
	arm_watch(station);
	if (vd_station_in_hand(station) < (size_t)station->set->queue_max)
		return 0;
	vd_fault_set(fault, 429, NULL, "queueFull: %d items are in hand", station->set->queue_max);
	return -ENOBUFS;
}

/* Whoever can be told so is refused where no verdict could come of it. */
static int check_trained(const struct vd_station *station, struct vd_fault *fault)
{
	const cJSON *model = vd_json_object(station->state, "model");
	const char *state = vd_json_string(model, "state", "");
	const char *recipe = station->set->recipes[station->set->active].name;

	if (strcmp(vd_json_string(station->state, "recipe", ""), recipe) != 0)
		return 0; /* the state is of the recipe before */
	if (strcmp(state, "untrained") != 0 && strcmp(state, "rejected") != 0 &&
	    strcmp(state, "validated") != 0)
		return 0;
	vd_fault_set(fault, 403, NULL, "notArmed: the model of recipe \"%.60s\" is %s", recipe,
		     state);
	return -EACCES;
}

/* The item that this frame is about to begin, recorded before it is put together. */
static void open_recorded(struct vd_station *station, const struct vd_arrival *arrival)
{
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	const uint64_t now_us = vd_clock_mono_us();

	if (vd_item_new(vd_station_set(station), now_us, &item) < 0)
		return;
	if (arrival->trigger)
		item->trigger = cJSON_Duplicate(arrival->trigger, true);
	if (arrival->serial)
		(void)snprintf(item->serial, sizeof item->serial, "%s", arrival->serial);
	body = accept_body(station, item);
	if (vd_assembly_open(station->assembly, &item, arrival, now_us) == 0)
		(void)!record_body(station, &body);
}

bool vd_station_admits(struct vd_station *station, const struct vd_arrival *arrival)
{
	struct vd_fault fault = { 0 };

	if (check_open(station, VD_BY_CAMERA, &fault) < 0 ||
	    admit(station, VD_BY_CAMERA, &fault) < 0) {
		vd_assembly_pass_over(station->assembly, arrival);
		vd_station_changed(station);
		return false;
	}
	arm_watch(station);
	if (station->triggers.camera_is_durable)
		open_recorded(station, arrival);
	return true;
}

/* ---- the sources ---- */

/* Takes *item: recorded, then on its way. What the ledger said. */
static int set_off(struct vd_station *station, struct vd_item **item)
{
	const int r = record(station, *item);

	if (vd_item_is_complete(*item))
		vd_station_submit(station, item);
	else
		ask_cameras(station, item);
	return r;
}

/* Room was found. *ret_recorded: what the ledger said. */
static int begin(struct vd_station *station, const struct ask *ask, char item_id[VD_UUID_TEXT],
		 int *ret_recorded)
{
	struct vd_item *item = NULL;
	int r = new_item(station, ask, &item);

	if (r < 0)
		return r;
	memcpy(item_id, item->id, VD_UUID_TEXT);
	*ret_recorded = set_off(station, &item);
	return 0;
}

/* A part that nobody can hold back: it gets a verdict, unless those pile up themselves. */
static void overrun(struct vd_station *station, const struct ask *ask, const char *reason)
{
	const size_t unstored = vd_publisher_waiting(station->publisher) +
				vd_publisher_unstored(station->publisher);
	struct vd_item *item = NULL;
	char text[160];

	if (unstored >= OVERRUNS_MOST || new_item(station, ask, &item) < 0) {
		station->tally.missed++;
		vd_station_changed(station);
		return;
	}
	station->tally.overruns++;
	(void)snprintf(text, sizeof text, "overrun: %.120s", reason);
	vd_station_refuse(station, &item, text);
}

static void take_unasked(struct vd_station *station, const struct ask *ask)
{
	struct vd_fault fault = { 0 };
	char item_id[VD_UUID_TEXT];
	int recorded, r = check_open(station, ask->source, &fault);

	if (r == 0)
		r = admit(station, ask->source, &fault);
	if (r < 0)
		return;
	r = check_room(station, &fault);
	if (r == 0)
		r = begin(station, ask, item_id, &recorded);
	if (r < 0)
		overrun(station, ask, fault.code ? fault.text : strerror(-r));
}

void vd_station_call_inspect(struct vd_station *station, int64_t id, const cJSON *body)
{
	char serial[VD_SERIAL_BYTES], item_id[VD_UUID_TEXT];
	const bool has_serial = vd_trigger_text_at(body, "/serial", serial, sizeof serial);
	const struct ask ask = { .source = VD_BY_CALL, .serial = has_serial ? serial : NULL };
	struct vd_fault fault = { 0 };
	int recorded = 0, r = 0;

	if (!has_serial && vd_json_get(body, "serial")) {
		vd_fault_set(&fault, 400, "/serial", "a text of 1 to %d bytes, or a number",
			     VD_SERIAL_BYTES - 1);
		r = -EINVAL;
	}
	if (r == 0)
		r = check_open(station, VD_BY_CALL, &fault);
	if (r == 0)
		r = check_trained(station, &fault);
	if (r == 0)
		r = check_room(station, &fault);
	if (r == 0)
		r = admit(station, VD_BY_CALL, &fault);
	if (r == 0)
		r = begin(station, &ask, item_id, &recorded);
	if (r == 0) {
		await_record(station, id, item_id, recorded);
		return;
	}
	station->tally.refused_triggers++;
	vd_station_changed(station);
	if (!fault.code)
		vd_fault_set(&fault, 500, NULL, "%s", strerror(-r));
	vd_station_refuse_call(station, id, &fault);
}

/* Its frames once more, or new ones; under the recipe that is active now. */
static int again(struct vd_station *station, const struct ask *ask, const cJSON *body,
		 struct vd_item **ret_item, struct vd_fault *fault)
{
	const char *old_id = vd_json_string(body, "itemId", "");
	const struct vd_item *old = vd_kept_find(&station->kept, old_id);
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	int r;

	if (!old_id[0] || strlen(old_id) >= VD_UUID_TEXT) {
		vd_fault_set(fault, 400, "/itemId", "the id of an item");
		return -EINVAL;
	}
	if (vd_json_bool(body, "capture", false)) {
		r = new_item(station, ask, &item);
		if (r == 0)
			(void)snprintf(item->supersedes, sizeof item->supersedes, "%s", old_id);
	} else if (old) {
		r = vd_kept_again(old, vd_station_set(station), vd_clock_mono_us(), &item, fault);
		if (r == 0)
			r = mark(station, ask, item);
	} else {
		vd_fault_set(fault, 410, NULL, "its frames are no longer kept");
		r = -ENOENT;
	}
	if (r == 0)
		*ret_item = VD_TAKE(item);
	return r;
}

void vd_station_call_reinspect(struct vd_station *station, int64_t id, const cJSON *body)
{
	struct vd_panel_word word = { .by = "" };
	const struct ask ask = { .source = VD_BY_REINSPECT, .word = &word };
	struct vd_fault fault = { 0 };
	struct vd_item *item = NULL;
	char item_id[VD_UUID_TEXT];
	int r = vd_panel_word_parse(body, vd_clock_wall_ms(), &word, &fault);

	if (r == 0)
		r = check_room(station, &fault);
	if (r == 0)
		r = again(station, &ask, body, &item, &fault);
	if (r < 0) {
		if (!fault.code)
			vd_fault_set(&fault, 500, NULL, "%s", strerror(-r));
		vd_station_refuse_call(station, id, &fault);
		return;
	}
	memcpy(item_id, item->id, sizeof item_id);
	await_record(station, id, item_id, set_off(station, &item));
}

static void take_selection(struct vd_station *station, const char *from, const cJSON *body)
{
	struct vd_panel_word word = { .reason = "" };
	struct vd_fault fault = { 0 };
	char recipe[VD_NAME_BYTES];

	if (!station->triggers.selects_by_message ||
	    !vd_trigger_holds(&station->triggers.select_when, body))
		return;
	(void)snprintf(word.by, sizeof word.by, "%s", from);
	(void)vd_time_text(vd_clock_wall_ms(), word.at);
	if (!vd_trigger_recipe(&station->triggers, body, recipe, sizeof recipe))
		vd_fault_set(&fault, 400, NULL, "the message names no recipe");
	else if (strcmp(recipe, station->set->recipes[station->set->active].name) != 0)
		(void)!vd_station_select(station, recipe, &word, &fault);
	if (fault.code) {
		station->tally.refused_selections++;
		vd_log(VD_WARN, "select.refused", "from=%s text=\"%s\"", from, fault.text);
		vd_station_changed(station);
	}
}

void vd_station_message(struct vd_station *station, const char *input, const char *from,
			const cJSON *body)
{
	char serial[VD_SERIAL_BYTES];
	struct ask ask = { .source = VD_BY_MESSAGE, .from = from };

	if (strcmp(input, "select") == 0)
		take_selection(station, from, body);
	if (strcmp(input, "values") == 0)
		vd_readings_take(&station->readings, &station->reading_options, from, body,
				 vd_clock_mono_ms());
	if (strcmp(input, "trigger") != 0 || !vd_trigger_holds(&station->triggers.when, body))
		return;
	if (vd_trigger_text_at(body, station->triggers.serial_pointer, serial, sizeof serial))
		ask.serial = serial;
	take_unasked(station, &ask);
}

/* On time in the long run; what a suspended machine has slept through is not made up for. */
static void on_tick(void *argument)
{
	struct vd_station *station = argument;
	const struct ask ask = { .source = VD_BY_TIMER };
	const uint64_t now = vd_clock_mono_ms(), interval = station->triggers.interval_ms;

	if (interval == 0)
		return;
	station->next_tick_ms += interval;
	if (station->next_tick_ms <= now)
		station->next_tick_ms = now + interval;
	vd_station_arm(station->tick, station->next_tick_ms - now);
	take_unasked(station, &ask);
}

/* ---- what a restart finds ---- */

static bool is_open(const struct vd_station *station, const cJSON *accepted)
{
	return vd_ledger_find(station->ledger, vd_json_string(accepted, "id", "")) != NULL;
}

/* By the process before this one; NULL: no trigger of this file is open. */
static const cJSON *accepted_for(const struct vd_station *station, const char *file)
{
	const cJSON *each;

	cJSON_ArrayForEach(each, station->found)
	{
		const cJSON *trigger = vd_json_object(each, "trigger");

		if (strcmp(vd_json_string(trigger, "file", ""), file) == 0 &&
		    is_open(station, each))
			return each;
	}
	return NULL;
}

/* What a restart found open: still the recipe of then? */
static bool is_same_recipe(const struct vd_station *station, const cJSON *accepted)
{
	const struct vd_recipe *active = &station->set->recipes[station->set->active];

	return strcmp(vd_json_string(accepted, "recipe", ""), active->name) == 0 &&
	       strcmp(vd_json_string(accepted, "digest", ""), station->digest) == 0;
}

/* A dropped frame is still there, so that its item can be finished as if nothing had happened. */
static bool can_resume(const struct vd_station *station, const cJSON *accepted)
{
	const char *file = vd_json_string(vd_json_object(accepted, "trigger"), "file", NULL);
	char path[VD_STATION_PATH];

	return file && station->drop && station->triggers.file_is_frame &&
	       station->set->recipes[station->set->active].camera_count == 1 &&
	       is_same_recipe(station, accepted) &&
	       snprintf(path, sizeof path, "%s/%s", station->triggers.folder, file) <
		       VD_STATION_PATH &&
	       access(path, R_OK) == 0;
}

static bool has_recipe(const struct vd_station *station, const cJSON *accepted)
{
	const char *name = vd_json_string(accepted, "recipe", "");
	char digest[VD_SHA256_TEXT];

	for (int i = 0; i < station->set->count; i++) {
		if (strcmp(station->set->recipes[i].name, name) == 0)
			return vd_station_digest(station, i, digest) == 0 &&
			       strcmp(vd_json_string(accepted, "digest", ""), digest) == 0;
	}
	return false;
}

static void tell_interrupted(struct vd_station *station, const cJSON *accepted)
{
	const bool has = has_recipe(station, accepted);
	char text[192];
	cJSON *body;

	(void)snprintf(text, sizeof text,
		       has ? "interrupted: the station ended before its verdict"
			   : "recipeGone: %.64s revision %.0f is no longer "
			     "there; interrupted before its verdict",
		       vd_json_string(accepted, "recipe", ""), vd_json_number(accepted, "rev", 0));
	body = vd_hindsight_body(accepted, text);
	vd_log(VD_WARN, "item.interrupted", "itemId=%s text=\"%s\"",
	       vd_json_string(accepted, "id", ""), text);
	station->tally.interrupted++;
	if (!body || vd_publisher_put_verdict(station->publisher,
					      vd_json_string(accepted, "id", ""), &body) < 0)
		vd_log(VD_ERROR, "verdict.lost", "itemId=%s text=\"out of memory\"",
		       vd_json_string(accepted, "id", ""));
}

/* ---- files ---- */

static void read_frame(const char *path, struct vd_shot *shot)
{
	vd_shot_read(path, shot);
	(void)vd_time_text(vd_clock_wall_ms(), shot->captured_at);
}

/* accepted: by the process before this one; NULL: a new item. */
static int begin_file(struct vd_station *station, const struct ask *ask, const char *path,
		      const cJSON *accepted)
{
	struct vd_item *item = NULL;
	int r = new_item(station, ask, &item);

	if (r < 0)
		return r;
	if (station->triggers.file_is_frame)
		read_frame(path, &item->shots[0]);
	if (!accepted) {
		(void)set_off(station, &item);
		return 0;
	}
	(void)snprintf(item->id, sizeof item->id, "%s", vd_json_string(accepted, "id", ""));
	vd_station_submit(station, &item);
	return 0;
}

/* Files can wait: nothing is counted of one that does. */
static bool must_wait(struct vd_station *station, bool is_new)
{
	struct vd_fault fault = { 0 };

	if (station->is_stopping || station->panel.is_held || check_room(station, &fault) < 0)
		return true;
	return is_new && vd_admission_would(&station->admissions[VD_BY_FILE],
					    &station->triggers.limits[VD_BY_FILE],
					    vd_clock_mono_ms()) != VD_ADMITTED;
}

static enum vd_drop_answer on_file(const char *name, const char *path, void *argument)
{
	struct vd_station *station = argument;
	const cJSON *accepted = accepted_for(station, name);
	char serial[VD_SERIAL_BYTES];
	const struct ask ask = { .source = VD_BY_FILE, .serial = serial, .file = name };
	struct vd_fault fault = { 0 };

	vd_trigger_file_serial(name, serial, sizeof serial);
	if (accepted && !can_resume(station, accepted)) { /* another recipe meanwhile */
		tell_interrupted(station, accepted);
		return VD_DROP_TAKEN;
	}
	if (must_wait(station, !accepted) ||
	    (!accepted && admit(station, VD_BY_FILE, &fault) < 0) ||
	    begin_file(station, &ask, path, accepted) < 0)
		return VD_DROP_LATER;
	return VD_DROP_TAKEN;
}

/* Not before the parameters are in force: the agent's routes come with them. */
static void recover(void *argument)
{
	struct vd_station *station = argument;
	const cJSON *each;

	cJSON_ArrayForEach(each, station->found)
	{
		if (!can_resume(station, each))
			tell_interrupted(station, each);
	}
	vd_station_changed(station);
}

/* Files whose items are told of as interrupted must not trigger once more. */
static void claim_files(struct vd_station *station)
{
	const cJSON *each;

	cJSON_ArrayForEach(each, station->found)
	{
		const char *file = vd_json_string(vd_json_object(each, "trigger"), "file", NULL);

		if (file && !can_resume(station, each) && vd_drop_claim(station->drop, file) < 0)
			vd_log(VD_ERROR, "drop.notClaimed", "file=%s", file);
	}
}

/* ---- life ---- */

static int open_ledger(struct vd_station *station)
{
	const char *folder = vd_module_state_folder(station->module);
	struct vd_fault fault = { 0 };
	char path[VD_STATION_PATH];
	int r;

	if (!folder[0])
		return 0;
	if (snprintf(path, sizeof path, "%s/triggers.journal", folder) >= VD_STATION_PATH)
		return -ENAMETOOLONG;
	r = vd_ledger_new(path, wake, station, &station->ledger, &fault);
	if (fault.code)
		vd_log(VD_ERROR, "triggers.unread", "path=%s text=\"%s\"", path, fault.text);
	if (r < 0)
		return r;
	station->found = vd_ledger_open_items(station->ledger);
	return station->found ? 0 : -ENOMEM;
}

int vd_station_triggers_start(struct vd_station *station)
{
	struct vd_loop *loop = vd_module_loop(station->module);
	int r = open_ledger(station);

	if (r == 0)
		r = vd_loop_timer(loop, on_tick, station, &station->tick);
	if (r == 0)
		r = vd_loop_timer(loop, recover, station, &station->recover);
	if (r == 0)
		r = vd_loop_timer(loop, watch, station, &station->watch);
	if (r == 0 && station->ledger)
		vd_station_arm(station->recover, 0);
	return r;
}

static int make_drop(struct vd_station *station, const struct vd_trigger_options *options,
		     struct vd_drop **ret_drop, struct vd_fault *fault)
{
	int r = vd_drop_new(vd_module_loop(station->module), options->folder, options->done_folder,
			    on_file, station, ret_drop, fault);

	if (r < 0 && fault->code)
		vd_fault_under(fault, "folder");
	if (r < 0 && fault->code)
		vd_fault_under(fault, "file");
	if (r < 0 && fault->code)
		vd_fault_under(fault, "trigger");
	return r;
}

static bool is_same_drop(const struct vd_trigger_options *a, const struct vd_trigger_options *b)
{
	return strcmp(a->folder, b->folder) == 0 && strcmp(a->done_folder, b->done_folder) == 0;
}

int vd_station_triggers_configure(struct vd_station *station, struct vd_trigger_options *options,
				  struct vd_fault *fault)
{
	VD_CLEANUP(vd_drop_free) struct vd_drop *fresh = NULL;
	const bool is_same = is_same_drop(options, &station->triggers);
	const bool has_new_interval = options->interval_ms != station->triggers.interval_ms;
	int r = !is_same && options->folder[0] ? make_drop(station, options, &fresh, fault) : 0;

	if (r < 0)
		return r;
	vd_trigger_options_fini(&station->triggers);
	station->triggers = *options;
	*options = (struct vd_trigger_options){ .when = { .is_set = false } };
	if (!is_same) {
		(void)vd_drop_free(station->drop);
		station->drop = VD_TAKE(fresh);
	}
	if (!is_same && station->drop)
		claim_files(station);
	if (has_new_interval) {
		station->next_tick_ms = vd_clock_mono_ms();
		vd_station_arm(station->tick, 0);
	}
	return 0;
}

void vd_station_triggers_stop(struct vd_station *station)
{
	(void)vd_source_free(station->tick);
	(void)vd_source_free(station->recover);
	(void)vd_source_free(station->watch);
	(void)vd_drop_free(station->drop);
	(void)vd_ledger_free(station->ledger);
	(void)vd_json_free(station->found);
	vd_trigger_options_fini(&station->triggers);
}
