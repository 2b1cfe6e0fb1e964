/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/readings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vd_readings_options_parse(const cJSON *parameters, struct vd_readings_options *ret_options)
{
	const cJSON *json;

	*ret_options = (struct vd_readings_options){ .count = 0 };
	cJSON_ArrayForEach(json, vd_json_object(parameters, "values"))
	{
		struct vd_reading_source *source = &ret_options->sources[ret_options->count];

		if (ret_options->count == VD_READING_NAMES)
			return;
		(void)snprintf(source->name, sizeof source->name, "%s", json->string);
		(void)snprintf(source->from, sizeof source->from, "%s",
			       vd_json_string(json, "from", ""));
		(void)snprintf(source->pointer, sizeof source->pointer, "%s",
			       vd_json_string(json, "pointer", ""));
		vd_trigger_condition_parse(vd_json_object(json, "when"), &source->when);
		source->within_ms = (uint64_t)vd_json_int(json, "withinMs", 0);
		ret_options->count++;
	}
}

static void take(struct vd_readings *readings, int name, const cJSON *value, uint64_t now_ms)
{
	struct vd_reading *place;

	if (!cJSON_IsNumber(value) && !cJSON_IsBool(value))
		return;
	place = &readings->rings[name][readings->counts[name]++ % VD_READINGS];
	*place = (struct vd_reading){
		.value = cJSON_IsNumber(value) ? value->valuedouble : cJSON_IsTrue(value),
		.at_ms = now_ms,
	};
}

static bool is_meant(const struct vd_reading_source *source, const char *from, const cJSON *body)
{
	return (!source->from[0] || strcmp(source->from, from) == 0) &&
	       vd_trigger_holds(&source->when, body);
}

/* What the value's object says beside it; nothing said is good. */
static bool is_good(const cJSON *body, const char *pointer)
{
	const char *end = strrchr(pointer, '/');
	char parent[VD_READING_TEXT];

	if (!end)
		return true;
	(void)snprintf(parent, sizeof parent, "%.*s", (int)(end - pointer), pointer);
	return strcmp(vd_json_string(vd_json_at(body, parent), "quality", "good"), "good") == 0;
}

void vd_readings_take(struct vd_readings *readings, const struct vd_readings_options *options,
		      const char *from, const cJSON *body, uint64_t now_ms)
{
	for (int i = 0; i < options->count; i++) {
		const struct vd_reading_source *source = &options->sources[i];

		if (is_meant(source, from, body) && is_good(body, source->pointer))
			take(readings, i, vd_json_at(body, source->pointer), now_ms);
	}
}

static const struct vd_reading *nearest(const struct vd_readings *readings, int name,
					uint64_t trigger_ms, uint64_t within_ms)
{
	const uint64_t count = readings->counts[name];
	const struct vd_reading *best = NULL;
	uint64_t least = within_ms;

	for (uint64_t i = 0; i < count && i < VD_READINGS; i++) {
		const struct vd_reading *each = &readings->rings[name][i];
		const uint64_t distance = each->at_ms > trigger_ms ? each->at_ms - trigger_ms
								   : trigger_ms - each->at_ms;

		if (distance <= least && (!best || distance < least)) {
			best = each;
			least = distance;
		}
	}
	return best;
}

static bool add_reading(cJSON *values, const char *name, const struct vd_reading *reading,
			uint64_t trigger_ms)
{
	cJSON *json = reading ? cJSON_AddObjectToObject(values, name) : NULL;

	if (!reading)
		return vd_json_add_string(values, name, NULL);
	return json && vd_json_add_number(json, "value", reading->value) &&
	       vd_json_add_number(json, "offsetMs", (double)reading->at_ms - (double)trigger_ms);
}

bool vd_readings_add(const struct vd_readings *readings, const struct vd_readings_options *options,
		     uint64_t trigger_ms, cJSON *body)
{
	cJSON *values = options->count > 0 ? cJSON_AddObjectToObject(body, "values") : NULL;
	bool ok = options->count == 0 || values;

	for (int i = 0; ok && i < options->count; i++)
		ok = add_reading(values, options->sources[i].name,
				 nearest(readings, i, trigger_ms, options->sources[i].within_ms),
				 trigger_ms);
	return ok;
}
