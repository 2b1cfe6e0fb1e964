/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cloud/backoff.h"

uint32_t vd_backoff_next(struct vd_backoff *b, uint32_t random)
{
	uint64_t spread_ms = b->first_ms;

	for (uint32_t i = 0; i < b->failures && spread_ms < b->ceiling_ms; i++)
		spread_ms *= 2;
	if (spread_ms > b->ceiling_ms)
		spread_ms = b->ceiling_ms;
	if (b->failures < UINT32_MAX)
		b->failures++;
	return (uint32_t)(((uint64_t)random * (spread_ms + 1)) >> 32);
}

void vd_backoff_reset(struct vd_backoff *b)
{
	b->failures = 0;
}
