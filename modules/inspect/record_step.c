/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/record_step.h"

#include <math.h>

#include "modules/inspect/tools/package.h"

bool vd_record_add_rounded(cJSON *json, const char *key, double value)
{
	return !isfinite(value) || vd_json_add_number(json, key, round(value * 1000) / 1000);
}

static bool add_defect(cJSON *list, const struct vd_defect *defect)
{
	cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddItemToArray(list, json))
		return false;
	return vd_json_add_number(json, "x", defect->box.x) &&
	       vd_json_add_number(json, "y", defect->box.y) &&
	       vd_json_add_number(json, "width", defect->box.width) &&
	       vd_json_add_number(json, "height", defect->box.height) &&
	       vd_json_add_number(json, "area", defect->area_px) &&
	       vd_json_add_number(json, "peak", defect->peak) &&
	       vd_json_add_string(json, "polarity", vd_polarity_name(defect->polarity)) &&
	       vd_record_add_rounded(json, "score", defect->score);
}

static bool add_pose(cJSON *json, const struct vd_pose *pose)
{
	cJSON *place = cJSON_AddObjectToObject(json, "pose");

	return place && vd_record_add_rounded(place, "dx", pose->dx) &&
	       vd_record_add_rounded(place, "dy", pose->dy) &&
	       vd_record_add_rounded(place, "angleDeg", pose->angle_deg) &&
	       vd_record_add_rounded(place, "score", pose->score);
}

static bool add_limit(cJSON *json, const struct vd_step *step, const struct vd_step_result *result)
{
	const struct vd_limits *limit = &step->limits[result->deciding];
	const double value = result->values[result->deciding];
	const double bound = isfinite(limit->max) ? limit->max : limit->min;

	if (!isfinite(value) || !isfinite(bound))
		return true;
	return vd_json_add_string(json, "measure", vd_measure_name(result->deciding)) &&
	       vd_record_add_rounded(json, "value", value) &&
	       vd_record_add_rounded(json, "limit", bound) &&
	       vd_record_add_rounded(json, "margin", vd_limits_margin(limit, value));
}

/* What the tools of gauge.h measured, all of it: a trend is worth more than a verdict. */
static bool add_measures(cJSON *json, const struct vd_step_result *result)
{
	cJSON *measures = cJSON_AddObjectToObject(json, "measures");
	bool ok = measures != NULL;

	for (int i = 0; ok && i < VD_MEASURES; i++)
		ok = vd_record_add_rounded(measures, vd_measure_name((enum vd_measure)i),
					   result->values[i]);
	if (ok && result->read_kind)
		ok = vd_json_add_string(json, "code", result->read) &&
		     vd_json_add_string(json, "codeKind", result->read_kind);
	return ok;
}

static bool add_object(cJSON *list, const struct vd_defect *object)
{
	cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddItemToArray(list, json))
		return false;
	return vd_json_add_number(json, "x", object->box.x) &&
	       vd_json_add_number(json, "y", object->box.y) &&
	       vd_json_add_number(json, "width", object->box.width) &&
	       vd_json_add_number(json, "height", object->box.height) &&
	       vd_json_add_number(json, "area", object->area_px) &&
	       vd_record_add_rounded(json, "circularity", object->circularity) &&
	       vd_record_add_rounded(json, "aspect", object->aspect);
}

static bool add_objects(cJSON *json, const struct vd_blobs *blobs, size_t most)
{
	cJSON *list = cJSON_AddArrayToObject(json, "objects");
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < blobs->count && i < most; i++)
		ok = add_object(list, &blobs->defects[i]);
	return ok;
}

static bool add_recognised(cJSON *list, const struct vd_object *object)
{
	cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddItemToArray(list, json))
		return false;
	return vd_json_add_string(json, "label", object->label) &&
	       vd_record_add_rounded(json, "score", object->score) &&
	       vd_json_add_number(json, "x", object->box.x) &&
	       vd_json_add_number(json, "y", object->box.y) &&
	       vd_json_add_number(json, "width", object->box.width) &&
	       vd_json_add_number(json, "height", object->box.height) &&
	       vd_record_add_rounded(json, "area", object->area);
}

static bool add_object_list(cJSON *json, const struct vd_object_list *objects, size_t most)
{
	cJSON *list = cJSON_AddArrayToObject(json, "objects");
	bool ok = list && vd_json_add_number(json, "objectCount",
					     (double)(objects->count + objects->left_out));

	for (size_t i = 0; ok && i < objects->count && i < most; i++)
		ok = add_recognised(list, &objects->list[i]);
	return ok;
}

/* Which model answered. */
static bool add_network(cJSON *json, const struct vd_package *package)
{
	cJSON *model = cJSON_AddObjectToObject(json, "model");

	return model && vd_package_add(package, model);
}

