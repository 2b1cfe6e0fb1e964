/* SPDX-License-Identifier: Apache-2.0 */
/* Cloud-to-device messages as they are sent in: what goes out is a topic. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/c2d.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vd_name name = { .device = "d1" };
	struct vd_c2d_message message = { 0 };
	cJSON *json = NULL;

	if (vd_json_parse((const char *)data, size, &json, NULL) == 0 && cJSON_IsObject(json) &&
	    vd_c2d_message_read(&name, json, 1000, 60000, &message, NULL) == 0) {
		if (strpbrk(message.bag.data, "+#/$ ") ||
		    message.bag.len + message.body.len > VD_C2D_BYTES)
			abort();
		vd_c2d_message_fini(&message);
	}
	(void)vd_json_free(json);
	return 0;
}
