/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"

/* Server-sent events, taken apart as they come: bytes in any portions. */
struct vd_sse {
	struct vd_buf line, data;
	char type[64];
	char id[32];
};
enum { VD_SSE_BYTES = 4 << 20 }; /* of one event */

typedef int (*vd_sse_fn)(const char *type, const char *id, const char *data, void *argument);

/* Calls fn for each whole event. -E2BIG: an event too large; what fn returned if not 0. */
VD_MUST int vd_sse_feed(struct vd_sse *sse, const char *bytes, size_t len, vd_sse_fn fn,
			void *argument);
void vd_sse_fini(struct vd_sse *sse);
VD_UNUSED static inline void vd_sse_fini_p(struct vd_sse *sse)
{
	vd_sse_fini(sse);
}
