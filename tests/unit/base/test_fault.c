/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <stdio.h>
#include <string.h>

#include "vd_test.h"

static void a_fault_is_wrapped_on_the_way_up(void **state)
{
	struct vd_fault fault = { 0 };

	vd_fault_set(&fault, 400, "/exposureUs", "%d is above %d", 90000000, 1000000);
	vd_fault_under(&fault, "parameters");
	vd_fault_prefix(&fault, "%s", "camera");
	assert_int_equal(fault.code, 400);
	assert_string_equal(fault.pointer, "/parameters/exposureUs");
	assert_string_equal(fault.text, "camera: 90000000 is above 1000000");
	vd_fault_under_index(&fault, 3);
	assert_string_equal(fault.pointer, "/3/parameters/exposureUs");
}

static void no_pointer_is_the_whole_document(void **state)
{
	struct vd_fault fault;

	memset(&fault, 'x', sizeof fault);
	vd_fault_set(&fault, 404, NULL, "gone");
	assert_string_equal(fault.pointer, "");
	assert_string_equal(fault.text, "gone");
}

static void keys_are_escaped_in_the_pointer(void **state)
{
	struct vd_fault fault = { 0 };

	vd_fault_set(&fault, 400, "", "x");
	vd_fault_under(&fault, "a/b~c");
	vd_fault_under(&fault, "");
	assert_string_equal(fault.pointer, "//a~1b~0c");
}

static void nobody_who_wants_no_fault_gets_one(void **state)
{
	vd_fault_set(NULL, 400, "", "%s", "x");
	vd_fault_prefix(NULL, "%s", "x");
	vd_fault_under(NULL, "x");
	vd_fault_under_index(NULL, 1);
}

/* For every length around the end, with a character of each width there. */
static void long_texts_are_cut_between_characters(void **state)
{
	static const char *const characters[] = { "a", "\xC3\xA9", "\xE2\x82\xAC",
						  "\xF0\x9F\x98\x80" };

	for (size_t c = 0; c < VD_COUNT(characters); c++) {
		for (int n = 245; n < 260; n++) {
			struct vd_fault fault = { 0 };
			size_t width = strlen(characters[c]), len;

			vd_fault_set(&fault, 400, "", "%0*d%s%s", n, 0, characters[c],
				     characters[c]);
			len = strlen(fault.text);
			assert_true(len < sizeof fault.text && len >= (size_t)n - 1 - 4);
			for (size_t tail = (size_t)n; tail < len; tail += width)
				assert_memory_equal(fault.text + tail, characters[c], width);
		}
	}
}

static void long_pointers_and_prefixes_are_cut_too(void **state)
{
	struct vd_fault fault = { 0 };
	char key[400];

	memset(key, '~', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	vd_fault_set(&fault, 400, "/end", "reason");
	vd_fault_under(&fault, key);
	assert_true(strlen(fault.pointer) < sizeof fault.pointer);
	assert_memory_equal(fault.pointer, "/~0~0", 5);
	vd_fault_prefix(&fault, "%s", key);
	assert_int_equal(strlen(fault.text), sizeof fault.text - 1);
	for (int i = 0; i < 300; i++)
		vd_fault_under_index(&fault, i);
	assert_memory_equal(fault.pointer, "/299/298/297", 12);
}

VD_TEST_MAIN(cmocka_unit_test(a_fault_is_wrapped_on_the_way_up),
	     cmocka_unit_test(no_pointer_is_the_whole_document),
	     cmocka_unit_test(keys_are_escaped_in_the_pointer),
	     cmocka_unit_test(nobody_who_wants_no_fault_gets_one),
	     cmocka_unit_test(long_texts_are_cut_between_characters),
	     cmocka_unit_test(long_pointers_and_prefixes_are_cut_too))
