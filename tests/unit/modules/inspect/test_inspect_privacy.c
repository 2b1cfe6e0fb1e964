/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored of a frame with areas that must not be recognised. */
#include "modules/inspect/privacy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/schema.h"
#include "modules/image/jpeg.h"
#include "modules/inspect/inspector.h"
#include "modules/inspect/learn/gather.h"

extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

enum { WIDTH = 160, HEIGHT = 120 };

/* A badge of stripes at 40, 30, of 48 x 32, on a slope. */
static void photograph(struct vd_buf *jpeg)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	assert_int_equal(vd_image_shape(&image, WIDTH, HEIGHT, VD_RGB), 0);
	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			const bool is_in = x >= 40 && x < 88 && y >= 30 && y < 62;
			const int value = is_in && x / 4 % 2 ? 230 : 60 + x / 4;

			memset(vd_image_row(&image, y) + 3 * x, value, 3);
		}
	}
	assert_int_equal(vd_jpeg_encode(&image, 95, jpeg), 0);
}

/* The largest difference between neighbours in the area: what a reader could go by. */
static int contrast(const struct vd_buf *jpeg, struct vd_rect area)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	int most = 0;

	assert_int_equal(vd_jpeg_decode_grey(jpeg->data, jpeg->len, NULL, &image, NULL, NULL), 0);
	for (int y = area.y; y < area.y + area.height; y++) {
		for (int x = area.x + 1; x < area.x + area.width; x++) {
			const int step =
				abs(vd_image_row(&image, y)[x] - vd_image_row(&image, y)[x - 1]);

			most = step > most ? step : most;
		}
	}
	return most;
}

static const struct vd_rect badge = { 44, 34, 40, 24 };

static int parse(const char *blur, struct vd_recipe_set **set, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL, *parameters = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, fault);

	assert_int_equal(
		vd_buf_printf(
			&text,
			"{\"active\":\"r\",\"recipes\":{\"r\":{\"rev\":1,\"cameras\":[\"top\"],"
			"\"images\":{\"keep\":{\"OK\":\"all\"},\"blur\":%s},"
			"\"steps\":{\"stripes\":{\"camera\":\"top\",\"tool\":\"blob\","
			"\"roi\":[40,30,48,32],\"threshold\":\"fixed\",\"level\":160,"
			"\"minAreaPx\":40,\"limits\":{\"count\":{\"min\":6,\"max\":6}}}}}}}",
			blur),
		0);
	if (r == 0)
		r = vd_json_parse(text.data, text.len, &parameters, fault);
	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	if (r == 0)
		r = vd_schema_fill(schema, parameters);
	return r < 0 ? r : vd_recipe_set_parse(parameters, set, fault);
}

struct fixture {
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_item *item;
	struct vd_outcome outcome;
};

static void inspect(struct fixture *f, const char *blur, size_t cut)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = "",
						      .now_us = vd_clock_mono_us };
	struct vd_fault fault = { 0 };

	*f = (struct fixture){ 0 };
	if (parse(blur, &f->set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &f->item), 0);
	f->item->shots[0].state = VD_SHOT_TAKEN;
	f->item->shots[0].is_jpeg = true;
	photograph(&f->item->shots[0].bytes);
	if (cut)
		f->item->shots[0].bytes.len = cut;
	vd_inspector_run(f->inspector, f->item, &f->outcome);
	assert_non_null(f->outcome.body);
}

static void end(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	(void)vd_item_free(f->item);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
}

static const char *said(const struct fixture *f, const char *pointer)
{
	const cJSON *value = vd_json_at(f->outcome.body, pointer);

	return cJSON_IsString(value) ? value->valuestring : "";
}

static void the_inspection_sees_what_the_store_does_not(void **state)
{
	struct fixture f;
	char sha256[VD_SHA256_TEXT];

	inspect(&f, "{\"top\":[[40,30,48,32]]}", 0);
	assert_int_equal(f.outcome.verdict, VD_OK);
	assert_true(contrast(&f.item->shots[0].bytes, badge) > 100);
	assert_in_range(contrast(&f.outcome.veiled[0].jpeg, badge), 0, 8);
	assert_int_equal(
		vd_sha256_text(f.item->shots[0].bytes.data, f.item->shots[0].bytes.len, sha256), 0);
	assert_string_equal(said(&f, "/cameras/top/sha256"), sha256);
	assert_int_equal(
		vd_sha256_text(f.outcome.veiled[0].jpeg.data, f.outcome.veiled[0].jpeg.len, sha256),
		0);
	assert_string_equal(said(&f, "/cameras/top/stored/sha256"), sha256);
	assert_true(cJSON_IsTrue(vd_json_at(f.outcome.body, "/cameras/top/stored/blurred")));
	assert_true(f.outcome.overlay.len >
		    0); /* at half size; its boxes have edges of their own */
	assert_in_range(contrast(&f.outcome.overlay, (struct vd_rect){ 26, 21, 12, 6 }), 0, 40);
	end(&f);
}

