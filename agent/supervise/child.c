/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One module's process, from spawn to evidence. A death is always handled in the same place
 * and order (vd_child_reap): kill what is left of its group, reap it, hear its last packets
 * and lines, draw up the evidence, and only then decide what comes next.
 */
#include "agent/supervise/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/supervise/process_limits.h"
#include "agent/supervise/spawn.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	PROTOCOL = 1,
	MISSES = 3,
	KILL_AFTER_MS = 2000, /* SIGTERM to SIGKILL, at most */
	DEAF_MS = 500,        /* a process may outlive its channel by this */
	DRAIN_PACKETS = 4096, /* last words that are still heard */
	LOG_CHUNK = 16384,
	LINES_A_SECOND = 100, /* in our log; all lines are kept for `logs` */
};

static const char *const state_names[] = {
	[VD_STATE_ABSENT] = "absent",   [VD_STATE_STOPPED] = "stopped",
	[VD_STATE_WAITING] = "waiting", [VD_STATE_STARTING] = "starting",
	[VD_STATE_READY] = "ready",     [VD_STATE_STOPPING] = "stopping",
	[VD_STATE_BACKOFF] = "backoff", [VD_STATE_FAILED] = "failed",
};

#define TO(state) (1U << VD_STATE_##state)

/* From each state, those that may follow. */
static const unsigned may_follow[] = {
	[VD_STATE_ABSENT] = TO(STOPPED),
	[VD_STATE_STOPPED] = TO(WAITING) | TO(ABSENT),
	[VD_STATE_WAITING] = TO(STARTING) | TO(BACKOFF) | TO(FAILED) | TO(STOPPED),
	[VD_STATE_STARTING] = TO(READY) | TO(STOPPING) | TO(BACKOFF) | TO(FAILED) | TO(STOPPED),
	[VD_STATE_READY] = TO(STOPPING) | TO(BACKOFF) | TO(FAILED) | TO(STOPPED),
	[VD_STATE_STOPPING] = TO(STOPPED),
	[VD_STATE_BACKOFF] = TO(STARTING) | TO(BACKOFF) | TO(FAILED) | TO(STOPPED),
	[VD_STATE_FAILED] = TO(WAITING) | TO(STOPPED),
};

const char *vd_state_name(enum vd_state state)
{
	return state_names[state];
}

void vd_child_set_state(struct vd_child *c, enum vd_state state, const struct vd_evidence *evidence)
{
	struct vd_supervisor *s = c->supervisor;
	enum vd_state old = c->state;

	assert(may_follow[old] & 1U << state);
	c->state = state;
	c->since_ms = vd_clock_mono_ms();
	if (state == VD_STATE_READY || state == VD_STATE_FAILED || state == VD_STATE_STOPPED)
		c->is_settled = true;
	if (state == VD_STATE_WAITING) {
		c->is_settled = false;
		c->settle_by_ms = UINT64_MAX;
	}
	vd_log(VD_INFO, "module.state", "module=%s from=%s to=%s", c->spec->instance,
	       vd_state_name(old), vd_state_name(state));
	vd_supervisor_plan(s);
	s->handlers.on_state(c->spec->instance, old, state, evidence, s->argument);
}

/* Only memory can fail here; then the deadline passes at once by the loop's next turn. */
static void arm(struct vd_source *timer, uint64_t delay_ms)
{
	int r = vd_timer_arm(timer, delay_ms);

	if (r < 0)
		vd_log(VD_ERROR, "supervisor.noTimer", "error=%d", r);
}

static void signal_group(const struct vd_child *c, int number)
{
	/* By the group, while the leader is not reaped: the number cannot mean anybody else. */
	if (c->pid > 0 && kill(-c->pid, number) < 0 && errno != ESRCH)
		vd_log(VD_WARN, "module.signalFailed", "module=%s signal=%d error=%d",
		       c->spec->instance, number, errno);
}

