/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of blocks: bodies that a device sends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/files/image_files.h"
#include "twin/hub/files/images.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_buf parts = { 0 };

	if (vd_block_list_read((const char *)data, size, &parts, NULL) == 0) {
		for (size_t at = 0; at < parts.len; at += strlen(parts.data + at) + 1) {
			size_t len = strlen(parts.data + at);

			if (len == 0 || len >= VD_PART_NAME_BYTES ||
			    strspn(parts.data + at, "0123456789abcdef") != len)
				abort();
		}
	}
	vd_buf_fini(&parts);
	return 0;
}
