/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/liveness.h"

void vd_liveness_begin(struct vd_liveness *l, uint64_t now_ms)
{
	l->alive_ms = now_ms;
	l->progress_ms = now_ms;
	l->work = 0;
	l->is_due = false;
}

void vd_liveness_alive(struct vd_liveness *l, uint64_t now_ms, uint64_t work, bool is_due)
{
	l->alive_ms = now_ms;
	/* Time stands against a module only from when work was due and none was done. */
	if (work != l->work || !is_due || !l->is_due)
		l->progress_ms = now_ms;
	l->work = work;
	l->is_due = is_due;
}

static uint64_t silent_at(const struct vd_liveness *l)
{
	return l->alive_ms + (uint64_t)l->heartbeat_ms * l->misses;
}

static uint64_t stuck_at(const struct vd_liveness *l)
{
	return l->is_due && l->work_deadline_ms ? l->progress_ms + l->work_deadline_ms : UINT64_MAX;
}

uint64_t vd_liveness_deadline_ms(const struct vd_liveness *l)
{
	uint64_t silent = silent_at(l), stuck = stuck_at(l);

	return silent < stuck ? silent : stuck;
}

enum vd_life vd_liveness_check(struct vd_liveness *l, uint64_t now_ms)
{
	uint64_t deadline = vd_liveness_deadline_ms(l);

	if (now_ms < deadline)
		return VD_LIFE_GOOD;
	if (now_ms - deadline > l->heartbeat_ms) {
		l->alive_ms = now_ms;
		l->progress_ms = now_ms;
		return VD_LIFE_GOOD;
	}
	return now_ms >= stuck_at(l) ? VD_LIFE_STUCK : VD_LIFE_SILENT;
}
