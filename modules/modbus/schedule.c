/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/schedule.h"

void vd_modbus_schedule_init(struct vd_modbus_schedule *schedule, uint64_t start_us,
			     uint64_t period_us)
{
	*schedule = (struct vd_modbus_schedule){ .period_us = period_us, .next_us = start_us };
}

uint64_t vd_modbus_schedule_wait(const struct vd_modbus_schedule *schedule, uint64_t now_us)
{
	return schedule->next_us > now_us ? schedule->next_us - now_us : 0;
}

uint64_t vd_modbus_schedule_take(struct vd_modbus_schedule *schedule, uint64_t now_us)
{
	uint64_t behind = now_us > schedule->next_us ? now_us - schedule->next_us : 0;
	uint64_t missed = behind / schedule->period_us;
	uint64_t late = behind % schedule->period_us;

	schedule->taken++;
	schedule->missed += missed;
	schedule->late_sum_us += late;
	if (late > schedule->late_max_us)
		schedule->late_max_us = late;
	schedule->next_us += (missed + 1) * schedule->period_us;
	return missed;
}

uint64_t vd_modbus_schedule_late_mean_us(const struct vd_modbus_schedule *schedule)
{
	return schedule->taken ? schedule->late_sum_us / schedule->taken : 0;
}

void vd_modbus_backoff_succeeded(struct vd_modbus_backoff *backoff)
{
	backoff->failures = 0;
	backoff->until_ms = 0;
}

void vd_modbus_backoff_failed(struct vd_modbus_backoff *backoff, uint64_t now_ms)
{
	uint64_t wait = backoff->first_ms;

	for (uint32_t i = 0; i < backoff->failures && wait < backoff->most_ms; i++)
		wait *= 2;
	if (wait > backoff->most_ms)
		wait = backoff->most_ms;
	if (backoff->failures < UINT32_MAX)
		backoff->failures++;
	backoff->until_ms = now_ms + wait;
}
