/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/queries/queries.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "twin/hub/http.h"

struct run {
	TAILQ_ENTRY(run) link;
	struct vd_query_page *page;
	struct vd_exchange *exchange;
	bool is_closed;
};

struct vd_queries {
	struct vd_store *store;
	struct vd_source *timer;
	TAILQ_HEAD(, run) runs;
	int count;
};

/* Ends the run. result as of the page's calls. */
static void answer(struct vd_queries *queries, struct run *run, int result,
		   const struct vd_fault *fault)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };

	if (result == 0)
		result = vd_query_page_reply(run->page, &call.reply);
	if (result != 0)
		vd_reply_refuse(&call.reply, result, fault);
	TAILQ_REMOVE(&queries->runs, run, link);
	queries->count--;
	vd_exchange_reply(run->exchange, &call.reply);
	run->page = vd_query_page_free(run->page);
	free(run);
}

static int run_slice(struct vd_query_page *page, bool *ret_is_done, struct vd_fault *fault)
{
	return vd_query_page_run(page, vd_clock_mono_ms() + VD_QUERIES_SLICE_MS, ret_is_done,
				 fault);
}

/* A turn of the first one. */
static void take_turn(void *argument)
{
	struct vd_queries *queries = argument;
	struct run *run = TAILQ_FIRST(&queries->runs);
	struct vd_fault fault = { 0 };
	bool is_done = false;
	int r;

	if (!run)
		return;
	r = run->is_closed || vd_exchange_is_gone(run->exchange)
		    ? VD_REFUSED_UNAVAILABLE
		    : run_slice(run->page, &is_done, &fault);
	if (r != 0 || is_done) {
		answer(queries, run, r, &fault);
	} else {
		TAILQ_REMOVE(&queries->runs, run, link);
		TAILQ_INSERT_TAIL(&queries->runs, run, link);
	}
	if (!TAILQ_EMPTY(&queries->runs))
		(void)!vd_timer_arm(queries->timer, 0);
}

/* The next turn ends it. */
static void on_closed(void *argument)
{
	struct run *run = argument;

	run->is_closed = true;
}

int vd_queries_new(struct vd_loop *loop, struct vd_store *store, struct vd_queries **ret_queries)
{
	VD_CLEANUP(vd_queries_free) struct vd_queries *queries = calloc(1, sizeof *queries);
	int r;

	if (!queries)
		return -ENOMEM;
	queries->store = store;
	TAILQ_INIT(&queries->runs);
	r = vd_loop_timer(loop, take_turn, queries, &queries->timer);
	if (r == 0)
		*ret_queries = VD_TAKE(queries);
	return r;
}

struct vd_queries *vd_queries_free(struct vd_queries *queries)
{
	struct run *run;

	if (!queries)
		return NULL;
	while ((run = TAILQ_FIRST(&queries->runs)))
		answer(queries, run, VD_REFUSED_UNAVAILABLE, NULL);
	queries->timer = vd_source_free(queries->timer);
	free(queries);
	return NULL;
}

static int keep(struct vd_queries *queries, struct vd_query_page **page,
		struct vd_exchange *exchange)
{
	struct run *run = calloc(1, sizeof *run);
	int r = run ? vd_timer_arm(queries->timer, 0) : -ENOMEM;

	if (r < 0) {
		free(run);
		return r;
	}
	*run = (struct run){ .page = VD_TAKE(*page), .exchange = exchange };
	TAILQ_INSERT_TAIL(&queries->runs, run, link);
	queries->count++;
	vd_exchange_on_closed(exchange, on_closed, run);
	return VD_QUERIES_LATER;
}

int vd_queries_ask(struct vd_queries *queries, struct vd_call *call,
		   const struct vd_query_request *request, struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_page_free) struct vd_query_page *page = NULL;
	bool is_done = false;
	int r;

	if (queries->count >= VD_QUERIES_MAX) {
		vd_fault_set(fault, 429, "", "%d queries are under way already", VD_QUERIES_MAX);
		return VD_REFUSED_TOO_MANY;
	}
	r = vd_query_page_new(queries->store, request, &page, fault);
	do {
		if (r == 0)
			r = run_slice(page, &is_done, fault);
	} while (r == 0 && !is_done && !call->exchange);
	if (r == 0 && !is_done)
		return keep(queries, &page, call->exchange);
	return r == 0 ? vd_query_page_reply(page, &call->reply) : r;
}
