/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/record.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/judgement.h"
#include "modules/inspect/record_step.h"

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
		ok = vd_record_add_rounded(json, "mean", look->mean) &&
		     vd_record_add_rounded(json, "spread", look->spread);
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

static bool add_steps(cJSON *body, const struct vd_record *record, size_t boxes_most)
{
	const struct vd_recipe *recipe = record->item->recipe;
	const size_t boxes = boxes_most / (size_t)recipe->step_count;
	cJSON *steps = cJSON_AddObjectToObject(body, "steps");
	bool ok = steps != NULL;

	for (int i = 0; ok && record->results && i < recipe->step_count; i++)
		ok = vd_record_add_step(steps, recipe, i, &record->results[i],
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
	return timings && vd_record_add_rounded(timings, "decodeMs", record->decode_ms) &&
	       vd_record_add_rounded(timings, "inspectMs", record->inspect_ms) &&
	       vd_record_add_rounded(timings, "totalMs", record->total_ms);
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
