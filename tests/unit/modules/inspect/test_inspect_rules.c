/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/recipe/rules.h"

#include <math.h>
#include <stdio.h>

#include "vd_test.h"

/* OK is better than WARN, WARN better than what rejects the item. */
static int rank_of(enum vd_verdict verdict)
{
	return verdict == VD_OK ? 0 : verdict == VD_WARNING ? 1 : 2;
}

enum { OBJECTS = 4, PARTS = 16 };

static enum vd_verdict judge_camera(struct vd_camera_rule *rule,
				    const struct vd_step_outcome *steps, size_t count)
{
	if (rule->step == 0)
		rule->step = -1; /* of all steps */
	return vd_camera_judge(rule, 1, steps, count).verdict;
}

static enum vd_verdict judge_item(const struct vd_item_rule *rule, const enum vd_verdict *verdicts,
				  size_t count, const enum vd_verdict *vetoes, size_t veto_count)
{
	struct vd_part parts[PARTS] = { 0 }, rejecting[PARTS] = { 0 };

	assert_true(count <= PARTS && veto_count <= PARTS);
	for (size_t i = 0; i < count; i++)
		parts[i].verdict = verdicts[i];
	for (size_t i = 0; i < veto_count; i++)
		rejecting[i].verdict = vetoes[i];
	return vd_item_judge(rule, parts, count, rejecting, veto_count);
}

/* Objects with these labels, NULL ends them; borrowed by what is returned. */
static struct vd_object_list labelled(struct vd_object objects[static OBJECTS], const char *a,
				      const char *b)
{
	const char *const labels[] = { a, b };
	struct vd_object_list list = { .list = objects };

	for (; list.count < VD_COUNT(labels) && labels[list.count]; list.count++) {
		objects[list.count] = (struct vd_object){ .score = NAN };
		(void)snprintf(objects[list.count].label, VD_LABEL_BYTES, "%s", labels[list.count]);
	}
	return list;
}

static void a_value_that_is_no_number_gives_no_decision(void **state)
{
	const struct vd_limits limits = { .min = 0, .max = 10, .warn = NAN };

	assert_int_equal(vd_limits_judge(&limits, NAN), VD_NO_DECISION);
	assert_int_equal(vd_limits_judge(&limits, INFINITY), VD_NO_DECISION);
	assert_int_equal(vd_limits_judge(&limits, -INFINITY), VD_NO_DECISION);
}

static void limits_are_inclusive_and_warn_before_them(void **state)
{
	const struct vd_limits upper = { .min = NAN, .max = 10, .warn = 8 };
	const struct vd_limits lower = { .min = 0.5, .max = NAN, .warn = 0.6 };

	assert_int_equal(vd_limits_judge(&upper, 8), VD_OK);
	assert_int_equal(vd_limits_judge(&upper, 8.01), VD_WARNING);
	assert_int_equal(vd_limits_judge(&upper, 10), VD_WARNING);
	assert_int_equal(vd_limits_judge(&upper, 10.01), VD_NG);
	assert_int_equal(vd_limits_judge(&lower, 0.6), VD_OK);
	assert_int_equal(vd_limits_judge(&lower, 0.55), VD_WARNING);
	assert_int_equal(vd_limits_judge(&lower, 0.49), VD_NG);
}

static void a_margin_is_relative_to_the_nearer_bound(void **state)
{
	const struct vd_limits both = { .min = 2, .max = 10, .warn = NAN };
	const struct vd_limits none = vd_limits_none();
	const struct vd_limits zero = { .min = NAN, .max = 0, .warn = NAN };

	assert_float_equal(vd_limits_margin(&both, 9), 0.1, 1e-9);
	assert_float_equal(vd_limits_margin(&both, 2.2), 0.1, 1e-9);
	assert_float_equal(vd_limits_margin(&both, 12), -0.2, 1e-9);
	assert_float_equal(vd_limits_margin(&zero, 3), -3, 1e-9);
	assert_true(isnan(vd_limits_margin(&none, 3)));
}

