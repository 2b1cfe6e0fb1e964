/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/pace.h"

enum { REOPEN_FIRST_MS = 100, REOPEN_LAST_MS = 2000 };

void vd_pace_start(struct vd_pace *pace, uint64_t period_us, uint64_t now_us)
{
	pace->period_us = period_us ? period_us : 1;
	pace->next_us = now_us;
}

bool vd_pace_due(struct vd_pace *pace, uint64_t now_us, uint64_t *ret_tick_us)
{
	uint64_t late;

	if (now_us < pace->next_us)
		return false;
	late = (now_us - pace->next_us) / pace->period_us;
	pace->missed += late;
	pace->ticks += late + 1;
	pace->next_us += late * pace->period_us;
	*ret_tick_us = pace->next_us;
	pace->next_us += pace->period_us;
	return true;
}

uint64_t vd_pace_wait_ms(const struct vd_pace *pace, uint64_t now_us)
{
	return now_us >= pace->next_us ? 0 : (pace->next_us - now_us + 999) / 1000;
}

uint64_t vd_reopen_delay_ms(unsigned failures)
{
	uint64_t delay_ms = REOPEN_FIRST_MS;

	while (failures-- > 1 && delay_ms < REOPEN_LAST_MS)
		delay_ms *= 2;
	return delay_ms < REOPEN_LAST_MS ? delay_ms : REOPEN_LAST_MS;
}
