/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is promised of any recipe, tried on random ones with random results:
 *   - Losing a step's result, with all that follows from it through conditions, objects and gates,
 *     never improves the item, unless a condition asks whether something exists.
 *   - A worse verdict on the same measures never does, unless a condition asks for verdicts.
 *   - Where nothing has a result, nothing is OK.
 * What is not promised: a condition may do anything with a measure that is there.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "modules/inspect/judgement.h"
#include "modules/inspect/pipeline.h"
#include "tests/unit/modules/inspect/document.h"

enum { IMAGES = 2, STEPS = 6, OBJECTS = 3, RECIPES = 400, CHANGES = 12 };

struct said {
	enum vd_verdict verdicts[OBJECTS + 1]; /* of the whole; of each object */
	int count;                             /* the measure */
	int objects;
	bool are_bright;
};

struct world {
	struct said said[STEPS];
	bool sees[2];  /* cameras */
	bool makes[2]; /* images, one a camera */
};

static uint32_t seed = 1;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* ---- recipes ---- */

static size_t put(char *text, size_t at, size_t size, const char *format, ...) VD_PRINTF(4, 5);

static size_t put(char *text, size_t at, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + at, size - at, format, args);
	va_end(args);
	assert_true(n >= 0 && (size_t)n < size - at);
	return at + (size_t)n;
}

static size_t put_question(char *text, size_t at, size_t size, int step, bool asks_verdicts)
{
	const unsigned other = below((uint32_t)step);

	switch (below(asks_verdicts ? 5 : 4)) {
	case 0:
		return put(text, at, size, "steps.s%u.objects > %u", other, below(3));
	case 1:
		return put(text, at, size, "steps.s%u.count %s %u", other,
			   below(2) ? "<" : ">=", below(4));
	case 2:
		return put(text, at, size, "'dark' %sin steps.s%u.labels", below(2) ? "not " : "",
			   other);
	case 3:
		return put(text, at, size, "item.serial == 'A'");
	default:
		return put(text, at, size, "steps.s%u.verdict == 'OK'", other);
	}
}

static size_t put_condition(char *text, size_t at, size_t size, int step, bool asks_verdicts)
{
	at = put(text, at, size, ",`condition`:`%s(", below(3) ? "" : "not ");
	at = put_question(text, at, size, step, asks_verdicts);
	if (below(2)) {
		at = put(text, at, size, below(2) ? " and " : " or ");
		at = put_question(text, at, size, step, asks_verdicts);
	}
	return put(text, at, size, ")`,`whenSkipped`:`%s`", below(2) ? "ok" : "noDecision");
}

static size_t put_step(char *text, size_t at, size_t size, int i, int camera, bool asks_verdicts)
{
	static const char *const empty[] = { "ok", "noDecision", "ng" };
	const int from = i - 2; /* of the same camera */

	at = put(text, at, size, ",`s%d`:{`camera`:`%s`,`tool`:`blob`,`limits`:{`count`:{`max`:9}}",
		 i, camera ? "side" : "top");
	if (below(3) == 0)
		at = put(text, at, size, ",`input`:`image%d`", camera);
	if (from >= 0 && below(3) == 0)
		at = put(text, at, size, ",`foreach`:{`step`:`s%d`,`max`:%u,`whenEmpty`:`%s`}",
			 from, 1 + below(OBJECTS), empty[below(3)]);
	if (i > 0 && below(2))
		at = put_condition(text, at, size, i, asks_verdicts);
	if (i > 0 && below(3) == 0)
		at = put(text, at, size, ",`needs`:[`s%u`]", below((uint32_t)i));
	return put(text, at, size, "%s}", below(5) ? "" : ",`gate`:true");
}

static size_t put_image(char *text, size_t at, size_t size, int camera)
{
	at = put(text, at, size,
		 "%s`image%d`:{`camera`:`%s`,`tool`:`image`,`operations`:[{`grey`:true}]",
		 camera ? "," : "", camera, camera ? "side" : "top");
	if (below(3) == 0)
		at = put(text, at, size, ",`condition`:`item.serial == '%c'`,`whenSkipped`:`%s`",
			 below(2) ? 'A' : 'B', below(2) ? "ok" : "noDecision");
	return put(text, at, size, "}");
}

