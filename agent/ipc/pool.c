/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ipc/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

struct vd_pool {
	int fd;
	unsigned slots;
	size_t slot_bytes;
	uint8_t *map;
	struct {
		unsigned holders;
		uint64_t used; /* when it was acquired last, in acquisitions */
	} slot[VD_POOL_SLOTS];
	uint64_t acquisitions;
};

struct vd_pool_view {
	unsigned slots;
	size_t slot_bytes;
	const uint8_t *map;
};

static bool is_within_bounds(int64_t slots, int64_t slot_bytes)
{
	return slots >= 1 && slots <= VD_POOL_SLOTS && slot_bytes >= 1 &&
	       slot_bytes <= VD_POOL_SLOT_BYTES;
}

static int make_map(struct vd_pool *pool)
{
	size_t size = pool->slots * pool->slot_bytes;
	void *map;

	pool->fd = memfd_create("vedette-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (pool->fd < 0 || ftruncate(pool->fd, (off_t)size) < 0)
		return -errno;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	pool->map = map;
	/* After our own map: FUTURE_WRITE spares the maps that exist. */
	return fcntl(pool->fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int vd_pool_new(unsigned slots, size_t slot_bytes, struct vd_pool **ret_pool)
{
	VD_CLEANUP(vd_pool_free) struct vd_pool *pool = NULL;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int r;

	if (slot_bytes > VD_POOL_SLOT_BYTES || !is_within_bounds(slots, (int64_t)slot_bytes))
		return -EINVAL;
	pool = calloc(1, sizeof *pool);
	if (!pool)
		return -ENOMEM;
	pool->fd = -1;
	pool->slots = slots;
	pool->slot_bytes = (slot_bytes + page - 1) / page * page;
	r = make_map(pool);
	if (r == 0)
		*ret_pool = VD_TAKE(pool);
	return r;
}

struct vd_pool *vd_pool_free(struct vd_pool *pool)
{
	if (pool) {
		if (pool->map)
			(void)munmap(pool->map, pool->slots * pool->slot_bytes);
		vd_close(&pool->fd);
		free(pool);
	}
	return NULL;
}

int vd_pool_fd(const struct vd_pool *pool)
{
	return pool->fd;
}

unsigned vd_pool_slots(const struct vd_pool *pool)
{
	return pool->slots;
}

size_t vd_pool_slot_bytes(const struct vd_pool *pool)
{
	return pool->slot_bytes;
}

int vd_pool_acquire(struct vd_pool *pool, unsigned *ret_slot)
{
	unsigned best = pool->slots;

	for (unsigned i = 0; i < pool->slots; i++) {
		if (pool->slot[i].holders == 0 &&
		    (best == pool->slots || pool->slot[i].used < pool->slot[best].used))
			best = i;
	}
	if (best == pool->slots)
		return VD_POOL_FULL;
	pool->slot[best].holders = 1;
	pool->slot[best].used = ++pool->acquisitions;
	*ret_slot = best;
	return 0;
}

uint8_t *vd_pool_slot(struct vd_pool *pool, unsigned slot)
{
	assert(slot < pool->slots);
	return pool->map + slot * pool->slot_bytes;
}

void vd_pool_hold(struct vd_pool *pool, unsigned slot)
{
	assert(slot < pool->slots && pool->slot[slot].holders > 0);
	pool->slot[slot].holders++;
}

void vd_pool_release(struct vd_pool *pool, unsigned slot)
{
	assert(slot < pool->slots && pool->slot[slot].holders > 0);
	pool->slot[slot].holders--;
}

static int check_memfd(int fd, size_t size, struct vd_fault *fault)
{
	int have = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (have < 0 || (have & seals) != seals) {
		vd_fault_set(fault, 400, "", "the pool is no sealed memfd (seals %x, wanted %x)",
			     have < 0 ? 0U : (unsigned)have, (unsigned)seals);
		return -EINVAL;
	}
	if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != size) {
		vd_fault_set(fault, 400, "/slotBytes",
			     "the pool is not slots x slotBytes = %zu long", size);
		return -EINVAL;
	}
	return 0;
}

int vd_pool_view_new(int *fd, int64_t slots, int64_t slot_bytes, struct vd_pool_view **ret_view,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_close) int taken = *fd;
	struct vd_pool_view *view;
	size_t size;
	void *map;

	*fd = -1;
	if (!is_within_bounds(slots, slot_bytes)) {
		vd_fault_set(fault, 400, "/slots", "%lld slots of %lld bytes are out of bounds",
			     (long long)slots, (long long)slot_bytes);
		return -EINVAL;
	}
	size = (size_t)slots * (size_t)slot_bytes;
	if (check_memfd(taken, size, fault) < 0)
		return -EINVAL;
	view = malloc(sizeof *view);
	map = view ? mmap(NULL, size, PROT_READ, MAP_SHARED, taken, 0) : MAP_FAILED;
	if (map == MAP_FAILED) {
		free(view);
		return -ENOMEM;
	}
	*view = (struct vd_pool_view){ .slots = (unsigned)slots,
				       .slot_bytes = (size_t)slot_bytes,
				       .map = map };
	*ret_view = view;
	return 0;
}

struct vd_pool_view *vd_pool_view_free(struct vd_pool_view *view)
{
	if (view) {
		(void)munmap((void *)(uintptr_t)view->map, view->slots * view->slot_bytes);
		free(view);
	}
	return NULL;
}

const uint8_t *vd_pool_view_slot(const struct vd_pool_view *view, int64_t slot, int64_t bytes)
{
	if (slot < 0 || slot >= (int64_t)view->slots || bytes < 0 ||
	    bytes > (int64_t)view->slot_bytes)
		return NULL;
	return view->map + (size_t)slot * view->slot_bytes;
}
