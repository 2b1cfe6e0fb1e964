/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Messages to the broker that wait, one behind the other in a buffer. */
struct vd_held {
	const char *topic;
	const void *payload;
	size_t len;
	int qos;
};
VD_MUST int vd_held_add(struct vd_buf *held, const char *topic, const void *payload, size_t len,
			int qos);

/* The message at *at, which is moved behind it; begin with 0. false: there is none. */
bool vd_held_next(const struct vd_buf *held, size_t *at, struct vd_held *ret_message);
