/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "agent/store/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vd_packer *packer;
	static struct vd_buf text, joined;

	if (!packer)
		packer = vd_packer_new();
	if (packer && vd_batch_unpack(packer, data, size, &text) == 0) {
		vd_buf_clear(&joined);
		if (vd_batch_join(&joined, text.data, text.len) < 0 ||
		    vd_batch_join(&joined, text.data, text.len) < 0)
			return 0;
		if (joined.len > 2 * text.len)
			__builtin_trap();
	}
	return 0;
}
