/* SPDX-License-Identifier: Apache-2.0 */
/* The tool texture, from good parts to verdicts. */
#include <errno.h>
#include <math.h>
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
#include "modules/inspect/learn/model.h"

extern const char vd_inspect_schema_json[];
extern const size_t vd_inspect_schema_json_len;

enum { WIDTH = 128, HEIGHT = 96, PARTS = 12 };

/* Like felt: each pixel leans on its neighbours to the left and above; the flaw is a lighter patch. */
static void make_felt(struct vd_image *image, uint32_t seed, struct vd_rect flaw)
{
	double above[WIDTH] = { 0 };
	uint32_t noise = (seed + 1) * 2654435761u; /* parts alike in nothing but their felt */

	assert_int_equal(vd_image_shape(image, WIDTH, HEIGHT, VD_GREY), 0);
	for (int y = 0; y < HEIGHT; y++) {
		double left = 0;

		for (int x = 0; x < WIDTH; x++) {
			const bool is_flaw = x >= flaw.x && x < flaw.x + flaw.width &&
					     y >= flaw.y && y < flaw.y + flaw.height;

			noise ^= noise << 13;
			noise ^= noise >> 17;
			noise ^= noise << 5;
			left = 0.5 * left + 0.35 * above[x] + (double)(noise >> 28) - 7.5;
			above[x] = left;
			vd_image_row(image, y)[x] =
				(uint8_t)fmax(0, fmin(255, 120 + left + (is_flaw ? 45 : 0)));
		}
	}
}

struct fixture {
	struct vd_inspector *inspector;
	struct vd_recipe_set *set;
	struct vd_outcome outcome;
};

static int parse(const char *more, struct vd_recipe_set **set, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL, *parameters = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_json_parse(vd_inspect_schema_json, vd_inspect_schema_json_len, &schema, fault);

	assert_int_equal(
		vd_buf_printf(
			&text,
			"{\"active\":\"r\",\"recipes\":{\"r\":{\"rev\":1,\"cameras\":[\"top\"],"
			"\"learning\":{\"parts\":%d,\"challengeAreaPx\":256},"
			"\"steps\":{\"felt\":{\"camera\":\"top\",\"tool\":\"texture\"%s}}}}}",
			PARTS, more),
		0);
	if (r == 0)
		r = vd_json_parse(text.data, text.len, &parameters, fault);
	if (r == 0)
		r = vd_schema_check(schema, parameters, fault);
	if (r == 0)
		r = vd_schema_fill(schema, parameters);
	return r < 0 ? r : vd_recipe_set_parse(parameters, set, fault);
}