static void doom(struct vd_child *c, enum vd_cause cause, const char *format, ...) VD_PRINTF(3, 4);

static void doom(struct vd_child *c, enum vd_cause cause, const char *format, ...)
{
	va_list args;

	if (c->is_doomed || c->pid == 0)
		return;
	c->is_doomed = true;
	c->cause = cause;
	va_start(args, format);
	(void)vsnprintf(c->cause_text, sizeof c->cause_text, format, args);
	va_end(args);
	signal_group(c, SIGKILL);
}

/* --- Packets --- */

static int fill_start(struct vd_child *c, const cJSON *hello, cJSON *start)
{
	struct vd_supervisor *s = c->supervisor;

	if (!start || !vd_json_add_string(start, "type", "start") ||
	    !vd_json_add_string(start, "instance", c->spec->instance) ||
	    !vd_json_add_number(start, "heartbeatMs", c->running->heartbeat_ms))
		return -ENOMEM;
	return s->handlers.on_hello(c->spec->instance, hello, start, s->argument);
}

static void on_hello(struct vd_child *c, struct vd_packet *packet)
{
	VD_CLEANUP(vd_json_free) cJSON *start = cJSON_CreateObject();
	int64_t protocol = vd_json_int(packet->json, "protocol", -1);
	int r;

	if (c->is_doomed || c->state == VD_STATE_STOPPING)
		return;
	if (c->has_hello) {
		doom(c, VD_CAUSE_PROTOCOL, "said hello twice");
		return;
	}
	if (protocol != PROTOCOL) {
		doom(c, VD_CAUSE_PROTOCOL, "speaks protocol %lld, this agent speaks %d",
		     (long long)protocol, PROTOCOL);
		return;
	}
	(void)snprintf(c->name, sizeof c->name, "%s", vd_json_string(packet->json, "name", ""));
	(void)snprintf(c->version, sizeof c->version, "%s",
		       vd_json_string(packet->json, "version", ""));
	r = fill_start(c, packet->json, start);
	c->has_hello = true; /* from here on others may send, but not before start */
	if (r == 0)
		r = vd_child_send(c, start, NULL, 0);
	if (r != 0)
		doom(c, VD_CAUSE_PROTOCOL, "could not be sent its start packet (%d)", r);
}

static void watch(struct vd_child *c, uint64_t now_ms)
{
	uint64_t deadline = vd_liveness_deadline_ms(&c->liveness);

	arm(c->life, deadline > now_ms ? deadline - now_ms : 0);
}

static void on_ready(struct vd_child *c, struct vd_packet *packet)
{
	uint64_t now = vd_clock_mono_ms();

	(void)packet;
	if (c->state != VD_STATE_STARTING || c->is_doomed)
		return;
	vd_timer_disarm(c->deadline);
	c->ready_ms = now;
	c->was_ready = true;
	vd_liveness_begin(&c->liveness, now);
	watch(c, now);
	vd_child_set_state(c, VD_STATE_READY, NULL);
	if (c->state == VD_STATE_READY)
		vd_route_join_all_of(c->supervisor, c->spec->instance);
}

static void on_alive(struct vd_child *c, struct vd_packet *packet)
{
	uint64_t now = vd_clock_mono_ms();
	int64_t work = vd_json_int(packet->json, "work", 0);

	if (c->state != VD_STATE_READY)
		return;
	vd_liveness_alive(&c->liveness, now, (uint64_t)work,
			  vd_json_bool(packet->json, "due", false));
	watch(c, now);
}

static void forward(struct vd_child *c, struct vd_packet *packet)
{
	struct vd_supervisor *s = c->supervisor;

	s->handlers.on_packet(c->spec->instance, packet, s->argument);
}

/* It runs on and waits for better parameters: that is neither its death nor a missed deadline. */
static void on_refused(struct vd_child *c, struct vd_packet *packet)
{
	if (c->state == VD_STATE_STARTING) {
		vd_timer_disarm(c->deadline);
		c->is_settled = true;
		vd_supervisor_plan(c->supervisor);
	}
	forward(c, packet);
}

