/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/ring.h"

#include <errno.h>
#include <stdlib.h>

struct vd_shot *vd_ring_at(const struct vd_ring *ring, size_t i)
{
	return ring->shots[(ring->first + i) % ring->limits.frames];
}

static void drop_oldest(struct vd_ring *ring)
{
	struct vd_shot *oldest = vd_ring_at(ring, 0);

	ring->bytes -= vd_shot_bytes(oldest);
	ring->first = (ring->first + 1) % ring->limits.frames;
	ring->count--;
	(void)vd_shot_free(oldest);
}

void vd_ring_expire(struct vd_ring *ring, uint64_t now_ms)
{
	while (ring->count > 0 &&
	       vd_ring_at(ring, 0)->frame.t_mono_ms + ring->limits.age_ms < now_ms)
		drop_oldest(ring);
}

void vd_ring_put(struct vd_ring *ring, struct vd_shot *shot)
{
	size_t bytes = vd_shot_bytes(shot);

	if (ring->limits.frames == 0)
		return;
	if (bytes > ring->limits.bytes) {
		ring->too_large++;
		return;
	}
	vd_ring_expire(ring, shot->frame.t_mono_ms);
	while (ring->count == ring->limits.frames ||
	       (ring->count > 0 && ring->bytes + bytes > ring->limits.bytes))
		drop_oldest(ring);
	ring->shots[(ring->first + ring->count) % ring->limits.frames] = vd_shot_share(shot);
	ring->count++;
	ring->bytes += bytes;
}

int vd_ring_limit(struct vd_ring *ring, const struct vd_ring_limits *limits)
{
	struct vd_ring fresh = { .limits = *limits, .too_large = ring->too_large };

	if (limits->frames > 0) {
		fresh.shots = calloc(limits->frames, sizeof(struct vd_shot *));
		if (!fresh.shots)
			return -ENOMEM;
	}
	for (size_t i = 0; i < ring->count; i++)
		vd_ring_put(&fresh, vd_ring_at(ring, i));
	vd_ring_fini(ring);
	*ring = fresh;
	return 0;
}

uint64_t vd_ring_span_ms(const struct vd_ring *ring)
{
	if (ring->count == 0)
		return 0;
	return vd_ring_at(ring, ring->count - 1)->frame.t_mono_ms -
	       vd_ring_at(ring, 0)->frame.t_mono_ms;
}

void vd_ring_fini(struct vd_ring *ring)
{
	while (ring->count > 0)
		drop_oldest(ring);
	free(ring->shots);
	*ring = (struct vd_ring){ 0 };
}
