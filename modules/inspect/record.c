/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/record.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/judgement.h"
#include "modules/inspect/package.h"

void vd_reasons_add(struct vd_reasons *reasons, const char *format, ...)
{
	char *text;
	va_list args;

	if (reasons->count == VD_REASONS_MOST)
		return;
	text = reasons->texts[reasons->count];
	va_start(args, format);
	(void)vsnprintf(text, VD_REASON_BYTES, format, args);
	va_end(args);
	reasons->list[reasons->count++] = text;
}

static void collect_rules(struct vd_reasons *reasons, const struct vd_recipe *recipe, int camera,
			  const struct vd_step_result *results)
{
	const struct vd_camera_rules *rules = &recipe->camera_rules[camera];
	char text[VD_RULE_TEXT];

	for (size_t i = 0; !recipe->item_is_steps && i < rules->count; i++) {
		if (rules->list[i].kind > VD_ANY_OK &&
		    vd_judge_rule(recipe, camera, &rules->list[i], results, text) != VD_OK)
			vd_reasons_add(reasons, "%s", text);
	}
}

void vd_reasons_collect(struct vd_reasons *reasons, const struct vd_recipe *recipe,
			const struct vd_look *looks, const struct vd_step_result *results)
{
	for (int i = 0; i < recipe->camera_count; i++) {
		if (!looks[i].is_good)
			vd_reasons_add(reasons, "%s: %s", recipe->cameras[i], looks[i].text);
	}
	for (int i = 0; i < recipe->step_count; i++) {
		if (looks[recipe->steps[i].camera].is_good && results[i].verdict != VD_OK &&
		    results[i].state != VD_STEP_SPARED)
			vd_reasons_add(reasons, "%s: %s", recipe->steps[i].id, results[i].text);
	}
	for (int i = 0; i < recipe->camera_count; i++)
		collect_rules(reasons, recipe, i, results);
}

/* Three decimals are enough for people, and keep the record small. */
static bool add_rounded(cJSON *json, const char *key, double value)
{
	return !isfinite(value) || vd_json_add_number(json, key, round(value * 1000) / 1000);
}

/* ---- cameras ---- */

/* What is stored is not what was inspected: the digest above is the original's. */
static bool add_stored(cJSON *json, const struct vd_veiled *veiled)
{
	cJSON *stored;

	if (!veiled || (!veiled->sha256[0] && !veiled->text[0]))
		return true;
	stored = cJSON_AddObjectToObject(json, "stored");
	if (!stored || !vd_json_add_bool(stored, "blurred", true))
		return false;
	return veiled->sha256[0] ? vd_json_add_string(stored, "sha256", veiled->sha256)
				 : vd_json_add_string(stored, "text", veiled->text);
}

static bool add_camera(cJSON *cameras, const char *name, const struct vd_look *look,
		       const struct vd_shot *shot, const struct vd_veiled *veiled)
{
	cJSON *json = cJSON_AddObjectToObject(cameras, name);
	bool ok = json && vd_json_add_string(json, "state", look->is_good ? "ok" : "failed");

	if (ok && shot->captured_at[0])
		ok = vd_json_add_string(json, "capturedAt", shot->captured_at);
	if (ok && look->width > 0)
		ok = vd_json_add_number(json, "width", look->width) &&
		     vd_json_add_number(json, "height", look->height);
	if (ok && look->sha256[0])
		ok = vd_json_add_string(json, "sha256", look->sha256);
	if (ok && look->is_good)
		ok = add_rounded(json, "mean", look->mean) &&
		     add_rounded(json, "spread", look->spread);
	if (ok && look->orientation > 1)
		ok = vd_json_add_number(json, "orientation", look->orientation);
	return ok && add_stored(json, veiled) &&
	       (look->is_good || vd_json_add_string(json, "text", look->text));
}

static bool add_cameras(cJSON *body, const struct vd_record *record)
{
	const struct vd_recipe *recipe = record->item->recipe;
	cJSON *cameras = cJSON_AddObjectToObject(body, "cameras");
	bool ok = cameras != NULL;

	for (int i = 0; ok && record->looks && i < recipe->camera_count; i++)
		ok = add_camera(cameras, recipe->cameras[i], &record->looks[i],
				&record->item->shots[i],
				record->veiled ? &record->veiled[i] : NULL);
	return ok;
}

/* ---- steps ---- */

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
	       add_rounded(json, "score", defect->score);
}

static bool add_pose(cJSON *json, const struct vd_pose *pose)
{
	cJSON *place = cJSON_AddObjectToObject(json, "pose");

	return place && add_rounded(place, "dx", pose->dx) && add_rounded(place, "dy", pose->dy) &&
	       add_rounded(place, "angleDeg", pose->angle_deg) &&
	       add_rounded(place, "score", pose->score);
}

static bool add_limit(cJSON *json, const struct vd_step *step, const struct vd_step_result *result)
{
	const struct vd_limits *limit = &step->limits[result->deciding];
	const double value = result->values[result->deciding];
	const double bound = isfinite(limit->max) ? limit->max : limit->min;

	if (!isfinite(value) || !isfinite(bound))
		return true;
	return vd_json_add_string(json, "measure", vd_measure_name(result->deciding)) &&
	       add_rounded(json, "value", value) && add_rounded(json, "limit", bound) &&
	       add_rounded(json, "margin", vd_limits_margin(limit, value));
}

