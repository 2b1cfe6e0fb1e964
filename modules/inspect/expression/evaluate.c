/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/expression/tree.h"

struct evaluation {
	const struct vd_expression *expression;
	const struct vd_facts *facts;
	int missing; /* the first name without a value; -1: none yet */
};

static enum vd_truth truth_of(struct evaluation *evaluation, int index);

static const struct vd_node *node_at(const struct evaluation *evaluation, int index)
{
	return &evaluation->expression->nodes[index];
}

static enum vd_truth truth(bool is)
{
	return is ? VD_TRUE : VD_FALSE;
}

static enum vd_truth opposite(enum vd_truth a)
{
	return a == VD_UNKNOWN ? VD_UNKNOWN : truth(a == VD_FALSE);
}

static struct vd_value look_up(struct evaluation *evaluation, int index)
{
	const struct vd_facts *facts = evaluation->facts;
	const struct vd_value value =
		facts->look_up(facts->argument, &node_at(evaluation, index)->name);

	if (value.is_missing && evaluation->missing < 0)
		evaluation->missing = index;
	return value;
}

/* ---- numbers and texts ---- */

static double arithmetic(enum vd_node_kind kind, double a, double b)
{
	switch (kind) {
	case VD_NODE_ADD:
		return a + b;
	case VD_NODE_SUBTRACT:
		return a - b;
	case VD_NODE_MULTIPLY:
		return a * b;
	default:
		return a / b;
	}
}

/* NaN: missing. */
static double number_of(struct evaluation *evaluation, int index)
{
	const struct vd_node *node = node_at(evaluation, index);
	struct vd_value value;
	double result;

	switch (node->kind) {
	case VD_NODE_NUMBER:
		return node->number;
	case VD_NODE_NAME:
		value = look_up(evaluation, index);
		result = value.is_missing ? NAN : value.number;
		break;
	case VD_NODE_NEGATE:
		result = -number_of(evaluation, node->left);
		break;
	default:
		result = number_of(evaluation, node->left);
		result = arithmetic(node->kind, result, number_of(evaluation, node->right));
		break;
	}
	return isfinite(result) ? result : NAN;
}

/* NULL: missing. */
static const char *text_of(struct evaluation *evaluation, int index)
{
	const struct vd_node *node = node_at(evaluation, index);
	struct vd_value value;

	if (node->kind == VD_NODE_TEXT)
		return vd_node_text(evaluation->expression, node, 0);
	value = look_up(evaluation, index);
	return value.is_missing ? NULL : value.text;
}

/* ---- comparisons ---- */

/* '*' is any text, '?' any byte. A star is only ever taken back to the last one. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *after = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			after = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++after;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static enum vd_truth compare_texts(struct evaluation *evaluation, const struct vd_node *node)
{
	const char *a = text_of(evaluation, node->left), *b = text_of(evaluation, node->right);

	if (!a || !b)
		return VD_UNKNOWN;
	return truth((strcmp(a, b) == 0) == (node->kind == VD_NODE_EQUAL));
}

static enum vd_truth compare_numbers(struct evaluation *evaluation, const struct vd_node *node)
{
	const double a = number_of(evaluation, node->left);
	const double b = number_of(evaluation, node->right);

	if (isnan(a) || isnan(b))
		return VD_UNKNOWN;
	switch (node->kind) {
	case VD_NODE_EQUAL:
		return truth(a == b);
	case VD_NODE_UNEQUAL:
		return truth(a != b);
	case VD_NODE_LESS:
		return truth(a < b);
	case VD_NODE_AT_MOST:
		return truth(a <= b);
	case VD_NODE_MORE:
		return truth(a > b);
	default:
		return truth(a >= b);
	}
}

static bool list_has_text(const struct evaluation *evaluation, int list, const char *text)
{
	for (; list >= 0; list = node_at(evaluation, list)->right) {
		const struct vd_node *literal =
			node_at(evaluation, node_at(evaluation, list)->left);

		if (strcmp(vd_node_text(evaluation->expression, literal, 0), text) == 0)
			return true;
	}
	return false;
}

static bool list_has_number(const struct evaluation *evaluation, int list, double number)
{
	for (; list >= 0; list = node_at(evaluation, list)->right) {
		if (node_at(evaluation, node_at(evaluation, list)->left)->number == number)
			return true;
	}
	return false;
}

static enum vd_truth has_label(struct evaluation *evaluation, int index, const char *label)
{
	const struct vd_facts *facts = evaluation->facts;
	const enum vd_truth has =
		facts->has_label(facts->argument, &node_at(evaluation, index)->name, label);

	if (has == VD_UNKNOWN && evaluation->missing < 0)
		evaluation->missing = index;
	return has;
}

static enum vd_truth is_in(struct evaluation *evaluation, const struct vd_node *node)
{
	const struct vd_node *right = node_at(evaluation, node->right);
	const char *text;
	double number;

	if (right->kind == VD_NODE_LIST && right->type == VD_TYPE_NUMBER) {
		number = number_of(evaluation, node->left);
		return isnan(number) ? VD_UNKNOWN
				     : truth(list_has_number(evaluation, node->right, number));
	}
	text = text_of(evaluation, node->left);
	if (!text)
		return VD_UNKNOWN;
	if (right->kind == VD_NODE_LIST)
		return truth(list_has_text(evaluation, node->right, text));
	return has_label(evaluation, node->right, text);
}

static enum vd_truth compare(struct evaluation *evaluation, const struct vd_node *node)
{
	const char *text;

	if (node->kind == VD_NODE_IN)
		return is_in(evaluation, node);
	if (node->kind != VD_NODE_MATCHES)
		return node_at(evaluation, node->left)->type == VD_TYPE_TEXT
			       ? compare_texts(evaluation, node)
			       : compare_numbers(evaluation, node);
	text = text_of(evaluation, node->left);
	if (!text)
		return VD_UNKNOWN;
	return truth(matches(text_of(evaluation, node->right), text));
}

/* ---- truth ---- */

