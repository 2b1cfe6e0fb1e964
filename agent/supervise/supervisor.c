/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which modules should run, in which order. Callers only note what they want; the planner, a
 * timer that is due at once, carries it out from the loop. So callbacks may call anything
 * here, and nothing is freed under anybody's feet.
 */
#include "agent/supervise/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent/supervise/child.h"
#include "agent/supervise/process_limits.h"
#include "base/clock.h"
#include "base/log.h"

enum { REAP_BATCH = 256 };

struct vd_child *vd_supervisor_find(struct vd_supervisor *s, const char *instance)
{
	struct vd_child *c = s->children;

	while (c && strcmp(c->spec->instance, instance) != 0)
		c = c->next;
	return c;
}

void vd_supervisor_plan(struct vd_supervisor *s)
{
	if (vd_timer_arm(s->planner, 0) < 0)
		vd_log(VD_ERROR, "supervisor.noTimer", "the next change plans for this one");
}

/* --- The planner --- */

static bool is_down(const struct vd_child *c)
{
	return c->state == VD_STATE_STOPPED || c->state == VD_STATE_FAILED;
}

static void free_removed(struct vd_supervisor *s)
{
	struct vd_child **at = &s->children;

	while (*at) {
		struct vd_child *c = *at;

		if (!c->is_leaving || c->state != VD_STATE_STOPPED) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		vd_limits_forget(s->cgroup_folder, c->spec->instance);
		vd_child_set_state(c, VD_STATE_ABSENT, NULL);
		(void)vd_child_free(c);
	}
}

static bool is_held_back(const struct vd_supervisor *s, const struct vd_child *c)
{
	for (const struct vd_child *other = s->children; other; other = other->next) {
		if (other->is_wanted && !other->is_settled &&
		    other->spec->startup_order < c->spec->startup_order)
			return true;
	}
	return false;
}

/* When the first of those that hold others back has had its time; UINT64_MAX: nobody does. */
static uint64_t settle(struct vd_supervisor *s, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	for (struct vd_child *c = s->children; c; c = c->next) {
		if (now_ms >= c->settle_by_ms)
			c->is_settled = true;
		if (!c->is_settled && c->settle_by_ms < next)
			next = c->settle_by_ms;
	}
	return next;
}

static void start_waiting(struct vd_supervisor *s)
{
	uint64_t now = vd_clock_mono_ms(), next = settle(s, now);

	for (struct vd_child *c = s->children; c; c = c->next) {
		if (c->state == VD_STATE_WAITING && !is_held_back(s, c))
			vd_child_launch(c);
	}
	if (next != UINT64_MAX && !vd_timer_is_armed(s->planner) &&
	    vd_timer_arm(s->planner, next - now) < 0)
		vd_log(VD_ERROR, "supervisor.noTimer", "the next change plans for this one");
}

/* One startup order after the other, from the highest. */
static void stop_next_group(struct vd_supervisor *s)
{
	const struct vd_child *last = NULL;

	for (const struct vd_child *c = s->children; c; c = c->next) {
		if (!is_down(c) && (!last || c->spec->startup_order > last->spec->startup_order))
			last = c;
	}
	if (!last) {
		vd_fn done = VD_TAKE(s->on_all_stopped);

		if (done)
			done(s->argument);
		return;
	}
	for (struct vd_child *c = s->children; c; c = c->next) {
		if (c->spec->startup_order == last->spec->startup_order)
			vd_child_ask_to_stop(c);
	}
}

static void on_plan(void *argument)
{
	struct vd_supervisor *s = argument;

	free_removed(s);
	if (s->is_stopping_all)
		stop_next_group(s);
	else
		start_waiting(s);
}

/* --- Orphans: what a module left behind when it died is our child now --- */

static struct vd_child *find_pid(struct vd_supervisor *s, pid_t pid)
{
	struct vd_child *c = s->children;

	while (c && c->pid != pid)
		c = c->next;
	return c;
}

