/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/held.h"

#include <string.h>

struct head {
	size_t topic_len, len; /* the topic with its NUL */
	int qos;
};

int vd_held_add(struct vd_buf *held, const char *topic, const void *payload, size_t len, int qos)
{
	const struct head head = { strlen(topic) + 1, len, qos };
	size_t before = held->len;
	int r = vd_buf_append(held, &head, sizeof head);

	if (r == 0)
		r = vd_buf_append(held, topic, head.topic_len);
	if (r == 0 && len > 0)
		r = vd_buf_append(held, payload, len);
	if (r < 0)
		held->len = before;
	return r;
}

bool vd_held_next(const struct vd_buf *held, size_t *at, struct vd_held *ret_message)
{
	struct head head;

	if (*at >= held->len)
		return false;
	memcpy(&head, held->data + *at, sizeof head);
	*at += sizeof head;
	*ret_message = (struct vd_held){ held->data + *at, held->data + *at + head.topic_len,
					 head.len, head.qos };
	*at += head.topic_len + head.len;
	return true;
}
