/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "agent/cloud/backoff.h"

static void the_spread_doubles_up_to_the_ceiling(void **state)
{
	static const uint32_t spreads[] = { 500, 1000, 2000, 4000, 5000, 5000, 5000 };
	struct vd_backoff b = { .first_ms = 500, .ceiling_ms = 5000 };

	(void)state;
	for (size_t i = 0; i < VD_COUNT(spreads); i++)
		assert_int_equal(vd_backoff_next(&b, UINT32_MAX), spreads[i]);
}

static void the_jitter_is_full(void **state)
{
	struct vd_backoff b = { .first_ms = 1000, .ceiling_ms = 1000 };

	(void)state;
	assert_int_equal(vd_backoff_next(&b, 0), 0);
	assert_in_range(vd_backoff_next(&b, UINT32_MAX / 2), 499, 501);
}

static void a_success_begins_anew(void **state)
{
	struct vd_backoff b = { .first_ms = 500, .ceiling_ms = 5000 };

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)vd_backoff_next(&b, 0);
	assert_int_equal(vd_backoff_next(&b, UINT32_MAX), 5000);
	vd_backoff_reset(&b);
	assert_int_equal(b.failures, 0);
	assert_int_equal(vd_backoff_next(&b, UINT32_MAX), 500);
}

static void it_never_gives_up_nor_overflows(void **state)
{
	struct vd_backoff b = { .first_ms = 1, .ceiling_ms = UINT32_MAX, .failures = UINT32_MAX };

	(void)state;
	assert_int_equal(vd_backoff_next(&b, UINT32_MAX), UINT32_MAX);
	assert_int_equal(b.failures, UINT32_MAX);
}

VD_TEST_MAIN(cmocka_unit_test(the_spread_doubles_up_to_the_ceiling),
	     cmocka_unit_test(the_jitter_is_full), cmocka_unit_test(a_success_begins_anew),
	     cmocka_unit_test(it_never_gives_up_nor_overflows), )