static void on_child_signal(int number, void *argument)
{
	struct vd_supervisor *s = argument;

	(void)number;
	for (int i = 0; i < REAP_BATCH; i++) {
		siginfo_t info = { .si_pid = 0 };
		struct vd_child *c;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		c = find_pid(s, info.si_pid);
		if (c)
			vd_child_reap(c);
		else
			(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

/* --- What callers want --- */

static int put(struct vd_supervisor *s, const struct vd_module_spec *spec, struct vd_child *c)
{
	struct vd_module_spec *copy = NULL;
	int r = vd_spec_copy(spec, &copy);

	if (r < 0)
		return r;
	(void)vd_spec_free(c->spec);
	c->spec = copy;
	c->is_leaving = false;
	vd_supervisor_plan(s);
	return c->running && !vd_spec_is_same_process(c->running, copy) ? VD_SUPERVISOR_DIFFERS : 0;
}

int vd_supervisor_put(struct vd_supervisor *s, const struct vd_module_spec *spec,
		      struct vd_fault *fault)
{
	struct vd_child *c;
	int r = vd_spec_check(spec, fault);

	if (r < 0)
		return r;
	c = vd_supervisor_find(s, spec->instance);
	if (c)
		return put(s, spec, c);
	r = vd_child_new(s, spec, &c);
	if (r < 0)
		return r;
	c->next = s->children;
	s->children = c;
	vd_child_set_state(c, VD_STATE_STOPPED, NULL);
	return 0;
}

int vd_supervisor_replace(struct vd_supervisor *s, const struct vd_module_spec *spec,
			  struct vd_fault *fault)
{
	struct vd_child *c;
	int r = vd_supervisor_put(s, spec, fault);

	if (r < 0)
		return r;
	c = vd_supervisor_find(s, spec->instance);
	/* One in back-off starts with the new spec, and owes nothing for the old one's failures. */
	if (c->is_wanted && (r == VD_SUPERVISOR_DIFFERS || c->state == VD_STATE_BACKOFF ||
			     c->state == VD_STATE_FAILED))
		return vd_supervisor_restart(s, spec->instance);
	return 0;
}

static void want_up(struct vd_child *c)
{
	c->is_wanted = true;
	c->is_leaving = false;
	if (c->state == VD_STATE_STOPPING) {
		c->is_again = true;
	} else if (is_down(c)) {
		c->restart.failures = 0;
		vd_child_set_state(c, VD_STATE_WAITING, NULL);
	}
}

static void want_down(struct vd_child *c)
{
	c->is_wanted = false;
	c->is_again = false;
	vd_child_ask_to_stop(c);
}

int vd_supervisor_start(struct vd_supervisor *s, const char *instance)
{
	struct vd_child *c = vd_supervisor_find(s, instance);

	if (!c)
		return -ENOENT;
	want_up(c);
	return 0;
}

int vd_supervisor_stop(struct vd_supervisor *s, const char *instance)
{
	struct vd_child *c = vd_supervisor_find(s, instance);

	if (!c)
		return -ENOENT;
	want_down(c);
	return 0;
}

int vd_supervisor_restart(struct vd_supervisor *s, const char *instance)
{
	struct vd_child *c = vd_supervisor_find(s, instance);

	if (!c)
		return -ENOENT;
	c->restart.failures = 0;
	c->is_wanted = true;
	if (c->state == VD_STATE_STARTING || c->state == VD_STATE_READY) {
		c->is_again = true;
		vd_child_ask_to_stop(c);
	} else if (c->state == VD_STATE_BACKOFF) {
		vd_child_retry_now(c);
	} else {
		want_up(c);
	}
	return 0;
}

int vd_supervisor_remove(struct vd_supervisor *s, const char *instance)
{
	struct vd_child *c = vd_supervisor_find(s, instance);

	if (!c)
		return -ENOENT;
	c->is_leaving = true;
	want_down(c);
	vd_supervisor_plan(s);
	return 0;
}

void vd_supervisor_stop_all(struct vd_supervisor *s, vd_fn on_done)
{
	s->is_stopping_all = true;
	s->on_all_stopped = on_done;
	for (struct vd_child *c = s->children; c; c = c->next) {
		c->is_wanted = false;
		c->is_again = false;
	}
	vd_supervisor_plan(s);
}

int vd_supervisor_send(struct vd_supervisor *s, const char *instance, const cJSON *packet,
		       const int *fds, unsigned fd_count)
{
	struct vd_child *c = vd_supervisor_find(s, instance);

	return c ? vd_child_send(c, packet, fds, fd_count) : -ENOENT;
}

/* --- Looking --- */

static struct vd_module_status status_of(const struct vd_child *c)
{
	uint64_t now = vd_clock_mono_ms();

	return (struct vd_module_status){
		.instance = c->spec->instance,
		.state = c->state,
		.pid = c->pid,
		.name = c->name,
		.version = c->version,
		.since_mono_ms = c->since_ms,
		.ready_after_ms = c->state == VD_STATE_READY ? c->ready_ms - c->started_ms : 0,
		.starts = c->starts,
		.failures = c->restart.failures,
		.retry_in_ms = c->state == VD_STATE_BACKOFF && c->retry_at_ms > now
				       ? (uint32_t)(c->retry_at_ms - now)
				       : 0,
		.work = c->liveness.work,
		.is_due = c->liveness.is_due,
		.packets_in = c->packets_in,
		.packets_out = c->packets_out,
		.unknown_packets = c->unknown_packets,
		.refused_sends = c->refused_sends,
		.lines_suppressed = c->lines_suppressed,
	};
}

int vd_supervisor_status(struct vd_supervisor *s, const char *instance,
			 struct vd_module_status *ret_status)
{
	const struct vd_child *c = vd_supervisor_find(s, instance);

	if (!c)
		return -ENOENT;
	*ret_status = status_of(c);
	return 0;
}

/* Does a come after b? */
static bool is_after(const struct vd_child *a, const struct vd_child *b)
{
	if (a->spec->startup_order != b->spec->startup_order)
		return a->spec->startup_order > b->spec->startup_order;
	return strcmp(a->spec->instance, b->spec->instance) > 0;
}

static const struct vd_child *next_in_order(const struct vd_supervisor *s,
					    const struct vd_child *previous)
{
	const struct vd_child *best = NULL;

	for (const struct vd_child *c = s->children; c; c = c->next) {
		if ((!previous || is_after(c, previous)) && (!best || is_after(best, c)))
			best = c;
	}
	return best;
}

void vd_supervisor_each(struct vd_supervisor *s,
			void (*fn)(const struct vd_module_status *status, void *argument),
			void *argument)
{
	for (const struct vd_child *c = next_in_order(s, NULL); c; c = next_in_order(s, c)) {
		const struct vd_module_status status = status_of(c);

		fn(&status, argument);
	}
}

int vd_supervisor_lines(struct vd_supervisor *s, const char *instance,
			void (*fn)(int64_t wall_ms, const char *line, void *argument),
			void *argument)
{
	const struct vd_child *c = vd_supervisor_find(s, instance);

	if (!c)
		return -ENOENT;
	for (uint64_t n = vd_lines_first(&c->lines); n < c->lines.count; n++) {
		const struct vd_line *line = vd_lines_at(&c->lines, n);

		fn(line->wall_ms, line->text, argument);
	}
	return 0;
}

/* --- Lifetime --- */

int vd_supervisor_new(struct vd_loop *loop, const struct vd_supervisor_handlers *handlers,
		      const char *cgroup_folder, void *argument,
		      struct vd_supervisor **ret_supervisor)
{
	VD_CLEANUP(vd_supervisor_free) struct vd_supervisor *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->handlers = *handlers;
	s->argument = argument;
	if (cgroup_folder && !(s->cgroup_folder = strdup(cgroup_folder)))
		return -ENOMEM;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	r = vd_loop_timer(loop, on_plan, s, &s->planner);
	if (r == 0)
		r = vd_loop_signal(loop, SIGCHLD, on_child_signal, s, &s->orphans);
	if (r == 0)
		*ret_supervisor = VD_TAKE(s);
	return r;
}

struct vd_supervisor *vd_supervisor_free(struct vd_supervisor *s)
{
	if (!s)
		return NULL;
	while (s->children) {
		struct vd_child *c = s->children;

		s->children = c->next;
		(void)vd_child_free(c);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	while (s->routes) {
		struct vd_route *r = s->routes;

		s->routes = r->next;
		(void)vd_route_free(r);
	}
	s->planner = vd_source_free(s->planner);
	s->orphans = vd_source_free(s->orphans);
	free(s->cgroup_folder);
	free(s);
	return NULL;
}