static void forward_unknown(struct vd_child *c, struct vd_packet *packet)
{
	c->unknown_packets++;
	forward(c, packet);
}

static const struct {
	const char *type;
	void (*fn)(struct vd_child *c, struct vd_packet *packet);
} packet_types[] = {
	{ "alive", on_alive }, { "publish", forward }, { "report", forward },
	{ "answer", forward }, { "applied", forward }, { "refused", on_refused },
	{ "ready", on_ready }, { "hello", on_hello },
};

static void on_packet(struct vd_packet *packet, void *argument)
{
	struct vd_child *c = argument;
	const char *type = vd_packet_type(packet);

	c->packets_in++;
	if (!c->has_hello && strcmp(type, "hello") != 0) {
		doom(c, VD_CAUSE_PROTOCOL, "said \"%.32s\" before hello", type);
		return;
	}
	for (size_t i = 0; i < VD_COUNT(packet_types); i++) {
		if (!strcmp(packet_types[i].type, type)) {
			packet_types[i].fn(c, packet);
			return;
		}
	}
	forward_unknown(c, packet);
}

/* Nothing can be heard from it any more, so silence means nothing. */
static void wait_for_exit(struct vd_child *c)
{
	vd_timer_disarm(c->life);
	arm(c->deadline, DEAF_MS);
}

/* Usually the first sign of an exit; the exit itself follows within microseconds. */
static void on_closed(enum vd_channel_end end, const struct vd_fault *fault, void *argument)
{
	struct vd_child *c = argument;

	c->is_deaf = true;
	if (end != VD_CHANNEL_EOF)
		doom(c, VD_CAUSE_PROTOCOL, "malformed packet: %s%s%s", fault->pointer,
		     fault->pointer[0] ? ": " : "", fault->text);
	else if (c->state == VD_STATE_STARTING || c->state == VD_STATE_READY)
		wait_for_exit(c);
}

int vd_child_send(struct vd_child *c, const cJSON *packet, const int *fds, unsigned fd_count)
{
	int r;

	if (!c->channel || c->is_deaf || !c->has_hello)
		return VD_SUPERVISOR_DOWN;
	r = vd_channel_send(c->channel, packet, fds, fd_count);
	if (r == 0)
		c->packets_out++;
	if (r == VD_CHANNEL_FULL) {
		c->refused_sends++;
		return VD_SUPERVISOR_FULL;
	}
	return r == VD_CHANNEL_GONE ? VD_SUPERVISOR_DOWN : r;
}

/* --- Log lines --- */

static bool may_log_line(struct vd_child *c)
{
	uint64_t second = vd_clock_mono_ms() / 1000;

	if (second != c->line_second) {
		c->line_second = second;
		c->lines_in_second = 0;
	}
	return ++c->lines_in_second <= LINES_A_SECOND;
}

static void on_line(const struct vd_line *line, void *argument)
{
	struct vd_child *c = argument;
	struct vd_supervisor *s = c->supervisor;

	if (may_log_line(c))
		vd_log(line->level, "module.line", "module=%s %s", c->spec->instance, line->text);
	else if (c->lines_suppressed++ % 1000 == 0)
		vd_log(VD_WARN, "module.linesSuppressed", "module=%s count=%llu", c->spec->instance,
		       (unsigned long long)c->lines_suppressed);
	if (s->handlers.on_line)
		s->handlers.on_line(c->spec->instance, line->text, s->argument);
}

/* Whether there may be more. */
static bool read_log(struct vd_child *c)
{
	char data[LOG_CHUNK];
	ssize_t n = read(c->log_fd, data, sizeof data);

	if (n > 0)
		vd_lines_feed(&c->lines, data, (size_t)n, vd_clock_wall_ms(), on_line, c);
	else if (n == 0)
		c->log_source = vd_source_free(c->log_source);
	return n > 0;
}

