/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/loop.h"

/*
 * One device of the swarm: MQTT 3.1.1 over TLS on a loop that is shared by ten thousand. As few
 * bytes as can be, and one descriptor: libmosquitto takes three, which is more than a process may
 * have here.
 */
struct swarm_peer;

struct swarm_target {
	struct vd_loop *loop;
	SSL_CTX *tls;
	const char *address, *host_name;
	uint16_t port;
	unsigned
		sources; /* 127.0.0.1, .2, … as source addresses, in turn; 0: the kernel's choice */
};

struct swarm_events {
	/* connected and subscribed, or closed with the reason */
	void (*changed)(struct swarm_peer *peer, const char *reason, void *argument);
	void (*acknowledged)(struct swarm_peer *peer, void *argument);
	void (*message)(struct swarm_peer *peer, const char *topic, size_t topic_len,
			void *argument);
	void *argument;
};

/* id and key (base64) are borrowed. */
VD_MUST int swarm_peer_new(const struct swarm_target *target, const struct swarm_events *events,
			   const char *id, const char *key, unsigned number,
			   struct swarm_peer **ret_peer);
struct swarm_peer *swarm_peer_free(struct swarm_peer *peer);

/* -errno; what comes later is told by changed. */
VD_MUST int swarm_peer_connect(struct swarm_peer *peer);
bool swarm_peer_is_up(const struct swarm_peer *peer);
unsigned swarm_peer_number(const struct swarm_peer *peer);
const char *swarm_peer_id(const struct swarm_peer *peer);

VD_MUST int swarm_peer_publish(struct swarm_peer *peer, const char *topic, const void *payload,
			       size_t len, int qos);
VD_MUST int swarm_peer_ping(struct swarm_peer *peer);
