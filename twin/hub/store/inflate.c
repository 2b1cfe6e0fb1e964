/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <zstd.h>

enum { WINDOW_LOG_MAX = 23, BLOCK_BYTES = 65536, LEVEL = 1 };

static ZSTD_DCtx *context_free(ZSTD_DCtx *context)
{
	(void)ZSTD_freeDCtx(context);
	return NULL;
}
VD_DEFINE_CLEANUP(ZSTD_DCtx, context_free)

static int refuse(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	return -EINVAL;
}

/* The content's size in a header is a device's claim: only what really came out is counted. */
int vd_batch_inflate(const void *data, size_t len, size_t limit, struct vd_buf *out,
		     struct vd_fault *fault)
{
	VD_CLEANUP(context_free) ZSTD_DCtx *context = ZSTD_createDCtx();
	VD_CLEANUP(vd_free) char *block = malloc(BLOCK_BYTES);
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left = 1;

	if (!context || !block)
		return -ENOMEM;
	(void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	for (bool is_full = false; in.pos < in.size || is_full;) {
		ZSTD_outBuffer piece = { block, BLOCK_BYTES, 0 };

		left = ZSTD_decompressStream(context, &piece, &in);
		if (ZSTD_isError(left))
			return refuse(fault, ZSTD_getErrorName(left));
		if (out->len + piece.pos > limit)
			return refuse(fault, "the batch is too large when decompressed");
		if (vd_buf_append(out, block, piece.pos) < 0)
			return -ENOMEM;
		is_full = piece.pos == piece.size;
	}
	return left == 0 ? 0 : refuse(fault, "the compressed batch is cut off");
}

int vd_batch_deflate(const void *data, size_t len, struct vd_buf *out)
{
	size_t bound = ZSTD_compressBound(len), n;
	VD_CLEANUP(vd_free) char *frame = malloc(bound);

	if (!frame)
		return -ENOMEM;
	n = ZSTD_compress(frame, bound, data, len, LEVEL);
	vd_buf_clear(out);
	return ZSTD_isError(n) ? -ENOMEM : vd_buf_append(out, frame, n);
}
