/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

/*
 * The hub's connection to the broker: an MQTT client on a Unix socket, in the hub's loop. It
 * connects again for ever, from 100 ms to 5 s apart.
 *
 *   AWAY --connect--> CONNECTING --CONNACK--> UP --lost--> AWAY
 */
struct vd_link;
enum vd_link_state { VD_LINK_AWAY, VD_LINK_CONNECTING, VD_LINK_UP };

struct vd_link_events {
	void (*message)(const char *topic, const void *payload, size_t len, void *argument);
	/* Before and after messages that came together. */
	void (*turn)(bool is_begin, void *argument);
	/* Came up (subscribed), or was lost. */
	void (*changed)(bool is_up, void *argument);
	void *argument;
};

/* Begins to connect. Events come from the loop, and from vd_link_publish when it finds the broker gone. */
VD_MUST int vd_link_new(struct vd_loop *loop, const char *socket_path,
			const struct vd_link_events *events, struct vd_link **ret_link);
struct vd_link *vd_link_free(struct vd_link *link);
VD_DEFINE_CLEANUP(struct vd_link, vd_link_free)

/* Drops the connection and what waits on it: the broker refuses what devices still wait for. */
void vd_link_reset(struct vd_link *link);

bool vd_link_is_up(const struct vd_link *link);

/* false: the broker is away, nothing was sent or queued. */
bool vd_link_publish(struct vd_link *link, const char *topic, const void *payload, size_t len,
		     int qos);
