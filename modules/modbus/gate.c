/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/gate.h"

#include <errno.h>
#include <string.h>

enum { RETRY_MS = 10, RELEASE_RETRY_MS = 50, RELEASE_LATE_RETRY_MS = 1000 };

enum { NG, OK, CODE };

static void release_at(struct vd_modbus_gate *gate, size_t index, uint64_t due_ms)
{
	struct vd_modbus_gate_release *release = &gate->releases[index];

	release->is_pending = release->output;
	release->was_alarmed = false;
	release->due_ms = due_ms;
}

void vd_modbus_gate_init(struct vd_modbus_gate *gate, const struct vd_modbus_verdicts *verdicts,
			 uint64_t now_ms)
{
	*gate = (struct vd_modbus_gate){ .verdicts = verdicts };
	gate->releases[NG].output = verdicts->ng;
	gate->releases[OK].output = verdicts->ok;
	gate->releases[CODE].output = verdicts->code;
	for (size_t i = 0; i < VD_MODBUS_GATE_RELEASES; i++)
		release_at(gate, i, now_ms);
}

void vd_modbus_gate_forget(struct vd_modbus_gate *gate)
{
	gate->ng_is_safe = gate->ok_is_safe = false;
}

int vd_modbus_gate_put(struct vd_modbus_gate *gate, const struct vd_modbus_verdict *verdict,
		       uint64_t now_ms)
{
	struct vd_modbus_gate_job *job =
		&gate->jobs[(gate->first + gate->count) % VD_MODBUS_GATE_JOBS];

	if (gate->count == VD_MODBUS_GATE_JOBS)
		return -ENOSPC;
	if (gate->count == 0)
		gate->retry_ms = 0; /* a part does not wait for the retry of a release */
	gate->sequence = verdict->sequence ? verdict->sequence : gate->sequence % 65535 + 1;
	*job = (struct vd_modbus_gate_job){ .verdict = *verdict,
					    .since_ms = now_ms,
					    .deadline_ms = now_ms + gate->verdicts->deadline_ms };
	job->verdict.sequence = gate->sequence;
	job->count = vd_modbus_verdict_writes(gate->verdicts, &job->verdict, job->writes);
	gate->count++;
	return 0;
}

static struct vd_modbus_gate_job *head(struct vd_modbus_gate *gate)
{
	return gate->count ? &gate->jobs[gate->first] : NULL;
}

static void drop_head(struct vd_modbus_gate *gate, struct vd_modbus_gate_job *ret_job)
{
	*ret_job = gate->jobs[gate->first];
	gate->first = (gate->first + 1) % VD_MODBUS_GATE_JOBS;
	gate->count--;
}

bool vd_modbus_gate_expire(struct vd_modbus_gate *gate, uint64_t now_ms,
			   struct vd_modbus_gate_job *ret_job)
{
	if (!gate->count || now_ms <= gate->jobs[gate->first].deadline_ms)
		return false;
	drop_head(gate, ret_job);
	return true;
}

static bool is_off(const struct vd_modbus_write *write)
{
	return write->hold_ms == 0 && write->value == write->output->safe;
}

/* A write of the safe value that need not, or must not, go out now. */
static bool may_skip(const struct vd_modbus_gate *gate, const struct vd_modbus_write *write)
{
	if (!is_off(write))
		return false;
	if (write->output == gate->verdicts->ng)
		return gate->ng_is_safe ||
		       (gate->verdicts->hold_ms > 0 && gate->releases[NG].is_pending);
	return write->output == gate->verdicts->ok && gate->ok_is_safe;
}

/* The verdict to work on, with its writes that need not go out skipped; NULL: none. */
static struct vd_modbus_gate_job *next_job(struct vd_modbus_gate *gate)
{
	struct vd_modbus_gate_job *job, done;

	while ((job = head(gate))) {
		while (job->next < job->count && may_skip(gate, &job->writes[job->next]))
			job->next++;
		if (job->next < job->count)
			return job;
		drop_head(gate, &done);
		gate->done++;
	}
	return NULL;
}