static void on_log(int fd, int ready, void *argument)
{
	(void)fd;
	(void)ready;
	(void)read_log(argument);
}

/* What a descendant outside the group may still write is of no interest any more. */
static void finish_log(struct vd_child *c)
{
	for (int i = 0; i < 64 && read_log(c); i++)
		;
	vd_lines_finish(&c->lines, vd_clock_wall_ms(), on_line, c);
	c->log_source = vd_source_free(c->log_source);
	vd_close(&c->log_fd);
}

/* --- Death --- */

static uint64_t in_us(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

/* The memory killer sends SIGKILL, as we and anybody may: its counter tells who it was. */
static enum vd_oom find_oom(const struct vd_child *c, int number)
{
	if (number != SIGKILL || c->is_doomed || c->state == VD_STATE_STOPPING)
		return VD_OOM_NO;
	return vd_limits_oom_kills(c->supervisor->cgroup_folder, c->spec->instance) > c->oom_kills
		       ? VD_OOM_LIKELY
		       : VD_OOM_NO;
}

static void describe_status(struct vd_evidence *e)
{
	if (e->signal)
		(void)snprintf(e->text, sizeof e->text, "signal %d (%s)%s%s", e->signal,
			       strsignal(e->signal), e->core_dumped ? ", core dumped" : "",
			       e->oom ? ", out of memory" : "");
	else
		(void)snprintf(e->text, sizeof e->text, "exit status %d", e->exit_code);
}

static enum vd_cause cause_of(const struct vd_child *c, const struct vd_evidence *e)
{
	if (c->is_doomed)
		return c->cause;
	if (c->state == VD_STATE_STOPPING)
		return VD_CAUSE_STOPPED;
	return e->signal ? VD_CAUSE_KILLED : VD_CAUSE_EXITED;
}

static void add_last_lines(const struct vd_child *c, struct vd_evidence *e)
{
	uint64_t first = vd_lines_first(&c->lines);

	if (first < c->first_line)
		first = c->first_line;
	if (c->lines.count - first > VD_EVIDENCE_LINES)
		first = c->lines.count - VD_EVIDENCE_LINES;
	for (uint64_t n = first; n < c->lines.count; n++)
		e->lines[e->line_count++] = vd_lines_at(&c->lines, n)->text;
}

static struct vd_evidence make_evidence(const struct vd_child *c, int status,
					const struct rusage *use)
{
	struct vd_evidence e = {
		.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status),
		.was_ready = c->was_ready,
		.wall_ms = vd_clock_wall_ms(),
		.ran_ms = vd_clock_mono_ms() - c->started_ms,
		.restarts = c->starts - 1,
		.user_us = in_us(&use->ru_utime),
		.system_us = in_us(&use->ru_stime),
		.max_rss_bytes = (uint64_t)use->ru_maxrss * 1024,
	};

	e.oom = find_oom(c, e.signal);
	e.cause = cause_of(c, &e);
	if (c->is_doomed)
		(void)snprintf(e.text, sizeof e.text, "%s", c->cause_text);
	else
		describe_status(&e);
	add_last_lines(c, &e);
	return e;
}

static void forget_process(struct vd_child *c)
{
	c->exit_source = vd_source_free(c->exit_source);
	vd_close(&c->pidfd);
	c->channel = vd_channel_free(c->channel);
	vd_timer_disarm(c->deadline);
	vd_timer_disarm(c->life);
	c->running = vd_spec_free(c->running);
}

static enum vd_ending ending_of(const struct vd_evidence *e)
{
	if (e->cause == VD_CAUSE_HUNG || e->cause == VD_CAUSE_NOT_READY)
		return VD_ENDING_UNHEALTHY;
	return e->cause == VD_CAUSE_EXITED && e->exit_code == 0 ? VD_ENDING_CLEAN
								: VD_ENDING_FAILED;
}

