/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/expression/expression.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

/* a, b, c: numbers; s, t: texts; p, q: truths; labels. A name that is not there has no value. */
struct world {
	double numbers[3];
	const char *texts[2];
	enum vd_truth truths[2];
	const char *label; /* NULL: the labels are missing */
};

static bool find(void *argument, const char *const *parts, int count, struct vd_name *name,
		 char text[static VD_EXPRESSION_TEXT])
{
	static const struct {
		const char *name;
		struct vd_name is;
	} names[] = { { "a", { VD_TYPE_NUMBER, 0, 0 } }, { "b", { VD_TYPE_NUMBER, 1, 1 } },
		      { "c", { VD_TYPE_NUMBER, 2, 2 } }, { "s", { VD_TYPE_TEXT, -1, 0 } },
		      { "t", { VD_TYPE_TEXT, -1, 1 } },  { "p", { VD_TYPE_TRUTH, 3, 0 } },
		      { "q", { VD_TYPE_TRUTH, 3, 1 } },  { "labels", { VD_TYPE_LABELS, 4, 0 } } };

	for (size_t i = 0; count == 1 && i < VD_COUNT(names); i++) {
		if (strcmp(names[i].name, parts[0]) != 0)
			continue;
		*name = names[i].is;
		return true;
	}
	(void)snprintf(text, VD_EXPRESSION_TEXT, "no \"%s\" here", parts[count - 1]);
	return false;
}

static const struct vd_scope SCOPE = { find, NULL };

static struct vd_value look_up(void *argument, const struct vd_name *name)
{
	const struct world *world = argument;
	struct vd_value value = { 0 };

	switch (name->type) {
	case VD_TYPE_NUMBER:
		value.number = world->numbers[name->what];
		value.is_missing = isnan(value.number);
		break;
	case VD_TYPE_TEXT:
		value.text = world->texts[name->what];
		value.is_missing = !value.text;
		break;
	case VD_TYPE_TRUTH:
		value.truth = world->truths[name->what];
		value.is_missing = value.truth == VD_UNKNOWN;
		break;
	case VD_TYPE_LABELS:
		value.is_missing = !world->label;
		break;
	}
	return value;
}

static enum vd_truth has_label(void *argument, const struct vd_name *name, const char *label)
{
	const struct world *world = argument;

	if (!world->label)
		return VD_UNKNOWN;
	return strcmp(world->label, label) == 0 ? VD_TRUE : VD_FALSE;
}

static struct vd_expression *parse(const char *text)
{
	struct vd_expression *expression = NULL;
	struct vd_fault fault = { 0 };

	if (vd_expression_parse(text, strlen(text), &SCOPE, &expression, &fault) < 0)
		fail_msg("%s: %s", text, fault.text);
	return expression;
}

static enum vd_truth evaluate(const struct vd_expression *expression, struct world *world)
{
	const struct vd_facts facts = { look_up, has_label, world };
	char missing[64];

	return vd_expression_evaluate(expression, &facts, missing, sizeof missing);
}

static struct world some_world(void)
{
	return (struct world){ { 4, -2, 0.5 }, { "LOT-17", "x" }, { VD_TRUE, VD_FALSE }, "hair" };
}

static void check(const char *text, enum vd_truth wanted)
{
	VD_CLEANUP(vd_expression_free) struct vd_expression *expression = parse(text);
	struct world world = some_world();

	if (evaluate(expression, &world) != wanted)
		fail_msg("%s is %d", text, evaluate(expression, &world));
}

static void values_are_compared_and_joined(void **state)
{
	check("a == 4 and b < 0", VD_TRUE);
	check("a + b * 2 == 0", VD_TRUE);
	check("(a + b) * 2 == 4", VD_TRUE);
	check("a - b - 1 == 5", VD_TRUE);
	check("-a == -4 and - -a == 4", VD_TRUE);
	check("a / c >= 8", VD_TRUE);
	check("not p or q", VD_FALSE);
	check("not (p and q)", VD_TRUE);
	check("p or q and q", VD_TRUE);
	check("a != 4 or s == 'LOT-17'", VD_TRUE);
	check("s == t", VD_FALSE);
	check("1e1 > 9.5", VD_TRUE);
}