static bool next_release(struct vd_modbus_gate *gate, uint64_t now_ms,
			 struct vd_modbus_gate_step *ret_step)
{
	for (size_t i = 0; i < VD_MODBUS_GATE_RELEASES; i++) {
		const struct vd_modbus_gate_release *release = &gate->releases[i];

		if (!release->is_pending || release->due_ms > now_ms)
			continue;
		*ret_step =
			(struct vd_modbus_gate_step){ true, release->output, release->output->safe,
						      release->due_ms + gate->verdicts->deadline_ms,
						      i };
		return true;
	}
	return false;
}

/* Verdicts go before releases: a part is waiting. */
bool vd_modbus_gate_next(struct vd_modbus_gate *gate, uint64_t now_ms,
			 struct vd_modbus_gate_step *ret_step)
{
	struct vd_modbus_gate_job *job;

	if (now_ms < gate->retry_ms)
		return false;
	job = next_job(gate);
	if (!job)
		return next_release(gate, now_ms, ret_step);
	*ret_step =
		(struct vd_modbus_gate_step){ false, job->writes[job->next].output,
					      job->writes[job->next].value, job->deadline_ms, 0 };
	return true;
}

/* Keeps the book of pulses after a verdict's write. */
static void note_write(struct vd_modbus_gate *gate, const struct vd_modbus_write *write,
		       uint64_t now_ms)
{
	bool is_ng = write->output == gate->verdicts->ng,
	     is_ok = write->output == gate->verdicts->ok;
	size_t index = is_ng ? NG : is_ok ? OK : CODE;

	if (!is_ng && !is_ok && write->output != gate->verdicts->code)
		return;
	if (write->hold_ms > 0)
		release_at(gate, index, now_ms + write->hold_ms);
	else
		gate->releases[index].is_pending = false;
	if (is_ng)
		gate->ng_is_safe = is_off(write);
	if (is_ok)
		gate->ok_is_safe = is_off(write);
}

static enum vd_modbus_gate_event took_release(struct vd_modbus_gate *gate,
					      const struct vd_modbus_gate_step *step,
					      bool is_written, uint64_t now_ms)
{
	struct vd_modbus_gate_release *release = &gate->releases[step->release];

	if (is_written) {
		release->is_pending = false;
		gate->ng_is_safe |= step->release == NG;
		gate->ok_is_safe |= step->release == OK;
		return VD_MODBUS_GATE_FINE;
	}
	gate->retry_ms = now_ms + (release->was_alarmed ? RELEASE_LATE_RETRY_MS : RELEASE_RETRY_MS);
	if (release->was_alarmed || now_ms < step->deadline_ms)
		return VD_MODBUS_GATE_FINE;
	release->was_alarmed = true;
	return VD_MODBUS_GATE_STUCK;
}

enum vd_modbus_gate_event vd_modbus_gate_took(struct vd_modbus_gate *gate,
					      const struct vd_modbus_gate_step *step,
					      bool is_written, bool is_final, uint64_t now_ms,
					      struct vd_modbus_gate_job *ret_job)
{
	struct vd_modbus_gate_job *job = head(gate);

	gate->retry_ms = 0;
	if (step->is_release)
		return took_release(gate, step, is_written, now_ms);
	job->tries++;
	if (is_written) {
		note_write(gate, &job->writes[job->next], now_ms);
		job->next++;
		if (job->next < job->count)
			return VD_MODBUS_GATE_FINE;
	} else if (!is_final && now_ms + RETRY_MS <= job->deadline_ms) {
		gate->retry_ms = now_ms + RETRY_MS;
		return VD_MODBUS_GATE_FINE;
	}
	drop_head(gate, ret_job);
	if (!is_written || now_ms > ret_job->deadline_ms)
		return VD_MODBUS_GATE_FAILED;
	gate->done++;
	return VD_MODBUS_GATE_DONE;
}

uint64_t vd_modbus_gate_due_ms(const struct vd_modbus_gate *gate)
{
	uint64_t due = UINT64_MAX;

	if (gate->count)
		return gate->retry_ms;
	for (size_t i = 0; i < VD_MODBUS_GATE_RELEASES; i++) {
		if (gate->releases[i].is_pending && gate->releases[i].due_ms < due)
			due = gate->releases[i].due_ms;
	}
	return due > gate->retry_ms ? due : gate->retry_ms;
}