/* decides: the operand that settles the outcome whatever the other one is. */
static enum vd_truth join(struct evaluation *evaluation, const struct vd_node *node,
			  enum vd_truth decides)
{
	const enum vd_truth a = truth_of(evaluation, node->left);
	enum vd_truth b;

	if (a == decides)
		return a;
	b = truth_of(evaluation, node->right);
	return b == decides || a != VD_UNKNOWN ? b : a;
}

static enum vd_truth truth_of(struct evaluation *evaluation, int index)
{
	const struct vd_node *node = node_at(evaluation, index);
	struct vd_value value;

	switch (node->kind) {
	case VD_NODE_TRUTH:
		return truth(node->number != 0);
	case VD_NODE_NAME:
		value = look_up(evaluation, index);
		return value.is_missing ? VD_UNKNOWN : value.truth;
	case VD_NODE_EXISTS:
		value = evaluation->facts->look_up(evaluation->facts->argument,
						   &node_at(evaluation, node->left)->name);
		return truth(!value.is_missing);
	case VD_NODE_NOT:
		return opposite(truth_of(evaluation, node->left));
	case VD_NODE_AND:
		return join(evaluation, node, VD_FALSE);
	case VD_NODE_OR:
		return join(evaluation, node, VD_TRUE);
	default:
		return compare(evaluation, node);
	}
}

static void write_name(const struct vd_expression *expression, const struct vd_node *node,
		       char *text, size_t size)
{
	size_t at = 0;

	for (int i = 0; i < node->part_count && at < size; i++) {
		const int n = snprintf(text + at, size - at, "%s%s", i ? "." : "",
				       vd_node_text(expression, node, i));

		at += n > 0 ? (size_t)n : 0;
	}
}

enum vd_truth vd_expression_evaluate(const struct vd_expression *expression,
				     const struct vd_facts *facts, char *ret_missing, size_t size)
{
	struct evaluation evaluation = { expression, facts, .missing = -1 };
	const enum vd_truth result = truth_of(&evaluation, expression->root);

	ret_missing[0] = '\0';
	if (result == VD_UNKNOWN && evaluation.missing >= 0)
		write_name(expression, &expression->nodes[evaluation.missing], ret_missing, size);
	return result;
}

uint32_t vd_expression_steps(const struct vd_expression *expression)
{
	uint32_t steps = 0;

	for (int i = 0; i < expression->count; i++) {
		const struct vd_node *node = &expression->nodes[i];

		if (node->kind == VD_NODE_NAME && node->name.of >= 0 && node->name.of < 32)
			steps |= UINT32_C(1) << node->name.of;
	}
	return steps;
}

bool vd_expression_is_constant(const struct vd_expression *expression)
{
	for (int i = 0; i < expression->count; i++) {
		if (expression->nodes[i].kind == VD_NODE_NAME)
			return false;
	}
	return true;
}
