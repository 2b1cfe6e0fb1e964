/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/modbus/verdict.h"

/*
 * The reject gate: which write goes out next, when a pulse ends, and when a write has failed;
 * pure, in monotonic milliseconds. Verdicts are written whole, one after the other. Rules:
 *
 * - A verdict whose writes are not all done by its deadline has failed: once, aloud, and the
 *   rest of it is dropped. So has one that the device refuses for good.
 * - A reject pulse is never cut short by the next part's OK; the next reject prolongs it. An accept
 *   pulse ends at once when a part is rejected.
 * - Outputs go to their safe values at the start, at the end of a pulse and at the stop. That is
 *   tried until it is done; the first deadline missed is said aloud.
 */
struct vd_modbus_gate_job {
	struct vd_modbus_verdict verdict;
	struct vd_modbus_write writes[VD_MODBUS_WRITES];
	size_t count, next;
	uint64_t since_ms, deadline_ms;
	uint32_t tries;
};

struct vd_modbus_gate_release {
	const struct vd_modbus_output *output;
	bool is_pending, was_alarmed;
	uint64_t due_ms;
};

enum { VD_MODBUS_GATE_JOBS = 32, VD_MODBUS_GATE_RELEASES = 3 };

struct vd_modbus_gate {
	const struct vd_modbus_verdicts *verdicts;
	struct vd_modbus_gate_job jobs[VD_MODBUS_GATE_JOBS]; /* a ring */
	size_t first, count;
	struct vd_modbus_gate_release releases[VD_MODBUS_GATE_RELEASES]; /* ng, ok, code */
	uint64_t retry_ms; /* nothing is tried before */
	uint32_t sequence;
	bool ng_is_safe, ok_is_safe; /* known to stand at their safe values */
	uint64_t done;               /* verdicts whose outputs stand as they should */
};

/* All outputs are to be brought to their safe values. verdicts is borrowed; device may be NULL. */
void vd_modbus_gate_init(struct vd_modbus_gate *gate, const struct vd_modbus_verdicts *verdicts,
			 uint64_t now_ms);

/* After a reconnect: the device may have started anew, so nothing is known of its outputs. */
void vd_modbus_gate_forget(struct vd_modbus_gate *gate);

/* -ENOSPC: so many verdicts wait that this one cannot. */
VD_MUST int vd_modbus_gate_put(struct vd_modbus_gate *gate, const struct vd_modbus_verdict *verdict,
			       uint64_t now_ms);

enum vd_modbus_gate_event {
	VD_MODBUS_GATE_FINE,
	VD_MODBUS_GATE_DONE,
	VD_MODBUS_GATE_FAILED,
	VD_MODBUS_GATE_STUCK
};

struct vd_modbus_gate_step {
	bool is_release;
	const struct vd_modbus_output *output;
	double value;
	uint64_t deadline_ms; /* time left decides the request's own limit */
	size_t release;       /* index, if is_release */
};

/* The verdict at the head failed by time alone: copied out and dropped. Call until false. */
bool vd_modbus_gate_expire(struct vd_modbus_gate *gate, uint64_t now_ms,
			   struct vd_modbus_gate_job *ret_job);

/* The next write to try now; false: none. A verdict whose outputs stand already is done without. */
bool vd_modbus_gate_next(struct vd_modbus_gate *gate, uint64_t now_ms,
			 struct vd_modbus_gate_step *ret_step);

/*
 * What came of it. DONE: a verdict is written whole. FAILED: it has failed for good. STUCK: a
 * release missed its deadline (told once; it is still tried). *ret_job is set for DONE and FAILED.
 */
enum vd_modbus_gate_event vd_modbus_gate_took(struct vd_modbus_gate *gate,
					      const struct vd_modbus_gate_step *step,
					      bool is_written, bool is_final, uint64_t now_ms,
					      struct vd_modbus_gate_job *ret_job);

/* When vd_modbus_gate_next or _expire will have something; UINT64_MAX: not by itself. */
uint64_t vd_modbus_gate_due_ms(const struct vd_modbus_gate *gate);
