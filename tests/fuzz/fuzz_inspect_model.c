/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model file. The digest would stop nearly every mutation, so that the input is taken as a
 * payload too, with a right head put before it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/digest.h"
#include "modules/inspect/learn/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const void *bytes, size_t len)
{
	struct vd_model *model = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_model_decode(bytes, len, &model, &fault);

	if (r == -22 && fault.code == 0)
		abort();
	(void)vd_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	const size_t bound = ZSTD_compressBound(size);
	VD_CLEANUP(vd_free) char *packed = malloc(bound);
	uint8_t digest[VD_SHA256_BYTES];
	size_t n;

	decode(data, size);
	n = packed ? ZSTD_compress(packed, bound, data, size, 1) : 0;
	if (!packed || ZSTD_isError(n) || vd_sha256(data, size, digest) < 0 ||
	    vd_buf_append(&file, "VDMODEL1", 8) < 0 ||
	    vd_buf_append(&file, digest, sizeof digest) < 0 || vd_buf_append(&file, packed, n) < 0)
		return 0;
	decode(file.data, file.len);
	return 0;
}
