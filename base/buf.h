/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"

/*
 * A growing byte buffer. Start with `= { 0 }` or `= { .limit = n }`; end with vd_buf_fini
 * (or VD_CLEANUP(vd_buf_fini)). data is always followed by a NUL that len does not count
 * (once anything was appended).
 */
struct vd_buf {
	char *data;
	size_t len, capacity;
	size_t limit; /* 0: none; growing past it is -E2BIG and leaves the buffer as it was */
};

VD_MUST int vd_buf_append(struct vd_buf *buf, const void *data, size_t len);
VD_MUST int vd_buf_printf(struct vd_buf *buf, const char *format, ...) VD_PRINTF(2, 3);

/* Drops the first len bytes. */
void vd_buf_drop(struct vd_buf *buf, size_t len);
void vd_buf_clear(struct vd_buf *buf); /* keeps the memory */
void vd_buf_fini(struct vd_buf *buf);

VD_UNUSED static inline void vd_buf_fini_p(struct vd_buf *buf)
{
	vd_buf_fini(buf);
}
