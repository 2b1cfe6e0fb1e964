/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/notice.h"

#include "base/log.h"

static bool add(cJSON **list, const char *output, const char *record_class, cJSON **body)
{
	cJSON *notice;

	if (!*list)
		*list = cJSON_CreateArray();
	notice = *list ? cJSON_CreateObject() : NULL;
	if (!notice || !cJSON_AddItemToArray(*list, notice))
		return false;
	return vd_json_add_string(notice, "output", output) &&
	       vd_json_add_string(notice, "class", record_class) &&
	       vd_json_add_take(notice, "body", body);
}

bool vd_notice_add(cJSON **list, const char *output, const char *record_class, cJSON **body)
{
	const bool ok = *body && add(list, output, record_class, body);

	*body = vd_json_free(*body);
	if (!ok)
		vd_log(VD_ERROR, "notice.lost", "output=%s text=\"out of memory\"", output);
	return ok;
}

cJSON *vd_alarm_body(const char *kind, bool is_raised, const char *recipe, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "alarm", kind) ||
	    !vd_json_add_string(body, "state", is_raised ? "raised" : "cleared") ||
	    (recipe && !vd_json_add_string(body, "recipe", recipe)) ||
	    !vd_json_add_string(body, "text", text))
		return NULL;
	return VD_TAKE(body);
}
