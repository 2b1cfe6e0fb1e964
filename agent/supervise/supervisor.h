/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ipc/packet.h"
#include "agent/supervise/evidence.h"
#include "agent/supervise/restart.h"
#include "base/loop.h"

/*
 * Modules as processes: starts them, speaks the part of vedette-module(7) that is about life
 * and death (hello, ready, alive, stop), restarts what ends or hangs, keeps the evidence, and
 * hands every other packet to its owner. On the loop's thread only. One supervisor a process: it
 * makes the process a child subreaper and reaps every child.
 *
 *	ABSENT -> STOPPED -> WAITING -> STARTING -> READY -> STOPPING -> STOPPED
 *	                                   |          |
 *	                                   +-> BACKOFF <+   (-> STARTING again; the first time at once)
 *	                                   +-> FAILED  <+   (the policy says: stay down)
 */
enum vd_state {
	VD_STATE_ABSENT,   /* not known (any more) */
	VD_STATE_STOPPED,  /* down, as wanted; or exited with 0 and not to be restarted */
	VD_STATE_WAITING,  /* wanted, but modules of a lower startup order are not ready yet */
	VD_STATE_STARTING, /* runs, is not ready yet */
	VD_STATE_READY,
	VD_STATE_STOPPING,
	VD_STATE_BACKOFF, /* ended, is started again in a while */
	VD_STATE_FAILED,  /* ended, and the restart policy keeps it down */
	VD_STATE_COUNT,
};

const char *vd_state_name(enum vd_state state); /* "stopped" … */

/* 0 in any number of it: the default that stands beside it. Copied by put. */
struct vd_module_spec {
	const char *instance;           /* 1 to 128 characters; the key */
	const char *program;            /* absolute path */
	const char *const *arguments;   /* after argv[0], NULL at the end; may be NULL */
	const char *const *environment; /* "NAME=value", NULL at the end: all of it; may be NULL */
	const char *folder;             /* working directory; NULL: "/" */
	enum vd_restart_policy policy;
	uint32_t startup_order;
	uint32_t ready_timeout_ms;  /* 10000 */
	uint32_t stop_timeout_ms;   /* 5000, then SIGTERM, and SIGKILL at most 2000 later */
	uint32_t heartbeat_ms;      /* 1000 */
	uint32_t work_deadline_ms;  /* 30000 */
	uint32_t back_off_first_ms; /* 100 */
	uint32_t back_off_limit_ms; /* 60000 */
	uint32_t healthy_ms;        /* 10000 */
	struct {
		uint64_t memory_bytes; /* 0: none; data segment limit, and memory.max in a cgroup */
		uint32_t processes;    /* 0: none; pids.max, so only where a cgroup is delegated */
	} limits;
};

struct vd_supervisor;

struct vd_supervisor_handlers {
	/*
	 * The instance said hello. Fill in what `start` carries beside type, instance and
	 * heartbeatMs: deviceId, stateFolder, version, parameters. Called at every (re)start, so
	 * that it always gets the newest. Negative: the module is killed (and backs off).
	 */
	int (*on_hello)(const char *instance, const cJSON *hello, cJSON *start, void *argument);

	/* Every change. evidence only when a process has ended (or could not start), else NULL. */
	void (*on_state)(const char *instance, enum vd_state old, enum vd_state new_state,
			 const struct vd_evidence *evidence, void *argument);

	/* publish, report, applied, refused, answer and types unknown to the supervisor; after
	 * hello. The packet is borrowed; take its descriptors with vd_packet_take_fd. */
	void (*on_packet)(const char *instance, struct vd_packet *packet, void *argument);

	/* Optional: a line of stdout or stderr, without its end; it is logged in any case. */
	void (*on_line)(const char *instance, const char *line, void *argument);
};

/* cgroup_folder: a delegated cgroup v2 folder for a leaf a module, or NULL. All are copied. */
VD_MUST int vd_supervisor_new(struct vd_loop *loop, const struct vd_supervisor_handlers *handlers,
			      const char *cgroup_folder, void *argument,
			      struct vd_supervisor **ret_supervisor);

