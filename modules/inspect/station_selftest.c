/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test's item takes the way of all items: the worker, the rules, the record. It leaves on
 * an output of its own, and nothing is counted, learnt, watched or kept of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/inspect/station_private.h"

enum { LOOK_MS = 1000 };

/* Nobody is kept waiting for it, and what cannot judge yet is not asked. */
static bool is_a_good_moment(const struct vd_station *station)
{
	const char *model = vd_json_string(vd_json_object(station->state, "model"), "state", "");

	return vd_station_in_hand(station) == 0 &&
	       (strcmp(model, "ready") == 0 || strcmp(model, "armed") == 0);
}

static void run(struct vd_station *station)
{
	struct vd_item *item = NULL;

	if (vd_item_new(vd_station_set(station), vd_clock_mono_us(), &item) < 0) {
		station->test.is_running = false;
		return;
	}
	item->is_test = true;
	item->is_asked = true; /* its frames come from here */
	for (int i = 0; i < item->recipe->camera_count; i++)
		vd_shot_read(
			vd_json_string(station->test_options.frames, item->recipe->cameras[i], ""),
			&item->shots[i]);
	vd_item_enter(item, VD_ITEM_QUEUED);
	if (vd_worker_submit(station->worker, &item) < 0) {
		(void)vd_item_free(item);
		station->test.is_running = false;
	}
}

void vd_station_test(void *argument)
{
	struct vd_station *station = argument;

	if (station->test_options.every_ms == 0)
		return;
	if (!station->is_stopping && is_a_good_moment(station) &&
	    vd_selftest_start(&station->test, &station->test_options, vd_clock_mono_ms()))
		run(station);
	vd_station_arm(station->test_timer, LOOK_MS);
}

/* What the first reason says, for the alarm. */
static const char *reason_of(const cJSON *body)
{
	const cJSON *first = cJSON_GetArrayItem(vd_json_array(body, "reasons"), 0);

	return cJSON_IsString(first) ? first->valuestring : "no reason";
}

void vd_station_tested(struct vd_station *station, struct vd_outcome *outcome)
{
	const char *verdict = vd_verdict_name(outcome->verdict);
	char text[256];

	if (vd_selftest_end(&station->test, &station->test_options, verdict)) {
		(void)snprintf(text, sizeof text, "%s, expected is %s: %.180s", verdict,
			       station->test_options.expected, reason_of(outcome->body));
		vd_station_alarm(station, "selfTest", station->test.is_failing, text);
	}
	if (outcome->body &&
	    !(vd_json_add_string(outcome->body, "expected", station->test_options.expected) &&
	      vd_json_add_bool(outcome->body, "passed", !station->test.is_failing)))
		outcome->body = vd_json_free(outcome->body);
	vd_station_say(station, "selfTest", "event", &outcome->body);
	vd_station_changed(station);
}

void vd_station_test_configure(struct vd_station *station, struct vd_selftest_options *options)
{
	vd_selftest_options_fini(&station->test_options);
	station->test_options = *options;
	*options = (struct vd_selftest_options){ .every_ms = 0 };
	station->test.due_ms = 0; /* what is new is tried at once */
	vd_station_arm(station->test_timer, LOOK_MS);
}
