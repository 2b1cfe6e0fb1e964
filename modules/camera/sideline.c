/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/sideline.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOWEST_PRIORITY = 19 };

struct list {
	struct vd_job *first, **last;
};

struct vd_sideline {
	void (*wake)(void *argument);
	void *argument;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list waiting, finished;
	bool is_stopping;
};

static void append(struct list *list, struct vd_job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
}

static struct vd_job *take_first(struct list *list)
{
	struct vd_job *job = list->first;

	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->last = &list->first;
	return job;
}

/* NULL: the end. */
static struct vd_job *wait_for_job(struct vd_sideline *s)
{
	struct vd_job *job;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->waiting.first && !s->is_stopping)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	job = take_first(&s->waiting);
	(void)pthread_mutex_unlock(&s->lock);
	return job;
}

static void finish(struct vd_sideline *s, struct vd_job *job)
{
	(void)pthread_mutex_lock(&s->lock);
	append(&s->finished, job);
	(void)pthread_mutex_unlock(&s->lock);
	s->wake(s->argument);
}

static void *run(void *argument)
{
	struct vd_sideline *s = argument;
	struct vd_job *job;

	/* A thread's own, in Linux. Without it the work is only less polite. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST_PRIORITY);
	while ((job = wait_for_job(s))) {
		job->run(job);
		finish(s, job);
	}
	return NULL;
}

int vd_sideline_new(void (*wake)(void *argument), void *argument, struct vd_sideline **ret_sideline)
{
	struct vd_sideline *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->wake = wake;
	s->argument = argument;
	s->waiting.last = &s->waiting.first;
	s->finished.last = &s->finished.first;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->changed, NULL);
	r = -pthread_create(&s->thread, NULL, run, s);
	if (r < 0) {
		(void)pthread_cond_destroy(&s->changed);
		(void)pthread_mutex_destroy(&s->lock);
		free(s);
		return r;
	}
	*ret_sideline = s;
	return 0;
}

struct vd_sideline *vd_sideline_free(struct vd_sideline *s)
{
	struct vd_job *job;

	if (!s)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	s->is_stopping = true;
	(void)pthread_cond_signal(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	while ((job = take_first(&s->finished)))
		job->drop(job);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

void vd_sideline_put(struct vd_sideline *s, struct vd_job *job)
{
	(void)pthread_mutex_lock(&s->lock);
	append(&s->waiting, job);
	(void)pthread_cond_signal(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}

void vd_sideline_settle(struct vd_sideline *s)
{
	struct vd_job *job;

	do {
		(void)pthread_mutex_lock(&s->lock);
		job = take_first(&s->finished);
		(void)pthread_mutex_unlock(&s->lock);
		if (job)
			job->done(job);
	} while (job);
}
