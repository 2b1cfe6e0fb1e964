/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"

/*
 * Runs tasks that need one another: each once, after those it needs, and those that do not need
 * one another at once. Threads are started when they are first wanted and wait between runs.
 */
enum { VD_LANES_MOST = 8, VD_TASKS_MOST = 32 };

struct vd_tasks {
	int count;        /* up to VD_TASKS_MOST */
	const int *order; /* all tasks, each after what it needs; the first that can begins first */
	uint32_t (*needs)(void *argument, int task); /* as bits */
	/* lane: 0 to VD_LANES_MOST - 1; two tasks that run at once have different ones. */
	void (*run)(void *argument, int task, int lane);
	void *argument;
};

struct vd_lanes;

/* -ENOMEM. */
VD_MUST int vd_lanes_new(struct vd_lanes **ret_lanes);
struct vd_lanes *vd_lanes_free(struct vd_lanes *lanes); /* not during a run */
VD_DEFINE_CLEANUP(struct vd_lanes, vd_lanes_free)

/*
 * Returns when all are done. at_once: how many may run together, 1: in the tasks' order on the
 * caller's thread, which is lane 0. Where no thread is to be had, fewer run at once. What a task
 * wrote is seen by those that need it, and by the caller.
 */
void vd_lanes_run(struct vd_lanes *lanes, int at_once, const struct vd_tasks *tasks);
