/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/lanes.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "vd_test.h"

struct graph {
	uint32_t needs[VD_TASKS_MOST];
	int order[VD_TASKS_MOST];
	int count, at_once;
	uint32_t values[VD_TASKS_MOST]; /* made of those of what a task needs */
	int runs[VD_TASKS_MOST];
	int busy[VD_LANES_MOST];     /* atomic */
	int together, most_together; /* atomic */
	int nap_us;
};

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static uint32_t needs(void *argument, int task)
{
	const struct graph *graph = argument;

	return graph->needs[task];
}

static void nap(int us)
{
	const struct timespec time = { 0, us * 1000L };

	if (us > 0)
		(void)nanosleep(&time, NULL);
}

static void run(void *argument, int task, int lane)
{
	struct graph *graph = argument;
	const int together = __atomic_add_fetch(&graph->together, 1, __ATOMIC_SEQ_CST);
	uint32_t value = (uint32_t)task + 1;

	assert_in_range(lane, 0, graph->at_once - 1);
	assert_int_equal(__atomic_exchange_n(&graph->busy[lane], 1, __ATOMIC_SEQ_CST), 0);
	for (int most = __atomic_load_n(&graph->most_together, __ATOMIC_SEQ_CST);
	     together > most &&
	     !__atomic_compare_exchange_n(&graph->most_together, &most, together, false,
					  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);)
		;
	for (int i = 0; i < graph->count; i++) {
		if (graph->needs[task] >> i & 1)
			value = value * 31 + graph->values[i];
	}
	nap(graph->nap_us);
	graph->values[task] = value;
	graph->runs[task]++;
	__atomic_store_n(&graph->busy[lane], 0, __ATOMIC_SEQ_CST);
	(void)__atomic_sub_fetch(&graph->together, 1, __ATOMIC_SEQ_CST);
}

static void run_all(struct vd_lanes *lanes, struct graph *graph, int at_once)
{
	const struct vd_tasks tasks = { graph->count, graph->order, needs, run, graph };

	memset(graph->values, 0, sizeof graph->values);
	memset(graph->runs, 0, sizeof graph->runs);
	graph->at_once = at_once;
	graph->most_together = 0;
	vd_lanes_run(lanes, at_once, &tasks);
	for (int i = 0; i < graph->count; i++)
		assert_int_equal(graph->runs[i], 1);
}

static struct graph random_graph(uint32_t *seed)
{
	struct graph graph = { .count = 1 + (int)(next(seed) % VD_TASKS_MOST) };

	for (int i = 0; i < graph.count; i++) {
		graph.order[i] = i;
		for (int k = 0; k < i; k++) {
			if (next(seed) % 4 == 0)
				graph.needs[i] |= UINT32_C(1) << k;
		}
	}
	return graph;
}

static void every_task_runs_once_after_what_it_needs_and_ends_alike(void **state)
{
	VD_CLEANUP(vd_lanes_free) struct vd_lanes *lanes = NULL;
	uint32_t seed = 3;

	assert_int_equal(vd_lanes_new(&lanes), 0);
	for (int i = 0; i < 100; i++) {
		struct graph graph = random_graph(&seed);
		uint32_t alone[VD_TASKS_MOST];

		run_all(lanes, &graph, 1);
		memcpy(alone, graph.values, sizeof alone);
		run_all(lanes, &graph, 1 + (int)(next(&seed) % VD_LANES_MOST));
		assert_memory_equal(alone, graph.values, sizeof alone);
	}
}

static void tasks_that_do_not_need_one_another_run_together(void **state)
{
	VD_CLEANUP(vd_lanes_free) struct vd_lanes *lanes = NULL;
	struct graph graph = { .count = 16, .nap_us = 2000 };

	assert_int_equal(vd_lanes_new(&lanes), 0);
	for (int i = 0; i < graph.count; i++)
		graph.order[i] = i;
	run_all(lanes, &graph, 4);
	assert_in_range(graph.most_together, 2, 4);
	for (int i = 1; i < graph.count; i++)
		graph.needs[i] = UINT32_C(1) << (i - 1);
	graph.nap_us = 0;
	run_all(lanes, &graph, 4);
	assert_int_equal(graph.most_together, 1);
}

static void fewer_lanes_than_before_are_used_when_fewer_are_wanted(void **state)
{
	VD_CLEANUP(vd_lanes_free) struct vd_lanes *lanes = NULL;
	struct graph graph = { .count = 12, .nap_us = 200 };

	assert_int_equal(vd_lanes_new(&lanes), 0);
	for (int i = 0; i < graph.count; i++)
		graph.order[i] = i;
	run_all(lanes, &graph, VD_LANES_MOST);
	run_all(lanes, &graph, 2);
	assert_in_range(graph.most_together, 1, 2);
	run_all(lanes, &graph, 1);
	assert_int_equal(graph.most_together, 1);
}

VD_TEST_MAIN(cmocka_unit_test(every_task_runs_once_after_what_it_needs_and_ends_alike),
	     cmocka_unit_test(tasks_that_do_not_need_one_another_run_together),
	     cmocka_unit_test(fewer_lanes_than_before_are_used_when_fewer_are_wanted))
