/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

/*
 * When a poll is due; pure, in monotonic microseconds. Ticks stand at start + n * period and
 * never drift; a tick that passed while the last poll still ran is skipped and counted, not
 * made up for.
 */
struct vd_modbus_schedule {
	uint64_t period_us, next_us;
	uint64_t taken, missed;
	uint64_t late_sum_us, late_max_us; /* of the ticks taken: how late each was */
};

/* period_us > 0; the first tick is at start_us. */
void vd_modbus_schedule_init(struct vd_modbus_schedule *schedule, uint64_t start_us,
			     uint64_t period_us);

/* 0: due; else microseconds until then. */
uint64_t vd_modbus_schedule_wait(const struct vd_modbus_schedule *schedule, uint64_t now_us);

/* Takes the tick that is due at now_us; returns how many older ones were missed. */
uint64_t vd_modbus_schedule_take(struct vd_modbus_schedule *schedule, uint64_t now_us);

uint64_t vd_modbus_schedule_late_mean_us(const struct vd_modbus_schedule *schedule);

/*
 * Back-off of a connection or of a device: 0 after a success, then first_ms, doubled at each
 * failure up to most_ms.
 */
struct vd_modbus_backoff {
	uint32_t first_ms, most_ms;
	uint32_t failures;
	uint64_t until_ms;
};

void vd_modbus_backoff_succeeded(struct vd_modbus_backoff *backoff);
void vd_modbus_backoff_failed(struct vd_modbus_backoff *backoff, uint64_t now_ms);