static void set_verdicts(enum vd_verdict *parts, int count, unsigned code)
{
	for (int i = 0; i < count; i++, code /= VD_VERDICTS)
		parts[i] = (enum vd_verdict)(code % VD_VERDICTS);
}

static unsigned power(int count)
{
	unsigned all = 1;

	while (count-- > 0)
		all *= VD_VERDICTS;
	return all;
}

/* Every combination of verdicts, every part made one step worse: never a better item. */
static void check_monotone(const struct vd_item_rule *rule, int count, size_t vetoes)
{
	enum vd_verdict parts[4];

	for (unsigned code = 0; code < power(count); code++) {
		enum vd_verdict before;

		set_verdicts(parts, count, code);
		before = judge_item(rule, parts, (size_t)count, parts, vetoes);
		for (int i = 0; i < count; i++) {
			enum vd_verdict after;

			if (parts[i] == VD_NG)
				continue;
			parts[i]++;
			after = judge_item(rule, parts, (size_t)count, parts, vetoes);
			assert_true(rank_of(after) >= rank_of(before));
			parts[i]--;
		}
	}
}

static void a_worse_part_never_gives_a_better_item(void **state)
{
	for (int count = 1; count <= 4; count++) {
		for (int max_warn = -1; max_warn <= count; max_warn++) {
			for (size_t vetoes = 0; vetoes <= (size_t)count; vetoes++) {
				for (int limit = 0; limit <= count; limit++) {
					for (int kind = VD_ITEM_ALL_OK; kind <= VD_ITEM_MAX_NG;
					     kind++) {
						const struct vd_item_rule rule = {
							.kind = (enum vd_item_rule_kind)kind,
							.count = limit,
							.ratio = (double)limit / count,
							.max_warn = max_warn,
							.missing_is_ng = limit % 2 == 1,
						};

						check_monotone(&rule, count, vetoes);
					}
				}
			}
		}
	}
}

static void a_worse_step_never_gives_a_better_camera(void **state)
{
	struct vd_object objects[OBJECTS];
	const struct vd_object_list dark = labelled(objects, "dark", NULL);

	for (int kind = VD_ALL_OK; kind <= VD_OBJECTS; kind++) {
		struct vd_camera_rule rule = { .kind = (enum vd_camera_rule_kind)kind,
					       .label = "dark",
					       .max = 1 };

		for (unsigned code = 0; code < power(3); code++) {
			struct vd_step_outcome steps[3];
			enum vd_verdict verdicts[3], before;

			set_verdicts(verdicts, 3, code);
			for (int i = 0; i < 3; i++)
				steps[i] = (struct vd_step_outcome){
					.part = { .verdict = verdicts[i] },
					.objects = i < 2 ? &dark : NULL,
				};
			before = judge_camera(&rule, steps, 3);
			for (int i = 0; i < 3; i++) {
				if (steps[i].part.verdict == VD_NG)
					continue;
				steps[i].part.verdict++;
				assert_true(rank_of(judge_camera(&rule, steps, 3)) >=
					    rank_of(before));
				steps[i].part.verdict--;
			}
		}
	}
}

static void one_failed_camera_of_two_required_is_not_ok(void **state)
{
	const enum vd_verdict parts[] = { VD_OK, VD_NO_DECISION };
	const struct vd_item_rule all = { .kind = VD_ITEM_ALL_OK, .max_warn = -1 };
	const struct vd_item_rule safe = { .kind = VD_ITEM_ALL_OK,
					   .max_warn = -1,
					   .missing_is_ng = true };
	const struct vd_item_rule ratio = { .kind = VD_ITEM_MIN_OK_RATIO,
					    .ratio = 1,
					    .max_warn = -1 };

	assert_int_equal(judge_item(&all, parts, 2, NULL, 0), VD_NO_DECISION);
	assert_int_equal(judge_item(&safe, parts, 2, NULL, 0), VD_NG);
	assert_int_equal(judge_item(&ratio, parts, 2, NULL, 0), VD_NO_DECISION);
}

