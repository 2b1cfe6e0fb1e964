/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void vd_tally_verdict(struct vd_tally *tally, enum vd_verdict verdict)
{
	tally->verdicts[verdict]++;
}

void vd_tally_latency(struct vd_tally *tally, double ms)
{
	tally->latencies_ms[tally->latency_count++ % VD_LATENCIES] = ms;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double vd_tally_percentile(const struct vd_tally *tally, double share)
{
	double sorted[VD_LATENCIES];
	const size_t count =
		tally->latency_count < VD_LATENCIES ? (size_t)tally->latency_count : VD_LATENCIES;
	size_t rank;

	if (count == 0)
		return NAN;
	memcpy(sorted, tally->latencies_ms, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_value);
	rank = (size_t)ceil(share * (double)count);
	return sorted[rank > 0 ? rank - 1 : 0];
}

static bool add_latencies(const struct vd_tally *tally, cJSON *json)
{
	cJSON *latencies = cJSON_AddObjectToObject(json, "latencyMs");

	if (!latencies || tally->latency_count == 0)
		return latencies != NULL;
	return vd_json_add_number(latencies, "p50",
				  round(vd_tally_percentile(tally, 0.5) * 100) / 100) &&
	       vd_json_add_number(latencies, "p99",
				  round(vd_tally_percentile(tally, 0.99) * 100) / 100);
}

static bool add_triggers(const struct vd_tally *tally, cJSON *counters)
{
	return vd_json_add_number(counters, "oldFrames", (double)tally->old_frames) &&
	       vd_json_add_number(counters, "overruns", (double)tally->overruns) &&
	       vd_json_add_number(counters, "missed", (double)tally->missed) &&
	       vd_json_add_number(counters, "held", (double)tally->held) &&
	       vd_json_add_number(counters, "interrupted", (double)tally->interrupted) &&
	       vd_json_add_number(counters, "refusedTriggers", (double)tally->refused_triggers) &&
	       vd_json_add_number(counters, "refusedSelections", (double)tally->refused_selections);
}

bool vd_tally_add(const struct vd_tally *tally, cJSON *json)
{
	cJSON *counters = cJSON_AddObjectToObject(json, "counters");
	bool ok = counters != NULL;

	for (int i = 0; ok && i < VD_VERDICTS; i++)
		ok = vd_json_add_number(counters, vd_verdict_name((enum vd_verdict)i),
					(double)tally->verdicts[i]);
	return ok && add_triggers(tally, counters) &&
	       vd_json_add_number(counters, "queueFull", (double)tally->queue_full) &&
	       vd_json_add_number(counters, "unexpectedFrames", (double)tally->unexpected_frames) &&
	       vd_json_add_number(counters, "lateFrames", (double)tally->late_frames) &&
	       vd_json_add_number(counters, "stored", (double)tally->stored) &&
	       vd_json_add_number(counters, "refused", (double)tally->refused) &&
	       vd_json_add_number(counters, "lost", (double)tally->lost) &&
	       vd_json_add_number(counters, "overrides", (double)tally->overrides) &&
	       add_latencies(tally, json);
}
