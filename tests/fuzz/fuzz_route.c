/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_free) char *text = strndup((const char *)data, size);
	struct vd_fault fault = { 0 };
	struct vd_route route;

	assert(text);
	if (vd_route_parse(text, &route, &fault) < 0) {
		assert(fault.code == 400 && *fault.text);
		return 0;
	}
	assert(vd_route_is_name(route.source_module) && vd_route_is_name(route.source_output));
	assert(route.is_upstream ||
	       (vd_route_is_name(route.sink_module) && vd_route_is_name(route.sink_input)));
	return 0;
}
