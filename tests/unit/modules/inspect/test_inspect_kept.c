/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static struct vd_recipe_set *set_of(const char *active)
{
	static const char text[] = "{\"active\":\"one\",\"recipes\":{\"one\":{\"rev\":1,"
				   "\"cameras\":[\"top\"],\"steps\":{"
				   "\"t\":{\"camera\":\"top\",\"tool\":\"variation\"}}},"
				   "\"two\":{\"rev\":2,\"cameras\":[\"side\",\"top\"],\"steps\":{"
				   "\"t\":{\"camera\":\"top\",\"tool\":\"variation\"},"
				   "\"s\":{\"camera\":\"side\",\"tool\":\"variation\"}}}}}";
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_json_parse(text, sizeof text - 1, &parameters, &fault), 0);
	cJSON_SetValuestring(cJSON_GetObjectItem(parameters, "active"), active);
	assert_int_equal(vd_recipe_set_parse(parameters, &set, &fault), 0);
	return set;
}

static struct vd_item *item_of(struct vd_recipe_set *set, size_t bytes)
{
	VD_CLEANUP(vd_free) char *data = calloc(1, bytes + 1);
	struct vd_item *item = NULL;

	assert_non_null(data);
	assert_int_equal(vd_item_new(set, 1, &item), 0);
	for (int i = 0; i < item->recipe->camera_count; i++) {
		item->shots[i].state = VD_SHOT_TAKEN;
		memset(data, item->recipe->cameras[i][0], bytes);
		assert_int_equal(vd_buf_append(&item->shots[i].bytes, data, bytes), 0);
	}
	memcpy(item->serial, "S-1", 4);
	return item;
}

static void put(struct vd_kept *kept, struct vd_recipe_set *set, size_t bytes, int most,
		char id[static VD_UUID_TEXT])
{
	struct vd_item *item = item_of(set, bytes);

	memcpy(id, item->id, VD_UUID_TEXT);
	vd_kept_put(kept, &item, most);
	assert_null(item);
}

static void the_last_ones_are_kept(void **state)
{
	struct vd_recipe_set *set = set_of("one");
	struct vd_kept kept = { .count = 0 };
	char ids[4][VD_UUID_TEXT];

	for (int i = 0; i < 3; i++)
		put(&kept, set, 10, 2, ids[i]);
	assert_null(vd_kept_find(&kept, ids[0]));
	assert_string_equal(vd_kept_find(&kept, ids[1])->id, ids[1]);
	assert_int_equal(kept.bytes, 20);
	put(&kept, set, 10, 0, ids[3]); /* the parameter has changed */
	assert_int_equal(kept.count, 0);
	assert_int_equal(kept.bytes, 0);
	vd_kept_fini(&kept);
	(void)vd_recipe_set_unref(set);
}

static void no_more_bytes_are_kept_than_there_is_room_for(void **state)
{
	struct vd_recipe_set *set = set_of("one");
	struct vd_kept kept = { .count = 0 };
	char ids[3][VD_UUID_TEXT];

	for (int i = 0; i < 3; i++)
		put(&kept, set, VD_KEPT_FRAME_BYTES / 2, 64, ids[i]);
	assert_int_equal(kept.count, 2);
	assert_null(vd_kept_find(&kept, ids[0]));
	vd_kept_fini(&kept);
	(void)vd_recipe_set_unref(set);
}

static void another_look_takes_the_cameras_by_their_names(void **state)
{
	struct vd_recipe_set *one = set_of("one"), *two = set_of("two");
	struct vd_item *old = item_of(two, 4), *item = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_kept_again(old, one, 5, &item, &fault), 0);
	assert_memory_equal(item->shots[0].bytes.data, "tttt", 4);
	assert_string_equal(item->supersedes, old->id);
	assert_string_not_equal(item->id, old->id);
	assert_string_equal(item->serial, "S-1");
	assert_int_equal(old->shots[1].bytes.len, 4);
	(void)vd_item_free(old);
	old = VD_TAKE(item);
	assert_int_equal(vd_kept_again(old, two, 5, &item, &fault), -EINVAL);
	assert_int_equal(fault.code, 409);
	vd_item_drop_frames(old);
	assert_int_equal(vd_kept_again(old, one, 5, &item, &fault), -EINVAL);
	assert_int_equal(fault.code, 410);
	(void)vd_item_free(old);
	(void)vd_recipe_set_unref(one);
	(void)vd_recipe_set_unref(two);
}

VD_TEST_MAIN(cmocka_unit_test(the_last_ones_are_kept),
	     cmocka_unit_test(no_more_bytes_are_kept_than_there_is_room_for),
	     cmocka_unit_test(another_look_takes_the_cameras_by_their_names))
