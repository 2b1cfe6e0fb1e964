/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/*
 * Azure IoT Hub's topics, as the device sees them. What comes from the hub:
 *   $iothub/twin/res/{status}/?$rid={rid}[&$version={v}]
 *   $iothub/twin/PATCH/properties/desired/?$version={v}
 *   $iothub/methods/POST/{name}/?$rid={rid}
 *   devices/{id}/messages/devicebound/{bag}
 *   devices/{id}/modules/{module}/inputs/{name}/{bag}
 */
enum vd_topic_kind {
	VD_TOPIC_TWIN_ANSWER,
	VD_TOPIC_DESIRED,
	VD_TOPIC_METHOD,
	VD_TOPIC_MESSAGE,
};

enum { VD_RID_TEXT = 64, VD_METHOD_TEXT = 129 };

struct vd_topic {
	enum vd_topic_kind kind;
	int status;                  /* of a twin answer */
	char rid[VD_RID_TEXT];       /* of an answer or a method */
	int64_t version;             /* -1: none */
	char method[VD_METHOD_TEXT]; /* decoded */
	const char *bag;             /* of a message: points into the text, bag_len bytes */
	size_t bag_len;
};

/* The text need not end with NUL. -EINVAL: none of these, or a part is missing or too long. */
VD_MUST int vd_topic_parse(const char *text, size_t len, struct vd_topic *ret_topic);

/* Appends text with everything but letters, digits and "-_.~" as %XX. */
VD_MUST int vd_topic_encode(const char *text, struct vd_buf *out);

/* Appends "key=value", encoded, after '&' unless the bag is empty. */
VD_MUST int vd_bag_add(struct vd_buf *bag, const char *key, const char *value);
