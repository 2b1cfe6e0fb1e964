/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/assembly.h"

#include <string.h>

#include "vd_test.h"

static const char TWO[] = "{\"active\":\"a\",\"deadlineMs\":200,\"recipes\":{\"a\":{\"rev\":1,"
			  "\"cameras\":[\"top\",\"side\"],\"steps\":{"
			  "\"t\":{\"camera\":\"top\",\"tool\":\"variation\"},"
			  "\"s\":{\"camera\":\"side\",\"tool\":\"variation\"}}},"
			  "\"b\":{\"rev\":2,\"cameras\":[\"top\"],\"steps\":{"
			  "\"t\":{\"camera\":\"top\",\"tool\":\"variation\"}}}}}";

static struct vd_recipe_set *set_of(const char *active, int64_t version)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_json_parse(TWO, sizeof TWO - 1, &parameters, &fault), 0);
	cJSON_SetValuestring(cJSON_GetObjectItem(parameters, "active"), active);
	assert_int_equal(vd_recipe_set_parse(parameters, &set, &fault), 0);
	set->version = version;
	return set;
}

static int put(struct vd_assembly *assembly, struct vd_recipe_set *set, const char *camera,
	       int trigger, uint64_t now_us, struct vd_item **item)
{
	VD_CLEANUP(vd_json_free) cJSON *json = trigger < 0 ? NULL : cJSON_CreateObject();
	struct vd_arrival arrival = { .camera = camera, .trigger = json, .seq = 5 };

	if (json)
		assert_true(vd_json_add_string(json, "source", "plc") &&
			    vd_json_add_number(json, "seq", trigger));
	arrival.shot.state = VD_SHOT_TAKEN;
	arrival.serial = "S1";
	assert_int_equal(vd_buf_append(&arrival.shot.bytes, camera, strlen(camera)), 0);
	return vd_assembly_put(assembly, set, &arrival, now_us, item);
}

struct fixture {
	struct vd_assembly *assembly;
	struct vd_recipe_set *two, *one;
	struct vd_item *item;
};

static struct fixture begin(void)
{
	struct fixture f = { .two = set_of("a", 7), .one = set_of("b", 8) };

	assert_int_equal(vd_assembly_new(&f.assembly), 0);
	return f;
}

static void end(struct fixture *f)
{
	(void)vd_item_free(f->item);
	(void)vd_assembly_free(f->assembly);
	(void)vd_recipe_set_unref(f->two);
	(void)vd_recipe_set_unref(f->one);
}

static void one_camera_makes_an_item_of_each_frame(void **state)
{
	struct fixture f = begin();

	assert_int_equal(put(f.assembly, f.one, "top", -1, 10, &f.item), VD_ITEM_COMPLETE);
	assert_int_equal(f.item->set->version, 8);
	assert_string_equal(f.item->serial, "S1");
	assert_int_equal(f.item->shots[0].bytes.len, 3);
	assert_int_equal(vd_assembly_deadline_us(f.assembly), UINT64_MAX);
	end(&f);
}

static void frames_of_one_trigger_make_one_item(void **state)
{
	struct fixture f = begin();

	assert_int_equal(put(f.assembly, f.two, "side", 1, 10, &f.item), VD_ITEM_OPEN);
	assert_int_equal(put(f.assembly, f.two, "side", 2, 20, &f.item), VD_ITEM_OPEN);
	assert_int_equal(put(f.assembly, f.two, "top", 2, 30, &f.item), VD_ITEM_COMPLETE);
	assert_int_equal(f.item->started_us, 20);
	assert_memory_equal(f.item->shots[0].bytes.data, "top", 3);
	assert_memory_equal(f.item->shots[1].bytes.data, "side", 4);
	end(&f);
}

static void a_missing_camera_ends_at_the_deadline(void **state)
{
	struct fixture f = begin();

	assert_int_equal(put(f.assembly, f.two, "top", 1, 1000, &f.item), VD_ITEM_OPEN);
	assert_int_equal(vd_assembly_deadline_us(f.assembly), 201000);
	assert_null(vd_assembly_expired(f.assembly, 200999));
	f.item = vd_assembly_expired(f.assembly, 201000);
	assert_non_null(f.item);
	assert_int_equal(f.item->shots[1].state, VD_SHOT_AWAITED);
	assert_null(vd_assembly_expired(f.assembly, 999999999));
	end(&f);
}

static void a_late_frame_changes_nothing(void **state)
{
	struct fixture f = begin();
	struct vd_item *other = NULL;

	assert_int_equal(put(f.assembly, f.two, "top", 1, 1000, &f.item), VD_ITEM_OPEN);
	assert_int_equal(put(f.assembly, f.two, "top", 1, 1100, &f.item), VD_ITEM_LATE);
	f.item = vd_assembly_expired(f.assembly, 500000);
	assert_int_equal(put(f.assembly, f.two, "side", 1, 500001, &other), VD_ITEM_LATE);
	assert_null(other);
	end(&f);
}

static void a_frame_of_a_camera_outside_the_recipe_makes_no_item(void **state)
{
	struct fixture f = begin();

	assert_int_equal(put(f.assembly, f.one, "side", 1, 1000, &f.item), VD_CAMERA_UNKNOWN);
	assert_null(f.item);
	end(&f);
}

static void an_item_keeps_the_parameters_of_its_first_frame(void **state)
{
	struct fixture f = begin();

	assert_int_equal(put(f.assembly, f.two, "top", 1, 1000, &f.item), VD_ITEM_OPEN);
	assert_int_equal(put(f.assembly, f.one, "side", 1, 1100, &f.item), VD_ITEM_COMPLETE);
	assert_int_equal(f.item->set->version, 7);
	assert_string_equal(f.item->recipe->name, "a");
	end(&f);
}