/* Kills (SIGKILL, whole process groups) and reaps what still runs, without callbacks. */
struct vd_supervisor *vd_supervisor_free(struct vd_supervisor *supervisor);
VD_DEFINE_CLEANUP(struct vd_supervisor, vd_supervisor_free)

enum {
	VD_SUPERVISOR_DIFFERS = 1, /* runs with another spec than the one just put */
	VD_SUPERVISOR_FULL = 2,    /* the module's queue is full: it does not read */
	VD_SUPERVISOR_DOWN = 3,    /* the module does not run, or has not said hello yet */
};

/*
 * Adds an instance (STOPPED), or replaces its spec: a running process keeps what it was started
 * with until it ends. VD_SUPERVISOR_DIFFERS: that is now different, so restart it.
 * -EINVAL with 400 in fault; -ENOMEM.
 */
VD_MUST int vd_supervisor_put(struct vd_supervisor *supervisor, const struct vd_module_spec *spec,
			      struct vd_fault *fault);

/* put, and a restart if the module is wanted up and the spec differs. */
VD_MUST int vd_supervisor_replace(struct vd_supervisor *supervisor,
				  const struct vd_module_spec *spec, struct vd_fault *fault);

/*
 * Wants up or down; returns at once, the rest is seen by on_state. Starting takes place from the
 * loop, in startup order: a module starts when each wanted one of a lower order is ready, or has
 * shown that it will not be in time. restart clears the back-off. -ENOENT: no such instance.
 */
VD_MUST int vd_supervisor_start(struct vd_supervisor *supervisor, const char *instance);
VD_MUST int vd_supervisor_stop(struct vd_supervisor *supervisor, const char *instance);
VD_MUST int vd_supervisor_restart(struct vd_supervisor *supervisor, const char *instance);
VD_MUST int vd_supervisor_remove(struct vd_supervisor *supervisor,
				 const char *instance); /* ABSENT */

/* Stops all, highest order first, and calls on_done when nothing runs any more (from the loop). */
void vd_supervisor_stop_all(struct vd_supervisor *supervisor, vd_fn on_done);

/* 0, VD_SUPERVISOR_FULL, VD_SUPERVISOR_DOWN; -ENOENT, -E2BIG, -errno. All borrowed. */
VD_MUST int vd_supervisor_send(struct vd_supervisor *supervisor, const char *instance,
			       const cJSON *packet, const int *fds, unsigned fd_count);

/*
 * A route for frames: a socket pair straight between two modules, handed over (`channel`) when
 * both are ready, and again whenever one of them becomes ready again. Instances need not exist
 * yet. Idempotent. disconnect tells both by a `channel` packet without a descriptor.
 */
VD_MUST int vd_supervisor_connect(struct vd_supervisor *supervisor, const char *source,
				  const char *output, const char *sink, const char *input);
void vd_supervisor_disconnect(struct vd_supervisor *supervisor, const char *source,
			      const char *output, const char *sink, const char *input);

struct vd_module_status {
	const char *instance;
	enum vd_state state;
	int pid;                    /* 0: none */
	const char *name, *version; /* from hello; "" before */
	uint64_t since_mono_ms;     /* of the state */
	uint64_t ready_after_ms;    /* start to ready of the present run; 0: not ready */
	uint32_t starts, failures;  /* processes started ever; failures in a row */
	uint32_t retry_in_ms;       /* in BACKOFF */
	uint64_t work;
	bool is_due;
	uint64_t packets_in, packets_out, unknown_packets, refused_sends, lines_suppressed;
};

/* By startup order, then name. The status borrows strings until the next call on the supervisor. */
void vd_supervisor_each(struct vd_supervisor *supervisor,
			void (*fn)(const struct vd_module_status *status, void *argument),
			void *argument);
VD_MUST int vd_supervisor_status(struct vd_supervisor *supervisor, const char *instance,
				 struct vd_module_status *ret_status);

/* The last log lines of all its runs, oldest first. -ENOENT. */
VD_MUST int vd_supervisor_lines(struct vd_supervisor *supervisor, const char *instance,
				void (*fn)(int64_t wall_ms, const char *line, void *argument),
				void *argument);
