/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate requests, which strangers send. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_csr_free) struct vd_csr *csr = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_csr_read((const char *)data, size, &csr, &fault);

	if ((r == 0) != (csr != NULL) || (r == -EINVAL && !fault.text[0]))
		abort();
	if (csr && (!vd_csr_common_name(csr)[0] || strlen(vd_csr_public_key(csr)) != 64))
		abort();
	return 0;
}
