/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/hindsight.h"

#include <string.h>

static bool copy_over(cJSON *body, const char *to, const cJSON *from, const char *key)
{
	const cJSON *value = vd_json_get(from, key);

	return !value || vd_json_add_copy(body, to, value);
}

static bool add_head(cJSON *body, const cJSON *accepted)
{
	static const char *const keys[] = { "serial", "station",           "recipe",
					    "rev",    "parametersVersion", "supersedes",
					    "trigger" };
	bool ok = copy_over(body, "itemId", accepted, "id");

	for (size_t i = 0; ok && i < VD_COUNT(keys); i++)
		ok = copy_over(body, keys[i], accepted, keys[i]);
	return ok;
}

static bool add_reason(cJSON *body, const char *reason)
{
	cJSON *reasons = cJSON_AddArrayToObject(body, "reasons");
	cJSON *text = reasons ? cJSON_CreateString(reason) : NULL;

	return text && cJSON_AddItemToArray(reasons, text);
}

cJSON *vd_hindsight_body(const cJSON *accepted, const char *reason)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const char *policy = vd_json_string(accepted, "policy", "NO_DECISION");

	if (!body || !add_head(body, accepted) ||
	    !vd_json_add_string(body, "verdict",
				strcmp(policy, "NG") == 0 ? "NG" : "NO_DECISION") ||
	    !add_reason(body, reason) || !cJSON_AddObjectToObject(body, "cameras") ||
	    !cJSON_AddObjectToObject(body, "steps") ||
	    !vd_json_add_string(body, "policy", policy) ||
	    !cJSON_AddObjectToObject(body, "timings") || !vd_json_add_bool(body, "recovered", true))
		return NULL;
	return VD_TAKE(body);
}
