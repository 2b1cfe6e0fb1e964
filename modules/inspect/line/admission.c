/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/admission.h"

static const char *const names[] = {
	[VD_BY_CALL] = "call", [VD_BY_MESSAGE] = "message", [VD_BY_TIMER] = "timer",
	[VD_BY_FILE] = "file", [VD_BY_CAMERA] = "camera",   [VD_BY_REINSPECT] = "reinspect",
};

const char *vd_trigger_source_name(enum vd_trigger_source source)
{
	return names[source];
}

/* A token bucket that holds one second's worth, and at least one. */
static bool take_token(struct vd_admission *admission, double per_second, uint64_t now_ms)
{
	const double room = per_second > 1 ? per_second : 1;

	if (admission->admitted == 0)
		admission->tokens = room;
	else
		admission->tokens += (double)(now_ms - admission->tokens_ms) * per_second / 1000;
	if (admission->tokens > room)
		admission->tokens = room;
	admission->tokens_ms = now_ms;
	if (admission->tokens < 1)
		return false;
	admission->tokens--;
	return true;
}

enum vd_admission_outcome vd_admission_try(struct vd_admission *admission,
					   const struct vd_admission_limits *limits,
					   uint64_t now_ms)
{
	if (admission->admitted > 0 && now_ms - admission->last_ms < limits->min_interval_ms) {
		admission->bounced++;
		return VD_BOUNCED;
	}
	if (limits->per_second > 0 && !take_token(admission, limits->per_second, now_ms)) {
		admission->over_rate++;
		return VD_OVER_RATE;
	}
	admission->admitted++;
	admission->last_ms = now_ms;
	return VD_ADMITTED;
}

enum vd_admission_outcome vd_admission_would(const struct vd_admission *admission,
					     const struct vd_admission_limits *limits,
					     uint64_t now_ms)
{
	struct vd_admission copy = *admission;

	return vd_admission_try(&copy, limits, now_ms);
}

bool vd_admission_add(const struct vd_admission *admission, enum vd_trigger_source source,
		      cJSON *json)
{
	cJSON *counts = cJSON_AddObjectToObject(json, names[source]);

	return counts && vd_json_add_number(counts, "admitted", (double)admission->admitted) &&
	       vd_json_add_number(counts, "bounced", (double)admission->bounced) &&
	       vd_json_add_number(counts, "overRate", (double)admission->over_rate);
}

bool vd_pressure_put(struct vd_pressure *pressure, const struct vd_pressure_limits *limits,
		     double share, uint64_t now_ms)
{
	const bool is_beyond = pressure->is_raised
				       ? limits->share <= 0 || share <= limits->share / 2
				       : limits->share > 0 && share >= limits->share;

	if (is_beyond && !pressure->is_beyond)
		pressure->beyond_ms = now_ms;
	pressure->is_beyond = is_beyond;
	if (!is_beyond || now_ms - pressure->beyond_ms < limits->for_ms)
		return false;
	pressure->is_raised = !pressure->is_raised;
	pressure->is_beyond = false;
	return true;
}
