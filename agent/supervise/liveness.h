/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Is a ready module alive and getting on with its work?
 *
 * Pure: the time is an argument, in any unit of monotonic milliseconds. A module is silent
 * when it said no `alive` for `misses` heartbeats, stuck when work was due all the time and
 * its count did not change for work_deadline_ms.
 */
struct vd_liveness {
	uint32_t heartbeat_ms, misses;
	uint32_t work_deadline_ms; /* 0: work is not watched */

	uint64_t alive_ms;    /* the last sign of life */
	uint64_t progress_ms; /* since when work is due and its count stands still */
	uint64_t work;
	bool is_due;
};

enum vd_life { VD_LIFE_GOOD, VD_LIFE_SILENT, VD_LIFE_STUCK };

/* The module has become ready. Settings stay. */
void vd_liveness_begin(struct vd_liveness *liveness, uint64_t now_ms);

void vd_liveness_alive(struct vd_liveness *liveness, uint64_t now_ms, uint64_t work, bool is_due);

/* When the next check is worth while: the earliest time at which the verdict can turn bad. */
uint64_t vd_liveness_deadline_ms(const struct vd_liveness *liveness);

/*
 * A check that comes more than a heartbeat after its deadline means that we slept (the machine
 * was suspended, the agent stopped): the module gets a whole new span, once.
 */
VD_MUST enum vd_life vd_liveness_check(struct vd_liveness *liveness, uint64_t now_ms);