static void a_camera_without_areas_keeps_its_frames_bit_for_bit(void **state)
{
	struct fixture f;

	inspect(&f, "{}", 0);
	assert_int_equal(f.outcome.veiled[0].jpeg.len, 0);
	assert_null(vd_json_at(f.outcome.body, "/cameras/top/stored"));
	end(&f);
}

static void a_list_of_none_and_areas_outside_are_legal(void **state)
{
	struct fixture f;

	inspect(&f, "{\"top\":[]}", 0);
	assert_true(f.outcome.veiled[0].jpeg.len > 0);
	end(&f);
	inspect(&f, "{\"top\":[[16000,16000,10,10],[159,119,1,1],[0,0,0,0]]}", 0);
	assert_true(f.outcome.veiled[0].jpeg.len > 0);
	assert_true(contrast(&f.outcome.veiled[0].jpeg, badge) > 100);
	end(&f);
}

static void a_frame_that_cannot_be_blurred_is_not_stored(void **state)
{
	struct fixture f;

	inspect(&f, "{\"top\":[[40,30,48,32]]}", 60);
	assert_int_equal(f.outcome.verdict, VD_NO_DECISION);
	assert_int_equal(f.outcome.veiled[0].jpeg.len, 0);
	assert_non_null(strstr(said(&f, "/cameras/top/stored/text"), "not stored"));
	end(&f);
}

static void a_grey_frame_is_stored_blurred_too(void **state)
{
	const struct vd_veil_areas areas = { .is_set = true,
					     .list = { { 0, 0, 16, 16 } },
					     .count = 1 };
	struct vd_shot shot = { .width = 20, .height = 20, .stride = 24 };
	VD_CLEANUP(vd_veiled_fini) struct vd_veiled veiled = { 0 };
	char row[24];

	for (int i = 0; i < 24; i++)
		row[i] = i % 2 ? 100 : 10;
	for (int y = 0; y < 20; y++)
		assert_int_equal(vd_buf_append(&shot.bytes, row, sizeof row), 0);
	vd_veil(&areas, &shot, &veiled);
	assert_in_range(contrast(&veiled.jpeg, (struct vd_rect){ 2, 2, 12, 12 }), 0, 8);
	vd_veiled_fini(&veiled);
	shot.bytes.len = 100;
	vd_veil(&areas, &shot, &veiled);
	assert_int_equal(veiled.jpeg.len, 0);
	assert_true(veiled.text[0]);
	vd_buf_fini(&shot.bytes);
}

static void gathered_frames_are_blurred_as_well(void **state)
{
	const struct vd_gather_order order = {
		.label = "faces", .until_wall_ms = INT64_MAX, .count = 1, .bytes_most = 1 << 20
	};
	VD_CLEANUP(vd_buf_fini) struct vd_buf stored = { 0 };
	char folder[] = "/tmp/privacy-XXXXXX", path[256];
	struct vd_gather gather;
	struct fixture f;

	assert_non_null(mkdtemp(folder));
	inspect(&f, "{\"top\":[[40,30,48,32]]}", 0);
	assert_int_equal(vd_gather_init(&gather, folder), 0);
	vd_gather_put(&gather, &order, f.item, VD_OK, 0);
	(void)snprintf(path, sizeof path, "%s/faces/%s-top.jpg", folder, f.item->id);
	assert_int_equal(vd_file_read(path, 1 << 20, &stored, NULL), 0);
	assert_in_range(contrast(&stored, badge), 0, 8);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/faces/%s.json", folder, f.item->id);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof path, "%s/faces", folder);
	(void)rmdir(path);
	(void)rmdir(folder);
	vd_gather_fini(&gather);
	end(&f);
}

static void areas_of_a_camera_that_is_not_there_are_refused(void **state)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(parse("{\"side\":[]}", &set, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/recipes/r/images/blur");
}

VD_TEST_MAIN(cmocka_unit_test(the_inspection_sees_what_the_store_does_not),
	     cmocka_unit_test(a_camera_without_areas_keeps_its_frames_bit_for_bit),
	     cmocka_unit_test(a_list_of_none_and_areas_outside_are_legal),
	     cmocka_unit_test(a_frame_that_cannot_be_blurred_is_not_stored),
	     cmocka_unit_test(a_grey_frame_is_stored_blurred_too),
	     cmocka_unit_test(gathered_frames_are_blurred_as_well),
	     cmocka_unit_test(areas_of_a_camera_that_is_not_there_are_refused))
