/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/gvcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PORT = 3956,
	KEY = 0x42,
	WANTS_ANSWER = 0x01,
	READ_REGISTER = 0x0080,
	READ_REGISTER_ANSWER = 0x0081,
	STREAM_CHANNELS = 0x0904, /* a register that every camera has */
	HEADER = 8
};

void vd_gvcp_request(uint16_t id, uint8_t packet[static VD_GVCP_BYTES])
{
	const uint8_t bytes[VD_GVCP_BYTES] = { KEY,
					       WANTS_ANSWER,
					       READ_REGISTER >> 8,
					       READ_REGISTER & 0xff,
					       0,
					       4,
					       (uint8_t)(id >> 8),
					       (uint8_t)id,
					       0,
					       0,
					       STREAM_CHANNELS >> 8,
					       STREAM_CHANNELS & 0xff };

	memcpy(packet, bytes, sizeof bytes);
}

/* Status, command and id. A refusal is an answer too. */
bool vd_gvcp_is_answer(const void *packet, size_t len, uint16_t id)
{
	const uint8_t *bytes = packet;

	return len >= HEADER && bytes[2] == READ_REGISTER_ANSWER >> 8 &&
	       bytes[3] == (READ_REGISTER_ANSWER & 0xff) && bytes[6] == id >> 8 &&
	       bytes[7] == (id & 0xff);
}

void vd_gvcp_open(struct vd_gvcp *probe, const char *address, uint64_t now_ms)
{
	struct sockaddr_in camera = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	*probe = (struct vd_gvcp){ .fd = -1, .next_ms = now_ms };
	if (!address || inet_pton(AF_INET, address, &camera.sin_addr) != 1)
		return;
	probe->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd >= 0 &&
	    connect(probe->fd, (const struct sockaddr *)&camera, sizeof camera) < 0)
		vd_gvcp_close(probe);
}

void vd_gvcp_close(struct vd_gvcp *probe)
{
	vd_close(&probe->fd);
}

static void take_answers(struct vd_gvcp *probe)
{
	uint8_t packet[64];
	ssize_t n;

	/* An error, as of a closed port, is taken out of the socket as well: that is no answer. */
	for (int i = 0; i < 8; i++) {
		n = recv(probe->fd, packet, sizeof packet, 0);
		if (n >= 0 && vd_gvcp_is_answer(packet, (size_t)n, probe->id))
			probe->unanswered = 0;
	}
}

bool vd_gvcp_tend(struct vd_gvcp *probe, uint64_t now_ms)
{
	uint8_t packet[VD_GVCP_BYTES];

	if (probe->fd < 0)
		return true;
	take_answers(probe);
	if (now_ms < probe->next_ms)
		return true;
	if (probe->unanswered >= VD_GVCP_UNANSWERED)
		return false;
	probe->next_ms = now_ms + VD_GVCP_PERIOD_MS;
	probe->unanswered++;
	if (++probe->id == 0)
		probe->id = 1; /* 0 is no id */
	vd_gvcp_request(probe->id, packet);
	(void)send(probe->fd, packet, sizeof packet, 0);
	return true;
}