/* What the tools of gauge.h measured, all of it: a trend is worth more than a verdict. */
static bool add_measures(cJSON *json, const struct vd_step_result *result)
{
	cJSON *measures = cJSON_AddObjectToObject(json, "measures");
	bool ok = measures != NULL;

	for (int i = 0; ok && i < VD_MEASURES; i++)
		ok = add_rounded(measures, vd_measure_name((enum vd_measure)i), result->values[i]);
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
	       add_rounded(json, "circularity", object->circularity) &&
	       add_rounded(json, "aspect", object->aspect);
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
	       add_rounded(json, "score", object->score) &&
	       vd_json_add_number(json, "x", object->box.x) &&
	       vd_json_add_number(json, "y", object->box.y) &&
	       vd_json_add_number(json, "width", object->box.width) &&
	       vd_json_add_number(json, "height", object->box.height) &&
	       add_rounded(json, "area", object->area);
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
	       add_rounded(json, "value", run->value) &&
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

static bool add_step(cJSON *steps, const struct vd_step *step, const struct vd_step_result *result,
		     size_t boxes)
{
	cJSON *json = cJSON_AddObjectToObject(steps, step->id);
	bool ok = json && vd_json_add_string(json, "tool", vd_tool_name(step->tool)) &&
		  vd_json_add_string(json, "verdict", vd_verdict_name(result->verdict)) &&
		  add_rounded(json, "score", result->values[VD_MEASURE_SCORE]) &&
		  add_rounded(json, "ms", result->ms);

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

static bool add_steps(cJSON *body, const struct vd_record *record, size_t boxes_most)
{
	const struct vd_recipe *recipe = record->item->recipe;
	const size_t boxes = boxes_most / (size_t)recipe->step_count;
	cJSON *steps = cJSON_AddObjectToObject(body, "steps");
	bool ok = steps != NULL;

	for (int i = 0; ok && record->results && i < recipe->step_count; i++)
		ok = add_step(steps, &recipe->steps[i], &record->results[i],
			      boxes < 50 ? boxes : 50);
	return ok;
}

/* ---- the rest ---- */

static bool add_head(cJSON *body, const struct vd_record *record)
{
	const struct vd_item *item = record->item;

	return vd_json_add_string(body, "itemId", item->id) &&
	       (!item->serial[0] || vd_json_add_string(body, "serial", item->serial)) &&
	       vd_json_add_string(body, "station", record->station) &&
	       vd_json_add_string(body, "recipe", item->recipe->name) &&
	       vd_json_add_number(body, "rev", item->recipe->rev) &&
	       vd_json_add_number(body, "parametersVersion", (double)item->set->version) &&
	       (!item->trigger || vd_json_add_copy(body, "trigger", item->trigger)) &&
	       vd_json_add_string(body, "verdict", vd_verdict_name(record->verdict));
}

static bool add_reasons(cJSON *body, const struct vd_reasons *reasons)
{
	cJSON *list = cJSON_AddArrayToObject(body, "reasons");
	bool ok = list != NULL;

	for (int i = 0; ok && i < reasons->count; i++) {
		cJSON *text = cJSON_CreateString(reasons->list[i]);

		ok = text && cJSON_AddItemToArray(list, text);
	}
	return ok;
}

static bool add_tail(cJSON *body, const struct vd_record *record)
{
	const struct vd_item_rule *rule = &record->item->recipe->item_rule;
	cJSON *timings;

	if (!vd_json_add_string(body, "rule", vd_item_rule_name(rule->kind)) ||
	    !vd_json_add_string(body, "policy", rule->missing_is_ng ? "NG" : "NO_DECISION"))
		return false;
	if (record->model && (!vd_json_add_string(body, "modelSha256", record->model->sha256) ||
			      !vd_json_add_number(body, "modelVersion", record->model->version)))
		return false;
	timings = cJSON_AddObjectToObject(body, "timings");
	return timings && add_rounded(timings, "decodeMs", record->decode_ms) &&
	       add_rounded(timings, "inspectMs", record->inspect_ms) &&
	       add_rounded(timings, "totalMs", record->total_ms);
}

static cJSON *make_body(const struct vd_record *record, size_t boxes)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (!body || !add_head(body, record) || !add_reasons(body, record->reasons) ||
	    !add_cameras(body, record) || !add_steps(body, record, boxes) ||
	    !add_tail(body, record))
		return NULL;
	return VD_TAKE(body);
}

static size_t count_told(const struct vd_record *record)
{
	size_t told = 0;

	for (int i = 0; record->results && i < record->item->recipe->step_count; i++)
		told += record->results[i].objects.count + record->results[i].run_count;
	return told;
}

/* Few boxes always fit; many do unless their labels and texts are long. */
static bool fits(const struct vd_record *record, const cJSON *body)
{
	VD_CLEANUP(vd_free) char *text = NULL;

	if (count_told(record) <= VD_BOXES_MOST / 4)
		return true;
	text = cJSON_PrintUnformatted(body);
	return text && strlen(text) <= VD_BODY_BYTES_MOST;
}

cJSON *vd_record_body(const struct vd_record *record)
{
	cJSON *body = make_body(record, VD_BOXES_MOST);

	if (body && !fits(record, body)) {
		(void)vd_json_free(body);
		body = make_body(record, VD_BOXES_MOST / 8);
	}
	return body;
}
