/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "twin/document/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_fault fault = { 0 };

	if (vd_json_parse((const char *)data, size, &json, NULL) < 0)
		return 0;
	if (vd_limits_check(json, VD_LIMITS_TAGS_BYTES, &fault) == 0)
		assert(vd_limits_size(json) <= VD_LIMITS_TAGS_BYTES);
	else
		assert((fault.code == 400 || fault.code == 413) && *fault.text);
	return 0;
}
