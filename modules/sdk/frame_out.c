/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool is shared by all consumers of an output; a slot is free again when the last of those
 * that got it says `done`, or is gone. When frames outgrow the slots, a new pool takes over:
 * consumers learn of it by a second `pool` packet and keep what they have on loan of the old.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ipc/pool.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "modules/sdk/private.h"

/* A channel carries one small packet a frame, so more than this waits only for a dead consumer. */
enum { PEER_QUEUE = 64 };

struct generation {
	struct generation *next;
	uint64_t number;
	struct vd_pool *pool;
	unsigned writers; /* slots that the author has acquired and not given up */
};

struct peer {
	struct peer *next;
	struct vd_frame_out *out;
	char *name;
	struct vd_channel *channel;
	uint64_t knows; /* the generation whose pool it was sent; 0: none */
	uint64_t held;  /* a bit a slot of that generation */
	unsigned held_count;
	uint64_t seq[VD_POOL_SLOTS];
};

struct vd_frame_out {
	struct vd_port port;
	unsigned slots;
	size_t slot_bytes;
	uint64_t last_number;
	struct generation *current, *retired;
	struct peer *peers;
	unsigned peer_count;
	struct vd_frame_out_counts counts;
};

/* --- Pools --- */

static struct generation *generation_free(struct generation *g)
{
	if (g) {
		g->pool = vd_pool_free(g->pool);
		free(g);
	}
	return NULL;
}

static void sweep_retired(struct vd_frame_out *out)
{
	struct generation **at = &out->retired;

	while (*at) {
		struct generation *g = *at;

		if (g->writers == 0) {
			*at = g->next;
			(void)generation_free(g);
		} else {
			at = &g->next;
		}
	}
}

static int make_generation(struct vd_frame_out *out, size_t slot_bytes)
{
	struct generation *g = calloc(1, sizeof *g);
	int r = g ? vd_pool_new(out->slots, slot_bytes, &g->pool) : -ENOMEM;

	if (r < 0) {
		g = generation_free(g);
		return r;
	}
	g->number = ++out->last_number;
	if (out->current) {
		out->current->next = out->retired;
		out->retired = out->current;
	}
	out->current = g;
	sweep_retired(out);
	return 0;
}

/* A quarter of room above the frame that did not fit: JPEGs of one scene vary. */
static int make_room(struct vd_frame_out *out, size_t bytes)
{
	size_t wanted = bytes + bytes / 4;

	if (bytes > VD_POOL_SLOT_BYTES)
		return -EINVAL;
	if (out->current && bytes <= vd_pool_slot_bytes(out->current->pool))
		return 0;
	if (!out->current && out->slot_bytes >= bytes)
		wanted = out->slot_bytes;
	if (wanted > VD_POOL_SLOT_BYTES)
		wanted = VD_POOL_SLOT_BYTES;
	return make_generation(out, wanted ? wanted : 1);
}

static struct generation *find_generation(struct vd_frame_out *out, uint64_t number)
{
	if (out->current && out->current->number == number)
		return out->current;
	for (struct generation *g = out->retired; g; g = g->next) {
		if (g->number == number)
			return g;
	}
	return NULL;
}

/* --- Peers --- */

static void release_held(struct peer *p)
{
	struct generation *g = p->out->current;

	/* Slots of a retired pool are never written again by the pool, so nothing to free. */
	for (unsigned slot = 0; g && g->number == p->knows && slot < VD_POOL_SLOTS; slot++) {
		if (p->held & UINT64_C(1) << slot)
			vd_pool_release(g->pool, slot);
	}
	p->held = 0;
	p->held_count = 0;
}

static void drop_peer(struct peer *p)
{
	struct peer **at = &p->out->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->out->peer_count--;
	release_held(p);
	p->channel = vd_channel_free(p->channel);
	free(p->name);
	free(p);
}

static void on_done(struct peer *p, const cJSON *json)
{
	int64_t slot = vd_json_int(json, "slot", -1);
	struct generation *g = p->out->current;

	/* What is said of an older pool, or twice, does not match and is nothing to us. */
	if (slot < 0 || slot >= VD_POOL_SLOTS || !(p->held & UINT64_C(1) << slot) ||
	    p->seq[slot] != (uint64_t)vd_json_int(json, "seq", -1) || !g || g->number != p->knows)
		return;
	p->held &= ~(UINT64_C(1) << slot);
	p->held_count--;
	vd_pool_release(g->pool, (unsigned)slot);
}

