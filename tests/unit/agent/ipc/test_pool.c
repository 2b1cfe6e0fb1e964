/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ipc/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vd_test.h"

static struct vd_pool_view *view_of(const struct vd_pool *pool)
{
	int fd = fcntl(vd_pool_fd(pool), F_DUPFD_CLOEXEC, 3);
	struct vd_pool_view *view = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_pool_view_new(&fd, vd_pool_slots(pool),
					  (int64_t)vd_pool_slot_bytes(pool), &view, &fault),
			 0);
	assert_int_equal(fd, -1);
	return view;
}

static void what_the_producer_writes_the_consumer_reads(void **state)
{
	VD_CLEANUP(vd_pool_free) struct vd_pool *pool = NULL;
	VD_CLEANUP(vd_pool_view_free) struct vd_pool_view *view = NULL;

	assert_int_equal(vd_pool_new(4, 10000, &pool), 0);
	assert_int_equal(vd_pool_slot_bytes(pool) % (size_t)sysconf(_SC_PAGESIZE), 0);
	view = view_of(pool);
	for (unsigned slot = 0; slot < 4; slot++) {
		memset(vd_pool_slot(pool, slot), (int)slot + 1, 10000);
		assert_int_equal(vd_pool_view_slot(view, slot, 10000)[9999], slot + 1);
	}
	pool = vd_pool_free(pool);
	assert_int_equal(vd_pool_view_slot(view, 3, 10000)[9999], 4);
}

static void a_consumer_can_neither_write_nor_resize(void **state)
{
	VD_CLEANUP(vd_pool_free) struct vd_pool *pool = NULL;
	int fd;

	assert_int_equal(vd_pool_new(1, 1, &pool), 0);
	fd = vd_pool_fd(pool);
	assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void slots_are_held_by_counting_and_reused_oldest_first(void **state)
{
	VD_CLEANUP(vd_pool_free) struct vd_pool *pool = NULL;
	unsigned slot, first, second;

	assert_int_equal(vd_pool_new(2, 1, &pool), 0);
	assert_int_equal(vd_pool_acquire(pool, &first), 0);
	assert_int_equal(vd_pool_acquire(pool, &second), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(vd_pool_acquire(pool, &slot), VD_POOL_FULL);
	vd_pool_hold(pool, first);
	vd_pool_release(pool, first);
	assert_int_equal(vd_pool_acquire(pool, &slot), VD_POOL_FULL);
	vd_pool_release(pool, second);
	vd_pool_release(pool, first);
	assert_int_equal(vd_pool_acquire(pool, &slot), 0);
	assert_int_equal(slot, first);
}

static void sizes_out_of_bounds_are_refused_by_both_sides(void **state)
{
	static const struct {
		int64_t slots, bytes;
	} cases[] = {
		{ 0, 4096 },
		{ 65, 4096 },
		{ 1, 0 },
		{ 1, (int64_t)VD_POOL_SLOT_BYTES + 1 },
		{ -1, 4096 },
		{ 1, -4096 },
		{ INT64_MAX, INT64_MAX },
		{ INT64_MIN, 1 },
	};
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_pool *pool = NULL;
		struct vd_pool_view *view = NULL;
		struct vd_fault fault = { 0 };
		int fd = memfd_create("t", MFD_CLOEXEC);

		if (cases[i].slots >= 0 && cases[i].slots < 100)
			assert_int_equal(vd_pool_new((unsigned)cases[i].slots,
						     (size_t)cases[i].bytes, &pool),
					 -EINVAL);
		assert_int_equal(
			vd_pool_view_new(&fd, cases[i].slots, cases[i].bytes, &view, &fault),
			-EINVAL);
		assert_int_equal(fault.code, 400);
		assert_int_equal(fd, -1);
	}
}

static void a_file_that_could_shrink_is_refused(void **state)
{
	static const int seals[] = { 0, F_SEAL_SHRINK | F_SEAL_GROW,
				     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE,
				     F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL };

	for (size_t i = 0; i < VD_COUNT(seals); i++) {
		int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		struct vd_pool_view *view = NULL;
		struct vd_fault fault = { 0 };

		assert_int_equal(ftruncate(fd, 4096), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		assert_int_equal(vd_pool_view_new(&fd, 1, 4096, &view, &fault), -EINVAL);
	}
}

static void a_descriptor_that_is_no_memory_is_refused(void **state)
{
	struct vd_pool_view *view = NULL;
	struct vd_fault fault = { 0 };
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC), none = -1;

	assert_int_equal(vd_pool_view_new(&fd, 1, 4096, &view, &fault), -EINVAL);
	assert_int_equal(vd_pool_view_new(&none, 1, 4096, &view, &fault), -EINVAL);
}

static void slots_from_outside_are_checked_against_the_pool(void **state)
{
	VD_CLEANUP(vd_pool_free) struct vd_pool *pool = NULL;
	VD_CLEANUP(vd_pool_view_free) struct vd_pool_view *view = NULL;

	assert_int_equal(vd_pool_new(2, 4096, &pool), 0);
	view = view_of(pool);
	assert_non_null(vd_pool_view_slot(view, 0, 0));
	assert_non_null(vd_pool_view_slot(view, 1, 4096));
	assert_null(vd_pool_view_slot(view, 1, 4097));
	assert_null(vd_pool_view_slot(view, 2, 1));
	assert_null(vd_pool_view_slot(view, -1, 1));
	assert_null(vd_pool_view_slot(view, 0, -1));
	assert_null(vd_pool_view_slot(view, INT64_MAX, INT64_MAX));
}

VD_TEST_MAIN(cmocka_unit_test(what_the_producer_writes_the_consumer_reads),
	     cmocka_unit_test(a_consumer_can_neither_write_nor_resize),
	     cmocka_unit_test(slots_are_held_by_counting_and_reused_oldest_first),
	     cmocka_unit_test(sizes_out_of_bounds_are_refused_by_both_sides),
	     cmocka_unit_test(a_file_that_could_shrink_is_refused),
	     cmocka_unit_test(a_descriptor_that_is_no_memory_is_refused),
	     cmocka_unit_test(slots_from_outside_are_checked_against_the_pool))
