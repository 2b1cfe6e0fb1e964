/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a queue of our own behind the socket's: the socket holds 212,992 bytes, which a burst
 * of publications fills, and a write must neither block the loop nor be lost. Why a bound: a
 * peer that does not read must not cost the agent its memory.
 */
#include "agent/ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Packets handled a wake-up: no module keeps the others from being heard. */
enum { BATCH = 64 };

struct queued {
	struct queued *next;
	size_t len;
	unsigned fd_count;
	int fds[VD_PACKET_FDS];
	char text[];
};

struct vd_channel {
	int fd;
	struct vd_source *source;
	struct vd_channel_handlers handlers;
	void *argument;

	struct queued *first, **last;
	size_t queue_packets;
	struct vd_channel_counts counts;
	bool was_full, is_closed;

	unsigned in_use; /* calls under way that still look at the channel */
	bool is_freed;   /* by a handler; the last of these calls gives the memory back */
};

static struct queued *queued_free(struct queued *q)
{
	for (unsigned i = 0; q && i < q->fd_count; i++)
		vd_close(&q->fds[i]);
	free(q);
	return NULL;
}

VD_DEFINE_CLEANUP(struct queued, queued_free)

static int queued_new(const char *text, size_t len, const int *fds, unsigned fd_count,
		      struct queued **ret_queued)
{
	VD_CLEANUP(queued_free) struct queued *q = calloc(1, sizeof *q + len);

	if (!q)
		return -ENOMEM;
	memcpy(q->text, text, len);
	q->len = len;
	for (unsigned i = 0; i < fd_count; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (copy < 0)
			return -errno;
		q->fds[q->fd_count++] = copy;
	}
	*ret_queued = VD_TAKE(q);
	return 0;
}

static void drop_queue(struct vd_channel *c)
{
	while (c->first) {
		struct queued *q = c->first;

		c->first = q->next;
		(void)queued_free(q);
	}
	c->last = &c->first;
	c->counts.queued = 0;
	c->counts.queued_bytes = 0;
}

/* The channel may be freed when this returns. */
static void close_channel(struct vd_channel *c, enum vd_channel_end end,
			  const struct vd_fault *fault)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	c->source = vd_source_free(c->source);
	vd_close(&c->fd);
	drop_queue(c);
	c->handlers.on_closed(end, fault, c->argument);
}

static void close_with_error(struct vd_channel *c, int error)
{
	struct vd_fault fault = { 0 };

	vd_fault_set(&fault, 500, "", "%s", strerrordesc_np(-error));
	close_channel(c, VD_CHANNEL_ERROR, &fault);
}

static void close_by_outcome(struct vd_channel *c, int outcome, const struct vd_fault *fault)
{
	if (outcome < 0)
		close_with_error(c, outcome);
	else
		close_channel(c, outcome == VD_PACKET_EOF ? VD_CHANNEL_EOF : VD_CHANNEL_MALFORMED,
			      fault);
}

/* A handler may free the channel under our feet: between these two the memory stays. */
static void use(struct vd_channel *c)
{
	c->in_use++;
}

static void leave(struct vd_channel *c)
{
	if (--c->in_use == 0 && c->is_freed)
		free(c);
}

/* 0, or what vd_packet_receive said. */
static int receive_one(struct vd_channel *c)
{
	VD_CLEANUP(vd_packet_fini) struct vd_packet packet = { .json = NULL };
	struct vd_fault fault = { 0 };
	int r = vd_packet_receive(c->fd, &packet, &fault);

	if (r == 0) {
		c->counts.received++;
		c->handlers.on_packet(&packet, c->argument);
	} else if (r != VD_PACKET_WOULD_BLOCK) {
		close_by_outcome(c, r, &fault);
	}
	return r;
}

void vd_channel_drain(struct vd_channel *c, unsigned limit)
{
	use(c);
	while (limit-- > 0 && !c->is_closed && receive_one(c) == 0)
		;
	leave(c);
}

static int send_first(struct vd_channel *c)
{
	struct queued *q = c->first;
	int r = vd_packet_send_text(c->fd, q->text, q->len, q->fds, q->fd_count);

	if (r != 0)
		return r;
	c->counts.sent++;
	c->counts.queued--;
	c->counts.queued_bytes -= q->len;
	c->first = q->next;
	if (!c->first)
		c->last = &c->first;
	(void)queued_free(q);
	return 0;
}

