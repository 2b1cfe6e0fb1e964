/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/*
 * How long items spend in each stage, from the start of the process. Histograms with bounds a
 * quarter apart, so that a percentile is at most that much too high; they never grow. Starts as
 * { 0 }. Pure.
 */
enum vd_stage {
	VD_STAGE_CAPTURE, /* trigger, or first frame, until nothing more is awaited */
	VD_STAGE_QUEUE,   /* until its inspection begins */
	VD_STAGE_INSPECT, /* until its verdict */
	VD_STAGE_STORE,   /* until the verdict is durable */
};

enum { VD_STAGES = VD_STAGE_STORE + 1, VD_STAGE_BUCKETS = 64 };

struct vd_stages {
	uint64_t buckets[VD_STAGES][VD_STAGE_BUCKETS];
	uint64_t count[VD_STAGES], most_us[VD_STAGES];
};

void vd_stages_put(struct vd_stages *stages, enum vd_stage stage, uint64_t us);

/* A bound that this share of the items stayed at or below; 0 without items. */
uint64_t vd_stages_percentile_us(const struct vd_stages *stages, enum vd_stage stage, double share);

/* Adds "stagesMs": {"capture": {"p50", "p99", "most"}, …}. false: no memory. */
bool vd_stages_add(const struct vd_stages *stages, cJSON *json);
