/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"

struct lane {
	struct vd_lanes *lanes;
	int number;
	pthread_t thread;
};

struct vd_lanes {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lane helpers[VD_LANES_MOST - 1]; /* lane 0 is the caller's */
	int helper_count;
	/* Under lock. */
	const struct vd_tasks *tasks; /* NULL: no run */
	int at_once;
	uint32_t begun, done;
	bool is_ending;
};

static uint32_t bit(int task)
{
	return UINT32_C(1) << task;
}

/* The first in order that may begin; -1: none. */
static int next_task(const struct vd_lanes *lanes, int lane)
{
	const struct vd_tasks *tasks = lanes->tasks;

	if (!tasks || lane >= lanes->at_once)
		return -1;
	for (int n = 0; n < tasks->count; n++) {
		const int task = tasks->order[n];

		if (!(lanes->begun & bit(task)) &&
		    !(tasks->needs(tasks->argument, task) & ~lanes->done))
			return task;
	}
	return -1;
}

static bool is_over(const struct vd_lanes *lanes, int lane)
{
	if (lane > 0)
		return lanes->is_ending;
	return __builtin_popcount(lanes->done) == lanes->tasks->count;
}

/* Lock held: until the run is over (lane 0), or the lanes end. */
static void work(struct vd_lanes *lanes, int lane)
{
	while (!is_over(lanes, lane)) {
		const struct vd_tasks *tasks = lanes->tasks;
		const int task = next_task(lanes, lane);

		if (task < 0) {
			(void)pthread_cond_wait(&lanes->changed, &lanes->lock);
			continue;
		}
		lanes->begun |= bit(task);
		(void)pthread_mutex_unlock(&lanes->lock);
		tasks->run(tasks->argument, task, lane);
		(void)pthread_mutex_lock(&lanes->lock);
		lanes->done |= bit(task);
		(void)pthread_cond_broadcast(&lanes->changed);
	}
}

static void *help(void *argument)
{
	struct lane *lane = argument;

	(void)pthread_mutex_lock(&lane->lanes->lock);
	work(lane->lanes, lane->number);
	(void)pthread_mutex_unlock(&lane->lanes->lock);
	return NULL;
}

int vd_lanes_new(struct vd_lanes **ret_lanes)
{
	struct vd_lanes *lanes = calloc(1, sizeof *lanes);

	if (!lanes)
		return -ENOMEM;
	(void)pthread_mutex_init(&lanes->lock, NULL);
	(void)pthread_cond_init(&lanes->changed, NULL);
	*ret_lanes = lanes;
	return 0;
}

struct vd_lanes *vd_lanes_free(struct vd_lanes *lanes)
{
	if (!lanes)
		return NULL;
	(void)pthread_mutex_lock(&lanes->lock);
	lanes->is_ending = true;
	(void)pthread_cond_broadcast(&lanes->changed);
	(void)pthread_mutex_unlock(&lanes->lock);
	for (int i = 0; i < lanes->helper_count; i++)
		(void)pthread_join(lanes->helpers[i].thread, NULL);
	(void)pthread_cond_destroy(&lanes->changed);
	(void)pthread_mutex_destroy(&lanes->lock);
	free(lanes);
	return NULL;
}

static void start_helpers(struct vd_lanes *lanes, int wanted)
{
	while (lanes->helper_count < wanted) {
		struct lane *lane = &lanes->helpers[lanes->helper_count];
		int r;

		lane->lanes = lanes;
		lane->number = lanes->helper_count + 1;
		r = pthread_create(&lane->thread, NULL, help, lane);
		if (r != 0) {
			vd_log(VD_WARN, "lanes.fewer", "wanted=%d got=%d errno=%d", wanted + 1,
			       lane->number, r);
			return;
		}
		lanes->helper_count++;
	}
}

static void run_in_order(const struct vd_tasks *tasks)
{
	for (int n = 0; n < tasks->count; n++)
		tasks->run(tasks->argument, tasks->order[n], 0);
}

void vd_lanes_run(struct vd_lanes *lanes, int at_once, const struct vd_tasks *tasks)
{
	if (at_once <= 1) {
		run_in_order(tasks);
		return;
	}
	start_helpers(lanes, (at_once < VD_LANES_MOST ? at_once : VD_LANES_MOST) - 1);
	(void)pthread_mutex_lock(&lanes->lock);
	lanes->tasks = tasks;
	lanes->at_once = at_once;
	lanes->begun = lanes->done = 0;
	(void)pthread_cond_broadcast(&lanes->changed);
	work(lanes, 0);
	lanes->tasks = NULL;
	(void)pthread_mutex_unlock(&lanes->lock);
}
