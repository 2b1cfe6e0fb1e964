/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/sample.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* cJSON writes numbers with 15 digits, and so does whoever passes them on. */
static const __int128 EXACT_MOST = 999999999999999;

void vd_modbus_sample_good(struct vd_modbus_sample *sample, const struct vd_modbus_value *value,
			   int64_t wall_ms)
{
	vd_modbus_value_copy(&sample->value, value);
	sample->wall_ms = wall_ms;
	sample->quality = VD_MODBUS_GOOD;
	sample->code = 0;
	sample->failures = 0;
}

void vd_modbus_sample_bad(struct vd_modbus_sample *sample, enum vd_modbus_quality quality, int code,
			  uint32_t fail_after, int64_t wall_ms)
{
	bool has_value = sample->quality == VD_MODBUS_GOOD || sample->quality == VD_MODBUS_STALE;

	sample->failures += sample->failures < UINT32_MAX;
	if (has_value && sample->failures < fail_after) {
		sample->quality = VD_MODBUS_STALE;
		return;
	}
	sample->quality = quality;
	sample->code = code;
	sample->wall_ms = wall_ms;
}

static bool value_stands(const struct vd_modbus_sample *sample)
{
	return sample->quality == VD_MODBUS_GOOD || sample->quality == VD_MODBUS_STALE;
}

static bool value_moved(const struct vd_modbus_sample *sample, double deadband)
{
	const struct vd_modbus_value *a = &sample->value, *b = &sample->sent;

	if (a->kind == VD_MODBUS_CHARS && b->kind == VD_MODBUS_CHARS)
		return strcmp(a->text, b->text) != 0;
	if (a->kind == VD_MODBUS_INTEGER && b->kind == VD_MODBUS_INTEGER && deadband == 0)
		return a->integer != b->integer;
	return !(fabs(vd_modbus_value_number(a, NAN) - vd_modbus_value_number(b, NAN)) <= deadband);
}

bool vd_modbus_sample_is_news(const struct vd_modbus_sample *sample,
			      const struct vd_modbus_tag *tag, uint64_t now_ms)
{
	if (sample->quality == VD_MODBUS_UNREAD)
		return false;
	if (!sample->was_sent || sample->quality != sample->sent_quality ||
	    sample->code != sample->sent_code)
		return true;
	if (sample->quality == VD_MODBUS_GOOD &&
	    (tag->deadband < 0 || value_moved(sample, tag->deadband)))
		return true;
	return tag->max_silence_ms && now_ms - sample->sent_ms >= tag->max_silence_ms;
}

bool vd_modbus_value_add(cJSON *json, const char *key, const struct vd_modbus_value *value)
{
	char text[48];

	switch (value->kind) {
	case VD_MODBUS_FLAG:
		return vd_json_add_bool(json, key, value->flag);
	case VD_MODBUS_INTEGER:
		if (value->integer > EXACT_MOST || value->integer < -EXACT_MOST)
			return vd_json_add_string(json, key,
						  vd_modbus_integer_text(value->integer, text));
		return vd_json_add_number(json, key, (double)value->integer);
	case VD_MODBUS_NUMBER:
		return vd_json_add_number(json, key, value->number);
	case VD_MODBUS_CHARS:
		return vd_json_add_string(json, key, value->text);
	case VD_MODBUS_NONE:
		break;
	}
	return vd_json_add_string(json, key, NULL);
}

static bool add_label(cJSON *json, const struct vd_modbus_tag *tag,
		      const struct vd_modbus_value *value)
{
	char key[48];
	const char *label;

	if (!tag->labels || value->kind != VD_MODBUS_INTEGER)
		return true;
	label = vd_json_string(tag->labels, vd_modbus_integer_text(value->integer, key), NULL);
	return !label || vd_json_add_string(json, "label", label);
}

static bool fill(const struct vd_modbus_sample *sample, const struct vd_modbus_tag *tag,
		 cJSON *json)
{
	static const struct vd_modbus_value none = { 0 };
	const struct vd_modbus_value *value = value_stands(sample) ? &sample->value : &none;
	char time[VD_TIME_TEXT];

	return vd_modbus_value_add(json, "value", value) && add_label(json, tag, value) &&
	       vd_json_add_string(json, "quality", vd_modbus_quality_name(sample->quality)) &&
	       (sample->quality != VD_MODBUS_EXCEPTION ||
		vd_json_add_number(json, "code", sample->code)) &&
	       (!tag->unit || vd_json_add_string(json, "unit", tag->unit)) &&
	       vd_json_add_string(json, "t", vd_time_text(sample->wall_ms, time));
}

bool vd_modbus_sample_add(struct vd_modbus_sample *sample, const struct vd_modbus_tag *tag,
			  uint64_t now_ms, cJSON *samples)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !fill(sample, tag, json) || !vd_json_add_take(samples, tag->name, &json))
		return false;
	sample->was_sent = true;
	sample->sent_quality = sample->quality;
	sample->sent_code = sample->code;
	sample->sent_ms = now_ms;
	if (sample->quality == VD_MODBUS_GOOD)
		vd_modbus_value_copy(&sample->sent, &sample->value);
	return true;
}

size_t vd_modbus_sample_bytes(const struct vd_modbus_sample *sample,
			      const struct vd_modbus_tag *tag)
{
	size_t bytes = 160 + 6 * strlen(tag->name) + (tag->unit ? 6 * strlen(tag->unit) : 0);

	if (value_stands(sample) && sample->value.kind == VD_MODBUS_CHARS)
		bytes += 6 * strlen(sample->value.text);
	return tag->labels ? bytes + 6 * 64 : bytes;
}