static void begin_in(struct fixture *f, const char *more, const char *folder)
{
	const struct vd_inspector_options options = { .station = "st",
						      .model_folder = folder,
						      .now_us = vd_clock_mono_us };
	struct vd_fault fault = { 0 };

	*f = (struct fixture){ 0 };
	if (parse(more, &f->set, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
	assert_int_equal(vd_inspector_new(&options, &f->inspector), 0);
}

static void begin(struct fixture *f, const char *more)
{
	begin_in(f, more, "");
}

static void end(struct fixture *f)
{
	vd_outcome_fini(&f->outcome);
	(void)vd_inspector_free(f->inspector);
	(void)vd_recipe_set_unref(f->set);
}

static const char *show(struct fixture *f, uint32_t seed, struct vd_rect flaw)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_item *item = NULL;

	make_felt(&image, seed, flaw);
	assert_int_equal(vd_item_new(f->set, vd_clock_mono_us(), &item), 0);
	item->shots[0].state = VD_SHOT_TAKEN;
	item->shots[0].is_jpeg = true;
	assert_int_equal(vd_jpeg_encode(&image, 90, &item->shots[0].bytes), 0);
	vd_outcome_fini(&f->outcome);
	vd_inspector_run(f->inspector, item, &f->outcome);
	(void)vd_item_free(item);
	assert_non_null(f->outcome.body);
	return vd_verdict_name(f->outcome.verdict);
}

static const struct vd_rect none = { 0 }, flaw = { 60, 40, 20, 20 };

static void learn(struct fixture *f)
{
	for (uint32_t i = 0; i < PARTS; i++)
		assert_string_equal(show(f, 1 + i * 7919, none), "NO_DECISION");
}

static const cJSON *said(const struct fixture *f, const char *pointer)
{
	return vd_json_at(f->outcome.body, pointer);
}

static void a_flaw_in_what_was_learnt_is_found_where_it_is(void **state)
{
	static const char *const scopes[] = { "\"global\"", "\"position\"" };

	for (size_t i = 0; i < VD_COUNT(scopes); i++) {
		struct fixture f;
		char more[64];
		const cJSON *defect;

		(void)snprintf(more, sizeof more, ",\"scope\":%s", scopes[i]);
		begin(&f, more);
		learn(&f);
		for (uint32_t n = 0; n < 8; n++) {
			const char *verdict = show(&f, 900001 + n * 104729, none);

			if (strcmp(verdict, "OK") != 0)
				fail_msg("%s: %s", scopes[i],
					 cJSON_GetStringValue(said(&f, "/reasons/0")));
		}
		assert_string_equal(show(&f, 77777, flaw), "NG");
		defect = said(&f, "/steps/felt/defects/0");
		assert_non_null(defect);
		assert_in_range(vd_json_int(defect, "x", 0), 40, 80);
		assert_in_range(vd_json_int(defect, "y", 0), 24, 60);
		assert_true(vd_json_number(said(&f, "/steps/felt"), "score", 0) > 1);
		end(&f);
	}
}

static void a_threshold_of_the_recipe_stands_before_the_learnt_one(void **state)
{
	struct fixture f;

	begin(&f, ",\"scope\":\"global\",\"threshold\":900");
	learn(&f);
	assert_string_equal(show(&f, 77777, flaw), "OK");
	end(&f);
}

static void a_region_too_small_to_have_a_texture_is_refused(void **state)
{
	struct vd_recipe_set *set = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(parse(",\"roi\":[0,0,31,64]", &set, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/recipes/r/steps/felt/roi");
}

/* ---- model files ---- */

static void its_challenge_set_has_flaws_that_must_be_found(void **state)
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	char folder[] = "/tmp/texture-XXXXXX", path[64];
	struct fixture f;
	int good = 0, bad = 0;

	assert_non_null(mkdtemp(folder));
	begin_in(&f, ",\"scope\":\"global\"", folder);
	learn(&f);
	(void)snprintf(path, sizeof path, "%s/r.vdmodel", folder);
	assert_int_equal(vd_file_read(path, 1 << 24, &file, NULL), 0);
	assert_int_equal(vd_model_decode(file.data, file.len, &model, NULL), 0);
	for (int i = 0; i < model->challenge_count; i++) {
		const struct vd_model_challenge *challenge = &model->challenges[i];
		const bool is_good = strncmp(challenge->name, "good-", 5) == 0;

		assert_int_equal(challenge->verdict, is_good ? VD_OK : VD_NG);
		good += is_good;
		bad += !is_good;
	}
	assert_true(good > 0 && bad > 0);
	end(&f);
	begin_in(&f, ",\"scope\":\"global\"", folder); /* the next start reads it back */
	assert_string_equal(show(&f, 900001, none), "OK");
	assert_string_equal(show(&f, 77777, flaw), "NG");
	end(&f);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void make_model(struct vd_model **ret_model)
{
	VD_CLEANUP(vd_texture_learner_free) struct vd_texture_learner *learner = NULL;
	struct vd_model *model = calloc(1, sizeof *model);
	struct vd_model_step *step;

	assert_non_null(model);
	model->version = 1;
	model->parts = 4;
	memset(model->key, 'a', sizeof model->key - 1);
	model->steps = step = calloc(1, sizeof *step);
	model->step_count = 1;
	(void)snprintf(step->id, sizeof step->id, "felt");
	step->tool = VD_TEXTURE;
	step->where = (struct vd_rect){ 0, 0, WIDTH, HEIGHT };
	step->frame_width = WIDTH;
	step->frame_height = HEIGHT;
	step->scope = VD_TEXTURE_GLOBAL;
	step->threshold = 2.5;
	step->variation.scale = 1;
	assert_int_equal(vd_texture_learner_new(WIDTH, HEIGHT, step->scope, &learner), 0);
	for (uint32_t i = 0; i < 4; i++) {
		VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

		make_felt(&image, i, none);
		assert_int_equal(vd_texture_learn(learner, &image), 0);
	}
	assert_int_equal(vd_texture_finish(learner, &step->texture), 0);
	*ret_model = model;
}

static double score(const struct vd_texture *texture, const struct vd_image *image)
{
	struct vd_texture_work work = { 0 };
	struct vd_texture_result result;

	assert_int_equal(vd_texture_find(texture, image, INFINITY, &work, &result), 0);
	vd_blobs_fini(&result.blobs);
	vd_texture_work_fini(&work);
	return result.score;
}

static void a_texture_comes_back_from_its_file_to_the_bit(void **state)
{
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL, *again = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_fault fault = { 0 };
	const struct vd_model_step *step;

	make_model(&model);
	assert_int_equal(vd_model_encode(model, &file), 0);
	if (vd_model_decode(file.data, file.len, &again, &fault) < 0)
		fail_msg("%s", fault.text);
	step = vd_model_find(again, "felt", VD_TEXTURE);
	assert_non_null(step);
	assert_float_equal((float)step->threshold, 2.5f, 1e-9);
	assert_int_equal(step->scope, VD_TEXTURE_GLOBAL);
	make_felt(&image, 5, flaw);
	assert_true(score(step->texture, &image) == score(model->steps[0].texture, &image));
}

static void numbers_that_no_model_has_are_refused(void **state)
{
	const size_t count = vd_texture_numbers(WIDTH, HEIGHT, VD_TEXTURE_GLOBAL);
	VD_CLEANUP(vd_model_free) struct vd_model *model = NULL;
	VD_CLEANUP(vd_texture_free) struct vd_texture *texture = NULL;
	VD_CLEANUP(vd_free) float *numbers = calloc(count, sizeof *numbers);
	static const size_t places[] = { 0, 2 * VD_TEXTURE_FEATURES };

	make_model(&model);
	vd_texture_write(model->steps[0].texture, numbers);
	for (size_t i = 0; i < VD_COUNT(places); i++) {
		static const float wrong[] = { 0, -1, NAN, INFINITY };
		const float was = numbers[places[i]];

		for (size_t k = 0; k < VD_COUNT(wrong); k++) {
			numbers[places[i]] = wrong[k];
			assert_int_equal(vd_texture_read(WIDTH, HEIGHT, VD_TEXTURE_GLOBAL, numbers,
							 &texture),
					 -EINVAL);
		}
		numbers[places[i]] = was;
	}
	assert_int_equal(vd_texture_read(16, HEIGHT, VD_TEXTURE_GLOBAL, numbers, &texture),
			 -EINVAL);
	assert_int_equal(vd_texture_read(WIDTH, HEIGHT, VD_TEXTURE_GLOBAL, numbers, &texture), 0);
}

static void an_image_taken_out_again_leaves_no_trace(void **state)
{
	VD_CLEANUP(vd_texture_learner_free) struct vd_texture_learner *learner = NULL;
	VD_CLEANUP(vd_texture_free) struct vd_texture *before = NULL, *after = NULL;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, other = { 0 };
	double a, b;

	assert_int_equal(vd_texture_learner_new(WIDTH, HEIGHT, VD_TEXTURE_GLOBAL, &learner), 0);
	for (uint32_t i = 0; i < 3; i++) {
		make_felt(&image, i, none);
		assert_int_equal(vd_texture_learn(learner, &image), 0);
	}
	assert_int_equal(vd_texture_finish(learner, &before), 0);
	make_felt(&other, 9, flaw);
	assert_int_equal(vd_texture_learn(learner, &other), 0);
	assert_int_equal(vd_texture_unlearn(learner, &other), 0);
	assert_int_equal(vd_texture_images(learner), 3);
	assert_int_equal(vd_texture_finish(learner, &after), 0);
	a = score(before, &other);
	b = score(after, &other);
	assert_true(fabs(a - b) < 1e-3 * a);
}

VD_TEST_MAIN(cmocka_unit_test(a_flaw_in_what_was_learnt_is_found_where_it_is),
	     cmocka_unit_test(a_threshold_of_the_recipe_stands_before_the_learnt_one),
	     cmocka_unit_test(a_region_too_small_to_have_a_texture_is_refused),
	     cmocka_unit_test(its_challenge_set_has_flaws_that_must_be_found),
	     cmocka_unit_test(a_texture_comes_back_from_its_file_to_the_bit),
	     cmocka_unit_test(numbers_that_no_model_has_are_refused),
	     cmocka_unit_test(an_image_taken_out_again_leaves_no_trace))
