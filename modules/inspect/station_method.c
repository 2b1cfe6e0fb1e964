/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/inspect/station_private.h"

enum { GATHER_MOST = 100000, GATHER_SECONDS = 31 * 86400 };

void vd_station_answer(struct vd_station *station, int64_t id, int status, const char *key,
		       const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, key, text) ||
	    vd_module_answer(station->module, id, status, body) != 0)
		vd_log(VD_WARN, "call.unanswered", "id=%lld", (long long)id);
}

static void order(struct vd_station *station, int64_t id, enum vd_worker_order what,
		  const struct vd_gather_order *gather)
{
	if (vd_worker_order(station->worker, what, station->set, id, gather) < 0)
		vd_station_answer(station, id, 500, "text", "out of memory");
}

void vd_station_refuse_call(struct vd_station *station, int64_t id, const struct vd_fault *fault)
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
		vd_station_refuse_call(station, id, &fault);
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
	cJSON *body = vd_override_body(&station->recent, call, vd_station_name(station),
				       vd_clock_wall_ms(), &fault);

	if (!body) {
		vd_station_refuse_call(station, id, &fault);
		return;
	}
	station->tally.overrides++;
	vd_station_changed(station);
	vd_station_answer(station, id, 200, "itemId", vd_json_string(body, "itemId", ""));
	vd_station_say(station, "override", "verdict", &body);
}

static bool keep_panel(struct vd_station *station, const struct vd_panel *before, int64_t id)
{
	struct vd_fault fault = { 0 };
	int r = station->panel_path[0] ? vd_panel_write(&station->panel, station->panel_path)
				       : -ENOENT;

	if (r == 0)
		return true;
	station->panel = *before;
	vd_fault_set(&fault, 503, NULL, "it could not be kept over a restart: %s", strerror(-r));
	vd_station_refuse_call(station, id, &fault);
	return false;
}

static void call_hold(struct vd_station *station, int64_t id, const cJSON *call)
{
	const struct vd_panel before = station->panel;
	struct vd_fault fault = { 0 };

	if (vd_panel_word_parse(call, vd_clock_wall_ms(), &station->panel.hold, &fault) < 0) {
		vd_station_refuse_call(station, id, &fault);
		return;
	}
	station->panel.is_held = true;
	if (!keep_panel(station, &before, id))
		return;
	vd_log(VD_NOTICE, "line.held", "by=\"%s\" reason=\"%s\"", station->panel.hold.by,
	       station->panel.hold.reason);
	vd_station_changed(station);
	vd_station_answer(station, id, 200, "heldSince", station->panel.hold.at);
}

static void call_release(struct vd_station *station, int64_t id, const cJSON *call)
{
	const struct vd_panel before = station->panel;
	struct vd_panel_word word = { .by = "" };
	struct vd_fault fault = { 0 };

	if (vd_panel_word_parse(call, vd_clock_wall_ms(), &word, &fault) < 0) {
		vd_station_refuse_call(station, id, &fault);
		return;
	}
	station->panel.is_held = false;
	if (!keep_panel(station, &before, id))
		return;
	vd_log(VD_NOTICE, "line.released", "by=\"%s\" reason=\"%s\"", word.by, word.reason);
	vd_station_changed(station);
	vd_station_answer(station, id, 200, "releasedAt", word.at);
}

int vd_station_select(struct vd_station *station, const char *recipe,
		      const struct vd_panel_word *word, struct vd_fault *fault)
{
	const struct vd_panel before = station->panel;
	const char *said = vd_json_string(station->parameters, "active", "");
	int r;

	if (!vd_json_get(vd_json_object(station->parameters, "recipes"), recipe)) {
		vd_fault_set(fault, 404, "/recipe", "there is no recipe \"%.60s\"", recipe);
		return -ENOENT;
	}
	(void)snprintf(station->panel.recipe, VD_PANEL_NAME_BYTES, "%s", recipe);
	(void)snprintf(station->panel.instead, VD_PANEL_NAME_BYTES, "%s", said);
	station->panel.selection = *word;
	r = station->panel_path[0] ? vd_panel_write(&station->panel, station->panel_path) : -ENOENT;
	if (r == 0)
		r = vd_station_choose(station, fault);
	if (r < 0) {
		station->panel = before;
		if (!fault->code)
			vd_fault_set(fault, 503, NULL, "it could not be kept over a restart: %s",
				     strerror(-r));
		return r;
	}
	vd_log(VD_NOTICE, "recipe.selected", "recipe=%s by=\"%s\"", recipe, word->by);
	return 0;
}

static void call_select(struct vd_station *station, int64_t id, const cJSON *call)
{
	const char *recipe = vd_json_string(call, "recipe", "");
	struct vd_panel_word word = { .by = "" };
	struct vd_fault fault = { 0 };
	int r = 0;

	if (!station->triggers.selects_by_call) {
		vd_fault_set(&fault, 403, NULL, "the document does not let the line select");
		r = -EACCES;
	}
	if (r == 0)
		r = vd_panel_word_parse(call, vd_clock_wall_ms(), &word, &fault);
	if (r == 0)
		r = vd_station_select(station, recipe, &word, &fault);
	if (r == 0)
		vd_station_answer(station, id, 200, "recipe", recipe);
	else
		vd_station_refuse_call(station, id, &fault);
}

void vd_station_call(struct vd_station *station, int64_t id, const char *method, const cJSON *body)
{
	static const struct {
		const char *name;
		void (*call)(struct vd_station *station, int64_t id, const cJSON *body);
	} methods[] = {
		{ "learn", call_learn },        { "arm", call_arm },
		{ "rollback", call_roll_back }, { "gather", call_gather },
		{ "override", call_override },  { "inspect", vd_station_call_inspect },
		{ "hold", call_hold },          { "release", call_release },
		{ "select", call_select },      { "reinspect", vd_station_call_reinspect }
	};

	for (size_t i = 0; i < VD_COUNT(methods); i++) {
		if (strcmp(methods[i].name, method) == 0) {
			methods[i].call(station, id, body);
			return;
		}
	}
	vd_station_answer(station, id, 404, "text",
			  "methods are inspect, reinspect, hold, release, select, learn, arm, "
			  "rollback, gather "
			  "and override");
}
