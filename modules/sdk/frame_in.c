/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer is another process and may be anybody's: whatever it says of its pool and its
 * frames is checked before memory is touched, and one that says nonsense is dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ipc/pool.h"
#include "base/log.h"
#include "modules/sdk/frame_check.h"
#include "modules/sdk/private.h"

/* A mapped pool: of its producer, and of each frame on loan. */
struct shared_view {
	unsigned references;
	struct vd_pool_view *view;
	uint64_t on_loan; /* a bit a slot */
};

struct producer {
	struct producer *next;
	unsigned references;    /* the port's, and one a frame on loan */
	struct vd_frame_in *in; /* NULL: dropped */
	char *name;
	struct vd_channel *channel; /* NULL: dropped */
	struct shared_view *shared; /* NULL: no pool yet */
};

struct vd_frame_in {
	struct vd_port port;
	struct vd_frame_in_handlers handlers;
	void *argument;
	struct producer *producers;
};

struct loan {
	struct vd_frame frame; /* what the author sees */
	struct producer *producer;
	struct shared_view *shared;
	unsigned slot;
	cJSON *about;
};

static struct shared_view *shared_view_unref(struct shared_view *s)
{
	if (s && --s->references == 0) {
		s->view = vd_pool_view_free(s->view);
		free(s);
	}
	return NULL;
}

static struct producer *producer_unref(struct producer *p)
{
	if (p && --p->references == 0) {
		free(p->name);
		free(p);
	}
	return NULL;
}

static void drop_producer(struct producer *p)
{
	struct producer **at = &p->in->producers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->in = NULL;
	p->channel = vd_channel_free(p->channel);
	p->shared = shared_view_unref(p->shared);
	(void)producer_unref(p);
}

static void drop_and_tell(struct producer *p)
{
	struct vd_frame_in *in = p->in;

	p->references++;
	drop_producer(p);
	if (in->handlers.on_peer)
		in->handlers.on_peer(p->name, false, in->argument);
	(void)producer_unref(p);
}

static void drop_for(struct producer *p, const struct vd_fault *fault)
{
	vd_log(VD_ERROR, "frames.producerDropped", "port=%s peer=%s pointer=%s text=\"%s\"",
	       p->in->port.name, p->name, fault->pointer, fault->text);
	drop_and_tell(p);
}

static void on_pool(struct producer *p, struct vd_packet *packet)
{
	struct shared_view *s = calloc(1, sizeof *s);
	int fd = vd_packet_take_fd(packet, 0);
	struct vd_fault fault = { 0 };
	int r = -ENOMEM;

	if (s)
		r = vd_pool_view_new(&fd, vd_json_int(packet->json, "slots", 0),
				     vd_json_int(packet->json, "slotBytes", 0), &s->view, &fault);
	vd_close(&fd);
	if (r < 0) {
		free(s);
		if (!fault.code)
			vd_fault_set(&fault, 500, "", "%s", strerrordesc_np(-r));
		drop_for(p, &fault);
		return;
	}
	s->references = 1;
	(void)shared_view_unref(p->shared);
	p->shared = s;
}

static struct loan *make_loan(struct producer *p, const struct vd_frame_claim *claim,
			      struct vd_packet *packet)
{
	struct loan *loan = malloc(sizeof *loan);

	if (!loan)
		return NULL;
	*loan = (struct loan){ .producer = p,
			       .shared = p->shared,
			       .slot = claim->slot,
			       .about = VD_TAKE(packet->json) };
	loan->frame = (struct vd_frame){ .peer = p->name,
					 .bytes = vd_pool_view_slot(p->shared->view, claim->slot,
								    claim->bytes),
					 .len = (size_t)claim->bytes,
					 .format = claim->format,
					 .width = claim->width,
					 .height = claim->height,
					 .stride = claim->stride,
					 .seq = claim->seq,
					 .t_mono_ms = claim->t_mono_ms,
					 .about = loan->about };
	p->references++;
	p->shared->references++;
	p->shared->on_loan |= UINT64_C(1) << claim->slot;
	return loan;
}

static void on_frame(struct producer *p, struct vd_packet *packet)
{
	struct vd_frame_in *in = p->in;
	struct vd_frame_claim claim;
	struct vd_fault fault = { 0 };
	struct loan *loan;

	if (vd_frame_check(packet->json, p->shared ? p->shared->view : NULL, &claim, &fault) < 0) {
		drop_for(p, &fault);
		return;
	}
	if (p->shared->on_loan & UINT64_C(1) << claim.slot) {
		vd_fault_set(&fault, 409, "/slot", "slot %u is still on loan", claim.slot);
		drop_for(p, &fault);
		return;
	}
	loan = make_loan(p, &claim, packet);
	if (loan) {
		in->handlers.on_frame(&loan->frame, in->argument);
	} else {
		vd_fault_set(&fault, 500, "", "out of memory");
		drop_for(p, &fault);
	}
}

