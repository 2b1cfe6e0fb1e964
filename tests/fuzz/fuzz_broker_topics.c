/* SPDX-License-Identifier: Apache-2.0 */
/* Topics and property bags, which any device writes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/broker/topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_bag(const char *bag, size_t len)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };
	const char *key, *value;

	while (vd_bag_next(&bag, &len, &buf, &key, &value) == 0) {
		if (strlen(key) > buf.len || (value && strlen(value) > buf.len))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_free) char *topic = strndup((const char *)data, size);
	struct vd_published published;
	struct vd_command command;
	enum vd_flag flag;

	if (!topic)
		return 0;
	if (vd_topic_published("d", topic, &published) == 0)
		read_bag(published.bag, published.bag_len);
	if (vd_topic_published("d/m", topic, &published) == 0)
		read_bag(published.bag, published.bag_len);
	if (vd_topic_subscribed("d", topic, &flag) == 0 && (unsigned)flag > VD_FLAG_ALL)
		abort();
	if (vd_topic_command(topic, &command) == 0 && command.kind == VD_COMMAND_DELIVER)
		(void)vd_topic_is_deliverable(command.identity, command.topic);
	read_bag((const char *)data, size);
	return 0;
}
