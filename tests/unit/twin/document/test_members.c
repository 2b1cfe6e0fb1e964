/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/members.h"

#include <stdio.h>

#include "vd_test.h"

static cJSON *object_of(int count)
{
	cJSON *object = cJSON_CreateObject();
	char key[16];

	for (int i = count - 1; i >= 0; i--) {
		(void)snprintf(key, sizeof key, "k%d", i);
		assert_true(vd_json_add_number(object, key, i));
	}
	return object;
}

static void every_member_is_found_among_few_and_many(void **state)
{
	static const int counts[] = { 0, 1, 16, 17, 1000 };
	char key[16];

	for (size_t c = 0; c < VD_COUNT(counts); c++) {
		VD_CLEANUP(vd_json_free) cJSON *object = object_of(counts[c]);
		VD_CLEANUP(vd_members_fini) struct vd_members members = vd_members_of(object);

		for (int i = 0; i < counts[c]; i++) {
			(void)snprintf(key, sizeof key, "k%d", i);
			assert_int_equal((int)cJSON_GetNumberValue(vd_members_get(&members, key)),
					 i);
		}
		assert_null(vd_members_get(&members, "K0"));
		assert_null(vd_members_get(&members, "k1000"));
		assert_null(vd_members_get(&members, ""));
	}
}

static void what_is_no_object_has_no_members(void **state)
{
	VD_CLEANUP(vd_json_free) cJSON *array = cJSON_CreateArray();

	for (int i = 0; i < 20; i++)
		assert_true(cJSON_AddItemToArray(array, cJSON_CreateNumber(i)));
	VD_CLEANUP(vd_members_fini) struct vd_members of_array = vd_members_of(array);
	VD_CLEANUP(vd_members_fini) struct vd_members of_nothing = vd_members_of(NULL);
	assert_null(vd_members_get(&of_array, "0"));
	assert_null(vd_members_get(&of_nothing, "0"));
}

VD_TEST_MAIN(cmocka_unit_test(every_member_is_found_among_few_and_many),
	     cmocka_unit_test(what_is_no_object_has_no_members))
