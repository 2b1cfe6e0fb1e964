/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "modules/inspect/item.h"
#include "modules/inspect/lanes.h"
#include "modules/inspect/learn/course.h"
#include "modules/inspect/look.h"
#include "modules/inspect/result.h"

/*
 * The steps of one item, each in its turn (plan.h) and each ending exactly once: run, skipped
 * because nothing was wanted of it, or not run because it could not be. What is not run has no
 * decision. A step that is run on each object has the verdict of the worst.
 *
 * A step is not interrupted: one that takes too long is waited for, and its result is dropped.
 */
struct vd_pipeline {
	const struct vd_item *item;
	const struct vd_look *looks;    /* one a camera */
	struct vd_step_result *results; /* one a step, without anything to free */
	struct vd_runner runner;
	const struct vd_course *course;
	const char *excuse; /* why a model does not judge */
	uint64_t (*now_us)(void);
	bool is_untimed; /* deadlines do not hold */
	int late;        /* results that were dropped; atomic during the run */
};

void vd_pipeline_run(struct vd_pipeline *pipeline, struct vd_lanes *lanes);
