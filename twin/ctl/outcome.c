/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/outcome.h"

#include <stddef.h>

enum { REFUSED_FROM = 400 };

const char *vd_outcome_name(enum vd_outcome_state state)
{
	static const char *const names[] = { "pending", "applied", "refused" };

	return names[state];
}

int64_t vd_outcome_desired_version(const cJSON *twin)
{
	return vd_json_int(vd_json_at(twin, "/properties/desired"), "$version", -1);
}

static void refuse(struct vd_outcome *outcome, const cJSON *said, int code)
{
	outcome->state = VD_OUTCOME_REFUSED;
	outcome->code = code;
	outcome->text = vd_json_string(said, "text", "");
	outcome->pointer = vd_json_string(said, "pointer", "");
}

struct vd_outcome vd_outcome_of(const cJSON *twin, int64_t version)
{
	const cJSON *reported = vd_json_at(twin, "/properties/reported"), *module;
	const cJSON *said = vd_json_object(reported, "desired");
	struct vd_outcome outcome = {
		.state = VD_OUTCOME_PENDING,
		.text = "",
		.pointer = "",
		.in_force = vd_json_int(said, "inForce", -1),
	};
	int code = (int)vd_json_int(said, "code", 0);

	if (vd_json_int(said, "version", -1) < version)
		return outcome;
	outcome.state = VD_OUTCOME_APPLIED;
	outcome.code = code;
	if (code >= REFUSED_FROM) {
		refuse(&outcome, said, code);
		return outcome;
	}
	if (outcome.in_force < 0)
		outcome.in_force = vd_json_int(said, "version", -1);
	cJSON_ArrayForEach(module, vd_json_object(reported, "modules"))
	{
		const cJSON *ack = vd_json_object(module, "acknowledged");

		code = (int)vd_json_int(ack, "code", 0);
		if (vd_json_int(ack, "version", -1) >= version && code >= REFUSED_FROM)
			refuse(&outcome, ack, code);
	}
	return outcome;
}
