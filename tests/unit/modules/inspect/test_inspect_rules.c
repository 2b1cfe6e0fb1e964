/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/rules.h"

#include <math.h>
#include <stdio.h>

#include "vd_test.h"

/* OK is better than WARN, WARN better than what rejects the item. */
static int rank_of(enum vd_verdict verdict)
{
	return verdict == VD_OK ? 0 : verdict == VD_WARNING ? 1 : 2;
}

enum { OBJECTS = 4 };

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
		before = vd_item_judge(rule, parts, (size_t)count, parts, vetoes);
		for (int i = 0; i < count; i++) {
			enum vd_verdict after;

			if (parts[i] == VD_NG)
				continue;
			parts[i]++;
			after = vd_item_judge(rule, parts, (size_t)count, parts, vetoes);
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
		const struct vd_camera_rule rule = { .kind = (enum vd_camera_rule_kind)kind,
						     .label = "dark",
						     .max = 1 };

		for (unsigned code = 0; code < power(3); code++) {
			struct vd_step_outcome steps[3];
			enum vd_verdict verdicts[3], before;

			set_verdicts(verdicts, 3, code);
			for (int i = 0; i < 3; i++)
				steps[i] = (struct vd_step_outcome){ verdicts[i],
								     i < 2 ? &dark : NULL };
			before = vd_camera_judge(&rule, steps, 3);
			for (int i = 0; i < 3; i++) {
				if (steps[i].verdict == VD_NG)
					continue;
				steps[i].verdict++;
				assert_true(rank_of(vd_camera_judge(&rule, steps, 3)) >=
					    rank_of(before));
				steps[i].verdict--;
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

	assert_int_equal(vd_item_judge(&all, parts, 2, NULL, 0), VD_NO_DECISION);
	assert_int_equal(vd_item_judge(&safe, parts, 2, NULL, 0), VD_NG);
	assert_int_equal(vd_item_judge(&ratio, parts, 2, NULL, 0), VD_NO_DECISION);
}

static void an_outcome_that_is_forced_is_decided_without_the_missing_part(void **state)
{
	const enum vd_verdict ng[] = { VD_NG, VD_NO_DECISION, VD_OK };
	const enum vd_verdict ok[] = { VD_OK, VD_NO_DECISION, VD_OK };
	const struct vd_item_rule all = { .kind = VD_ITEM_ALL_OK, .max_warn = -1 };
	const struct vd_item_rule two = { .kind = VD_ITEM_MIN_OK, .count = 2, .max_warn = -1 };
	const struct vd_item_rule one_ng = { .kind = VD_ITEM_MAX_NG, .count = 1, .max_warn = -1 };

	assert_int_equal(vd_item_judge(&all, ng, 3, NULL, 0), VD_NG);
	assert_int_equal(vd_item_judge(&two, ok, 3, NULL, 0), VD_OK);
	assert_int_equal(vd_item_judge(&one_ng, ok, 3, NULL, 0), VD_OK);
	assert_int_equal(vd_item_judge(&one_ng, ng, 3, NULL, 0), VD_NO_DECISION);
}

static void the_ratio_is_of_the_declared_parts(void **state)
{
	enum vd_verdict parts[10] = { 0 };
	const struct vd_item_rule rule = { .kind = VD_ITEM_MIN_OK_RATIO,
					   .ratio = 0.7,
					   .max_warn = -1 };

	parts[0] = parts[1] = parts[2] = VD_NG;
	assert_int_equal(vd_item_judge(&rule, parts, 10, NULL, 0), VD_OK);
	parts[3] = VD_NG;
	assert_int_equal(vd_item_judge(&rule, parts, 10, NULL, 0), VD_NG);
	parts[3] = VD_NO_DECISION;
	assert_int_equal(vd_item_judge(&rule, parts, 10, NULL, 0), VD_NO_DECISION);
}

static void a_veto_rejects_whatever_the_rule_says(void **state)
{
	const enum vd_verdict parts[] = { VD_OK, VD_OK, VD_NG }, veto[] = { VD_NG };
	const struct vd_item_rule rule = { .kind = VD_ITEM_MIN_OK, .count = 2, .max_warn = -1 };

	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_OK);
	assert_int_equal(vd_item_judge(&rule, parts, 3, veto, 1), VD_NG);
}

static void too_many_warnings_reject(void **state)
{
	const enum vd_verdict parts[] = { VD_WARNING, VD_WARNING, VD_OK };
	struct vd_item_rule rule = { .kind = VD_ITEM_ALL_OK, .max_warn = 2 };

	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_WARNING);
	rule.max_warn = 1;
	assert_int_equal(vd_item_judge(&rule, parts, 3, NULL, 0), VD_NG);
}

