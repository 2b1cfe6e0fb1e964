/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ipc/packet.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int vd_packet_pair(int flags, int ret_fds[static 2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0, ret_fds) < 0 ? -errno
											  : 0;
}

int vd_packet_parse(const char *text, size_t len, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r;

	if (len == 0 || len > VD_PACKET_BYTES) {
		vd_fault_set(fault, 400, "", "a packet of %zu bytes; 1 to %d are allowed", len,
			     VD_PACKET_BYTES);
		return VD_PACKET_MALFORMED;
	}
	r = vd_json_parse(text, len, &json, fault);
	if (r < 0)
		return r == -ENOMEM ? r : VD_PACKET_MALFORMED;
	if (!cJSON_IsObject(json) || !vd_json_string(json, "type", NULL)) {
		vd_fault_set(fault, 400, "/type", "a packet is an object with a text \"type\"");
		return VD_PACKET_MALFORMED;
	}
	*ret_json = VD_TAKE(json);
	return 0;
}

/* All descriptors that came, also those over the limit: each one left open would be a leak. */
static unsigned collect_fds(struct msghdr *message, struct vd_packet *packet)
{
	unsigned surplus = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (packet->fd_count < VD_PACKET_FDS) {
				packet->fds[packet->fd_count++] = fd;
			} else {
				vd_close(&fd);
				surplus++;
			}
		}
	}
	return surplus;
}

static int read_packet(const struct msghdr *message, const char *text, size_t len, unsigned surplus,
		       struct vd_packet *packet, struct vd_fault *fault)
{
	if (message->msg_flags & MSG_TRUNC) {
		vd_fault_set(fault, 400, "", "a packet over %d bytes", VD_PACKET_BYTES);
		return VD_PACKET_MALFORMED;
	}
	if (message->msg_flags & MSG_CTRUNC || surplus > 0) {
		vd_fault_set(fault, 400, "", "more descriptors than %d, or none left for them",
			     VD_PACKET_FDS);
		return VD_PACKET_MALFORMED;
	}
	return vd_packet_parse(text, len, &packet->json, fault);
}

static ssize_t receive(int fd, struct msghdr *message)
{
	ssize_t n;

	do
		n = recvmsg(fd, message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int vd_packet_receive(int fd, struct vd_packet *ret_packet, struct vd_fault *fault)
{
	/* One descriptor more than allowed, so that excess is seen; MSG_TRUNC tells of excess text. */
	char text[VD_PACKET_BYTES];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * (VD_PACKET_FDS + 1))];
	} control;
	struct iovec part = { .iov_base = text, .iov_len = VD_PACKET_BYTES };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	VD_CLEANUP(vd_packet_fini) struct vd_packet packet = { .json = NULL };
	ssize_t n = receive(fd, &message);
	unsigned surplus;
	int r;

	if (n == -EAGAIN)
		return VD_PACKET_WOULD_BLOCK;
	if (n == -ECONNRESET)
		return VD_PACKET_EOF;
	if (n < 0)
		return (int)n;
	surplus = collect_fds(&message, &packet);
	/* A packet of no bytes looks like the end, so the end it is. */
	if (n == 0)
		return VD_PACKET_EOF;
	r = read_packet(&message, text, (size_t)n, surplus, &packet, fault);
	if (r == 0) {
		*ret_packet = packet;
		packet = (struct vd_packet){ .json = NULL };
	}
	return r;
}

static void attach_fds(struct msghdr *message, void *control, const int *fds, unsigned fd_count)
{
	struct cmsghdr *c;

	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
	c = CMSG_FIRSTHDR(message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
}

int vd_packet_send_text(int fd, const char *text, size_t len, const int *fds, unsigned fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * VD_PACKET_FDS)];
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	assert(len > 0 && fd_count <= VD_PACKET_FDS);
	if (len > VD_PACKET_BYTES)
		return -E2BIG;
	if (fd_count > 0)
		attach_fds(&message, control.bytes, fds, fd_count);
	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN)
		return VD_PACKET_WOULD_BLOCK;
	return errno == EPIPE || errno == ECONNRESET ? VD_PACKET_EOF : -errno;
}

int vd_packet_send(int fd, const cJSON *json, const int *fds, unsigned fd_count)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);

	return text ? vd_packet_send_text(fd, text, strlen(text), fds, fd_count) : -ENOMEM;
}

const char *vd_packet_type(const struct vd_packet *packet)
{
	return vd_json_string(packet->json, "type", "");
}

int vd_packet_take_fd(struct vd_packet *packet, unsigned index)
{
	int fd = -1;

	if (index < packet->fd_count) {
		fd = packet->fds[index];
		packet->fds[index] = -1;
	}
	return fd;
}

void vd_packet_fini(struct vd_packet *packet)
{
	for (unsigned i = 0; i < packet->fd_count; i++)
		vd_close(&packet->fds[i]);
	packet->fd_count = 0;
	packet->json = vd_json_free(packet->json);
}