static void an_outcome_that_is_forced_is_decided_without_the_missing_part(void **state)
{
	const enum vd_verdict ng[] = { VD_NG, VD_NO_DECISION, VD_OK };
	const enum vd_verdict ok[] = { VD_OK, VD_NO_DECISION, VD_OK };
	const struct vd_item_rule all = { .kind = VD_ITEM_ALL_OK, .max_warn = -1 };
	const struct vd_item_rule two = { .kind = VD_ITEM_MIN_OK, .count = 2, .max_warn = -1 };
	const struct vd_item_rule one_ng = { .kind = VD_ITEM_MAX_NG, .count = 1, .max_warn = -1 };

	assert_int_equal(judge_item(&all, ng, 3, NULL, 0), VD_NG);
	assert_int_equal(judge_item(&two, ok, 3, NULL, 0), VD_OK);
	assert_int_equal(judge_item(&one_ng, ok, 3, NULL, 0), VD_OK);
	assert_int_equal(judge_item(&one_ng, ng, 3, NULL, 0), VD_NO_DECISION);
}

static void the_ratio_is_of_the_declared_parts(void **state)
{
	enum vd_verdict parts[10] = { 0 };
	const struct vd_item_rule rule = { .kind = VD_ITEM_MIN_OK_RATIO,
					   .ratio = 0.7,
					   .max_warn = -1 };

	parts[0] = parts[1] = parts[2] = VD_NG;
	assert_int_equal(judge_item(&rule, parts, 10, NULL, 0), VD_OK);
	parts[3] = VD_NG;
	assert_int_equal(judge_item(&rule, parts, 10, NULL, 0), VD_NG);
	parts[3] = VD_NO_DECISION;
	assert_int_equal(judge_item(&rule, parts, 10, NULL, 0), VD_NO_DECISION);
}

static void a_veto_rejects_whatever_the_rule_says(void **state)
{
	const enum vd_verdict parts[] = { VD_OK, VD_OK, VD_NG }, veto[] = { VD_NG };
	const struct vd_item_rule rule = { .kind = VD_ITEM_MIN_OK, .count = 2, .max_warn = -1 };

	assert_int_equal(judge_item(&rule, parts, 3, NULL, 0), VD_OK);
	assert_int_equal(judge_item(&rule, parts, 3, veto, 1), VD_NG);
}

static void too_many_warnings_reject(void **state)
{
	const enum vd_verdict parts[] = { VD_WARNING, VD_WARNING, VD_OK };
	struct vd_item_rule rule = { .kind = VD_ITEM_ALL_OK, .max_warn = 2 };

	assert_int_equal(judge_item(&rule, parts, 3, NULL, 0), VD_WARNING);
	rule.max_warn = 1;
	assert_int_equal(judge_item(&rule, parts, 3, NULL, 0), VD_NG);
}

static void nothing_to_judge_is_no_decision(void **state)
{
	const struct vd_item_rule item = { .kind = VD_ITEM_MIN_OK, .max_warn = -1 };

	assert_int_equal(judge_item(&item, NULL, 0, NULL, 0), VD_NO_DECISION);
	for (int kind = VD_ALL_OK; kind <= VD_OBJECTS; kind++) {
		struct vd_camera_rule rule = { .kind = (enum vd_camera_rule_kind)kind,
					       .label = "dark",
					       .max = -1 };

		assert_int_equal(judge_camera(&rule, NULL, 0), VD_NO_DECISION);
	}
}

static void two_rules_of_one_type_use_their_own_parameters(void **state)
{
	struct vd_object objects[OBJECTS];
	const struct vd_object_list dark = labelled(objects, "dark", "dark");
	const struct vd_step_outcome step = { .part = { .verdict = VD_OK }, .objects = &dark };
	struct vd_camera_rule strict = { .kind = VD_OBJECTS, .max = 1 };
	struct vd_camera_rule loose = { .kind = VD_OBJECTS, .max = 2 };

	assert_int_equal(judge_camera(&strict, &step, 1), VD_NG);
	assert_int_equal(judge_camera(&loose, &step, 1), VD_OK);
	assert_int_equal(judge_camera(&strict, &step, 1), VD_NG);
}