static void on_packet(struct vd_packet *packet, void *argument)
{
	if (!strcmp(vd_packet_type(packet), "done"))
		on_done(argument, packet->json);
}

static void on_closed(enum vd_channel_end end, const struct vd_fault *fault, void *argument)
{
	struct peer *p = argument;

	vd_log(VD_INFO, "frames.consumerGone", "port=%s peer=%s%s%s", p->out->port.name, p->name,
	       end == VD_CHANNEL_EOF ? "" : " text=", end == VD_CHANNEL_EOF ? "" : fault->text);
	drop_peer(p);
}

static int add_peer(struct vd_frame_out *out, const char *name, int *fd)
{
	static const struct vd_channel_handlers handlers = { .on_packet = on_packet,
							     .on_closed = on_closed };
	struct peer *p = calloc(1, sizeof *p);
	int r = -ENOMEM;

	if (p) {
		p->out = out;
		p->name = strdup(name);
	}
	if (p && p->name)
		r = vd_channel_new(out->port.module->loop, fd, PEER_QUEUE, &handlers, p,
				   &p->channel);
	if (r < 0) {
		free(p ? p->name : NULL);
		free(p);
		return r;
	}
	p->next = out->peers;
	out->peers = p;
	out->peer_count++;
	return 0;
}

static void on_channel(struct vd_port *port, const char *name, int *fd)
{
	struct vd_frame_out *out = VD_CONTAINER(port, struct vd_frame_out, port);
	int r;

	for (struct peer *p = out->peers; p; p = p->next) {
		if (!strcmp(p->name, name)) {
			drop_peer(p);
			break;
		}
	}
	if (*fd < 0)
		return;
	r = add_peer(out, name, fd);
	if (r < 0)
		vd_log(VD_ERROR, "frames.noChannel", "port=%s peer=%s error=%d", port->name, name,
		       r);
}

static void drop_all_peers(struct vd_port *port)
{
	struct vd_frame_out *out = VD_CONTAINER(port, struct vd_frame_out, port);

	while (out->peers)
		drop_peer(out->peers);
}

/*
 * The loop hears one descriptor after the other, so a `done` may be waiting while we are asked
 * for a slot. A peer that has ended is dropped on the way, and only that one.
 */
static void hear_peers(struct vd_frame_out *out)
{
	for (struct peer *p = out->peers, *next; p; p = next) {
		next = p->next;
		vd_channel_drain(p->channel, VD_POOL_SLOTS);
	}
}

/* --- Packets to consumers --- */

static int introduce_pool(struct peer *p)
{
	struct generation *g = p->out->current;
	VD_CLEANUP(vd_json_free) cJSON *packet = vd_module_packet("pool");
	int fd = vd_pool_fd(g->pool), r;

	if (p->knows == g->number)
		return 0;
	if (!packet || !vd_json_add_number(packet, "slots", vd_pool_slots(g->pool)) ||
	    !vd_json_add_number(packet, "slotBytes", (double)vd_pool_slot_bytes(g->pool)))
		return -ENOMEM;
	r = vd_channel_send(p->channel, packet, &fd, 1);
	if (r == 0) {
		p->knows = g->number;
		p->held = 0;
		p->held_count = 0;
	}
	return r;
}

/* What `frame` and `captureFailed` have in common. */
static bool add_capture(const struct vd_frame_out *out, cJSON *packet,
			const struct vd_frame_about *about)
{
	const char *source = about->source ? about->source : vd_module_instance(out->port.module);
	char wall[VD_TIME_TEXT];

	return vd_json_add_number(packet, "seq", (double)about->seq) &&
	       vd_json_add_string(packet, "source", source) &&
	       vd_json_add_number(packet, "tMono", (double)about->t_mono_ms) &&
	       vd_json_add_string(packet, "tWall", vd_time_text(about->t_wall_ms, wall)) &&
	       (!about->trigger || vd_json_add_copy(packet, "trigger", about->trigger));
}

