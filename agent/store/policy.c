/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/policy.h"

#include <string.h>

#include "base/attr.h"

int vd_policy_victim(enum vd_class incoming, const bool has_evictable[static VD_CLASSES])
{
	for (int class = VD_RAW; class >= (int)VD_EVENT && class >= (int)incoming; class --)
		if (has_evictable[class])
			return class;
	return -1;
}

int vd_policy_stream(unsigned turn, const bool has_batch[static VD_STREAMS])
{
	static const uint8_t turns[] = {
		VD_STREAM_URGENT, VD_STREAM_URGENT, VD_STREAM_LIVE,   VD_STREAM_URGENT,
		VD_STREAM_URGENT, VD_STREAM_LIVE,   VD_STREAM_URGENT, VD_STREAM_BACKLOG,
	};
	int stream = turns[turn % VD_COUNT(turns)];

	if (has_batch[stream])
		return stream;
	for (stream = VD_STREAM_URGENT; stream < VD_STREAMS; stream++)
		if (has_batch[stream])
			return stream;
	return -1;
}

int vd_policy_image_worth(const char *verdict)
{
	if (!verdict)
		return 2;
	if (strcmp(verdict, "OK") == 0)
		return 0;
	return strcmp(verdict, "WARN") == 0 ? 1 : 2;
}

int vd_policy_image_rank(enum vd_class class, const char *verdict)
{
	if (class == VD_ALARM)
		return 2;
	return verdict && strcmp(verdict, "OK") != 0;
}