static void give_back(const struct loan *loan)
{
	struct producer *p = loan->producer;
	VD_CLEANUP(vd_json_free) cJSON *packet = NULL;

	if (!p->channel || p->shared != loan->shared)
		return;
	packet = vd_module_packet("done");
	/* It cannot be full: no more of these are under way than there are slots. */
	if (!packet || !vd_json_add_number(packet, "slot", loan->slot) ||
	    !vd_json_add_number(packet, "seq", (double)loan->frame.seq) ||
	    vd_channel_send(p->channel, packet, NULL, 0) < 0)
		vd_log(VD_ERROR, "frames.slotLost", "peer=%s slot=%u", p->name, loan->slot);
}

struct vd_frame *vd_frame_release(struct vd_frame *frame)
{
	struct loan *loan = frame ? VD_CONTAINER(frame, struct loan, frame) : NULL;

	if (!loan)
		return NULL;
	loan->shared->on_loan &= ~(UINT64_C(1) << loan->slot);
	give_back(loan);
	(void)shared_view_unref(loan->shared);
	(void)producer_unref(loan->producer);
	loan->about = vd_json_free(loan->about);
	free(loan);
	return NULL;
}

static void on_packet(struct vd_packet *packet, void *argument)
{
	struct producer *p = argument;
	const char *type = vd_packet_type(packet);

	if (!strcmp(type, "pool"))
		on_pool(p, packet);
	else if (!strcmp(type, "frame"))
		on_frame(p, packet);
	else if (!strcmp(type, "captureFailed") && p->in->handlers.on_failed)
		p->in->handlers.on_failed(p->name, packet->json, p->in->argument);
}

static void on_closed(enum vd_channel_end end, const struct vd_fault *fault, void *argument)
{
	struct producer *p = argument;

	if (end == VD_CHANNEL_EOF)
		drop_and_tell(p);
	else
		drop_for(p, fault);
}

static int add_producer(struct vd_frame_in *in, const char *name, int *fd)
{
	static const struct vd_channel_handlers handlers = { .on_packet = on_packet,
							     .on_closed = on_closed };
	struct producer *p = calloc(1, sizeof *p);
	int r = -ENOMEM;

	if (p) {
		p->references = 1;
		p->in = in;
		p->name = strdup(name);
	}
	if (p && p->name)
		r = vd_channel_new(in->port.module->loop, fd, 0, &handlers, p, &p->channel);
	if (r < 0) {
		(void)producer_unref(p);
		return r;
	}
	p->next = in->producers;
	in->producers = p;
	return 0;
}

static void on_channel(struct vd_port *port, const char *name, int *fd)
{
	struct vd_frame_in *in = VD_CONTAINER(port, struct vd_frame_in, port);
	int r;

	for (struct producer *p = in->producers; p; p = p->next) {
		if (!strcmp(p->name, name)) {
			drop_and_tell(p);
			break;
		}
	}
	if (*fd < 0)
		return;
	r = add_producer(in, name, fd);
	if (r < 0)
		vd_log(VD_ERROR, "frames.noChannel", "port=%s peer=%s error=%d", port->name, name,
		       r);
	else if (in->handlers.on_peer)
		in->handlers.on_peer(name, true, in->argument);
}

static void drop_all_producers(struct vd_port *port)
{
	struct vd_frame_in *in = VD_CONTAINER(port, struct vd_frame_in, port);

	while (in->producers)
		drop_producer(in->producers);
}

int vd_frame_in_new(struct vd_module *module, const char *port,
		    const struct vd_frame_in_handlers *handlers, void *argument,
		    struct vd_frame_in **ret_in)
{
	struct vd_frame_in *in = calloc(1, sizeof *in);
	int r;

	if (!in)
		return -ENOMEM;
	in->handlers = *handlers;
	in->argument = argument;
	in->port.role = "consumer";
	in->port.on_channel = on_channel;
	in->port.close = drop_all_producers;
	r = vd_port_init(&in->port, module, port);
	if (r < 0)
		free(in);
	else
		*ret_in = in;
	return r;
}

struct vd_frame_in *vd_frame_in_free(struct vd_frame_in *in)
{
	if (in) {
		drop_all_producers(&in->port);
		vd_port_fini(&in->port);
		free(in);
	}
	return NULL;
}
