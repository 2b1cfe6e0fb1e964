/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/cloud/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_topic topic;

	if (vd_topic_parse((const char *)data, size, &topic) < 0)
		return 0;
	if (topic.kind == VD_TOPIC_MESSAGE &&
	    ((const uint8_t *)topic.bag < data ||
	     (const uint8_t *)topic.bag + topic.bag_len != data + size))
		__builtin_trap();
	if (topic.kind == VD_TOPIC_TWIN_ANSWER && (topic.status < 0 || !*topic.rid))
		__builtin_trap();
	if (strlen(topic.rid) >= VD_RID_TEXT || strlen(topic.method) >= VD_METHOD_TEXT)
		__builtin_trap();
	return 0;
}
