/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "twin/broker/identities.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_identities_free) struct vd_identities *table = NULL;
	const char *text = (const char *)data;

	if (vd_identities_new("/nonexistent/identities", &table) < 0)
		abort();
	for (size_t i = 0; i < 2; i++) {
		if (vd_identities_apply_line(table, text, size) == 0 &&
		    vd_identities_count(table) > 1)
			abort();
	}
	return 0;
}
