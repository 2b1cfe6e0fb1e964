/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>

#include "agent/ipc/channel.h"
#include "agent/supervise/lines.h"
#include "agent/supervise/liveness.h"
#include "agent/supervise/spec.h"
#include "agent/supervise/supervisor.h"

/*
 * Inside the supervisor: one instance and, while it runs, its process. child.c leads one
 * process through its life; supervisor.c decides which of them should run; route.c joins two.
 */
struct vd_child {
	struct vd_child *next;
	struct vd_supervisor *supervisor;
	struct vd_module_spec *spec;    /* for the next start */
	struct vd_module_spec *running; /* what the process was started with; NULL: none runs */

	enum vd_state state;
	uint64_t since_ms;
	bool is_wanted;  /* up */
	bool is_leaving; /* removed: to be freed once it is down */
	bool is_again;   /* start again as soon as it has stopped */
	bool is_settled; /* no longer holds back those of a higher startup order */
	uint64_t settle_by_ms;
	uint64_t retry_at_ms; /* in BACKOFF */

	/* The process. */
	pid_t pid; /* 0: none */
	int pidfd;
	struct vd_source *exit_source, *log_source;
	int log_fd;
	struct vd_channel *channel;
	uint64_t started_ms, ready_ms;
	bool has_hello, is_deaf /* its channel is closed */, was_ready;
	unsigned stop_stage;
	bool is_doomed; /* killed by us, for: */
	enum vd_cause cause;
	char cause_text[256];
	uint64_t oom_kills; /* when it was started */
	uint64_t first_line;
	char name[64], version[64];

	struct vd_source *deadline; /* of the state: ready, stop, back-off */
	struct vd_source *life;
	struct vd_liveness liveness;
	struct vd_restart restart;

	struct vd_lines lines;
	uint64_t line_second, lines_in_second, lines_suppressed;
	uint32_t starts;
	uint64_t packets_in, packets_out, unknown_packets, refused_sends;
};

VD_MUST int vd_child_new(struct vd_supervisor *supervisor, const struct vd_module_spec *spec,
			 struct vd_child **ret_child);
struct vd_child *vd_child_free(struct vd_child *child); /* kills and reaps, without callbacks */

void vd_child_set_state(struct vd_child *child, enum vd_state state,
			const struct vd_evidence *evidence);
void vd_child_launch(struct vd_child *child);      /* WAITING or BACKOFF -> STARTING */
void vd_child_ask_to_stop(struct vd_child *child); /* any -> STOPPING or STOPPED */
void vd_child_retry_now(struct vd_child *child);   /* in BACKOFF */
void vd_child_reap(struct vd_child *child);        /* if its process has ended */
VD_MUST int vd_child_send(struct vd_child *child, const cJSON *packet, const int *fds,
			  unsigned fd_count);

/* Of supervisor.c: */
struct vd_route {
	struct vd_route *next;
	char *source, *output, *sink, *input;
};

struct vd_supervisor {
	struct vd_loop *loop;
	struct vd_supervisor_handlers handlers;
	void *argument;
	char *cgroup_folder;
	struct vd_child *children;
	struct vd_route *routes;
	struct vd_source *planner; /* looks what should be started, freed, finished */
	struct vd_source *orphans;
	bool is_stopping_all;
	vd_fn on_all_stopped;
};

void vd_supervisor_plan(struct vd_supervisor *supervisor); /* soon, from the loop */
struct vd_child *vd_supervisor_find(struct vd_supervisor *supervisor, const char *instance);

/* Of route.c: */
void vd_route_join(struct vd_supervisor *supervisor, const struct vd_route *route);
void vd_route_join_all_of(struct vd_supervisor *supervisor, const char *instance);
struct vd_route *vd_route_free(struct vd_route *route);
