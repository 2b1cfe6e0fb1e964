/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/shadow.h"

#include <string.h>

#include "modules/inspect/notice.h"

enum { REASONS_TOLD = 3 };

static bool passes(enum vd_verdict verdict)
{
	return verdict == VD_OK || verdict == VD_WARNING;
}

static bool add_shadow(cJSON *body, const struct vd_item *item, enum vd_verdict verdict,
		       const char *const *reasons, int reason_count)
{
	cJSON *json = cJSON_AddObjectToObject(body, "shadow");
	cJSON *list = json ? cJSON_AddArrayToObject(json, "reasons") : NULL;
	bool ok = list && vd_json_add_string(json, "recipe", item->recipe->name) &&
		  vd_json_add_number(json, "rev", item->recipe->rev) &&
		  vd_json_add_string(json, "verdict", vd_verdict_name(verdict));

	for (int i = 0; ok && i < reason_count && i < REASONS_TOLD; i++) {
		cJSON *text = cJSON_CreateString(reasons[i]);

		ok = text && cJSON_AddItemToArray(list, text);
	}
	return ok;
}

static cJSON *event_body(const struct vd_shadow *shadow, const struct vd_item *item,
			 const struct vd_recipe *decides, enum vd_verdict verdict)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !vd_json_add_string(body, "event", "shadowDisagrees") ||
	    !vd_json_add_string(body, "itemId", item->id) ||
	    (item->serial[0] && !vd_json_add_string(body, "serial", item->serial)) ||
	    !vd_json_add_string(body, "recipe", decides->name) ||
	    !vd_json_add_number(body, "rev", decides->rev) ||
	    !vd_json_add_string(body, "verdict", vd_verdict_name(verdict)) ||
	    !vd_json_add_number(body, "suppressed", (double)shadow->suppressed))
		return NULL;
	return VD_TAKE(body);
}

static bool is_other(const struct vd_shadow *shadow, const struct vd_recipe *recipe)
{
	return strcmp(shadow->recipe, recipe->name) != 0 || shadow->rev != recipe->rev;
}

void vd_shadow_put(struct vd_shadow *shadow, const struct vd_item *item,
		   const struct vd_recipe *decides, enum vd_verdict verdict,
		   enum vd_verdict shadow_verdict, bool judges, const char *const *reasons,
		   int reason_count, uint64_t now_ms, cJSON **notices)
{
	cJSON *body;

	if (is_other(shadow, item->recipe)) {
		*shadow = (struct vd_shadow){ .rev = item->recipe->rev };
		memcpy(shadow->recipe, item->recipe->name, sizeof shadow->recipe);
	}
	shadow->items++;
	if (!judges || passes(verdict) == passes(shadow_verdict)) {
		shadow->undecided += !judges;
		shadow->agreed += judges;
		return;
	}
	shadow->stricter += passes(verdict);
	shadow->laxer += !passes(verdict);
	if (now_ms < shadow->next_event_ms) {
		shadow->suppressed++;
		return;
	}
	shadow->next_event_ms = now_ms + VD_SHADOW_EVENT_MS;
	body = event_body(shadow, item, decides, verdict);
	if (body && !add_shadow(body, item, shadow_verdict, reasons, reason_count))
		body = vd_json_free(body);
	shadow->suppressed = 0;
	(void)vd_notice_add(notices, "shadow", "event", &body);
}

bool vd_shadow_add(const struct vd_shadow *shadow, cJSON *json)
{
	cJSON *state;

	if (!shadow->recipe[0])
		return vd_json_add_string(json, "shadow", NULL);
	state = cJSON_AddObjectToObject(json, "shadow");
	return state && vd_json_add_string(state, "recipe", shadow->recipe) &&
	       vd_json_add_number(state, "rev", shadow->rev) &&
	       vd_json_add_number(state, "items", (double)shadow->items) &&
	       vd_json_add_number(state, "agreed", (double)shadow->agreed) &&
	       vd_json_add_number(state, "stricter", (double)shadow->stricter) &&
	       vd_json_add_number(state, "laxer", (double)shadow->laxer) &&
	       vd_json_add_number(state, "undecided", (double)shadow->undecided);
}