static void decide_restart(struct vd_child *c, const struct vd_evidence *e)
{
	enum vd_ending ending = ending_of(e);
	uint32_t delay = 0;
	int r;

	c->restart.first_ms = c->spec->back_off_first_ms;
	c->restart.limit_ms = c->spec->back_off_limit_ms;
	c->restart.healthy_ms = c->spec->healthy_ms;
	r = vd_restart_next(&c->restart, c->spec->policy, ending, e->ran_ms, &delay);
	if (r == 0) {
		c->retry_at_ms = vd_clock_mono_ms() + delay;
		arm(c->deadline, delay);
		vd_child_set_state(c, VD_STATE_BACKOFF, e);
	} else {
		vd_child_set_state(
			c, ending == VD_ENDING_CLEAN ? VD_STATE_STOPPED : VD_STATE_FAILED, e);
	}
}

static void after_stop(struct vd_child *c, const struct vd_evidence *e)
{
	vd_child_set_state(c, VD_STATE_STOPPED, e);
	if (c->state != VD_STATE_STOPPED || !c->is_wanted || !c->is_again)
		return;
	c->is_again = false;
	vd_child_set_state(c, VD_STATE_WAITING, NULL);
	if (c->state == VD_STATE_WAITING)
		vd_child_launch(c);
}

static void log_end(const struct vd_child *c, const struct vd_evidence *e)
{
	vd_log(e->cause == VD_CAUSE_STOPPED ? VD_INFO : VD_WARN, "module.ended",
	       "module=%s cause=%s text=\"%s\" ranMs=%llu restarts=%u maxRssBytes=%llu",
	       c->spec->instance, vd_cause_name(e->cause), e->text, (unsigned long long)e->ran_ms,
	       e->restarts, (unsigned long long)e->max_rss_bytes);
}

static bool has_ended(const struct vd_child *c)
{
	siginfo_t info = { .si_pid = 0 };

	return c->pid > 0 &&
	       waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == c->pid;
}

void vd_child_reap(struct vd_child *c)
{
	struct vd_evidence e;
	struct rusage use;
	int status;

	if (!has_ended(c))
		return;
	signal_group(c, SIGKILL);
	if (wait4(c->pid, &status, WNOHANG, &use) != c->pid)
		return;
	c->pid = 0; /* the number is free for others from now on */
	if (c->channel && !c->is_deaf)
		vd_channel_drain(c->channel, DRAIN_PACKETS);
	finish_log(c);
	e = make_evidence(c, status, &use);
	log_end(c, &e);
	forget_process(c);
	/* Asked to stop while its last words were heard: then that is what it did. */
	if (c->state == VD_STATE_STOPPING || !c->is_wanted)
		after_stop(c, &e);
	else
		decide_restart(c, &e);
}

static void on_exit_ready(int fd, int ready, void *argument)
{
	(void)fd;
	(void)ready;
	vd_child_reap(argument);
}

/* --- Deadlines --- */

static void escalate(struct vd_child *c)
{
	uint32_t patience = c->spec->stop_timeout_ms;

	if (c->stop_stage++ == 0) {
		signal_group(c, SIGTERM);
		/* A stopped process could not even die of it. */
		signal_group(c, SIGCONT);
		arm(c->deadline, patience < KILL_AFTER_MS ? patience : KILL_AFTER_MS);
	} else {
		signal_group(c, SIGKILL);
	}
}

static void on_deadline(void *argument)
{
	struct vd_child *c = argument;

	if (c->state == VD_STATE_BACKOFF)
		vd_child_launch(c);
	else if (c->state == VD_STATE_STOPPING)
		escalate(c);
	else if (c->is_deaf)
		doom(c, VD_CAUSE_PROTOCOL, "closed descriptor 3 and went on running");
	else if (c->state == VD_STATE_STARTING)
		doom(c, VD_CAUSE_NOT_READY, "not ready after %u ms%s", c->spec->ready_timeout_ms,
		     c->has_hello ? "" : ", not even hello");
}

