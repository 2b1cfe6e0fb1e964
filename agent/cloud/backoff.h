/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

/*
 * Pauses between attempts: exponential with full jitter, so that a fleet does not come back in
 * step. Pure: randomness is an argument.
 */
struct vd_backoff {
	uint32_t first_ms, ceiling_ms;
	uint32_t failures; /* in a row */
};

/* Counts a failure and returns the pause: evenly spread over 0 … min(ceiling, first · 2^(n-1)). */
uint32_t vd_backoff_next(struct vd_backoff *backoff, uint32_t random);

void vd_backoff_reset(struct vd_backoff *backoff); /* a success */
