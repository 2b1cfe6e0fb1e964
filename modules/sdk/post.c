/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/sdk/private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vd_post {
	struct vd_post *next;
	vd_fn fn;
	void *argument;
};

static struct vd_post *take_all(struct vd_post_queue *q)
{
	struct vd_post *first;

	(void)pthread_mutex_lock(&q->lock);
	first = VD_TAKE(q->first);
	q->last = &q->first;
	(void)pthread_mutex_unlock(&q->lock);
	return first;
}

static void on_wake(int fd, int ready, void *argument)
{
	struct vd_post *post;
	eventfd_t count;

	(void)ready;
	(void)eventfd_read(fd, &count);
	post = take_all(argument);
	while (post) {
		struct vd_post *next = post->next;

		post->fn(post->argument);
		free(post);
		post = next;
	}
}

int vd_post_init(struct vd_post_queue *q, struct vd_loop *loop)
{
	q->last = &q->first;
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0)
		return -errno;
	(void)pthread_mutex_init(&q->lock, NULL);
	return vd_loop_fd(loop, q->fd, VD_READABLE, on_wake, q, &q->source);
}

int vd_post_put(struct vd_post_queue *q, vd_fn fn, void *argument)
{
	struct vd_post *post = malloc(sizeof *post);
	int r = 0;

	if (!post)
		return -ENOMEM;
	*post = (struct vd_post){ .fn = fn, .argument = argument };
	(void)pthread_mutex_lock(&q->lock);
	if (q->is_closed) {
		r = -ESHUTDOWN;
	} else {
		*q->last = VD_TAKE(post);
		q->last = &(*q->last)->next;
		(void)eventfd_write(q->fd, 1);
	}
	(void)pthread_mutex_unlock(&q->lock);
	free(post);
	return r;
}

void vd_post_close(struct vd_post_queue *q)
{
	struct vd_post *post;

	(void)pthread_mutex_lock(&q->lock);
	q->is_closed = true;
	(void)pthread_mutex_unlock(&q->lock);
	post = take_all(q);
	while (post) {
		struct vd_post *next = post->next;

		free(post);
		post = next;
	}
}

void vd_post_fini(struct vd_post_queue *q)
{
	q->source = vd_source_free(q->source);
	vd_close(&q->fd);
	(void)pthread_mutex_destroy(&q->lock);
}
