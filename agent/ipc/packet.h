/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/json.h"

/*
 * One packet of vedette-module(7): a JSON object with a string "type", at most
 * VD_PACKET_BYTES of text, and up to VD_PACKET_FDS descriptors beside it, over a
 * SOCK_SEQPACKET Unix socket. The kernel keeps packets whole, so there is no framing.
 */
enum { VD_PACKET_BYTES = 65536, VD_PACKET_FDS = 8 };

struct vd_packet {
	cJSON *json; /* owned by the packet; VD_TAKE(packet->json) makes it the caller's */
	int fds[VD_PACKET_FDS]; /* close-on-exec, owned by the packet; -1 once taken */
	unsigned fd_count;
};

enum { VD_PACKET_EOF = 1, VD_PACKET_WOULD_BLOCK = 2, VD_PACKET_MALFORMED = 3 };

/* A connected, close-on-exec SEQPACKET pair. `flags`: SOCK_NONBLOCK or 0. -errno. */
VD_MUST int vd_packet_pair(int flags, int ret_fds[static 2]);

/*
 * The text of a packet, from outside. VD_PACKET_MALFORMED with 400 in fault: empty, too
 * long, no JSON object, no string "type". -ENOMEM.
 */
VD_MUST int vd_packet_parse(const char *text, size_t len, cJSON **ret_json, struct vd_fault *fault);

/*
 * Receives one packet. VD_PACKET_EOF also when the peer died with our packets unread.
 * VD_PACKET_MALFORMED, 400 in fault: the packet is consumed and its descriptors are closed.
 * VD_PACKET_WOULD_BLOCK only on a non-blocking socket. -errno. Thread-safe a descriptor.
 */
VD_MUST int vd_packet_receive(int fd, struct vd_packet *ret_packet, struct vd_fault *fault);

/*
 * Sends json and borrowed descriptors. VD_PACKET_EOF: the peer is gone (no SIGPIPE).
 * VD_PACKET_WOULD_BLOCK: the socket is full. -E2BIG: the text is over VD_PACKET_BYTES. -errno.
 */
VD_MUST int vd_packet_send(int fd, const cJSON *json, const int *fds, unsigned fd_count);
VD_MUST int vd_packet_send_text(int fd, const char *text, size_t len, const int *fds,
				unsigned fd_count);

const char *vd_packet_type(const struct vd_packet *packet); /* never NULL after receive */

/* The descriptor is the caller's from now on; -1: there is no such one, or it was taken. */
int vd_packet_take_fd(struct vd_packet *packet, unsigned index);

/* Frees the object and closes what was not taken. */
void vd_packet_fini(struct vd_packet *packet);

VD_UNUSED static inline void vd_packet_fini_p(struct vd_packet *packet)
{
	vd_packet_fini(packet);
}
