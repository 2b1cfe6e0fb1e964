/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "modules/camera/worker.h"

/* What the camera says about itself in the output `health`. Pure: times come as arguments. */
struct vd_camera_health {
	enum vd_camera_state state;
	char text[256]; /* why it is not ok */
	uint64_t captures, failures;
	uint64_t drops;  /* frames x consumers without a free slot */
	uint64_t unseen; /* frames while no consumer was connected */
	uint64_t missed; /* ticks of the timer that were skipped */
	uint64_t opened;
	uint64_t last_frame_ms; /* 0: none yet */
	uint64_t took_us;       /* the last capture */
	struct vd_source_counts source;
	struct vd_camera_look look; /* the last one */
	bool has_look;
	struct vd_camera_levels levels; /* with the last look */
	bool has_levels;

	uint64_t since_ms, captures_then; /* of the last report: for fps */
};

/* Takes a captured event in; drops and unseen are counted by whoever hands the frame over. */
void vd_camera_health_capture(struct vd_camera_health *health, const struct vd_camera_event *event);

void vd_camera_health_look(struct vd_camera_health *health, const struct vd_camera_event *event);

/*
 * {"state","text","lastFrameAgeMs","fps","captures","failures","drops",…,"exposureUs","gain",
 * "picture":{…}}; lastFrameAgeMs, exposureUs, gain and picture are null before the first frame, fps counts since the call before.
 * NULL: no memory.
 */
cJSON *vd_camera_health_report(struct vd_camera_health *health, uint64_t now_ms);
