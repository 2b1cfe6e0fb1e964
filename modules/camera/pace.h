/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * When a timed capture is due. Ticks lie on a fixed grid from the start on, so that being late
 * once does not delay the rest; ticks that passed meanwhile are skipped and counted, never
 * made up for. Pure: the time comes as an argument, monotonic microseconds.
 */
struct vd_pace {
	uint64_t period_us, next_us;
	uint64_t ticks;  /* that have passed, missed ones included: the number of the last */
	uint64_t missed; /* of them */
};

/* The first tick is due at once. Counts go on from an earlier start. */
void vd_pace_start(struct vd_pace *pace, uint64_t period_us, uint64_t now_us);

/* Is a tick due? Then *ret_tick_us is when it was meant to be and pace->ticks its number. */
bool vd_pace_due(struct vd_pace *pace, uint64_t now_us, uint64_t *ret_tick_us);

/* Milliseconds until the next tick, rounded up. */
uint64_t vd_pace_wait_ms(const struct vd_pace *pace, uint64_t now_us);

/* How long to wait before a source is opened again after `failures` attempts, at least one. */
uint64_t vd_reopen_delay_ms(unsigned failures);
