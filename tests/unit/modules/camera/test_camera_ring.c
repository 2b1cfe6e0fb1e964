/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/ring.h"

#include <stdlib.h>

#include "vd_test.h"

static struct vd_shot *shot_at(uint64_t t_ms, size_t bytes)
{
	struct vd_camera_event event = { .request = { .seq = t_ms, .trigger = "timer" } };
	struct vd_shot *shot;

	event.frame.t_mono_ms = t_ms;
	while (event.frame.bytes.len < bytes)
		assert_int_equal(vd_buf_append(&event.frame.bytes, "x", 1), 0);
	shot = vd_shot_take(&event);
	assert_non_null(shot);
	assert_null(event.frame.bytes.data);
	return shot;
}

static void put(struct vd_ring *ring, uint64_t t_ms, size_t bytes)
{
	VD_CLEANUP(vd_shot_free) struct vd_shot *shot = shot_at(t_ms, bytes);

	vd_ring_put(ring, shot);
}

static void limit(struct vd_ring *ring, size_t frames, uint64_t age_ms, size_t bytes)
{
	const struct vd_ring_limits limits = { frames, age_ms, bytes };

	assert_int_equal(vd_ring_limit(ring, &limits), 0);
}

static void assert_holds(const struct vd_ring *ring, uint64_t first_ms, uint64_t last_ms,
			 size_t count)
{
	assert_int_equal(ring->count, count);
	assert_int_equal(vd_ring_at(ring, 0)->frame.t_mono_ms, first_ms);
	assert_int_equal(vd_ring_at(ring, count - 1)->frame.t_mono_ms, last_ms);
}

static void a_ring_holds_the_newest_frames_up_to_its_number(void **state)
{
	struct vd_ring ring = { 0 };

	limit(&ring, 3, 1000000, 1 << 20);
	for (uint64_t t = 1; t <= 10; t++)
		put(&ring, t, 10);
	assert_holds(&ring, 8, 10, 3);
	vd_ring_fini(&ring);
}

static void a_ring_lets_go_of_what_is_too_old(void **state)
{
	struct vd_ring ring = { 0 };

	limit(&ring, 100, 50, 1 << 20);
	for (uint64_t t = 0; t <= 200; t += 10)
		put(&ring, t, 10);
	assert_holds(&ring, 150, 200, 6);
	vd_ring_expire(&ring, 235);
	assert_holds(&ring, 190, 200, 2);
	vd_ring_expire(&ring, 1000);
	assert_int_equal(ring.count, 0);
	assert_int_equal(ring.bytes, 0);
	vd_ring_fini(&ring);
}

static void a_ring_is_never_larger_than_its_bytes(void **state)
{
	struct vd_ring ring = { 0 };
	size_t most = 4 * (sizeof(struct vd_shot) + 100);

	limit(&ring, 100, 1000, most);
	for (uint64_t t = 1; t <= 50; t++) {
		put(&ring, t, t % 3 ? 100 : 250);
		assert_true(ring.bytes <= most);
		assert_int_equal(vd_ring_at(&ring, ring.count - 1)->frame.t_mono_ms, t);
	}
	put(&ring, 51, most);
	assert_int_equal(ring.too_large, 1);
	assert_int_equal(vd_ring_at(&ring, ring.count - 1)->frame.t_mono_ms, 50);
	vd_ring_fini(&ring);
}

static void new_bounds_keep_the_newest_frames(void **state)
{
	struct vd_ring ring = { 0 };

	limit(&ring, 8, 1000, 1 << 20);
	for (uint64_t t = 1; t <= 8; t++)
		put(&ring, t, 10);
	limit(&ring, 2, 1000, 1 << 20);
	assert_holds(&ring, 7, 8, 2);
	limit(&ring, 5, 1000, 1 << 20);
	put(&ring, 9, 10);
	assert_holds(&ring, 7, 9, 3);
	limit(&ring, 0, 1000, 1 << 20);
	put(&ring, 10, 10);
	assert_int_equal(ring.count, 0);
	vd_ring_fini(&ring);
}

static void a_frame_lives_as_long_as_its_last_user(void **state)
{
	struct vd_ring ring = { 0 };
	struct vd_shot *kept;

	limit(&ring, 1, 1000, 1 << 20);
	put(&ring, 1, 10);
	kept = vd_shot_share(vd_ring_at(&ring, 0));
	put(&ring, 2, 10);
	assert_int_equal(kept->frame.t_mono_ms, 1);
	assert_int_equal(kept->frame.bytes.len, 10);
	vd_ring_fini(&ring);
	assert_null(vd_shot_free(kept));
}

VD_TEST_MAIN(cmocka_unit_test(a_ring_holds_the_newest_frames_up_to_its_number),
	     cmocka_unit_test(a_ring_lets_go_of_what_is_too_old),
	     cmocka_unit_test(a_ring_is_never_larger_than_its_bytes),
	     cmocka_unit_test(new_bounds_keep_the_newest_frames),
	     cmocka_unit_test(a_frame_lives_as_long_as_its_last_user))