static void rules_over_objects_are_defined_for_none(void **state)
{
	const struct vd_step_outcome empty = { .part = { .verdict = VD_OK }, .objects = NULL };
	const struct vd_step_outcome failed = { .part = { .verdict = VD_NO_DECISION },
						.objects = NULL };
	struct vd_camera_rule expected = { .kind = VD_EXPECTED_LABEL, .label = "cap" };
	struct vd_camera_rule unexpected = { .kind = VD_UNEXPECTED_LABEL, .label = "hair" };
	struct vd_camera_rule none = { .kind = VD_OBJECTS, .min = 0, .max = 0 };
	struct vd_camera_rule some = { .kind = VD_OBJECTS, .min = 1, .max = -1 };

	assert_int_equal(judge_camera(&expected, &empty, 1), VD_NG);
	assert_int_equal(judge_camera(&unexpected, &empty, 1), VD_OK);
	assert_int_equal(judge_camera(&none, &empty, 1), VD_OK);
	assert_int_equal(judge_camera(&some, &empty, 1), VD_NG);
	assert_int_equal(judge_camera(&expected, &failed, 1), VD_NO_DECISION);
	assert_int_equal(judge_camera(&unexpected, &failed, 1), VD_NO_DECISION);
	assert_int_equal(judge_camera(&none, &failed, 1), VD_NO_DECISION);
	assert_int_equal(judge_camera(&some, &failed, 1), VD_NO_DECISION);
}

static void labels_match_any_or_all(void **state)
{
	struct vd_object objects[OBJECTS];
	const struct vd_object_list mixed = labelled(objects, "cap", "hair");
	const struct vd_step_outcome step = { .part = { .verdict = VD_OK }, .objects = &mixed };
	struct vd_camera_rule any = { .kind = VD_EXPECTED_LABEL, .label = "cap" };
	struct vd_camera_rule all = { .kind = VD_EXPECTED_LABEL, .label = "cap", .every = true };

	assert_int_equal(judge_camera(&any, &step, 1), VD_OK);
	assert_int_equal(judge_camera(&all, &step, 1), VD_NG);
}

static void objects_that_could_not_be_told_are_never_taken_for_absent(void **state)
{
	struct vd_object objects[OBJECTS];
	struct vd_object_list caps = labelled(objects, "cap", "cap");
	const struct vd_step_outcome step = { .part = { .verdict = VD_OK }, .objects = &caps };
	struct vd_camera_rule unexpected = { .kind = VD_UNEXPECTED_LABEL, .label = "hair" };
	struct vd_camera_rule all = { .kind = VD_EXPECTED_LABEL, .label = "cap", .every = true };
	struct vd_camera_rule count = { .kind = VD_OBJECTS, .max = 5 };

	assert_int_equal(judge_camera(&unexpected, &step, 1), VD_OK);
	caps.left_out = 4;
	assert_int_equal(judge_camera(&unexpected, &step, 1), VD_NO_DECISION);
	assert_int_equal(judge_camera(&all, &step, 1), VD_NO_DECISION);
	assert_int_equal(judge_camera(&count, &step, 1), VD_NG);
}

/* ---- skipped ---- */

static const struct vd_part GOOD = { VD_OK, false }, BAD = { VD_NG, false },
			    SKIPPED = { VD_OK, true };

