/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/stages.h"

#include <math.h>

enum { LEAST_US = 50 };

static const char *const names[] = {
	[VD_STAGE_CAPTURE] = "capture",
	[VD_STAGE_QUEUE] = "queue",
	[VD_STAGE_INSPECT] = "inspect",
	[VD_STAGE_STORE] = "store",
};

/* The upper bound of a bucket: 50 us, then a quarter more each. */
static uint64_t bound_us(int bucket)
{
	return (uint64_t)llround(LEAST_US * pow(1.25, bucket));
}

void vd_stages_put(struct vd_stages *stages, enum vd_stage stage, uint64_t us)
{
	int bucket = 0;

	while (bucket < VD_STAGE_BUCKETS - 1 && bound_us(bucket) < us)
		bucket++;
	stages->buckets[stage][bucket]++;
	stages->count[stage]++;
	if (us > stages->most_us[stage])
		stages->most_us[stage] = us;
}

uint64_t vd_stages_percentile_us(const struct vd_stages *stages, enum vd_stage stage, double share)
{
	const uint64_t most = stages->most_us[stage];
	const double wanted = ceil(share * (double)stages->count[stage]);
	uint64_t seen = 0;

	for (int i = 0; i < VD_STAGE_BUCKETS - 1; i++) {
		seen += stages->buckets[stage][i];
		if ((double)seen >= wanted)
			return bound_us(i) < most ? bound_us(i) : most;
	}
	return most;
}

static double ms_of(uint64_t us)
{
	return round((double)us / 10) / 100;
}

static bool add_stage(const struct vd_stages *stages, enum vd_stage stage, cJSON *json)
{
	cJSON *part = cJSON_AddObjectToObject(json, names[stage]);

	return part &&
	       vd_json_add_number(part, "p50",
				  ms_of(vd_stages_percentile_us(stages, stage, 0.5))) &&
	       vd_json_add_number(part, "p99",
				  ms_of(vd_stages_percentile_us(stages, stage, 0.99))) &&
	       vd_json_add_number(part, "most", ms_of(stages->most_us[stage]));
}

bool vd_stages_add(const struct vd_stages *stages, cJSON *json)
{
	cJSON *part = cJSON_AddObjectToObject(json, "stagesMs");
	bool ok = part != NULL;

	for (int i = 0; ok && i < VD_STAGES; i++) {
		if (stages->count[i] > 0)
			ok = add_stage(stages, (enum vd_stage)i, part);
	}
	return ok;
}