static void on_life(void *argument)
{
	struct vd_child *c = argument;
	uint64_t now;
	enum vd_life life;

	/* What it said may be waiting behind our own lateness. */
	if (c->channel && !c->is_deaf)
		vd_channel_drain(c->channel, DRAIN_PACKETS);
	if (c->state != VD_STATE_READY || c->is_doomed)
		return;
	now = vd_clock_mono_ms();
	life = vd_liveness_check(&c->liveness, now);
	if (life == VD_LIFE_GOOD)
		watch(c, now);
	else if (life == VD_LIFE_SILENT)
		doom(c, VD_CAUSE_HUNG, "no alive for %llu ms",
		     (unsigned long long)(now - c->liveness.alive_ms));
	else
		doom(c, VD_CAUSE_HUNG, "work is due, and none was done for %llu ms",
		     (unsigned long long)(now - c->liveness.progress_ms));
}

/* --- Start and stop --- */

static void begin_run(struct vd_child *c)
{
	c->started_ms = vd_clock_mono_ms();
	c->ready_ms = 0;
	c->has_hello = false;
	c->is_deaf = false;
	c->was_ready = false;
	c->is_doomed = false;
	c->stop_stage = 0;
	c->first_line = c->lines.count;
	c->name[0] = '\0';
	c->version[0] = '\0';
	c->liveness = (struct vd_liveness){ .heartbeat_ms = c->spec->heartbeat_ms,
					    .misses = MISSES,
					    .work_deadline_ms = c->spec->work_deadline_ms };
	c->starts++;
}

static int watch_process(struct vd_child *c, int *channel_fd, int *log_fd)
{
	static const struct vd_channel_handlers handlers = { .on_packet = on_packet,
							     .on_closed = on_closed };
	struct vd_loop *loop = c->supervisor->loop;
	int r = vd_loop_fd(loop, c->pidfd, VD_READABLE, on_exit_ready, c, &c->exit_source);

	if (r == 0)
		r = vd_loop_fd(loop, *log_fd, VD_READABLE, on_log, c, &c->log_source);
	if (r == 0) {
		c->log_fd = *log_fd;
		*log_fd = -1;
		r = vd_channel_new(loop, channel_fd, 0, &handlers, c, &c->channel);
	}
	return r;
}

