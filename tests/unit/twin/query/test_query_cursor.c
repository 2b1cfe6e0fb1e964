/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/cursor.h"

#include <errno.h>

#include "base/digest.h"
#include "query_of.h"

static int read_text(const struct vd_query *query, const char *plain,
		     struct vd_query_cursor *cursor, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	assert_int_equal(vd_base64_encode(plain, strlen(plain), &text), 0);
	return vd_query_cursor_read(query, text.data, text.len, cursor, fault);
}

static void a_cursor_comes_back_as_it_was(void **state)
{
	static const struct vd_query_cursor cursors[] = {
		{ .given = 0 },
		{ .given = 1000, .device = "d-1.:+%_#*?!(),=@;$'" },
		{ .given = 7, .device = "d", .module = "$edgeAgent" },
	};
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of("SELECT * FROM devices");
	VD_CLEANUP(vd_query_free) struct vd_query *same = query_of("select  * from devices");

	for (size_t i = 0; i < VD_COUNT(cursors); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
		struct vd_query_cursor back = { 0 };

		assert_int_equal(vd_query_cursor_write(query, &cursors[i], &text), 0);
		assert_int_equal(vd_query_cursor_read(same, text.data, text.len, &back, NULL), 0);
		assert_int_equal(back.given, cursors[i].given);
		assert_string_equal(back.device, cursors[i].device);
		assert_string_equal(back.module, cursors[i].module);
	}
}

static void a_cursor_of_another_query_is_refused(void **state)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of("SELECT * FROM devices");
	VD_CLEANUP(vd_query_free) struct vd_query *other = query_of("SELECT TOP 1 * FROM devices");
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_query_cursor cursor = { .given = 1, .device = "d" };
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_query_cursor_write(query, &cursor, &text), 0);
	assert_int_equal(vd_query_cursor_read(other, text.data, text.len, &cursor, &fault),
			 -EINVAL);
	assert_string_equal(fault.text, "the continuation token belongs to another query");
}

static void what_is_no_cursor_is_refused(void **state)
{
	static const char *const plain[] = {
		"",
		"1",
		"1 x",
		"1 x 1 d",
		"2 x 1 d m",
		"1 x -1 d m",
		"1 x 1a d m",
		"1 x  d m",
		"1 x 1 d m more",
		"1 x 99999999999999999999 d m",
	};
	VD_CLEANUP(vd_query_free) struct vd_query *query = query_of("SELECT * FROM devices");
	struct vd_query_cursor cursor = { .given = 42 };
	struct vd_fault fault = { 0 };
	char longest[300] = "1 x 1 ";

	memset(longest + 6, 'd', 129);
	memcpy(longest + 135, " m", 3);
	for (size_t i = 0; i < VD_COUNT(plain); i++) {
		assert_int_equal(read_text(query, plain[i], &cursor, &fault), -EINVAL);
		assert_string_equal(fault.text, "the continuation token is not one of this hub");
	}
	assert_int_equal(read_text(query, longest, &cursor, &fault), -EINVAL);
	assert_string_equal(fault.text, "the continuation token is not one of this hub");
	assert_int_equal(vd_query_cursor_read(query, "no base64", 9, &cursor, &fault), -EINVAL);
	assert_int_equal(cursor.given, 42);
}

VD_TEST_MAIN(cmocka_unit_test(a_cursor_comes_back_as_it_was),
	     cmocka_unit_test(a_cursor_of_another_query_is_refused),
	     cmocka_unit_test(what_is_no_cursor_is_refused))