static cJSON *make_failure(const struct vd_frame_out *out, const struct vd_frame_about *about,
			   const char *text)
{
	cJSON *packet = vd_module_packet("captureFailed");

	if (packet &&
	    (!add_capture(out, packet, about) || !vd_json_add_string(packet, "text", text)))
		packet = vd_json_free(packet);
	return packet;
}

static cJSON *make_frame(const struct vd_frame_out *out, unsigned slot, size_t len,
			 const char *sha256, const struct vd_frame_about *about)
{
	cJSON *packet = vd_module_packet("frame");

	if (packet && (!vd_json_add_number(packet, "slot", slot) ||
		       !vd_json_add_number(packet, "bytes", (double)len) ||
		       !vd_json_add_string(packet, "format", about->format) ||
		       !vd_json_add_number(packet, "width", about->width) ||
		       !vd_json_add_number(packet, "height", about->height) ||
		       !vd_json_add_number(packet, "stride", about->stride) ||
		       !vd_json_add_string(packet, "sha256", sha256) ||
		       (about->serial && !vd_json_add_string(packet, "serial", about->serial)) ||
		       !add_capture(out, packet, about)))
		packet = vd_json_free(packet);
	return packet;
}

static void tell_failure(struct peer *p, const struct vd_frame_about *about, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = make_failure(p->out, about, text);

	/* A consumer whose queue is full as well hears nothing; its gap in seq remains. */
	if (packet && vd_channel_send(p->channel, packet, NULL, 0) != 0)
		vd_log(VD_WARN, "frames.consumerStuck", "port=%s peer=%s", p->out->port.name,
		       p->name);
}

void vd_frame_out_failed(struct vd_frame_out *out, const struct vd_frame_about *about,
			 const char *text)
{
	for (struct peer *p = out->peers; p; p = p->next)
		tell_failure(p, about, text);
}

/* Several consumers share the slots evenly, so that a stuck one leaves the others theirs. */
static unsigned most_held(const struct vd_frame_out *out)
{
	unsigned share = out->slots / out->peer_count;

	return share > 0 ? share : 1;
}

static bool deliver(struct peer *p, unsigned slot, uint64_t seq, const cJSON *packet)
{
	struct vd_frame_out *out = p->out;

	if (introduce_pool(p) != 0 || p->held_count >= most_held(out))
		return false;
	if (vd_channel_send(p->channel, packet, NULL, 0) != 0)
		return false;
	p->held |= UINT64_C(1) << slot;
	p->held_count++;
	p->seq[slot] = seq;
	vd_pool_hold(out->current->pool, slot);
	return true;
}

static int deliver_all(struct vd_frame_out *out, unsigned slot, const cJSON *packet,
		       const struct vd_frame_about *about)
{
	unsigned delivered = 0;

	for (struct peer *p = out->peers; p; p = p->next) {
		if (deliver(p, slot, about->seq, packet)) {
			delivered++;
		} else {
			out->counts.no_slot++;
			tell_failure(p, about, "no free slot");
		}
	}
	out->counts.delivered += delivered;
	return delivered > 0 ? 0 : VD_FRAME_NO_SLOT;
}

/* --- The author's side --- */

int vd_frame_out_acquire(struct vd_frame_out *out, size_t bytes, struct vd_frame_slot *ret_slot)
{
	unsigned slot;
	int r = make_room(out, bytes);

	if (r < 0)
		return r;
	if (vd_pool_acquire(out->current->pool, &slot) == VD_POOL_FULL) {
		hear_peers(out);
		if (vd_pool_acquire(out->current->pool, &slot) == VD_POOL_FULL)
			return VD_FRAME_NO_SLOT;
	}
	out->current->writers++;
	*ret_slot = (struct vd_frame_slot){ .index = slot,
					    .pool = out->current->number,
					    .bytes = vd_pool_slot(out->current->pool, slot),
					    .capacity = vd_pool_slot_bytes(out->current->pool) };
	return 0;
}

void vd_frame_out_abandon(struct vd_frame_out *out, const struct vd_frame_slot *slot)
{
	struct generation *g = find_generation(out, slot->pool);

	assert(g && g->writers > 0);
	g->writers--;
	vd_pool_release(g->pool, slot->index);
	sweep_retired(out);
}