static void nothing_to_judge_is_no_decision(void **state)
{
	const struct vd_item_rule item = { .kind = VD_ITEM_MIN_OK, .max_warn = -1 };

	assert_int_equal(vd_item_judge(&item, NULL, 0, NULL, 0), VD_NO_DECISION);
	for (int kind = VD_ALL_OK; kind <= VD_OBJECTS; kind++) {
		const struct vd_camera_rule rule = { .kind = (enum vd_camera_rule_kind)kind,
						     .label = "dark",
						     .max = -1 };

		assert_int_equal(vd_camera_judge(&rule, NULL, 0), VD_NO_DECISION);
	}
}

static void two_rules_of_one_type_use_their_own_parameters(void **state)
{
	struct vd_object objects[OBJECTS];
	const struct vd_object_list dark = labelled(objects, "dark", "dark");
	const struct vd_step_outcome step = { VD_OK, &dark };
	const struct vd_camera_rule strict = { .kind = VD_OBJECTS, .max = 1 };
	const struct vd_camera_rule loose = { .kind = VD_OBJECTS, .max = 2 };

	assert_int_equal(vd_camera_judge(&strict, &step, 1), VD_NG);
	assert_int_equal(vd_camera_judge(&loose, &step, 1), VD_OK);
	assert_int_equal(vd_camera_judge(&strict, &step, 1), VD_NG);
}

static void rules_over_objects_are_defined_for_none(void **state)
{
	const struct vd_step_outcome empty = { VD_OK, NULL };
	const struct vd_step_outcome failed = { VD_NO_DECISION, NULL };
	const struct vd_camera_rule expected = { .kind = VD_EXPECTED_LABEL, .label = "cap" };
	const struct vd_camera_rule unexpected = { .kind = VD_UNEXPECTED_LABEL, .label = "hair" };
	const struct vd_camera_rule none = { .kind = VD_OBJECTS, .min = 0, .max = 0 };
	const struct vd_camera_rule some = { .kind = VD_OBJECTS, .min = 1, .max = -1 };

	assert_int_equal(vd_camera_judge(&expected, &empty, 1), VD_NG);
	assert_int_equal(vd_camera_judge(&unexpected, &empty, 1), VD_OK);
	assert_int_equal(vd_camera_judge(&none, &empty, 1), VD_OK);
	assert_int_equal(vd_camera_judge(&some, &empty, 1), VD_NG);
	assert_int_equal(vd_camera_judge(&expected, &failed, 1), VD_NO_DECISION);
	assert_int_equal(vd_camera_judge(&unexpected, &failed, 1), VD_NO_DECISION);
	assert_int_equal(vd_camera_judge(&none, &failed, 1), VD_NO_DECISION);
	assert_int_equal(vd_camera_judge(&some, &failed, 1), VD_NO_DECISION);
}

static void labels_match_any_or_all(void **state)
{
	struct vd_object objects[OBJECTS];
	const struct vd_object_list mixed = labelled(objects, "cap", "hair");
	const struct vd_step_outcome step = { VD_OK, &mixed };
	const struct vd_camera_rule any = { .kind = VD_EXPECTED_LABEL, .label = "cap" };
	const struct vd_camera_rule all = { .kind = VD_EXPECTED_LABEL,
					    .label = "cap",
					    .every = true };

	assert_int_equal(vd_camera_judge(&any, &step, 1), VD_OK);
	assert_int_equal(vd_camera_judge(&all, &step, 1), VD_NG);
}

static void objects_that_could_not_be_told_are_never_taken_for_absent(void **state)
{
	struct vd_object objects[OBJECTS];
	struct vd_object_list caps = labelled(objects, "cap", "cap");
	const struct vd_step_outcome step = { VD_OK, &caps };
	const struct vd_camera_rule unexpected = { .kind = VD_UNEXPECTED_LABEL, .label = "hair" };
	const struct vd_camera_rule all = { .kind = VD_EXPECTED_LABEL,
					    .label = "cap",
					    .every = true };
	const struct vd_camera_rule count = { .kind = VD_OBJECTS, .max = 5 };

	assert_int_equal(vd_camera_judge(&unexpected, &step, 1), VD_OK);
	caps.left_out = 4;
	assert_int_equal(vd_camera_judge(&unexpected, &step, 1), VD_NO_DECISION);
	assert_int_equal(vd_camera_judge(&all, &step, 1), VD_NO_DECISION);
	assert_int_equal(vd_camera_judge(&count, &step, 1), VD_NG);
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
	     cmocka_unit_test(objects_that_could_not_be_told_are_never_taken_for_absent))
