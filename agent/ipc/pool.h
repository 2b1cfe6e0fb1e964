/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * Frames in shared memory. The producer has one memfd of equal slots that it writes over and
 * over; consumers map it read-only. A slot is written only while nobody holds it.
 *
 * The memfd is sealed (SHRINK, GROW, FUTURE_WRITE, SEAL): a consumer can neither write to it
 * nor be hit by SIGBUS because it shrank. Reusing pages is the point: a new memfd a frame is
 * ten times slower, for the kernel clears every page.
 */
enum { VD_POOL_SLOTS = 64, VD_POOL_SLOT_BYTES = 1 << 30 }; /* the most of each */

struct vd_pool; /* the producer's side */

/* slot_bytes is rounded up to a page. -EINVAL: out of bounds. -errno. */
VD_MUST int vd_pool_new(unsigned slots, size_t slot_bytes, struct vd_pool **ret_pool);
struct vd_pool *vd_pool_free(struct vd_pool *pool); /* consumers keep what they mapped */
VD_DEFINE_CLEANUP(struct vd_pool, vd_pool_free)

int vd_pool_fd(const struct vd_pool *pool); /* stays the pool's */
unsigned vd_pool_slots(const struct vd_pool *pool);
size_t vd_pool_slot_bytes(const struct vd_pool *pool);

enum { VD_POOL_FULL = 1 };

/* A slot that nobody holds, held once by the caller; oldest use first. VD_POOL_FULL: all held. */
VD_MUST int vd_pool_acquire(struct vd_pool *pool, unsigned *ret_slot);
uint8_t *vd_pool_slot(struct vd_pool *pool, unsigned slot);
void vd_pool_hold(struct vd_pool *pool, unsigned slot);    /* one holder more */
void vd_pool_release(struct vd_pool *pool, unsigned slot); /* one fewer */

struct vd_pool_view; /* the consumer's side */

/*
 * Maps a pool that came from outside; takes *fd (closed in any case, then -1). -EINVAL with
 * 400 in fault: not a memfd, seals missing, size other than slots x slot_bytes, out of bounds.
 */
VD_MUST int vd_pool_view_new(int *fd, int64_t slots, int64_t slot_bytes,
			     struct vd_pool_view **ret_view, struct vd_fault *fault);
struct vd_pool_view *vd_pool_view_free(struct vd_pool_view *view);
VD_DEFINE_CLEANUP(struct vd_pool_view, vd_pool_view_free)

/* The first `bytes` of a slot, both from outside; NULL: not inside the pool. */
const uint8_t *vd_pool_view_slot(const struct vd_pool_view *view, int64_t slot, int64_t bytes);
