/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* A job becomes its own result, so that a finished item never lacks the memory to be told. */
struct job {
	struct job *next;
	enum vd_worker_order order;
	struct vd_gather_order gather; /* VD_ORDER_GATHER; label "": ends it */
	struct vd_recipe_set *set;     /* of an order, a reference; NULL: an item */
	struct vd_done done;
};

struct list {
	struct job *first, **end;
	size_t items;
};

struct vd_worker {
	struct vd_worker_handlers handlers;
	void *argument;
	struct vd_inspector *inspector;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list waiting, finished;     /* under lock, as is what follows */
	bool is_busy, has_item, is_ending; /* has_item: busy with one, its verdict still to come */
};

static void push(struct list *list, struct job *job)
{
	if (!list->end)
		list->end = &list->first;
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
	list->items += job->done.item != NULL;
}

static struct job *pop(struct list *list)
{
	struct job *job = list->first;

	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->end = &list->first;
	list->items -= job->done.item != NULL;
	return job;
}

void vd_done_fini(struct vd_done *done)
{
	done->item = vd_item_free(done->item);
	vd_outcome_fini(&done->outcome);
}

static void free_job(struct job *job)
{
	vd_done_fini(&job->done);
	(void)vd_recipe_set_unref(job->set);
	free(job);
}

static int obey(struct vd_worker *worker, struct job *job)
{
	switch (job->order) {
	case VD_ORDER_LEARN:
		return vd_inspector_learn(worker->inspector, job->set, job->done.text);
	case VD_ORDER_ARM:
		return vd_inspector_arm(worker->inspector, job->set, job->done.text);
	case VD_ORDER_ROLL_BACK:
		return vd_inspector_roll_back(worker->inspector, job->set, job->done.text);
	case VD_ORDER_GATHER:
		vd_inspector_gather(worker->inspector, job->gather.label[0] ? &job->gather : NULL);
		return 0;
	case VD_ORDER_STATE:
		return 0;
	}
	return -EINVAL;
}

/* What the item is for after its verdict; NULL: nothing, or no memory for it. */
static struct vd_item *inspect(struct vd_worker *worker, struct job *job)
{
	struct vd_item *after = NULL;
	bool keeps;

	job->done.item->begun_us = vd_clock_mono_us();
	vd_inspector_run(worker->inspector, job->done.item, &job->done.outcome);
	keeps = job->done.outcome.keeps_images || job->done.item->is_kept;
	if (vd_inspector_follows(worker->inspector, job->done.item) &&
	    vd_item_split(job->done.item, !keeps, &after) < 0)
		vd_log(VD_WARN, "item.notFollowed", "itemId=%s text=\"out of memory\"",
		       job->done.item->id);
	if (!keeps)
		vd_item_drop_frames(job->done.item);
	return after;
}

static void finish(struct vd_worker *worker, struct job *job, bool is_busy)
{
	(void)pthread_mutex_lock(&worker->lock);
	push(&worker->finished, job);
	worker->is_busy = is_busy;
	worker->has_item = false;
	(void)pthread_mutex_unlock(&worker->lock);
	worker->handlers.on_done(worker->argument);
}

/* The verdict is out; what follows must not have delayed it. */
static void follow(struct vd_worker *worker, struct vd_item *item, enum vd_verdict verdict)
{
	struct job *job = calloc(1, sizeof *job);
	struct vd_outcome outcome = { 0 };

	vd_inspector_follow(worker->inspector, item, verdict, job ? &job->done.outcome : &outcome);
	vd_outcome_fini(&outcome);
	if (job) {
		job->done.call = -1;
		finish(worker, job, false);
		return;
	}
	(void)pthread_mutex_lock(&worker->lock);
	worker->is_busy = false;
	(void)pthread_mutex_unlock(&worker->lock);
	worker->handlers.on_done(worker->argument);
}

static void do_job(struct vd_worker *worker, struct job *job)
{
	VD_CLEANUP(vd_item_free) struct vd_item *after = NULL;
	enum vd_verdict verdict;
	bool goes_on;

	if (job->set) {
		job->done.status = obey(worker, job);
		job->done.outcome.state = vd_inspector_state(worker->inspector, job->set);
	} else {
		after = inspect(worker, job);
	}
	verdict = job->done.outcome.verdict;
	goes_on = after || vd_inspector_must_fit(worker->inspector);
	finish(worker, job, goes_on);
	if (goes_on)
		follow(worker, after, verdict);
}

