/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/ipc/packet.h"
#include "base/loop.h"

/*
 * Packets on the event loop: a SEQPACKET socket that calls back for each packet and keeps a
 * bounded queue of what the peer has no room for yet. The peer's speed never blocks the loop.
 */
struct vd_channel;

enum vd_channel_end {
	VD_CHANNEL_EOF,       /* the peer closed, or died */
	VD_CHANNEL_MALFORMED, /* it sent what is no packet; fault says what */
	VD_CHANNEL_ERROR,     /* the socket failed; fault says how */
};

struct vd_channel_handlers {
	/* The packet is the channel's; take its descriptors with vd_packet_take_fd. */
	void (*on_packet)(struct vd_packet *packet, void *argument);

	/* Once. Nothing is received or sent afterwards; free the channel here or later. */
	void (*on_closed)(enum vd_channel_end end, const struct vd_fault *fault, void *argument);

	/* Optional: the queue, once full, has become empty again. */
	void (*on_drained)(void *argument);
};

struct vd_channel_counts {
	uint64_t received, sent; /* packets */
	uint64_t refused;        /* sends answered with VD_CHANNEL_FULL */
	size_t queued, queued_bytes;
};

enum { VD_CHANNEL_QUEUE_PACKETS = 1024, VD_CHANNEL_QUEUE_BYTES = 4 << 20 }; /* defaults */

/*
 * Takes *fd (then -1) on success, and makes it non-blocking. queue_packets 0: the default.
 * handlers are copied; on_packet and on_closed must be there. Any handler may free the channel.
 */
VD_MUST int vd_channel_new(struct vd_loop *loop, int *fd, size_t queue_packets,
			   const struct vd_channel_handlers *handlers, void *argument,
			   struct vd_channel **ret_channel);
struct vd_channel *vd_channel_free(struct vd_channel *channel); /* NULL allowed; returns NULL */
VD_DEFINE_CLEANUP(struct vd_channel, vd_channel_free)

enum { VD_CHANNEL_FULL = 1, VD_CHANNEL_GONE = 2 };

/*
 * Sends or queues, in order. Borrows json and the descriptors (queued ones are duplicated).
 * VD_CHANNEL_FULL: nothing was queued. VD_CHANNEL_GONE: closed already, or found closed now
 * (on_closed follows from the loop). -E2BIG, -ENOMEM, -EMFILE.
 */
VD_MUST int vd_channel_send(struct vd_channel *channel, const cJSON *json, const int *fds,
			    unsigned fd_count);

/*
 * Handles at most `limit` packets that wait in the socket now, and its end if it is reached.
 * For a peer that is known to be dead and whose last words count.
 */
void vd_channel_drain(struct vd_channel *channel, unsigned limit);

void vd_channel_counts(const struct vd_channel *channel, struct vd_channel_counts *ret_counts);
