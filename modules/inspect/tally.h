/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/inspect/recipe/rules.h"

/* What a station counts for its reported state. Starts as { 0 }. */
enum { VD_LATENCIES = 1024 };

struct vd_tally {
	uint64_t verdicts[VD_VERDICTS];
	uint64_t queue_full, unexpected_frames, late_frames, refused, stored, lost, overrides;
	uint64_t old_frames;       /* older than the trigger that they answer */
	uint64_t overruns, missed; /* triggers without room: with a verdict that says so, without */
	uint64_t held;             /* triggers while the line was held */
	uint64_t interrupted;      /* items that a restart found open */
	uint64_t refused_triggers, refused_selections;
	double latencies_ms[VD_LATENCIES]; /* of the last items, a ring */
	uint64_t latency_count;
};

void vd_tally_verdict(struct vd_tally *tally, enum vd_verdict verdict);
void vd_tally_latency(struct vd_tally *tally, double ms);

/* The value that this share of the last items stayed at or below; NaN without items. */
double vd_tally_percentile(const struct vd_tally *tally, double share);

/* Adds "counters" and "latencyMs". false: no memory. */
bool vd_tally_add(const struct vd_tally *tally, cJSON *json);
