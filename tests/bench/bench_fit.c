/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fitting a model costs beyond decoding its parts once, by stage, in the order of lesson.h.
 *
 *	bench_fit [PARTS [ROUNDS]]
 *
 * Pictures are made up: 1080p soft and busy, each by a locate step that turns by up to a degree and
 * a variation step over all but the margin. The digest is that of the model's file: it must not
 * change unless the way of learning was meant to.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "made_up.h"
#include "modules/image/jpeg.h"
#include "modules/inspect/learn/lesson.h"

enum { WIDTH = 1920, HEIGHT = 1080, PARTS = 40, ROUNDS = 3 };

static const char PARAMETERS[] =
	"{\"active\":\"part\",\"recipes\":{\"part\":{\"rev\":1,\"cameras\":[\"top\"],\"steps\":{"
	"\"pos\":{\"camera\":\"top\",\"tool\":\"locate\",\"angleDeg\":1,"
	"\"roi\":[860,440,200,200]},"
	"\"print\":{\"camera\":\"top\",\"tool\":\"variation\",\"alignTo\":\"pos\","
	"\"roi\":[16,16,1888,1048]}}}}}";

struct bench {
	struct vd_recipe_set *set;
	const struct vd_recipe *recipe;
	struct vd_rig *rig;
	struct vd_shot *shots;
	int parts;
	struct vd_fit fit;
	double stages[VD_FIT_STAGES]; /* ms */
	uint64_t last_us;
};

static void check(int r, const char *what)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "%s: %d\n", what, r);
	exit(1);
}

static void set_up(struct bench *bench, int parts)
{
	VD_CLEANUP(vd_json_free) cJSON *parameters = NULL;
	struct vd_fault fault = { 0 };

	check(vd_json_parse(PARAMETERS, strlen(PARAMETERS), &parameters, &fault), fault.text);
	check(vd_recipe_set_parse(parameters, &bench->set, &fault), fault.text);
	bench->recipe = &bench->set->recipes[bench->set->active];
	check(vd_rig_new(bench->recipe, NULL, &bench->rig), "rig");
	bench->parts = parts;
	bench->shots = calloc((size_t)parts, sizeof *bench->shots);
	check(bench->shots ? 0 : -1, "shots");
}

static void take_parts(struct bench *bench, double grain)
{
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 }, capture = { 0 };

	check(made_up_picture(WIDTH, HEIGHT, grain, &part), "picture");
	for (int i = 0; i < bench->parts; i++) {
		struct vd_shot *shot = &bench->shots[i];

		shot->state = VD_SHOT_TAKEN;
		shot->is_jpeg = true;
		check(made_up_capture(&part, 2.3 * made_up_noise(), 2.3 * made_up_noise(),
				      &capture),
		      "capture");
		check(made_up_encode(&capture, &shot->bytes), "encode");
	}
}

/* Time until now is the stage's that was said last. */
static void on_progress(void *argument)
{
	struct bench *bench = argument;
	const uint64_t now = vd_clock_mono_us();

	bench->stages[bench->fit.stage] += (double)(now - bench->last_us) / 1000;
	bench->last_us = now;
}

static double decode_all(const struct bench *bench)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	const uint64_t start = vd_clock_mono_us();

	for (int i = 0; i < bench->parts; i++)
		check(vd_jpeg_decode_grey(bench->shots[i].bytes.data, bench->shots[i].bytes.len,
					  NULL, &image, NULL, NULL),
		      "decode");
	return (double)(vd_clock_mono_us() - start) / 1000;
}

static void attend(const struct bench *bench, struct vd_lesson *lesson)
{
	struct vd_look look = { 0 };
	char text[VD_STEP_TEXT] = "";

	for (int i = 0; i < bench->parts; i++) {
		vd_look_at(&look, &bench->shots[i], bench->recipe, "");
		check(vd_lesson_add(lesson, bench->rig, &look, &bench->shots[i], "", text), text);
	}
	vd_look_fini(&look);
}

static void fit_once(struct bench *bench, const char *name)
{
	VD_CLEANUP(vd_lesson_free) struct vd_lesson *lesson = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	const double decode = decode_all(bench);
	double whole = 0, encode;

	check(vd_lesson_new(bench->recipe, &lesson), "lesson");
	attend(bench, lesson);
	memset(bench->stages, 0, sizeof bench->stages);
	bench->last_us = vd_clock_mono_us();
	check(vd_lesson_fit(lesson, bench->rig, 1, on_progress, bench, &bench->fit), "fit");
	on_progress(bench);
	check(bench->fit.model ? 0 : -1, bench->fit.text);
	check(vd_model_encode(bench->fit.model, &file), "encode");
	encode = (double)(vd_clock_mono_us() - bench->last_us) / 1000;
	for (int i = 0; i < VD_FIT_STAGES; i++)
		whole += bench->stages[i];
	(void)printf("%-11s %d parts: decode once %.0f ms, fit %.0f ms, beyond decode %.0f ms:",
		     name, bench->parts, decode, whole, whole - decode);
	for (int i = 0; i < VD_FIT_STAGES; i++)
		(void)printf(" %s %.0f", vd_fit_stage_name((enum vd_fit_stage)i), bench->stages[i]);
	(void)printf("; file %.0f ms, %.16s\n", encode, bench->fit.model->sha256);
	vd_fit_fini(&bench->fit);
}

int main(int argc, char **argv)
{
	const int parts = argc > 1 ? (int)strtol(argv[1], NULL, 10) : PARTS;
	const int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : ROUNDS;
	struct bench bench = { 0 };

	check(parts < 3 || rounds < 1, "bench_fit [PARTS [ROUNDS]]");
	set_up(&bench, parts);
	for (int busy = 0; busy < 2; busy++) {
		take_parts(&bench, busy ? 60 : 0);
		for (int i = 0; i < rounds; i++)
			fit_once(&bench, busy ? "1080p busy" : "1080p soft");
	}
	for (int i = 0; i < parts; i++)
		vd_buf_fini(&bench.shots[i].bytes);
	free(bench.shots);
	(void)vd_rig_free(bench.rig);
	(void)vd_recipe_set_unref(bench.set);
	return 0;
}