static void members_of_lists_and_labels_are_found(void **state)
{
	check("a in [1, 4, 9]", VD_TRUE);
	check("b in [2, -2]", VD_TRUE);
	check("a not in [1, 4]", VD_FALSE);
	check("s in ['A', \"LOT-17\"]", VD_TRUE);
	check("'hair' in labels", VD_TRUE);
	check("'cap' not in labels", VD_TRUE);
}

static void patterns_match_the_whole_text(void **state)
{
	check("s matches 'LOT-*'", VD_TRUE);
	check("s matches 'LOT-1?'", VD_TRUE);
	check("s matches '*1*'", VD_TRUE);
	check("s matches '*7*7'", VD_FALSE);
	check("s matches 'LOT-?'", VD_FALSE);
	check("s matches ''", VD_FALSE);
	check("s matches '*'", VD_TRUE);
	check("not s matches 'OT*'", VD_TRUE);
}

static void a_missing_value_is_unknown_unless_it_cannot_matter(void **state)
{
	static const struct {
		const char *text;
		enum vd_truth wanted;
	} cases[] = {
		{ "a > 1", VD_UNKNOWN },         { "a + 1 > 1", VD_UNKNOWN },
		{ "a * 0 == 0", VD_UNKNOWN },    { "not a > 1", VD_UNKNOWN },
		{ "a > 1 and q", VD_FALSE },     { "q and a > 1", VD_FALSE },
		{ "a > 1 and p", VD_UNKNOWN },   { "a > 1 or p", VD_TRUE },
		{ "a > 1 or q", VD_UNKNOWN },    { "s == 'x'", VD_UNKNOWN },
		{ "s matches '*'", VD_UNKNOWN }, { "a in [1]", VD_UNKNOWN },
		{ "'x' in labels", VD_UNKNOWN }, { "exists(a)", VD_FALSE },
		{ "exists(b)", VD_TRUE },        { "not exists(a) or a > 1", VD_TRUE },
		{ "b / 0 > 1", VD_UNKNOWN },     { "1e308 * 1e308 > 1 or q", VD_UNKNOWN },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_expression_free)
		struct vd_expression *expression = parse(cases[i].text);
		struct world world = some_world();

		world.numbers[0] = NAN;
		world.texts[0] = NULL;
		world.label = NULL;
		if (evaluate(expression, &world) != cases[i].wanted)
			fail_msg("%s is %d", cases[i].text, evaluate(expression, &world));
	}
}

static void the_missing_name_is_told(void **state)
{
	VD_CLEANUP(vd_expression_free) struct vd_expression *expression = parse("b < 0 and a > 1");
	struct world world = some_world();
	const struct vd_facts facts = { look_up, has_label, &world };
	char missing[64];

	world.numbers[0] = NAN;
	assert_int_equal(vd_expression_evaluate(expression, &facts, missing, sizeof missing),
			 VD_UNKNOWN);
	assert_string_equal(missing, "a");
	assert_int_equal(vd_expression_steps(expression), 3);
}

static void check_refused(const char *text, const char *wanted)
{
	struct vd_expression *expression = NULL;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_expression_parse(text, strlen(text), &SCOPE, &expression, &fault),
			 -EINVAL);
	assert_null(expression);
	if (!strstr(fault.text, wanted))
		fail_msg("%s: \"%s\" is not in \"%s\"", text, wanted, fault.text);
}