static size_t put_camera_rule(char *text, size_t at, size_t size, const char *camera)
{
	static const char *const rules[] = {
		"`rule`:`allOk`",
		"`rule`:`anyOk`",
		"`rule`:`expectedLabel`,`label`:`dark`,`match`:`all`",
		"`rule`:`unexpectedLabel`,`label`:`bright`",
		"`rule`:`objects`,`min`:1,`max`:4",
		"`rule`:`all`,`rules`:[{`rule`:`anyOk`},{`rule`:`objects`,`max`:3}]",
		"`rule`:`position`,`x`:5,`y`:5,`tolerancePx`:9",
		"`rule`:`order`,`labels`:[`dark`,`dark`]",
	};

	return put(text, at, size, "`%s`:{%s}", camera, rules[below(VD_COUNT(rules))]);
}

static size_t put_item_rule(char *text, size_t at, size_t size)
{
	static const char *const rules[] = {
		"`rule`:`allOk`",
		"`rule`:`minOk`,`min`:1",
		"`rule`:`minOkRatio`,`ratio`:0.5",
		"`rule`:`maxNg`,`max`:1",
	};

	at = put(text, at, size, "`item`:{%s", rules[below(4)]);
	if (below(2))
		at = put(text, at, size, ",`steps`:[`s0`,`s%u`]", 1 + below(STEPS - 1));
	if (below(3) == 0)
		at = put(text, at, size, ",`veto`:[`s%u`]", below(STEPS));
	if (below(3) == 0)
		at = put(text, at, size, ",`maxWarn`:%u", below(3));
	if (below(4) == 0)
		at = put(text, at, size, ",`evidence`:`untilDecided`");
	return put(text, at, size, "}");
}

static struct vd_recipe_set *random_set(bool asks_verdicts)
{
	char text[8192];
	size_t at = put(text, 0, sizeof text,
			"{`workers`:%u,`active`:`r`,`recipes`:{`r`:{`rev`:1,"
			"`cameras`:[`top`,`side`],`steps`:{",
			1 + below(2));

	for (int i = 0; i < IMAGES; i++)
		at = put_image(text, at, sizeof text, i);
	for (int i = 0; i < STEPS; i++)
		at = put_step(text, at, sizeof text, i, i % 2, asks_verdicts);
	at = put(text, at, sizeof text, "},`verdict`:{`cameras`:{");
	at = put_camera_rule(text, at, sizeof text, "top");
	at = put(text, at, sizeof text, ",");
	at = put_camera_rule(text, at, sizeof text, "side");
	at = put(text, at, sizeof text, "},");
	at = put_item_rule(text, at, sizeof text);
	(void)put(text, at, sizeof text, "}}}}");
	return document_set(text);
}

/* ---- results ---- */

static struct world random_world(void)
{
	struct world world = { .sees = { below(12) > 0, below(12) > 0 },
			       .makes = { below(12) > 0, below(12) > 0 } };

	for (int i = 0; i < STEPS; i++) {
		struct said *said = &world.said[i];

		for (int k = 0; k <= OBJECTS; k++)
			said->verdicts[k] = below(2) ? VD_OK : (enum vd_verdict)below(VD_VERDICTS);
		said->count = (int)below(4);
		said->objects = (int)below(OBJECTS + 1);
		said->are_bright = below(3) == 0;
	}
	return world;
}

/* A step without a decision has neither measures nor objects. */
static void say(void *argument, int step, const struct vd_step_view *view,
		struct vd_step_result *result)
{
	static const struct vd_edited edited;
	const struct world *world = argument;
	const struct said *said = step < IMAGES ? NULL : &world->said[step - IMAGES];

	vd_step_result_init(result);
	if (!said) {
		result->edited = world->makes[step] ? &edited : NULL;
		result->verdict = world->makes[step] ? VD_OK : VD_NO_DECISION;
		return;
	}
	result->verdict = said->verdicts[view->region ? 1 + view->region->x % OBJECTS : 0];
	if (result->verdict == VD_NO_DECISION)
		return;
	result->values[VD_MEASURE_COUNT] = said->count;
	for (int i = 0; i < said->objects; i++) {
		const struct vd_object object = { .score = NAN, .box = { i, i, 10, 10 } };

		assert_int_equal(vd_object_add(&result->objects,
					       said->are_bright ? "bright" : "dark", &object),
				 0);
	}
}