static bool add_defects(cJSON *json, const struct vd_blobs *blobs, size_t most)
{
	cJSON *list = cJSON_AddArrayToObject(json, "defects");
	bool ok = list && vd_json_add_number(json, "defectCount", (double)blobs->count) &&
		  vd_json_add_number(json, "defectAreaPx", (double)blobs->area_px);

	for (size_t i = 0; ok && i < blobs->count && i < most; i++)
		ok = add_defect(list, &blobs->defects[i]);
	return ok;
}

static bool add_run(cJSON *list, const struct vd_step_run *run)
{
	cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddItemToArray(list, json))
		return false;
	return vd_json_add_string(json, "label", run->object.label) &&
	       vd_json_add_number(json, "x", run->object.box.x) &&
	       vd_json_add_number(json, "y", run->object.box.y) &&
	       vd_json_add_number(json, "width", run->object.box.width) &&
	       vd_json_add_number(json, "height", run->object.box.height) &&
	       vd_json_add_string(json, "verdict", vd_verdict_name(run->verdict)) &&
	       vd_record_add_rounded(json, "value", run->value) &&
	       (!run->text[0] || vd_json_add_string(json, "text", run->text));
}

/* What it said about each object, and what it found on them; worse ones are never left out first. */
static bool add_runs(cJSON *json, const struct vd_step_result *result, size_t most)
{
	cJSON *list = cJSON_AddArrayToObject(json, "runs");
	size_t told = 0;
	bool ok = list && vd_json_add_number(json, "runCount", (double)result->run_count);

	for (int verdict = VD_NG; ok && verdict >= VD_OK; verdict--) {
		for (size_t i = 0; ok && i < result->run_count && told < most; i++) {
			if (result->runs[i].verdict != (enum vd_verdict)verdict)
				continue;
			ok = add_run(list, &result->runs[i]);
			told++;
		}
	}
	return ok;
}

static bool add_state(cJSON *json, const struct vd_step_result *result)
{
	if (result->state == VD_STEP_RAN)
		return true;
	return vd_json_add_string(json, "state", vd_step_state_name(result->state)) &&
	       (result->state != VD_STEP_SKIPPED ||
		vd_json_add_string(json, "skipReason", result->text));
}

static bool add_found(cJSON *json, const struct vd_step *step, const struct vd_step_result *result,
		      size_t boxes)
{
	if (step->turn.each.is_set)
		return add_runs(json, result, boxes / 4) &&
		       (!vd_tool_finds_objects(step->tool) ||
			add_object_list(json, &result->objects, boxes / 2));
	if (step->network.package)
		return add_object_list(json, &result->objects, boxes);
	if (step->tool == VD_BLOB)
		return add_objects(json, &result->blobs, boxes);
	return !vd_tool_finds_objects(step->tool) || add_defects(json, &result->blobs, boxes);
}

/* Which image it looked at: measures are in its pixels, places in the frame's; what it made. */
static bool add_image(cJSON *json, const struct vd_recipe *recipe, const struct vd_step *step,
		      const struct vd_step_result *result)
{
	return (step->input < 0 ||
		vd_json_add_string(json, "input", recipe->steps[step->input].id)) &&
	       (result->width == 0 || (vd_json_add_number(json, "width", result->width) &&
				       vd_json_add_number(json, "height", result->height)));
}

bool vd_record_add_step(cJSON *steps, const struct vd_recipe *recipe, int index,
			const struct vd_step_result *result, size_t boxes)
{
	const struct vd_step *step = &recipe->steps[index];
	cJSON *json = cJSON_AddObjectToObject(steps, step->id);
	bool ok = json && vd_json_add_string(json, "camera", recipe->cameras[step->camera]) &&
		  vd_json_add_string(json, "tool", vd_tool_name(step->tool)) &&
		  vd_json_add_string(json, "verdict", vd_verdict_name(result->verdict)) &&
		  vd_record_add_rounded(json, "score", result->values[VD_MEASURE_SCORE]) &&
		  vd_record_add_rounded(json, "ms", result->ms);

	if (ok)
		ok = add_image(json, recipe, step, result);
	if (ok && result->verdict != VD_NO_DECISION)
		ok = add_limit(json, step, result);
	if (ok)
		ok = add_state(json, result);
	if (ok && result->text[0] && result->state != VD_STEP_SKIPPED)
		ok = vd_json_add_string(json, "text", result->text);
	if (ok && step->tool == VD_LOCATE && isfinite(result->values[VD_MEASURE_DX]))
		ok = add_pose(json, &result->pose);
	if (ok && vd_tool_gauges(step->tool))
		ok = add_measures(json, result);
	if (ok && step->network.package)
		ok = add_network(json, step->network.package);
	return ok && add_found(json, step, result, boxes);
}
