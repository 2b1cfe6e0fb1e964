/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/*
 * The event loop, on libevent. One a process, used by one thread. A source calls back until
 * it is freed; freeing it inside its own callback is allowed. Callbacks get the argument they
 * were made with. Folders that need libevent itself (the hub's HTTP) get the base.
 */
struct vd_loop;
struct vd_source; /* a descriptor, a timer, a signal or a child */
struct event_base;

VD_MUST int vd_loop_new(struct vd_loop **ret_loop);
struct vd_loop *vd_loop_free(struct vd_loop *loop); /* sources must be freed before */
struct event_base *vd_loop_base(struct vd_loop *loop);

/* Runs until vd_loop_stop; returns its code. Stop from a callback; the first code holds. */
int vd_loop_run(struct vd_loop *loop);
void vd_loop_stop(struct vd_loop *loop, int code);

enum { VD_READABLE = 1, VD_WRITABLE = 2 };

typedef void (*vd_fd_fn)(int fd, int ready, void *argument);
typedef void (*vd_fn)(void *argument);
typedef void (*vd_signal_fn)(int signal, void *argument);

/* The descriptor stays the caller's; free the source before closing it. Level-triggered. */
VD_MUST int vd_loop_fd(struct vd_loop *loop, int fd, int wanted, vd_fd_fn fn, void *argument,
		       struct vd_source **ret_source);
VD_MUST int vd_source_want(struct vd_source *fd_source,
			   int wanted); /* changes what is waited for */

/* A timer starts unarmed. Arming again replaces the deadline; one shot each time. */
VD_MUST int vd_loop_timer(struct vd_loop *loop, vd_fn fn, void *argument,
			  struct vd_source **ret_source);
VD_MUST int vd_timer_arm(struct vd_source *timer, uint64_t delay_ms);
void vd_timer_disarm(struct vd_source *timer);
bool vd_timer_is_armed(const struct vd_source *timer);

VD_MUST int vd_loop_signal(struct vd_loop *loop, int signal, vd_signal_fn fn, void *argument,
			   struct vd_source **ret_source);

struct vd_source *vd_source_free(struct vd_source *source); /* NULL allowed; returns NULL */
VD_DEFINE_CLEANUP(struct vd_source, vd_source_free)
VD_DEFINE_CLEANUP(struct vd_loop, vd_loop_free)