static void a_skipped_part_is_neither_for_the_item_nor_against_it(void **state)
{
	const struct vd_part parts[] = { GOOD, SKIPPED, GOOD };
	struct vd_item_rule rule = { .kind = VD_ITEM_ALL_OK, .max_warn = 0 };

	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_OK);
	rule = (struct vd_item_rule){ .kind = VD_ITEM_MIN_OK, .count = 2, .max_warn = -1 };
	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_OK);
	rule.count = 3;
	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_NO_DECISION);
	rule = (struct vd_item_rule){ .kind = VD_ITEM_MIN_OK_RATIO, .ratio = 0.7, .max_warn = -1 };
	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_NO_DECISION);
	rule = (struct vd_item_rule){ .kind = VD_ITEM_MAX_NG, .count = 1, .max_warn = -1 };
	assert_int_equal(vd_item_judge(&rule, parts, 3, &SKIPPED, 1), VD_OK);
	assert_int_equal(vd_item_judge(&rule, parts, 3, &BAD, 1), VD_NG);
}

static void where_all_is_skipped_nothing_is_decided(void **state)
{
	const struct vd_part parts[] = { SKIPPED, SKIPPED };
	const struct vd_step_outcome step = { .part = SKIPPED };

	for (int kind = VD_ITEM_ALL_OK; kind <= VD_ITEM_MAX_NG; kind++) {
		const struct vd_item_rule rule = { .kind = (enum vd_item_rule_kind)kind,
						   .count = 0,
						   .ratio = 0.1,
						   .max_warn = -1 };

		assert_int_equal(vd_item_judge(&rule, parts, 2, NULL, 0), VD_NO_DECISION);
	}
	assert_true(vd_camera_judge(NULL, 0, &step, 1).is_skipped);
	assert_int_equal(vd_camera_judge(NULL, 0, &step, 1).verdict, VD_NO_DECISION);
}

static void a_skipped_step_is_not_the_one_that_is_ok(void **state)
{
	const struct vd_step_outcome steps[] = { { .part = SKIPPED }, { .part = BAD } };
	struct vd_camera_rule any = { .kind = VD_ANY_OK };

	assert_int_equal(judge_camera(&any, steps, 2), VD_NO_DECISION);
}

/* ---- several rules, and rules about one step ---- */

static void each_rule_looks_at_the_objects_of_its_own_step(void **state)
{
	struct vd_object a[OBJECTS], b[OBJECTS];
	const struct vd_object_list caps = labelled(a, "cap", "cap"),
				    hairs = labelled(b, "hair", NULL);
	const struct vd_step_outcome steps[] = {
		{ .part = GOOD, .objects = &caps, .step = 4 },
		{ .part = GOOD, .objects = &hairs, .step = 7 },
	};
	struct vd_camera_rule rules[] = {
		{ .kind = VD_OBJECTS, .step = 4, .min = 2, .max = 2 },
		{ .kind = VD_OBJECTS, .step = 7, .min = 0, .max = 1 },
	};

	assert_int_equal(vd_camera_judge(rules, 2, steps, 2).verdict, VD_OK);
	rules[1].max = 0;
	assert_int_equal(vd_camera_judge(rules, 2, steps, 2).verdict, VD_NG);
	assert_int_equal(vd_camera_judge(rules, 1, steps, 2).verdict, VD_OK);
	rules[0].max = rules[0].min = 3;
	assert_int_equal(vd_camera_judge(rules, 1, steps, 2).verdict, VD_NG);
}

static void steps_must_be_ok_unless_a_rule_says_how_many(void **state)
{
	const struct vd_step_outcome steps[] = { { .part = GOOD }, { .part = BAD, .step = 1 } };
	const struct vd_camera_rule none = { .kind = VD_OBJECTS, .step = -1, .max = 0 };
	const struct vd_camera_rule both[] = { none, { .kind = VD_ANY_OK } };

	assert_int_equal(vd_camera_judge(&none, 1, steps, 2).verdict, VD_NG);
	assert_int_equal(vd_camera_judge(both, 2, steps, 2).verdict, VD_OK);
}

static struct vd_object_list scored(struct vd_object objects[static OBJECTS], double a, double b)
{
	const struct vd_object_list list = labelled(objects, "cap", "cap");

	objects[0].score = a;
	objects[1].score = b;
	return list;
}