/* The channel may be freed when this returns. */
static void flush(struct vd_channel *c)
{
	int r = 0;

	while (c->first && r == 0)
		r = send_first(c);
	if (r < 0) {
		close_with_error(c, r);
		return;
	}
	if (r == VD_PACKET_WOULD_BLOCK)
		return;
	/* Written to a dead peer: what it said before is still to be read, and ends with EOF. */
	if (r == VD_PACKET_EOF)
		drop_queue(c);
	r = vd_source_want(c->source, VD_READABLE);
	if (r < 0) {
		close_with_error(c, r);
	} else if (c->was_full) {
		c->was_full = false;
		if (c->handlers.on_drained)
			c->handlers.on_drained(c->argument);
	}
}

static void on_ready(int fd, int ready, void *argument)
{
	struct vd_channel *c = argument;

	(void)fd;
	use(c);
	if (ready & VD_READABLE)
		vd_channel_drain(c, BATCH);
	if (!c->is_closed && ready & VD_WRITABLE)
		flush(c);
	leave(c);
}

int vd_channel_new(struct vd_loop *loop, int *fd, size_t queue_packets,
		   const struct vd_channel_handlers *handlers, void *argument,
		   struct vd_channel **ret_channel)
{
	VD_CLEANUP(vd_channel_free) struct vd_channel *c = calloc(1, sizeof *c);
	int flags = fcntl(*fd, F_GETFL), r;

	assert(handlers->on_packet && handlers->on_closed);
	if (!c)
		return -ENOMEM;
	c->fd = -1;
	c->last = &c->first;
	c->handlers = *handlers;
	c->argument = argument;
	c->queue_packets = queue_packets ? queue_packets : VD_CHANNEL_QUEUE_PACKETS;
	if (flags < 0 || fcntl(*fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = vd_loop_fd(loop, *fd, VD_READABLE, on_ready, c, &c->source);
	if (r < 0)
		return r;
	c->fd = *fd;
	*fd = -1;
	*ret_channel = VD_TAKE(c);
	return 0;
}

struct vd_channel *vd_channel_free(struct vd_channel *c)
{
	if (c) {
		c->is_closed = true;
		c->is_freed = true;
		c->source = vd_source_free(c->source);
		vd_close(&c->fd);
		drop_queue(c);
		use(c);
		leave(c);
	}
	return NULL;
}

static int enqueue(struct vd_channel *c, const char *text, size_t len, const int *fds,
		   unsigned fd_count)
{
	struct queued *q = NULL;
	int r;

	if (c->counts.queued >= c->queue_packets ||
	    c->counts.queued_bytes + len > VD_CHANNEL_QUEUE_BYTES) {
		c->counts.refused++;
		c->was_full = true;
		return VD_CHANNEL_FULL;
	}
	r = queued_new(text, len, fds, fd_count, &q);
	if (r == 0 && !c->first)
		r = vd_source_want(c->source, VD_READABLE | VD_WRITABLE);
	if (r < 0) {
		q = queued_free(q);
		return r;
	}
	*c->last = q;
	c->last = &q->next;
	c->counts.queued++;
	c->counts.queued_bytes += len;
	return 0;
}

int vd_channel_send(struct vd_channel *c, const cJSON *json, const int *fds, unsigned fd_count)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);
	size_t len = text ? strlen(text) : 0;
	int r;

	if (c->is_closed)
		return VD_CHANNEL_GONE;
	if (!text)
		return -ENOMEM;
	if (len > VD_PACKET_BYTES)
		return -E2BIG;
	if (c->first)
		return enqueue(c, text, len, fds, fd_count);
	r = vd_packet_send_text(c->fd, text, len, fds, fd_count);
	if (r == 0)
		c->counts.sent++;
	if (r == VD_PACKET_WOULD_BLOCK)
		return enqueue(c, text, len, fds, fd_count);
	return r == VD_PACKET_EOF ? VD_CHANNEL_GONE : r;
}

void vd_channel_counts(const struct vd_channel *c, struct vd_channel_counts *ret_counts)
{
	*ret_counts = c->counts;
}
