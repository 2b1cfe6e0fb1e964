/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/buf.h"
#include "base/fault.h"

enum { VD_BATCH_BYTES = 8 << 20 }; /* of one batch, decompressed */

/* One or more zstd frames, at most limit bytes of content. -EINVAL. */
VD_MUST int vd_batch_inflate(const void *data, size_t len, size_t limit, struct vd_buf *out,
			     struct vd_fault *fault);

/* One frame of what is given, in place of out's content. -ENOMEM. */
VD_MUST int vd_batch_deflate(const void *data, size_t len, struct vd_buf *out);