static void a_score_between_the_bounds_is_for_review(void **state)
{
	struct vd_object objects[OBJECTS];
	struct vd_object_list list;
	struct vd_step_outcome step = { .part = GOOD, .objects = &list };
	struct vd_camera_rule rule = { .kind = VD_SCORE,
				       .limits = { .min = 0.5, .max = NAN, .warn = 0.8 } };

	list = scored(objects, 0.9, 0.8);
	assert_int_equal(judge_camera(&rule, &step, 1), VD_OK);
	list = scored(objects, 0.9, 0.7);
	assert_int_equal(judge_camera(&rule, &step, 1), VD_WARNING);
	list = scored(objects, 0.4, 0.9);
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	list = scored(objects, NAN, 0.9);
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NO_DECISION);
	list.count = 0;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NO_DECISION);
}

static void a_position_follows_the_part(void **state)
{
	struct vd_object objects[OBJECTS];
	const struct vd_object_list list = labelled(objects, "cap", NULL);
	const struct vd_object_list empty = { 0 };
	struct vd_pose pose = vd_pose_identity();
	struct vd_step_outcome step = { .part = GOOD, .objects = &list };
	struct vd_camera_rule rule = { .kind = VD_POSITION,
				       .label = "cap",
				       .x = 100,
				       .y = 50,
				       .limits = { .min = NAN, .max = 5, .warn = 2 } };

	objects[0].box = (struct vd_rect){ 91, 40, 20, 20 };
	assert_int_equal(judge_camera(&rule, &step, 1), VD_OK);
	objects[0].box.x = 94;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_WARNING);
	objects[0].box.x = 110;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	pose.dx = 20;
	step.pose = &pose;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_OK);
	rule.label = "hair";
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	step.objects = &empty;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	step.part.verdict = VD_NO_DECISION;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NO_DECISION);
}

static void labels_are_read_in_their_order(void **state)
{
	static const char *wanted[] = { "red", "blue" };
	struct vd_object objects[OBJECTS];
	const struct vd_object_list list = labelled(objects, "blue", "red");
	const struct vd_object_list empty = { 0 };
	struct vd_step_outcome step = { .part = GOOD, .objects = &list };
	struct vd_camera_rule rule = { .kind = VD_ORDER, .labels = wanted, .label_count = 2 };

	objects[0].box = (struct vd_rect){ 50, 0, 10, 10 };
	objects[1].box = (struct vd_rect){ 20, 30, 10, 10 };
	assert_int_equal(judge_camera(&rule, &step, 1), VD_OK);
	rule.along_y = true;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	objects[1].box.y = 0; /* a tie is read as found: blue, red */
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	rule.label_count = 1;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	step.objects = &empty;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NG);
	step.part.verdict = VD_NO_DECISION;
	assert_int_equal(judge_camera(&rule, &step, 1), VD_NO_DECISION);
}

/* ---- nothing there, for every rule ---- */

static void two_wanted_and_one_failed_is_never_ok(void **state)
{
	const struct vd_item_rule rules[] = {
		{ .kind = VD_ITEM_ALL_OK, .max_warn = -1 },
		{ .kind = VD_ITEM_MIN_OK, .count = 2, .max_warn = -1 },
		{ .kind = VD_ITEM_MIN_OK_RATIO, .ratio = 1, .max_warn = -1 },
		{ .kind = VD_ITEM_MAX_NG, .count = 0, .max_warn = -1 },
	};
	const struct vd_part parts[] = { GOOD, { VD_NO_DECISION, false } };
	const struct vd_part others[] = { parts[1], GOOD };

	_Static_assert(VD_COUNT(rules) == VD_ITEM_RULES, "every rule");
	for (size_t i = 0; i < VD_COUNT(rules); i++) {
		struct vd_item_rule safe = rules[i];

		safe.missing_is_ng = true;
		assert_int_equal(vd_item_judge(&rules[i], parts, 2, NULL, 0), VD_NO_DECISION);
		assert_int_equal(vd_item_judge(&rules[i], others, 2, NULL, 0), VD_NO_DECISION);
		assert_int_equal(vd_item_judge(&safe, parts, 2, NULL, 0), VD_NG);
	}
}