static int start_process(struct vd_child *c)
{
	VD_CLEANUP(vd_close) int ours = -1, theirs = -1, log_read = -1, log_write = -1;
	const struct vd_module_spec *spec = c->running;
	int pair[2], ends[2], r = vd_packet_pair(0, pair);

	if (r < 0)
		return r;
	ours = pair[0];
	theirs = pair[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	log_read = ends[0];
	log_write = ends[1];
	if (fcntl(log_read, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = vd_spawn(&(struct vd_spawn){ .program = spec->program,
					 .arguments = spec->arguments,
					 .environment = spec->environment,
					 .folder = spec->folder,
					 .channel_fd = theirs,
					 .log_fd = log_write },
		     &c->pid, &c->pidfd);
	return r < 0 ? r : watch_process(c, &ours, &log_read);
}

static void apply_limits(const struct vd_child *c)
{
	const struct vd_limits limits = { .memory_bytes = c->running->limits.memory_bytes,
					  .processes = c->running->limits.processes };
	int r = vd_limits_apply(&limits, c->supervisor->cgroup_folder, c->spec->instance, c->pid);

	if (r < 0)
		vd_log(VD_WARN, "module.limitsNotSet", "module=%s text=\"%s\"", c->spec->instance,
		       strerrordesc_np(-r));
}

/* Without a process there is nobody to wait for: those behind it may start. */
static void on_not_started(struct vd_child *c, int error)
{
	struct vd_evidence e = { .cause = VD_CAUSE_NOT_STARTED,
				 .exit_code = -1,
				 .wall_ms = vd_clock_wall_ms(),
				 .restarts = c->starts - 1 };

	(void)snprintf(e.text, sizeof e.text, "%s: %s", c->spec->program, strerrordesc_np(-error));
	if (c->pid > 0) {
		signal_group(c, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
	c->log_source = vd_source_free(c->log_source);
	vd_close(&c->log_fd);
	forget_process(c);
	c->is_settled = true;
	log_end(c, &e);
	decide_restart(c, &e);
}

void vd_child_launch(struct vd_child *c)
{
	int r = vd_spec_copy(c->spec, &c->running);

	begin_run(c);
	if (r == 0)
		r = start_process(c);
	if (r < 0) {
		on_not_started(c, r);
		return;
	}
	apply_limits(c);
	if (c->state == VD_STATE_WAITING)
		c->settle_by_ms = c->started_ms + c->spec->ready_timeout_ms;
	arm(c->deadline, c->spec->ready_timeout_ms);
	vd_child_set_state(c, VD_STATE_STARTING, NULL);
	/* Last, for reading the counter takes longer than starting a process. */
	c->oom_kills = vd_limits_oom_kills(c->supervisor->cgroup_folder, c->spec->instance);
}

static void send_stop(struct vd_child *c)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();

	/* Before hello, too: it may be on its way there. What cannot be said is signalled. */
	if (!packet || !vd_json_add_string(packet, "type", "stop") || c->is_deaf || !c->channel ||
	    vd_channel_send(c->channel, packet, NULL, 0) != 0)
		escalate(c);
	else
		arm(c->deadline, c->spec->stop_timeout_ms);
}

void vd_child_ask_to_stop(struct vd_child *c)
{
	switch (c->state) {
	case VD_STATE_STARTING:
	case VD_STATE_READY:
		vd_timer_disarm(c->life);
		send_stop(c);
		vd_child_set_state(c, VD_STATE_STOPPING, NULL);
		break;
	case VD_STATE_WAITING:
	case VD_STATE_BACKOFF:
	case VD_STATE_FAILED:
		vd_timer_disarm(c->deadline);
		vd_child_set_state(c, VD_STATE_STOPPED, NULL);
		break;
	default:
		break;
	}
}

void vd_child_retry_now(struct vd_child *c)
{
	arm(c->deadline, 0);
}

int vd_child_new(struct vd_supervisor *supervisor, const struct vd_module_spec *spec,
		 struct vd_child **ret_child)
{
	struct vd_child *c = calloc(1, sizeof *c);
	int r = c ? vd_spec_copy(spec, &c->spec) : -ENOMEM;

	if (c) {
		c->supervisor = supervisor;
		c->pidfd = -1;
		c->log_fd = -1;
		c->is_settled = true;
	}
	if (r == 0)
		r = vd_loop_timer(supervisor->loop, on_deadline, c, &c->deadline);
	if (r == 0)
		r = vd_loop_timer(supervisor->loop, on_life, c, &c->life);
	if (r < 0)
		c = vd_child_free(c);
	else
		*ret_child = c;
	return r;
}

struct vd_child *vd_child_free(struct vd_child *c)
{
	if (!c)
		return NULL;
	if (c->pid > 0) {
		signal_group(c, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
	}
	c->exit_source = vd_source_free(c->exit_source);
	c->log_source = vd_source_free(c->log_source);
	c->channel = vd_channel_free(c->channel);
	c->deadline = vd_source_free(c->deadline);
	c->life = vd_source_free(c->life);
	vd_close(&c->pidfd);
	vd_close(&c->log_fd);
	vd_lines_fini(&c->lines);
	c->running = vd_spec_free(c->running);
	c->spec = vd_spec_free(c->spec);
	free(c);
	return NULL;
}
