/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/queries/slices.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "twin/hub/http.h"

struct run {
	TAILQ_ENTRY(run) link;
	const struct vd_task *type;
	void *task;
	struct vd_exchange *exchange;
	bool is_closed;
};

struct vd_slices {
	struct vd_source *timer;
	TAILQ_HEAD(, run) runs;
	int count, most;
};

static void answer(struct vd_slices *slices, struct run *run, int result,
		   const struct vd_fault *fault)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };

	if (result == 0)
		result = run->type->reply(run->task, &call.reply);
	if (result != 0)
		vd_reply_refuse(&call.reply, result, fault);
	TAILQ_REMOVE(&slices->runs, run, link);
	slices->count--;
	vd_exchange_reply(run->exchange, &call.reply);
	run->type->free(run->task);
	free(run);
}

static int run_slice(const struct vd_task *type, void *task, bool *ret_is_done,
		     struct vd_fault *fault)
{
	return type->run(task, vd_clock_mono_ms() + VD_SLICE_MS, ret_is_done, fault);
}

/* A turn of the first one. */
static void take_turn(void *argument)
{
	struct vd_slices *slices = argument;
	struct run *run = TAILQ_FIRST(&slices->runs);
	struct vd_fault fault = { 0 };
	bool is_done = false;
	int r;

	if (!run)
		return;
	r = run->is_closed || vd_exchange_is_gone(run->exchange)
		    ? VD_REFUSED_UNAVAILABLE
		    : run_slice(run->type, run->task, &is_done, &fault);
	if (r != 0 || is_done) {
		answer(slices, run, r, &fault);
	} else {
		TAILQ_REMOVE(&slices->runs, run, link);
		TAILQ_INSERT_TAIL(&slices->runs, run, link);
	}
	if (!TAILQ_EMPTY(&slices->runs))
		(void)!vd_timer_arm(slices->timer, 0);
}

/* The next turn ends it. */
static void on_closed(void *argument)
{
	struct run *run = argument;

	run->is_closed = true;
}

int vd_slices_new(struct vd_loop *loop, int most, struct vd_slices **ret_slices)
{
	struct vd_slices *slices = calloc(1, sizeof *slices);
	int r;

	if (!slices)
		return -ENOMEM;
	slices->most = most;
	TAILQ_INIT(&slices->runs);
	r = vd_loop_timer(loop, take_turn, slices, &slices->timer);
	if (r < 0) {
		free(slices);
		return r;
	}
	*ret_slices = slices;
	return 0;
}

struct vd_slices *vd_slices_free(struct vd_slices *slices)
{
	struct run *run;

	if (!slices)
		return NULL;
	while ((run = TAILQ_FIRST(&slices->runs)))
		answer(slices, run, VD_REFUSED_UNAVAILABLE, NULL);
	slices->timer = vd_source_free(slices->timer);
	free(slices);
	return NULL;
}

/* The first slice is done at once: most answers need no other. */
static int start(const struct vd_task *type, void *task, struct vd_call *call, bool is_whole,
		 bool *ret_is_done, struct vd_fault *fault)
{
	int r;

	do
		r = run_slice(type, task, ret_is_done, fault);
	while (r == 0 && !*ret_is_done && is_whole);
	return r == 0 && *ret_is_done ? type->reply(task, &call->reply) : r;
}

static int keep(struct vd_slices *slices, const struct vd_task *type, void *task,
		struct vd_exchange *exchange)
{
	struct run *run = calloc(1, sizeof *run);
	int r = run ? vd_timer_arm(slices->timer, 0) : -ENOMEM;

	if (r < 0) {
		free(run);
		type->free(task);
		return r;
	}
	*run = (struct run){ .type = type, .task = task, .exchange = exchange };
	TAILQ_INSERT_TAIL(&slices->runs, run, link);
	slices->count++;
	vd_exchange_on_closed(exchange, on_closed, run);
	return VD_SLICES_LATER;
}

int vd_slices_run(struct vd_slices *slices, struct vd_call *call, const struct vd_task *type,
		  void *task, struct vd_fault *fault)
{
	bool is_done = false;
	int r;

	if (slices && slices->count >= slices->most) {
		type->free(task);
		vd_fault_set(fault, 429, "", "%d such calls are under way already", slices->most);
		return VD_REFUSED_TOO_MANY;
	}
	r = start(type, task, call, !slices || !call->exchange, &is_done, fault);
	if (r == 0 && !is_done)
		return keep(slices, type, task, call->exchange);
	type->free(task);
	return r;
}
