/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/station_private.h"

#include <string.h>

#include "modules/inspect/recipe/inventory.h"

enum { REPORT_MS = 1000 };

/* null where there is none: reported state is merged. */
static bool add_word(cJSON *body, const char *key, bool is_there, const struct vd_panel_word *word)
{
	cJSON *json;

	if (!is_there)
		return vd_json_add_string(body, key, NULL);
	json = cJSON_AddObjectToObject(body, key);
	return json && vd_json_add_string(json, "by", word->by) &&
	       vd_json_add_string(json, "reason", word->reason[0] ? word->reason : NULL) &&
	       vd_json_add_string(json, "at", word->at);
}

static bool add_triggers(const struct vd_station *station, cJSON *body)
{
	cJSON *json = cJSON_AddObjectToObject(body, "triggers");
	bool ok = json != NULL;

	for (int i = 0; ok && i < VD_TRIGGER_SOURCES; i++) {
		if (station->triggers.is_on[i])
			ok = vd_admission_add(&station->admissions[i], (enum vd_trigger_source)i,
					      json);
	}
	return ok && (!station->drop || vd_json_add_number(json, "filesWaiting",
							   (double)vd_drop_waiting(station->drop)));
}

static bool add_ledger(const struct vd_station *station, cJSON *body)
{
	cJSON *json = cJSON_AddObjectToObject(body, "journal");
	struct vd_ledger_counts counts = { 0 };

	if (!json || !station->ledger)
		return json != NULL;
	vd_ledger_counts(station->ledger, &counts);
	return vd_json_add_number(json, "open", (double)vd_ledger_count(station->ledger)) &&
	       vd_json_add_bool(json, "durable", !station->is_not_durable) &&
	       vd_json_add_number(json, "failures", (double)counts.failures) &&
	       vd_json_add_number(json, "damaged", (double)counts.damaged);
}

static bool is_connected(const struct vd_station *station, const char *camera)
{
	for (int i = 0; i < station->peer_count; i++) {
		if (strcmp(station->peers[i].name, camera) == 0)
			return station->peers[i].is_connected;
	}
	return false;
}

/* Those that the active recipe names, and others that are there; null where neither any more. */
static bool add_cameras(const struct vd_station *station, cJSON *body)
{
	const struct vd_recipe *recipe = &station->set->recipes[station->set->active];
	cJSON *json = cJSON_AddObjectToObject(body, "cameras");
	bool ok = json != NULL;

	for (int i = 0; ok && i < recipe->camera_count; i++)
		ok = vd_json_add_string(json, recipe->cameras[i],
					is_connected(station, recipe->cameras[i]) ? "connected"
										  : "missing");
	for (int i = 0; ok && i < station->peer_count; i++) {
		const struct vd_station_peer *peer = &station->peers[i];

		if (vd_recipe_camera(recipe, peer->name) < 0)
			ok = vd_json_add_string(json, peer->name,
						peer->is_connected ? "unused" : NULL);
	}
	return ok;
}

static bool add_panel(const struct vd_station *station, cJSON *body)
{
	return vd_json_add_string(body, "active",
				  station->set->recipes[station->set->active].name) &&
	       add_word(body, "selected", station->panel.recipe[0] != '\0',
			&station->panel.selection) &&
	       add_word(body, "held", station->panel.is_held, &station->panel.hold) &&
	       vd_json_add_bool(body, "lineTooFast", station->pressure.is_raised);
}

static bool add_work(const struct vd_station *station, cJSON *body)
{
	return vd_tally_add(&station->tally, body) && vd_stages_add(&station->stages, body) &&
	       vd_selftest_add(&station->test, &station->test_options, body) &&
	       vd_json_add_number(body, "queue", (double)vd_worker_waiting(station->worker)) &&
	       vd_json_add_number(body, "inHand", (double)vd_station_in_hand(station)) &&
	       vd_json_add_number(body, "unstored",
				  (double)(vd_publisher_unstored(station->publisher) +
					   vd_publisher_waiting(station->publisher))) &&
	       vd_json_add_number(body, "refusedWaiting",
				  (double)vd_publisher_refused(station->publisher));
}

void vd_station_send_report(void *argument)
{
	struct vd_station *station = argument;
	VD_CLEANUP(vd_json_free)
	cJSON *body = station->state ? cJSON_Duplicate(station->state, true) : cJSON_CreateObject();

	if (!body || !add_work(station, body) || !add_panel(station, body) ||
	    !add_cameras(station, body) || !add_triggers(station, body) ||
	    !add_ledger(station, body) ||
	    (!station->has_told_inventory && !vd_inventory_add(body)) ||
	    vd_module_report(station->module, body) != 0)
		vd_station_arm(station->report, REPORT_MS);
	else
		station->has_told_inventory = true;
}

void vd_station_changed(struct vd_station *station)
{
	if (!vd_timer_is_armed(station->report))
		vd_station_arm(station->report, REPORT_MS);
}
