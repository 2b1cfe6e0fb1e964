/* SPDX-License-Identifier: Apache-2.0 */
/* A package's model.json, as it is delivered. */
#include <stdint.h>
#include <stdlib.h>

#include "modules/inspect/tools/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_fault fault = { 0 };
	const int r = vd_package_parse((const char *)data, size, &json, &fault);

	if ((r == 0) != (json != NULL) || (r < 0 && fault.code == 0))
		abort();
	return 0;
}
