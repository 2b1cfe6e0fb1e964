/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* What is known about the end of a process: for the log, reported state and `vedette logs`. */
enum vd_cause {
	VD_CAUSE_STOPPED,   /* asked to stop, and did (perhaps by SIGTERM or SIGKILL: see signal) */
	VD_CAUSE_EXITED,    /* by itself, with exit_code */
	VD_CAUSE_KILLED,    /* by a signal that was not ours */
	VD_CAUSE_HUNG,      /* killed by us: silent, or stuck */
	VD_CAUSE_NOT_READY, /* killed by us: not ready in time */
	VD_CAUSE_PROTOCOL,  /* killed by us: malformed packet, wrong version, closed descriptor 3 */
	VD_CAUSE_NOT_STARTED, /* the program could not be started at all */
};

enum vd_oom { VD_OOM_NO, VD_OOM_LIKELY };

enum { VD_EVIDENCE_LINES = 10 };

struct vd_evidence {
	enum vd_cause cause;
	char text[256]; /* "signal 11 (Segmentation fault), core dumped" */
	int exit_code;  /* -1: ended by a signal, or not started */
	int signal;     /* 0: none */
	bool core_dumped;
	bool was_ready;
	enum vd_oom oom;
	int64_t wall_ms; /* when it was noticed */
	uint64_t ran_ms;
	uint32_t restarts; /* how often this instance has been started again, ever */
	uint64_t user_us, system_us, max_rss_bytes;
	const char *lines[VD_EVIDENCE_LINES]; /* its last log lines, oldest first; borrowed */
	unsigned line_count;
};

const char *vd_cause_name(enum vd_cause cause); /* "notReady" … */

/* {"cause","text","exitCode"|"signal","coreDumped","oom","at","ranMs","restarts","userMs",
 *  "systemMs","maxRssBytes","wasReady","lines":[…]}; NULL: no memory. */
cJSON *vd_evidence_json(const struct vd_evidence *evidence);
