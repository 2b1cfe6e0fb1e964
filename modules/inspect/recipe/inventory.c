/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/inventory.h"

#include <errno.h>

#include "modules/inspect/object.h"
#include "modules/inspect/lanes.h"
#include "modules/inspect/recipe/step.h"
#include "modules/vision/zbar.h"

enum { RECIPES_MOST = 64, QUEUE_MOST = 64 }; /* as in schema.json */

/* Of codes: Data Matrix needs no library that may be absent. */
static unsigned readable_kinds(void)
{
	unsigned all = 0;
	struct vd_zbar *zbar = NULL;

	if (vd_zbar_new(&zbar) < 0)
		return VD_CODE_DATAMATRIX;
	(void)vd_zbar_free(zbar);
	for (unsigned kind = VD_CODE_QR; kind <= VD_CODE_DATAMATRIX; kind <<= 1)
		all |= kind;
	return all;
}

static bool add_text(cJSON *list, const char *text)
{
	cJSON *json = cJSON_CreateString(text);

	return json && cJSON_AddItemToArray(list, json);
}

static bool add_tools(cJSON *json)
{
	cJSON *list = cJSON_AddArrayToObject(json, "tools");
	bool ok = list != NULL;

	for (int i = 0; ok && i < VD_TOOLS; i++)
		ok = add_text(list, vd_tool_name((enum vd_tool)i));
	return ok;
}

static bool add_rules(cJSON *json)
{
	cJSON *list = cJSON_AddArrayToObject(json, "cameraRules");
	bool ok = list != NULL;

	for (int i = 0; ok && i < VD_CAMERA_RULES; i++)
		ok = add_text(list, vd_camera_rule_name((enum vd_camera_rule_kind)i));
	list = cJSON_AddArrayToObject(json, "itemRules");
	for (int i = 0; ok && i < VD_ITEM_RULES; i++)
		ok = list && add_text(list, vd_item_rule_name((enum vd_item_rule_kind)i));
	return ok;
}

static bool add_codes(cJSON *json)
{
	cJSON *list = cJSON_AddArrayToObject(json, "codes");
	const unsigned readable = readable_kinds();
	bool ok = list != NULL;

	for (unsigned kind = VD_CODE_QR; ok && kind <= VD_CODE_DATAMATRIX; kind <<= 1) {
		if (readable & kind)
			ok = add_text(list, vd_code_kind_name((enum vd_code_kind)kind));
	}
	return ok;
}

static bool add_limits(cJSON *json)
{
	cJSON *limits = cJSON_AddObjectToObject(json, "limits");

	return limits && vd_json_add_number(limits, "recipes", RECIPES_MOST) &&
	       vd_json_add_number(limits, "cameras", VD_CAMERAS_MOST) &&
	       vd_json_add_number(limits, "steps", VD_STEPS_MOST) &&
	       vd_json_add_number(limits, "objects", VD_OBJECTS_MOST) &&
	       vd_json_add_number(limits, "workers", VD_LANES_MOST) &&
	       vd_json_add_number(limits, "queueMax", QUEUE_MOST) &&
	       vd_json_add_number(limits, "conditionBytes", VD_EXPRESSION_BYTES);
}

bool vd_inventory_add(cJSON *json)
{
	cJSON *inventory = cJSON_AddObjectToObject(json, "inventory");

	return inventory && add_tools(inventory) && add_rules(inventory) && add_codes(inventory) &&
	       add_limits(inventory);
}

/* ---- checking ---- */

static int check_codes(const struct vd_recipe *recipe, unsigned readable, struct vd_fault *fault)
{
	for (int i = 0; i < recipe->step_count; i++) {
		const struct vd_step *step = &recipe->steps[i];

		if (step->tool != VD_CODE || !(step->code.kinds & ~readable))
			continue;
		(void)vd_recipe_refuse(fault, "/kinds",
				       "libzbar, which reads such codes, is not there", NULL);
		vd_fault_under(fault, step->id);
		vd_fault_under(fault, "steps");
		vd_fault_under(fault, recipe->name);
		vd_fault_under(fault, "recipes");
		return -EINVAL;
	}
	return 0;
}

int vd_inventory_check(const struct vd_recipe_set *set, struct vd_fault *fault)
{
	const unsigned readable = readable_kinds();
	int r = 0;

	for (int i = 0; r == 0 && i < set->count; i++)
		r = check_codes(&set->recipes[i], readable, fault);
	return r;
}