static struct job *next_job(struct vd_worker *worker)
{
	struct job *job = NULL;

	(void)pthread_mutex_lock(&worker->lock);
	while (!worker->is_ending && !(job = pop(&worker->waiting)))
		(void)pthread_cond_wait(&worker->changed, &worker->lock);
	worker->is_busy = job != NULL;
	worker->has_item = job && job->done.item;
	(void)pthread_mutex_unlock(&worker->lock);
	return job;
}

static void *work(void *argument)
{
	struct vd_worker *worker = argument;
	struct job *job;

	while ((job = next_job(worker)))
		do_job(worker, job);
	return NULL;
}

int vd_worker_new(const struct vd_inspector_options *options,
		  const struct vd_worker_handlers *handlers, void *argument,
		  struct vd_worker **ret_worker)
{
	struct vd_worker *worker = calloc(1, sizeof *worker);
	struct vd_inspector_options own = *options;
	int r;

	if (!worker)
		return -ENOMEM;
	worker->handlers = *handlers;
	worker->argument = argument;
	(void)pthread_mutex_init(&worker->lock, NULL);
	(void)pthread_cond_init(&worker->changed, NULL);
	own.fits_apart = true;
	r = vd_inspector_new(&own, &worker->inspector);
	if (r == 0)
		r = -pthread_create(&worker->thread, NULL, work, worker);
	if (r < 0) {
		(void)vd_inspector_free(worker->inspector);
		free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

struct vd_worker *vd_worker_free(struct vd_worker *worker)
{
	struct job *job;

	if (!worker)
		return NULL;
	(void)pthread_mutex_lock(&worker->lock);
	worker->is_ending = true;
	(void)pthread_cond_signal(&worker->changed);
	(void)pthread_mutex_unlock(&worker->lock);
	(void)pthread_join(worker->thread, NULL);
	while ((job = pop(&worker->waiting)))
		free_job(job);
	while ((job = pop(&worker->finished)))
		free_job(job);
	(void)vd_inspector_free(worker->inspector);
	(void)pthread_cond_destroy(&worker->changed);
	(void)pthread_mutex_destroy(&worker->lock);
	free(worker);
	return NULL;
}

static void submit(struct vd_worker *worker, struct job *job)
{
	(void)pthread_mutex_lock(&worker->lock);
	push(&worker->waiting, job);
	(void)pthread_cond_signal(&worker->changed);
	(void)pthread_mutex_unlock(&worker->lock);
}

int vd_worker_submit(struct vd_worker *worker, struct vd_item **item)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return -ENOMEM;
	job->done.item = VD_TAKE(*item);
	job->done.call = -1;
	submit(worker, job);
	return 0;
}

int vd_worker_order(struct vd_worker *worker, enum vd_worker_order order, struct vd_recipe_set *set,
		    int64_t call, const struct vd_gather_order *gather)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return -ENOMEM;
	job->order = order;
	job->set = vd_recipe_set_ref(set);
	job->done.call = call;
	if (gather)
		job->gather = *gather;
	submit(worker, job);
	return 0;
}

size_t vd_worker_waiting(struct vd_worker *worker)
{
	size_t items;

	(void)pthread_mutex_lock(&worker->lock);
	items = worker->waiting.items;
	(void)pthread_mutex_unlock(&worker->lock);
	return items;
}

size_t vd_worker_in_hand(struct vd_worker *worker)
{
	size_t items;

	(void)pthread_mutex_lock(&worker->lock);
	items = worker->waiting.items + worker->has_item;
	(void)pthread_mutex_unlock(&worker->lock);
	return items;
}

bool vd_worker_is_idle(struct vd_worker *worker)
{
	bool is_idle;

	(void)pthread_mutex_lock(&worker->lock);
	is_idle = !worker->is_busy && !worker->waiting.first;
	(void)pthread_mutex_unlock(&worker->lock);
	return is_idle;
}

bool vd_worker_take(struct vd_worker *worker, struct vd_done *ret_done)
{
	struct job *job;

	(void)pthread_mutex_lock(&worker->lock);
	job = pop(&worker->finished);
	(void)pthread_mutex_unlock(&worker->lock);
	if (!job)
		return false;
	*ret_done = job->done;
	job->done = (struct vd_done){ 0 };
	free_job(job);
	return true;
}