static int send_slot(struct vd_frame_out *out, const struct vd_frame_slot *slot, size_t len,
		     const struct vd_frame_about *about);

/* The slot's pool was replaced while the author filled it: the frame moves over. */
static int send_from_retired(struct vd_frame_out *out, const struct vd_frame_slot *slot, size_t len,
			     const struct vd_frame_about *about)
{
	struct vd_frame_slot moved;
	int r = vd_frame_out_acquire(out, len, &moved);

	if (r == 0) {
		memcpy(moved.bytes, slot->bytes, len);
		r = send_slot(out, &moved, len, about);
		vd_frame_out_abandon(out, &moved);
	} else if (r == VD_FRAME_NO_SLOT) {
		out->counts.no_slot += out->peer_count;
		vd_frame_out_failed(out, about, "no free slot");
	}
	return r;
}

static int send_slot(struct vd_frame_out *out, const struct vd_frame_slot *slot, size_t len,
		     const struct vd_frame_about *about)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = NULL;
	char digest[VD_SHA256_TEXT];
	const char *sha256 = about->sha256 ? about->sha256 : digest;
	int r = 0;

	if (!about->format || len > slot->capacity)
		return -EINVAL;
	hear_peers(out);
	if (!out->peers) {
		out->counts.nobody++;
		return VD_FRAME_NOBODY;
	}
	if (slot->pool != out->current->number)
		return send_from_retired(out, slot, len, about);
	if (!about->sha256)
		r = vd_sha256_text(slot->bytes, len, digest);
	if (r < 0)
		return r;
	packet = make_frame(out, slot->index, len, sha256, about);
	return packet ? deliver_all(out, slot->index, packet, about) : -ENOMEM;
}

int vd_frame_out_send(struct vd_frame_out *out, const struct vd_frame_slot *slot, size_t len,
		      const struct vd_frame_about *about)
{
	int r;

	out->counts.offered++;
	r = send_slot(out, slot, len, about);
	vd_frame_out_abandon(out, slot);
	return r;
}

int vd_frame_out_offer(struct vd_frame_out *out, const void *bytes, size_t len,
		       const struct vd_frame_about *about)
{
	struct vd_frame_slot slot;
	int r;

	if (!out->peers) {
		out->counts.offered++;
		out->counts.nobody++;
		return VD_FRAME_NOBODY;
	}
	r = vd_frame_out_acquire(out, len, &slot);
	if (r == VD_FRAME_NO_SLOT) {
		out->counts.offered++;
		out->counts.no_slot += out->peer_count;
		vd_frame_out_failed(out, about, "no free slot");
	}
	if (r != 0)
		return r;
	memcpy(slot.bytes, bytes, len);
	return vd_frame_out_send(out, &slot, len, about);
}

unsigned vd_frame_out_peers(const struct vd_frame_out *out)
{
	return out->peer_count;
}

void vd_frame_out_counts(const struct vd_frame_out *out, struct vd_frame_out_counts *ret_counts)
{
	*ret_counts = out->counts;
}

int vd_frame_out_new(struct vd_module *module, const char *port, unsigned slots, size_t slot_bytes,
		     struct vd_frame_out **ret_out)
{
	struct vd_frame_out *out;
	int r;

	if (slots < 2 || slots > VD_POOL_SLOTS || slot_bytes > VD_POOL_SLOT_BYTES)
		return -EINVAL;
	out = calloc(1, sizeof *out);
	if (!out)
		return -ENOMEM;
	out->slots = slots;
	out->slot_bytes = slot_bytes;
	out->port.role = "producer";
	out->port.on_channel = on_channel;
	out->port.close = drop_all_peers;
	r = vd_port_init(&out->port, module, port);
	if (r < 0)
		free(out);
	else
		*ret_out = out;
	return r;
}

struct vd_frame_out *vd_frame_out_free(struct vd_frame_out *out)
{
	if (out) {
		drop_all_peers(&out->port);
		while (out->retired) {
			struct generation *g = out->retired;

			out->retired = g->next;
			(void)generation_free(g);
		}
		out->current = generation_free(out->current);
		vd_port_fini(&out->port);
		free(out);
	}
	return NULL;
}
