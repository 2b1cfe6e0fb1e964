/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <string.h>

#include "twin/ctl/coco.h"

static cJSON *parse(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

static struct vd_coco *with_image(void)
{
	const struct vd_coco_image image = {
		.sha256 = "aa", .file = "images/aa.jpg", .width = 100, .height = 50
	};
	struct vd_coco *coco = NULL;

	assert_int_equal(vd_coco_new(&coco), 0);
	assert_int_equal(vd_coco_add_image(coco, &image), 0);
	assert_int_equal(vd_coco_add_image(coco, &image), -EEXIST);
	return coco;
}

static void add(struct vd_coco *coco, const char *box)
{
	VD_CLEANUP(vd_json_free) cJSON *json = parse(box);

	assert_int_equal(vd_coco_add_box(coco, json, "print", "verdict"), 0);
}

static void an_image_is_listed_once_and_only_what_is_known_of_it_is_told(void **state)
{
	VD_CLEANUP(vd_coco_free) struct vd_coco *coco = with_image();
	VD_CLEANUP(vd_free) char *text = vd_json_text(vd_coco_json(coco));

	(void)state;
	assert_string_equal(text,
			    "{\"images\":[{\"id\":1,\"file_name\":\"images/aa.jpg\",\"width\":100,"
			    "\"height\":50,\"sha256\":\"aa\"}],\"annotations\":[],"
			    "\"categories\":[]}");
	assert_true(vd_coco_has(coco, "aa"));
	assert_false(vd_coco_has(coco, "ab"));
}

static void boxes_are_cut_at_the_edges_and_what_lies_outside_is_left_out(void **state)
{
	VD_CLEANUP(vd_coco_free) struct vd_coco *coco = with_image();
	const cJSON *box;
	int count = 0;

	(void)state;
	add(coco, "{\"x\":90,\"y\":40,\"width\":20,\"height\":20}");
	add(coco, "{\"x\":-5,\"y\":-5,\"width\":10,\"height\":10}");
	add(coco, "{\"x\":100,\"y\":0,\"width\":10,\"height\":10}");
	add(coco, "{\"x\":10,\"y\":10,\"width\":0,\"height\":10}");
	add(coco, "{\"x\":10,\"y\":10}");
	add(coco, "7");
	cJSON_ArrayForEach(box, vd_json_array(vd_coco_json(coco), "annotations"))
	{
		VD_CLEANUP(vd_free) char *sides = vd_json_text(vd_json_get(box, "bbox"));

		assert_string_equal(sides, count++ ? "[0,0,5,5]" : "[90,40,10,10]");
	}
	assert_int_equal(count, 2);
}

static void each_name_is_one_category(void **state)
{
	VD_CLEANUP(vd_coco_free) struct vd_coco *coco = with_image();
	VD_CLEANUP(vd_free) char *text = NULL;

	(void)state;
	add(coco, "{\"x\":1,\"y\":1,\"width\":2,\"height\":2}");
	add(coco, "{\"x\":1,\"y\":1,\"width\":2,\"height\":2,\"label\":\"scratch\"}");
	add(coco, "{\"x\":1,\"y\":1,\"width\":2,\"height\":2,\"label\":\"print\"}");
	text = vd_json_text(vd_json_array(vd_coco_json(coco), "categories"));
	assert_string_equal(text,
			    "[{\"id\":1,\"name\":\"print\"},{\"id\":2,\"name\":\"scratch\"}]");
}

VD_TEST_MAIN(cmocka_unit_test(an_image_is_listed_once_and_only_what_is_known_of_it_is_told),
	     cmocka_unit_test(boxes_are_cut_at_the_edges_and_what_lies_outside_is_left_out),
	     cmocka_unit_test(each_name_is_one_category), )