/* What a rule says about no object where all was seen, and where it was not. */
static void every_rule_is_defined_for_no_object(void **state)
{
	static const char *labels[] = { "cap" };
	static const enum vd_verdict wanted[VD_CAMERA_RULES] = {
		[VD_ALL_OK] = VD_OK,           [VD_ANY_OK] = VD_OK,  [VD_EXPECTED_LABEL] = VD_NG,
		[VD_UNEXPECTED_LABEL] = VD_OK, [VD_OBJECTS] = VD_NG, [VD_SCORE] = VD_NO_DECISION,
		[VD_POSITION] = VD_NG,         [VD_ORDER] = VD_NG,
	};
	const struct vd_object_list none = { 0 };

	for (int kind = 0; kind < VD_CAMERA_RULES; kind++) {
		const struct vd_camera_rule rule = { .kind = (enum vd_camera_rule_kind)kind,
						     .step = -1,
						     .label = kind == VD_ORDER ? NULL : "cap",
						     .min = 1,
						     .max = -1,
						     .limits = vd_limits_none(),
						     .labels = labels,
						     .label_count = 1 };
		struct vd_step_outcome step = { .part = GOOD, .objects = &none };

		assert_int_equal(vd_camera_judge(&rule, 1, &step, 1).verdict, wanted[kind]);
		step.objects = NULL;
		assert_int_equal(vd_camera_judge(&rule, 1, &step, 1).verdict, wanted[kind]);
		step.part.verdict = VD_NO_DECISION;
		assert_int_equal(vd_camera_judge(&rule, 1, &step, 1).verdict, VD_NO_DECISION);
		assert_int_equal(vd_camera_judge(&rule, 1, NULL, 0).verdict, VD_NO_DECISION);
	}
}

VD_TEST_MAIN(cmocka_unit_test(a_value_that_is_no_number_gives_no_decision),
	     cmocka_unit_test(limits_are_inclusive_and_warn_before_them),
	     cmocka_unit_test(a_margin_is_relative_to_the_nearer_bound),
	     cmocka_unit_test(a_worse_part_never_gives_a_better_item),
	     cmocka_unit_test(a_worse_step_never_gives_a_better_camera),
	     cmocka_unit_test(one_failed_camera_of_two_required_is_not_ok),
	     cmocka_unit_test(an_outcome_that_is_forced_is_decided_without_the_missing_part),
	     cmocka_unit_test(the_ratio_is_of_the_declared_parts),
	     cmocka_unit_test(a_veto_rejects_whatever_the_rule_says),
	     cmocka_unit_test(too_many_warnings_reject),
	     cmocka_unit_test(nothing_to_judge_is_no_decision),
	     cmocka_unit_test(two_rules_of_one_type_use_their_own_parameters),
	     cmocka_unit_test(rules_over_objects_are_defined_for_none),
	     cmocka_unit_test(labels_match_any_or_all),
	     cmocka_unit_test(objects_that_could_not_be_told_are_never_taken_for_absent),
	     cmocka_unit_test(a_skipped_part_is_neither_for_the_item_nor_against_it),
	     cmocka_unit_test(where_all_is_skipped_nothing_is_decided),
	     cmocka_unit_test(a_skipped_step_is_not_the_one_that_is_ok),
	     cmocka_unit_test(each_rule_looks_at_the_objects_of_its_own_step),
	     cmocka_unit_test(steps_must_be_ok_unless_a_rule_says_how_many),
	     cmocka_unit_test(a_score_between_the_bounds_is_for_review),
	     cmocka_unit_test(a_position_follows_the_part),
	     cmocka_unit_test(labels_are_read_in_their_order),
	     cmocka_unit_test(two_wanted_and_one_failed_is_never_ok),
	     cmocka_unit_test(every_rule_is_defined_for_no_object))
