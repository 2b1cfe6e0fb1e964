/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/evidence.h"

#include "base/clock.h"

static const char *const cause_names[] = {
	[VD_CAUSE_STOPPED] = "stopped",        [VD_CAUSE_EXITED] = "exited",
	[VD_CAUSE_KILLED] = "killed",          [VD_CAUSE_HUNG] = "hung",
	[VD_CAUSE_NOT_READY] = "notReady",     [VD_CAUSE_PROTOCOL] = "protocol",
	[VD_CAUSE_NOT_STARTED] = "notStarted",
};

const char *vd_cause_name(enum vd_cause cause)
{
	return cause_names[cause];
}

static bool add_ending(cJSON *json, const struct vd_evidence *e)
{
	char at[VD_TIME_TEXT];

	return vd_json_add_string(json, "cause", vd_cause_name(e->cause)) &&
	       vd_json_add_string(json, "text", e->text) &&
	       (e->exit_code < 0 || vd_json_add_number(json, "exitCode", e->exit_code)) &&
	       (e->signal == 0 || (vd_json_add_number(json, "signal", e->signal) &&
				   vd_json_add_bool(json, "coreDumped", e->core_dumped))) &&
	       (e->oom == VD_OOM_NO || vd_json_add_string(json, "oom", "likely")) &&
	       vd_json_add_string(json, "at", vd_time_text(e->wall_ms, at));
}

static bool add_use(cJSON *json, const struct vd_evidence *e)
{
	return vd_json_add_bool(json, "wasReady", e->was_ready) &&
	       vd_json_add_number(json, "ranMs", (double)e->ran_ms) &&
	       vd_json_add_number(json, "restarts", e->restarts) &&
	       vd_json_add_number(json, "userMs", (double)(e->user_us / 1000)) &&
	       vd_json_add_number(json, "systemMs", (double)(e->system_us / 1000)) &&
	       vd_json_add_number(json, "maxRssBytes", (double)e->max_rss_bytes);
}

static bool add_lines(cJSON *json, const struct vd_evidence *e)
{
	cJSON *lines = cJSON_AddArrayToObject(json, "lines");

	for (unsigned i = 0; lines && i < e->line_count; i++) {
		cJSON *line = cJSON_CreateString(e->lines[i]);

		if (!line || !cJSON_AddItemToArray(lines, line))
			return false;
	}
	return lines != NULL;
}

cJSON *vd_evidence_json(const struct vd_evidence *e)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !add_ending(json, e) || !add_use(json, e) || !add_lines(json, e))
		return NULL;
	return VD_TAKE(json);
}