static void no_more_items_are_open_than_there_is_room_for(void **state)
{
	struct fixture f = begin();
	int ended = 0;

	for (int i = 0; i < 200; i++) {
		struct vd_item *item;

		assert_int_equal(put(f.assembly, f.two, "top", i, 1000, &f.item), VD_ITEM_OPEN);
		while ((item = vd_assembly_expired(f.assembly, 1000))) {
			ended++;
			(void)vd_item_free(item);
		}
	}
	assert_in_range(ended, 100, 199);
	end(&f);
}

/* The id of the item that was opened. */
static void ask(struct fixture *f, struct vd_recipe_set *set, uint64_t at_ms,
		char id[static VD_UUID_TEXT])
{
	struct vd_item *item = NULL;

	assert_int_equal(vd_item_new(set, at_ms * 1000, &item), 0);
	item->is_asked = true;
	item->triggered_ms = at_ms;
	memcpy(id, item->id, VD_UUID_TEXT);
	assert_int_equal(vd_assembly_open(f->assembly, &item, NULL, at_ms * 1000), 0);
	assert_null(item);
}

static int answer(struct fixture *f, const char *camera, const char *id, uint64_t captured_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *trigger = cJSON_CreateObject();
	struct vd_arrival arrival = { .camera = camera,
				      .trigger = trigger,
				      .t_mono_ms = captured_ms,
				      .shot.state = VD_SHOT_TAKEN };

	assert_true(vd_json_add_string(trigger, "source", "message") &&
		    vd_json_add_number(trigger, "seq", 1) && vd_json_add_string(trigger, "id", id));
	assert_false(vd_assembly_begins(f->assembly, f->two, &arrival));
	return vd_assembly_put(f->assembly, f->one, &arrival, captured_ms * 1000, &f->item);
}

static void frames_join_the_item_that_asked_for_them(void **state)
{
	struct fixture f = begin();
	char first[VD_UUID_TEXT], second[VD_UUID_TEXT];

	ask(&f, f.two, 100, first);
	ask(&f, f.two, 110, second);
	assert_int_equal(vd_assembly_count(f.assembly), 2);
	assert_int_equal(answer(&f, "top", second, 120), VD_ITEM_OPEN);
	assert_int_equal(answer(&f, "side", first, 121), VD_ITEM_OPEN);
	assert_int_equal(answer(&f, "side", second, 122), VD_ITEM_COMPLETE);
	assert_string_equal(f.item->id, second);
	assert_int_equal(f.item->set->version, 7);
	assert_int_equal(answer(&f, "side", second, 123), VD_ITEM_LATE);
	assert_int_equal(vd_assembly_count(f.assembly), 1);
	end(&f);
}

static void a_frame_older_than_its_trigger_never_joins(void **state)
{
	struct fixture f = begin();
	char id[VD_UUID_TEXT];

	ask(&f, f.one, 100, id);
	assert_int_equal(answer(&f, "top", id, 99), VD_FRAME_OLD);
	assert_int_equal(answer(&f, "top", id, 100), VD_ITEM_COMPLETE);
	end(&f);
}

static void an_answer_to_a_trigger_that_is_gone_begins_nothing(void **state)
{
	struct fixture f = begin();
	char id[VD_UUID_TEXT];

	assert_int_equal(answer(&f, "top", "0b5c2a51-7b5e-4f6d-9d3e-1f2a3b4c5d6e", 5),
			 VD_ITEM_LATE);
	ask(&f, f.two, 100, id);
	assert_int_equal(vd_assembly_deadline_us(f.assembly), 300000);
	assert_null(vd_assembly_expired(f.assembly, 299999));
	f.item = vd_assembly_expired(f.assembly, 300000);
	assert_string_equal(f.item->id, id);
	(void)vd_item_free(f.item);
	f.item = NULL;
	assert_int_equal(answer(&f, "top", id, 101), VD_ITEM_LATE);
	end(&f);
}

static void a_trigger_that_is_passed_over_makes_no_item_of_its_other_frames(void **state)
{
	struct fixture f = begin();
	VD_CLEANUP(vd_json_free) cJSON *trigger = cJSON_CreateObject();
	struct vd_arrival arrival = { .camera = "top", .trigger = trigger };

	assert_true(vd_json_add_string(trigger, "source", "plc") &&
		    vd_json_add_number(trigger, "seq", 9));
	assert_true(vd_assembly_begins(f.assembly, f.two, &arrival));
	vd_assembly_pass_over(f.assembly, &arrival);
	assert_false(vd_assembly_begins(f.assembly, f.two, &arrival));
	assert_int_equal(put(f.assembly, f.two, "side", 9, 10, &f.item), VD_ITEM_LATE);
	end(&f);
}

VD_TEST_MAIN(cmocka_unit_test(one_camera_makes_an_item_of_each_frame),
	     cmocka_unit_test(frames_of_one_trigger_make_one_item),
	     cmocka_unit_test(a_missing_camera_ends_at_the_deadline),
	     cmocka_unit_test(a_late_frame_changes_nothing),
	     cmocka_unit_test(a_frame_of_a_camera_outside_the_recipe_makes_no_item),
	     cmocka_unit_test(an_item_keeps_the_parameters_of_its_first_frame),
	     cmocka_unit_test(no_more_items_are_open_than_there_is_room_for),
	     cmocka_unit_test(frames_join_the_item_that_asked_for_them),
	     cmocka_unit_test(a_frame_older_than_its_trigger_never_joins),
	     cmocka_unit_test(an_answer_to_a_trigger_that_is_gone_begins_nothing),
	     cmocka_unit_test(a_trigger_that_is_passed_over_makes_no_item_of_its_other_frames))
