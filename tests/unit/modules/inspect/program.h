/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The program of a station under test: the test holds the other ends of its sockets. */
#include <poll.h>
#include <string.h>

#include "agent/ipc/packet.h"
#include "agent/ipc/pool.h"
#include "base/clock.h"
#include "vd_test.h"

enum { WIDTH = 240, HEIGHT = 200, WAIT_MS = 20000, SLOTS = 4, SLOT_BYTES = 1 << 18 };

struct fixture {
	char folder[64];
	pid_t pid;
	int agent, camera; /* our ends */
	struct vd_pool *pool;
	unsigned next_slot;
	int64_t seq;
	struct vd_packet packet; /* the last one received */
};

static inline void send_json(int fd, const char *text, const int *fds, unsigned count)
{
	assert_int_equal(vd_packet_send_text(fd, text, strlen(text), fds, count), 0);
}

/* The next packet of this type; others are passed over. */
static inline const cJSON *await(struct fixture *f, const char *type)
{
	const uint64_t end = vd_clock_mono_ms() + WAIT_MS;
	struct vd_fault fault = { 0 };

	while (vd_clock_mono_ms() < end) {
		struct pollfd ready = { .fd = f->agent, .events = POLLIN };

		if (poll(&ready, 1, 100) != 1)
			continue;
		vd_packet_fini(&f->packet);
		f->packet = (struct vd_packet){ 0 };
		if (vd_packet_receive(f->agent, &f->packet, &fault) != 0)
			fail_msg("the module is gone while \"%s\" was awaited", type);
		if (strcmp(vd_packet_type(&f->packet), type) == 0)
			return f->packet.json;
	}
	fail_msg("no \"%s\" came", type);
	return NULL;
}