static enum vd_verdict judge(struct vd_recipe_set *set, struct world *world, struct vd_lanes *lanes)
{
	static uint64_t (*const now)(void) = vd_clock_mono_us;
	static const struct vd_course course;
	struct vd_item item = { .serial = "A", .set = set, .recipe = &set->recipes[0] };
	struct vd_look looks[2] = { { .is_good = world->sees[0] }, { .is_good = world->sees[1] } };
	struct vd_step_result results[IMAGES + STEPS];
	struct vd_pipeline pipeline = { .item = &item,
					.looks = looks,
					.results = results,
					.runner = { say, world },
					.course = &course,
					.excuse = "",
					.now_us = now };
	enum vd_verdict verdict;

	vd_pipeline_run(&pipeline, lanes);
	verdict = vd_judge(item.recipe, results);
	for (int i = 0; i < IMAGES + STEPS; i++)
		vd_step_result_fini(&results[i]);
	return verdict;
}

/* ---- promises ---- */

/* OK is better than WARN, WARN better than what rejects the item. */
static int rank_of(enum vd_verdict verdict)
{
	return verdict == VD_OK ? 0 : verdict == VD_WARNING ? 1 : 2;
}

static void lose(struct world *world)
{
	struct said *said = &world->said[below(STEPS)];
	const uint32_t which = below(OBJECTS + 2);

	if (which > OBJECTS)
		(below(2) ? world->sees : world->makes)[below(2)] = false;
	else
		said->verdicts[which] = VD_NO_DECISION;
}

/* Not from or to NO_DECISION, which has no measures. */
static void worsen(struct world *world)
{
	enum vd_verdict *verdict = &world->said[below(STEPS)].verdicts[below(OBJECTS + 1)];

	if (*verdict == VD_OK)
		*verdict = VD_WARNING;
	else if (*verdict == VD_WARNING)
		*verdict = VD_NG;
}

static void check_promise(bool asks_verdicts, void (*change)(struct world *world))
{
	VD_CLEANUP(vd_lanes_free) struct vd_lanes *lanes = NULL;
	int good = 0;

	assert_int_equal(vd_lanes_new(&lanes), 0);
	for (int i = 0; i < RECIPES; i++) {
		struct vd_recipe_set *set = random_set(asks_verdicts);

		for (int k = 0; k < CHANGES; k++) {
			struct world world = random_world();
			enum vd_verdict before = judge(set, &world, lanes), after;

			change(&world);
			after = judge(set, &world, lanes);
			good += before == VD_OK;
			if (rank_of(after) < rank_of(before)) {
				VD_CLEANUP(vd_free)
				char *text = cJSON_PrintUnformatted(set->recipes[0].source);

				fail_msg("%s became %s: %s", vd_verdict_name(before),
					 vd_verdict_name(after), text);
			}
		}
		(void)vd_recipe_set_unref(set);
	}
	assert_true(good > RECIPES / 10);
}

static void a_result_that_gets_lost_never_improves_the_item(void **state)
{
	check_promise(true, lose);
}

static void a_worse_verdict_on_the_same_measures_never_improves_the_item(void **state)
{
	check_promise(false, worsen);
}

static void where_nothing_has_a_result_nothing_is_ok(void **state)
{
	VD_CLEANUP(vd_lanes_free) struct vd_lanes *lanes = NULL;
	struct world world = { .sees = { true, true }, .makes = { true, true } };

	for (int i = 0; i < STEPS; i++) {
		for (int k = 0; k <= OBJECTS; k++)
			world.said[i].verdicts[k] = VD_NO_DECISION;
	}
	assert_int_equal(vd_lanes_new(&lanes), 0);
	for (int i = 0; i < RECIPES; i++) {
		struct vd_recipe_set *set = random_set(true);

		assert_int_equal(rank_of(judge(set, &world, lanes)), 2);
		(void)vd_recipe_set_unref(set);
	}
}

VD_TEST_MAIN(cmocka_unit_test(a_result_that_gets_lost_never_improves_the_item),
	     cmocka_unit_test(a_worse_verdict_on_the_same_measures_never_improves_the_item),
	     cmocka_unit_test(where_nothing_has_a_result_nothing_is_ok))