static void what_is_wrong_is_told_with_its_column(void **state)
{
	check_refused("", "column 1: a name is wanted");
	check_refused("a", "column 1: true or false");
	check_refused("a > ", "column 5");
	check_refused("a > 'x'", "column 5: a number");
	check_refused("s > 'x'", "column 1: a number");
	check_refused("s == 1", "column 6: a string");
	check_refused("p == true", "column 1: a number");
	check_refused("a > 1 and b", "column 11: true or false");
	check_refused("nix > 1", "column 1: no \"nix\"");
	check_refused("a.b > 1", "column 1: no \"b\"");
	check_refused("a.b.c.d.e > 1", "column 9: the name has too many");
	check_refused("a. > 1", "column 4: a name is wanted");
	check_refused("a > 1 b", "column 7: the expression should end");
	check_refused("a > 1 > 2", "column 7: the expression should end");
	check_refused("(a > 1", "column 7: \")\"");
	check_refused("a in [1, 'x']", "column 10: a number");
	check_refused("a in [b]", "column 7: a number or string");
	check_refused("a in labels", "column 1: a string");
	check_refused("a in []", "column 7: a number or string");
	check_refused("'x' in s", "column 8: labels");
	check_refused("labels", "column 1: true or false");
	check_refused("s matches t", "column 11: matches wants a string");
	check_refused("exists(1)", "column 8: a name");
	check_refused("a > 'x", "column 5: neither");
	check_refused("a > 1e999", "column 5: neither");
	check_refused("a > 3x", "column 5: neither");
	check_refused("a > 1 & p", "column 7: neither");
}

static void length_depth_and_size_are_bounded(void **state)
{
	char text[VD_EXPRESSION_BYTES + 2];
	size_t n = 0;

	memset(text, ' ', sizeof text);
	memcpy(text, "p", 1);
	text[sizeof text - 1] = '\0';
	check_refused(text, "longer than");
	memset(text, '(', 200);
	text[200] = '\0';
	check_refused(text, "too deep");
	memset(text, '-', 200);
	check_refused(text, "too deep");
	for (; n + 3 < 400; n += 2)
		memcpy(text + n, "1+", 3);
	memcpy(text + n, "1>1", 4);
	check_refused(text, "too large");
}

/* ---- properties ---- */

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void put(char *text, const char *more)
{
	const size_t n = strlen(text), m = strlen(more);

	if (n + m < 400)
		memcpy(text + n, more, m + 1);
}

static void put_number(char *text, uint32_t *seed, int depth)
{
	static const char *const leaves[] = { "a", "b", "c", "0", "2", "1.5" };
	static const char *const signs[] = { " + ", " - ", "*", " / " };

	if (depth == 0 || next(seed) % 2) {
		put(text, leaves[next(seed) % 6]);
		return;
	}
	put(text, next(seed) % 3 ? "(" : "-(");
	put_number(text, seed, depth - 1);
	put(text, signs[next(seed) % 4]);
	put_number(text, seed, depth - 1);
	put(text, ")");
}

/* Never "exists", which is the one way to ask whether a value is there. */
static void put_truth(char *text, uint32_t *seed, int depth)
{
	static const char *const leaves[] = { "p",
					      "q",
					      "true",
					      "s == t",
					      "s matches '*1*'",
					      "'hair' in labels",
					      "a in [4, 0]",
					      "s not in ['x']" };
	static const char *const signs[] = { " < ", " <= ", " == ", " != ", " > ", " >= " };

	if (depth == 0) {
		put(text, leaves[next(seed) % 8]);
		return;
	}
	switch (next(seed) % 4) {
	case 0:
		put(text, "not (");
		put_truth(text, seed, depth - 1);
		put(text, ")");
		return;
	case 1:
		put_number(text, seed, 2);
		put(text, signs[next(seed) % 6]);
		put_number(text, seed, 2);
		return;
	default:
		put(text, "(");
		put_truth(text, seed, depth - 1);
		put(text, next(seed) % 2 ? " and " : " or ");
		put_truth(text, seed, depth - 1);
		put(text, ")");
		return;
	}
}

