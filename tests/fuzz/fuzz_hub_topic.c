/* SPDX-License-Identifier: Apache-2.0 */
/* Topics that reach the hub through the broker. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *topic = strndup((const char *)data, size);
	struct vd_said said;

	if (topic && vd_said_parse(topic, &said) == 0 && said.kind < VD_SAID_SPOOL &&
	    !said.name.device[0])
		abort();
	free(topic);
	return 0;
}
