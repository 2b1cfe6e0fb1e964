/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

/*
 * Azure's device topics, and the contract's between broker and hub (vedette-broker(7)). Pure;
 * nothing is kept. `identity` is "dev" or "dev/mod" and valid (vd_identity_id_is_valid).
 */

/* X in topics: an identity as one topic level, '/' and '%' percent-encoded. Appends to out. */
VD_MUST int vd_topic_encode(const char *identity, struct vd_buf *out);

enum { VD_TOPIC_IDENTITY = 258 }; /* bytes with the NUL */

/* The other way; -EINVAL: no identity. */
VD_MUST int vd_topic_decode(const char *level, size_t len,
			    char ret_identity[static VD_TOPIC_IDENTITY]);

/* What a device may publish. */
enum vd_topic_kind {
	VD_TOPIC_TELEMETRY,     /* {own}/messages/events[/][?]bag[/] */
	VD_TOPIC_TWIN_GET,      /* $iothub/twin/GET/?$rid=… */
	VD_TOPIC_REPORTED,      /* $iothub/twin/PATCH/properties/reported/?$rid=…[&$version=n] */
	VD_TOPIC_METHOD_RESULT, /* $iothub/methods/res/{status}/?$rid=… */
};

struct vd_published {
	enum vd_topic_kind kind;
	const char *bag; /* telemetry: without '?' before and '/' behind; else what follows '?' */
	size_t bag_len;
	const char *rid; /* as on the wire, inside bag; not for telemetry */
	size_t rid_len;
};

/* Pointers go into topic. -EACCES: a device may not publish there. */
VD_MUST int vd_topic_published(const char *identity, const char *topic,
			       struct vd_published *ret_published);

/* What a device may subscribe to, as bits. */
enum vd_flag {
	VD_FLAG_C2D = 1,     /* "c2d" */
	VD_FLAG_TWINRES = 2, /* "twinres" */
	VD_FLAG_DESIRED = 4, /* "desired" */
	VD_FLAG_METHODS = 8, /* "methods" */
	VD_FLAG_INPUTS = 16, /* "inputs" */
};
enum { VD_FLAG_ALL = 31 };

/* -EACCES: a device may not subscribe to that. */
VD_MUST int vd_topic_subscribed(const char *identity, const char *filter, enum vd_flag *ret_flag);

/* May this topic be delivered to the device? Own messages, inputs and $iothub/ answers only. */
bool vd_topic_is_deliverable(const char *identity, const char *topic);

/* A JSON array of the flags' names, appended to out; and one name's bit, -EINVAL if none. */
VD_MUST int vd_flags_text(unsigned flags, struct vd_buf *out);
VD_MUST int vd_flag_parse(const char *name, enum vd_flag *ret_flag);

/* hub -> plugin. -EINVAL: not one of these. Pointers go into topic. */
enum { VD_TOKEN_MAX = 32 };
struct vd_command {
	enum { VD_COMMAND_DELIVER, VD_COMMAND_HAND, VD_COMMAND_KICK } kind;
	char identity[VD_TOPIC_IDENTITY];
	int qos;           /* deliver: 0 or 1; hand: 1 */
	const char *topic; /* deliver, hand: what the device sees */
	const char *token; /* hand: the hub's, for the receipt */
	int token_len;
};
VD_MUST int vd_topic_command(const char *topic, struct vd_command *ret_command);

/*
 * Property bags: "k=v&k2=v2", both sides URL-encoded. Takes the next pair off the front of
 * *bag; key and value are decoded into buf, one after the other with a NUL each, *ret_value is NULL for a
 * key without '='. VD_BAG_END: no more. -EINVAL: an escape that is none, or NUL. -ENOMEM.
 */
enum { VD_BAG_END = 1 };
VD_MUST int vd_bag_next(const char **bag, size_t *bag_len, struct vd_buf *buf, const char **ret_key,
			const char **ret_value);