static struct world random_world(uint32_t *seed)
{
	static const char *const texts[] = { "x", "A1", "LOT-17", NULL };
	struct world world = { .label = next(seed) % 3 ? texts[next(seed) % 4] : "hair" };

	for (int i = 0; i < 3; i++)
		world.numbers[i] = next(seed) % 4 ? (double)(next(seed) % 5) - 2 : NAN;
	for (int i = 0; i < 2; i++) {
		world.texts[i] = texts[next(seed) % 4];
		world.truths[i] = (enum vd_truth)(next(seed) % 3);
	}
	return world;
}

static void lose(struct world *world, uint32_t which)
{
	if (which < 3)
		world->numbers[which] = NAN;
	else if (which < 5)
		world->texts[which - 3] = NULL;
	else if (which < 7)
		world->truths[which - 5] = VD_UNKNOWN;
	else
		world->label = NULL;
}

static void a_value_that_gets_lost_never_turns_the_outcome_round(void **state)
{
	uint32_t seed = 1;

	for (int i = 0; i < 4000; i++) {
		VD_CLEANUP(vd_expression_free) struct vd_expression *expression = NULL;
		char text[512] = "";
		struct vd_fault fault = { 0 };
		struct world world;
		enum vd_truth before, after;

		put_truth(text, &seed, 3);
		if (vd_expression_parse(text, strlen(text), &SCOPE, &expression, &fault) < 0)
			continue; /* cut, or too large */
		world = random_world(&seed);
		before = evaluate(expression, &world);
		lose(&world, next(&seed) % 8);
		after = evaluate(expression, &world);
		if (after != before && after != VD_UNKNOWN)
			fail_msg("%s: %d became %d", text, before, after);
	}
}

static void what_is_printed_reads_as_the_same(void **state)
{
	uint32_t seed = 7;
	int read = 0;

	for (int i = 0; i < 2000; i++) {
		VD_CLEANUP(vd_expression_free) struct vd_expression *first = NULL, *second = NULL;
		VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
		char text[512] = "";
		struct vd_fault fault = { 0 };

		put_truth(text, &seed, 3);
		if (vd_expression_parse(text, strlen(text), &SCOPE, &first, &fault) < 0)
			continue;
		assert_int_equal(vd_expression_print(first, "", &out), 0);
		if (vd_expression_parse(out.data, out.len, &SCOPE, &second, &fault) < 0)
			fail_msg("%s: %s", out.data, fault.text);
		assert_true(vd_expression_equals(first, second));
		read++;
	}
	assert_true(read > 1000);
}

static void a_prefix_comes_before_the_names_of_steps(void **state)
{
	static const char text[] = "steps.print.score > 4 and steps.'odd name'.x == 1 and "
				   "item.serial matches 'steps.*'";
	VD_CLEANUP(vd_expression_free) struct vd_expression *expression = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert_int_equal(vd_expression_parse(text, strlen(text), NULL, &expression, NULL), 0);
	assert_int_equal(vd_expression_print(expression, "left_", &out), 0);
	assert_string_equal(out.data, "steps.left_print.score > 4 and steps.'left_odd name'.x == 1 "
				      "and item.serial matches 'steps.*'");
}

VD_TEST_MAIN(cmocka_unit_test(values_are_compared_and_joined),
	     cmocka_unit_test(members_of_lists_and_labels_are_found),
	     cmocka_unit_test(patterns_match_the_whole_text),
	     cmocka_unit_test(a_missing_value_is_unknown_unless_it_cannot_matter),
	     cmocka_unit_test(the_missing_name_is_told),
	     cmocka_unit_test(what_is_wrong_is_told_with_its_column),
	     cmocka_unit_test(length_depth_and_size_are_bounded),
	     cmocka_unit_test(a_value_that_gets_lost_never_turns_the_outcome_round),
	     cmocka_unit_test(what_is_printed_reads_as_the_same),
	     cmocka_unit_test(a_prefix_comes_before_the_names_of_steps))
