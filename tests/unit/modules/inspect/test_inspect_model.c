/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static void add_evidence(struct vd_model *model)
{
	struct vd_model_challenge *challenge = calloc(1, sizeof *challenge);

	assert_non_null(challenge);
	model->challenges = challenge;
	model->challenge_count = 1;
	(void)snprintf(challenge->name, sizeof challenge->name, "good-1");
	challenge->verdict = VD_NG;
	challenge->frames = calloc(1, sizeof *challenge->frames);
	assert_non_null(challenge->frames);
	challenge->frame_count = 1;
	(void)snprintf(challenge->frames->camera, sizeof challenge->frames->camera, "top");
	assert_int_equal(vd_buf_append(&challenge->frames->jpeg, "a frame", 7), 0);
	model->references = calloc(1, sizeof *model->references);
	assert_non_null(model->references);
	model->reference_count = 1;
	(void)snprintf(model->references->name, sizeof model->references->name, "top/mean");
	model->references->mean = 101.5;
	model->references->deviation = 0.25;
	model->report = cJSON_CreateObject();
	assert_true(vd_json_add_number(model->report, "parts", 12));
}

static struct vd_model *make(void)
{
	struct vd_model *model = calloc(1, sizeof *model);
	struct vd_model_step *steps = calloc(2, sizeof *steps);

	assert_non_null(model);
	assert_non_null(steps);
	model->version = 3;
	model->parts = 12;
	memset(model->key, 'a', sizeof model->key - 1);
	model->steps = steps;
	model->step_count = 2;
	(void)snprintf(steps[0].id, sizeof steps[0].id, "pos");
	steps[0].tool = VD_LOCATE;
	steps[0].where = (struct vd_rect){ 3, 4, 20, 18 };
	steps[0].frame_width = steps[1].frame_width = 640;
	steps[0].frame_height = steps[1].frame_height = 480;
	assert_int_equal(vd_image_shape(&steps[0].patch, 20, 18, VD_GREY), 0);
	for (int y = 0; y < 18; y++) {
		for (int x = 0; x < 20; x++)
			vd_image_row(&steps[0].patch, y)[x] = (uint8_t)(x * 7 + y);
	}
	(void)snprintf(steps[1].id, sizeof steps[1].id, "print");
	steps[1].tool = VD_VARIATION;
	steps[1].where = (struct vd_rect){ 5, 6, 30, 10 };
	steps[1].variation =
		(struct vd_variation_model){ malloc(600), malloc(600), 30, 10, 12, 1.25 };
	for (int i = 0; i < 300; i++) {
		steps[1].variation.mean[i] = (uint16_t)(i * 200);
		steps[1].variation.spread[i] = (uint16_t)(i + 256);
	}
	add_evidence(model);
	return model;
}

static void encode(struct vd_buf *out)
{
	struct vd_model *model = make();

	assert_int_equal(vd_model_encode(model, out), 0);
	(void)vd_model_free(model);
}

static void what_was_written_is_read_back(void **state)
{
	struct vd_model *model = make(), *read = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	struct vd_fault fault = { 0 };
	const struct vd_model_step *pos, *print;

	assert_int_equal(vd_model_encode(model, &bytes), 0);
	assert_int_equal(vd_model_decode(bytes.data, bytes.len, &read, &fault), 0);
	assert_int_equal(read->version, 3);
	assert_int_equal(read->parts, 12);
	assert_string_equal(read->key, model->key);
	assert_string_equal(read->sha256, model->sha256);
	pos = vd_model_find(read, "pos", VD_LOCATE);
	print = vd_model_find(read, "print", VD_VARIATION);
	assert_non_null(pos);
	assert_non_null(print);
	assert_null(vd_model_find(read, "print", VD_LOCATE));
	assert_int_equal(vd_image_row(&pos->patch, 17)[19], 19 * 7 + 17);
	assert_int_equal(pos->frame_width, 640);
	assert_int_equal(print->where.x, 5);
	assert_memory_equal(print->variation.mean, model->steps[1].variation.mean, 600);
	assert_memory_equal(print->variation.spread, model->steps[1].variation.spread, 600);
	assert_true(print->variation.scale == 1.25);
	assert_int_equal(read->challenge_count, 1);
	assert_int_equal(read->challenges->verdict, VD_NG);
	assert_string_equal(read->challenges->frames->camera, "top");
	assert_string_equal(read->challenges->frames->jpeg.data, "a frame");
	assert_int_equal(read->reference_count, 1);
	assert_string_equal(read->references->name, "top/mean");
	assert_true(read->references->mean == 101.5 && read->references->deviation == 0.25);
	assert_int_equal(vd_json_int(read->report, "parts", 0), 12);
	(void)vd_model_free(read);
	(void)vd_model_free(model);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };

	encode(&bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		struct vd_model *read = NULL;
		struct vd_fault fault = { 0 };

		assert_int_equal(vd_model_decode(bytes.data, len, &read, &fault), -EINVAL);
		assert_int_equal(fault.code, 400);
		assert_null(read);
	}
}

static void a_file_with_a_flipped_bit_is_refused(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };

	encode(&bytes);
	for (size_t i = 0; i < bytes.len; i++) {
		struct vd_model *read = NULL;
		struct vd_fault fault = { 0 };

		bytes.data[i] = (char)(bytes.data[i] ^ 1 << (i % 8));
		/* A few bits of a zstd head do not matter; then the model is as it was. */
		if (vd_model_decode(bytes.data, bytes.len, &read, &fault) == 0)
			assert_int_equal(read->version, 3);
		else
			assert_int_equal(fault.code, 400);
		(void)vd_model_free(read);
		bytes.data[i] = (char)(bytes.data[i] ^ 1 << (i % 8));
	}
}

static void a_model_of_too_many_bytes_is_not_written(void **state)
{
	struct vd_model *model = make();
	struct vd_buf out = { .limit = 100 };

	assert_int_equal(vd_model_encode(model, &out), -E2BIG);
	vd_buf_fini(&out);
	(void)vd_model_free(model);
}

VD_TEST_MAIN(cmocka_unit_test(what_was_written_is_read_back),
	     cmocka_unit_test(a_file_cut_anywhere_is_refused),
	     cmocka_unit_test(a_file_with_a_flipped_bit_is_refused),
	     cmocka_unit_test(a_model_of_too_many_bytes_is_not_written))
