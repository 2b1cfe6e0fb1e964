/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events in two portions, connection strings, and assignments. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/assignment.h"
#include "twin/ctl/connection.h"
#include "twin/ctl/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ignore(const char *type, const char *id, const char *data, void *argument)
{
	return strlen(type) + strlen(id) + strlen(data) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_sse_fini) struct vd_sse sse = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *patch = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = strndup((const char *)data, size);
	struct vd_connection connection;
	size_t half = size / 2;

	if (vd_sse_feed(&sse, (const char *)data, half, ignore, NULL) == 0)
		(void)!vd_sse_feed(&sse, (const char *)data + half, size - half, ignore, NULL);
	if (!text || !patch)
		return 0;
	(void)!vd_connection_parse(text, &connection, NULL);
	(void)!vd_assignment_add(patch, text, NULL);
	(void)!vd_assignment_add(patch, text, NULL);
	return 0;
}
