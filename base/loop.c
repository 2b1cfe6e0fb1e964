/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

struct vd_loop {
	struct event_base *base;
	int code;
	bool is_stopping;
};

struct vd_source {
	struct vd_loop *loop;
	struct event *event;
	int fd;
	void *argument;
	union {
		vd_fd_fn on_fd;
		vd_fn on_time;
		vd_signal_fn on_signal;
	};
};

int vd_loop_new(struct vd_loop **ret_loop)
{
	struct event_config *config = event_config_new();
	struct vd_loop *loop = calloc(1, sizeof *loop);

	if (loop && config) {
		/* Timers must not cost a clock read a pass, nor stop in suspend's shadow. */
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		loop->base = event_base_new_with_config(config);
	}
	if (config)
		event_config_free(config);
	if (!loop || !loop->base) {
		free(loop);
		return -ENOMEM;
	}
	*ret_loop = loop;
	return 0;
}

struct vd_loop *vd_loop_free(struct vd_loop *loop)
{
	if (loop) {
		event_base_free(loop->base);
		free(loop);
	}
	return NULL;
}

struct event_base *vd_loop_base(struct vd_loop *loop)
{
	return loop->base;
}

int vd_loop_run(struct vd_loop *loop)
{
	loop->is_stopping = false;
	loop->code = 0;
	if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return -EIO;
	return loop->code;
}

void vd_loop_stop(struct vd_loop *loop, int code)
{
	if (loop->is_stopping)
		return;
	loop->is_stopping = true;
	loop->code = code;
	(void)event_base_loopbreak(loop->base);
}

static void dispatch_fd(evutil_socket_t fd, short what, void *argument)
{
	struct vd_source *s = argument;

	s->on_fd(fd, (what & EV_READ ? VD_READABLE : 0) | (what & EV_WRITE ? VD_WRITABLE : 0),
		 s->argument);
}

static void dispatch_time(evutil_socket_t fd, short what, void *argument)
{
	struct vd_source *s = argument;

	(void)fd;
	(void)what;
	s->on_time(s->argument);
}

static void dispatch_signal(evutil_socket_t signal, short what, void *argument)
{
	struct vd_source *s = argument;

	(void)what;
	s->on_signal(signal, s->argument);
}

static short event_flags(int wanted)
{
	return (short)((wanted & VD_READABLE ? EV_READ : 0) |
		       (wanted & VD_WRITABLE ? EV_WRITE : 0) | EV_PERSIST);
}

static int make_source(struct vd_loop *loop, int fd, short flags, event_callback_fn dispatch,
		       void *argument, struct vd_source **ret_source)
{
	struct vd_source *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	*s = (struct vd_source){ .loop = loop, .fd = fd, .argument = argument };
	s->event = event_new(loop->base, fd, flags, dispatch, s);
	if (!s->event) {
		free(s);
		return -ENOMEM;
	}
	*ret_source = s;
	return 0;
}

static int add_or_free(struct vd_source **source)
{
	if (event_add((*source)->event, NULL) == 0)
		return 0;
	*source = vd_source_free(*source);
	return -EBADF;
}

int vd_loop_fd(struct vd_loop *loop, int fd, int wanted, vd_fd_fn fn, void *argument,
	       struct vd_source **ret_source)
{
	struct vd_source *s = NULL;
	int r = make_source(loop, fd, event_flags(wanted), dispatch_fd, argument, &s);

	if (r < 0)
		return r;
	s->on_fd = fn;
	r = add_or_free(&s);
	if (r == 0)
		*ret_source = s;
	return r;
}

int vd_source_want(struct vd_source *s, int wanted)
{
	if (event_del(s->event) < 0 ||
	    event_assign(s->event, s->loop->base, s->fd, event_flags(wanted), dispatch_fd, s) < 0)
		return -EINVAL;
	if (!wanted)
		return 0;
	return event_add(s->event, NULL) < 0 ? -EBADF : 0;
}

int vd_loop_timer(struct vd_loop *loop, vd_fn fn, void *argument, struct vd_source **ret_source)
{
	int r = make_source(loop, -1, 0, dispatch_time, argument, ret_source);

	if (r == 0)
		(*ret_source)->on_time = fn;
	return r;
}

int vd_timer_arm(struct vd_source *timer, uint64_t delay_ms)
{
	struct timeval delay = { .tv_sec = (time_t)(delay_ms / 1000),
				 .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000) };

	return event_add(timer->event, &delay) < 0 ? -EINVAL : 0;
}

void vd_timer_disarm(struct vd_source *timer)
{
	(void)event_del(timer->event);
}

bool vd_timer_is_armed(const struct vd_source *timer)
{
	return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
}

int vd_loop_signal(struct vd_loop *loop, int signal, vd_signal_fn fn, void *argument,
		   struct vd_source **ret_source)
{
	struct vd_source *s = NULL;
	int r = make_source(loop, signal, EV_SIGNAL | EV_PERSIST, dispatch_signal, argument, &s);

	if (r < 0)
		return r;
	s->on_signal = fn;
	r = add_or_free(&s);
	if (r == 0)
		*ret_source = s;
	return r;
}

struct vd_source *vd_source_free(struct vd_source *source)
{
	if (source) {
		event_free(source->event);
		free(source);
	}
	return NULL;
}
