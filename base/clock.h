/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Times. Inside, monotonic milliseconds since boot, suspend included
 * (CLOCK_BOOTTIME); at the edges RFC 3339 in UTC, from wall milliseconds since 1970.
 */
uint64_t vd_clock_mono_ms(void);
uint64_t vd_clock_mono_us(void);
int64_t vd_clock_wall_ms(void);

enum { VD_TIME_TEXT = 32 }; /* room for any text below */

/* "2026-11-21T23:49:30.123Z"; returns text. */
const char *vd_time_text(int64_t wall_ms, char text[static VD_TIME_TEXT]);

/* Accepts what vd_time_text writes, with 0 to 9 decimals, "Z" or an offset. -EINVAL otherwise. */
VD_MUST int vd_time_parse(const char *text, int64_t *ret_wall_ms);

/* "synchronized" if the kernel's clock is disciplined (adjtimex), else "unsynchronized". */
const char *vd_time_quality(void);
