/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <string.h>

#include "vd_test.h"

static void what_is_appended_ends_with_a_nul(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };

	assert_int_equal(vd_buf_append(&buf, "ab\0c", 4), 0);
	assert_int_equal(buf.len, 4);
	assert_memory_equal(buf.data, "ab\0c", 5);
	assert_int_equal(vd_buf_printf(&buf, "%d-%s", 7, "x"), 0);
	assert_memory_equal(buf.data, "ab\0c7-x", 8);
}

static void nothing_appended_still_gives_a_text(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };

	assert_int_equal(vd_buf_append(&buf, NULL, 0), 0);
	assert_string_equal(buf.data, "");
}

static void it_grows_over_many_appends(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };

	for (int i = 0; i < 10000; i++)
		assert_int_equal(vd_buf_printf(&buf, "%04d", i), 0);
	assert_int_equal(buf.len, 40000);
	assert_memory_equal(buf.data + 4 * 1234, "1234", 4);
}

static void past_the_limit_it_is_left_as_it_was(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { .limit = 5 };

	assert_int_equal(vd_buf_append(&buf, "1234", 4), 0);
	assert_int_equal(vd_buf_append(&buf, "56", 2), -E2BIG);
	assert_int_equal(vd_buf_printf(&buf, "%s", "56"), -E2BIG);
	assert_string_equal(buf.data, "1234");
	assert_int_equal(vd_buf_append(&buf, "5", 1), 0);
	assert_int_equal(vd_buf_append(&buf, "", 0), 0);
	assert_int_equal(vd_buf_append(&buf, "x", SIZE_MAX), -ENOMEM);
	assert_string_equal(buf.data, "12345");
}

static void the_front_is_dropped(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf buf = { 0 };

	vd_buf_drop(&buf, 0);
	assert_int_equal(vd_buf_append(&buf, "abcdef", 6), 0);
	vd_buf_drop(&buf, 2);
	assert_string_equal(buf.data, "cdef");
	vd_buf_drop(&buf, 4);
	assert_string_equal(buf.data, "");
	assert_int_equal(buf.len, 0);
}

static void clear_keeps_the_memory_and_fini_the_limit(void **state)
{
	struct vd_buf buf = { .limit = 9 };

	vd_buf_clear(&buf);
	assert_int_equal(vd_buf_append(&buf, "abc", 3), 0);
	vd_buf_clear(&buf);
	assert_non_null(buf.data);
	assert_string_equal(buf.data, "");
	vd_buf_fini(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.limit, 9);
}

VD_TEST_MAIN(cmocka_unit_test(what_is_appended_ends_with_a_nul),
	     cmocka_unit_test(nothing_appended_still_gives_a_text),
	     cmocka_unit_test(it_grows_over_many_appends),
	     cmocka_unit_test(past_the_limit_it_is_left_as_it_was),
	     cmocka_unit_test(the_front_is_dropped),
	     cmocka_unit_test(clear_keeps_the_memory_and_fini_the_limit))
