/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/health.h"

#include <math.h>

void vd_camera_health_capture(struct vd_camera_health *health, const struct vd_camera_event *event)
{
	health->source = event->counts;
	health->took_us = event->took_us;
	if (event->outcome == 0) {
		health->captures++;
		health->last_frame_ms = event->frame.t_mono_ms;
	} else if (event->outcome != VD_SOURCE_EXHAUSTED) {
		health->failures++;
	}
}

void vd_camera_health_look(struct vd_camera_health *health, const struct vd_camera_event *event)
{
	health->has_look = event->outcome == 0;
	health->look = event->look;
	health->levels = event->levels;
	health->has_levels = true;
}

static double round_to(double value, double steps)
{
	return round(value * steps) / steps;
}

static bool add_look(cJSON *object, const struct vd_camera_health *health)
{
	VD_CLEANUP(vd_json_free) cJSON *picture = NULL;
	const struct vd_camera_look *look = &health->look;

	if (!health->has_look)
		return vd_json_add_string(object, "picture", NULL);
	picture = cJSON_CreateObject();
	return picture && vd_json_add_number(picture, "mean", round_to(look->mean, 10)) &&
	       vd_json_add_number(picture, "darkShare", round_to(look->dark, 10000)) &&
	       vd_json_add_number(picture, "brightShare", round_to(look->bright, 10000)) &&
	       vd_json_add_number(picture, "sharpness", round_to(look->sharpness, 10)) &&
	       vd_json_add_bool(picture, "damaged", look->is_damaged) &&
	       vd_json_add_take(object, "picture", &picture);
}

static bool add_level(cJSON *object, const char *key, double value, bool is_known)
{
	if (!is_known || value < 0)
		return vd_json_add_string(object, key, NULL);
	return vd_json_add_number(object, key, round_to(value, 1000));
}

static bool add_levels(cJSON *object, const struct vd_camera_health *health)
{
	const struct vd_camera_levels *levels = &health->levels;

	return add_level(object, "exposureUs", levels->exposure_us, health->has_levels) &&
	       add_level(object, "gain", levels->gain, health->has_levels);
}

static double rate(const struct vd_camera_health *health, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - health->since_ms;

	if (!health->since_ms || !passed_ms)
		return 0;
	return round_to(
		(double)(health->captures - health->captures_then) * 1000 / (double)passed_ms, 100);
}

static bool add_age(cJSON *object, const struct vd_camera_health *health, uint64_t now_ms)
{
	uint64_t last_ms = health->last_frame_ms < now_ms ? health->last_frame_ms : now_ms;

	if (!health->last_frame_ms)
		return vd_json_add_string(object, "lastFrameAgeMs", NULL);
	return vd_json_add_number(object, "lastFrameAgeMs", (double)(now_ms - last_ms));
}

static bool add_counts(cJSON *object, const struct vd_camera_health *health)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{ "captures", health->captures },
		{ "failures", health->failures },
		{ "drops", health->drops },
		{ "unseen", health->unseen },
		{ "missedTicks", health->missed },
		{ "opened", health->opened },
		{ "sequenceGaps", health->source.sequence_gaps },
		{ "flaggedBuffers", health->source.flagged },
		{ "staleFrames", health->source.stale },
	};

	for (size_t i = 0; i < VD_COUNT(counts); i++) {
		if (!vd_json_add_number(object, counts[i].key, (double)counts[i].value))
			return false;
	}
	return true;
}

cJSON *vd_camera_health_report(struct vd_camera_health *health, uint64_t now_ms)
{
	cJSON *object = cJSON_CreateObject();

	if (!object || !vd_json_add_string(object, "state", vd_camera_state_name(health->state)) ||
	    !vd_json_add_string(object, "text", health->text[0] ? health->text : NULL) ||
	    !add_age(object, health, now_ms) ||
	    !vd_json_add_number(object, "fps", rate(health, now_ms)) ||
	    !vd_json_add_number(object, "captureMs", (double)health->took_us / 1000) ||
	    !add_counts(object, health) || !add_levels(object, health) || !add_look(object, health))
		return vd_json_free(object);
	health->since_ms = now_ms;
	health->captures_then = health->captures;
	return object;
}
