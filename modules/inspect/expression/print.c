/* SPDX-License-Identifier: Apache-2.0 */
/* Parentheses stand only where the tree is not what the grammar would make without them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/expression/tree.h"

struct printer {
	const struct vd_expression *expression;
	const char *prefix;
	struct vd_buf *out;
};

/* How tightly each binds. */
enum level { LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_UNARY };

static const struct {
	enum level level;
	const char *sign;
} OPERATORS[] = {
	[VD_NODE_NUMBER] = { LEVEL_UNARY, "" },
	[VD_NODE_TEXT] = { LEVEL_UNARY, "" },
	[VD_NODE_TRUTH] = { LEVEL_UNARY, "" },
	[VD_NODE_NAME] = { LEVEL_UNARY, "" },
	[VD_NODE_EXISTS] = { LEVEL_UNARY, "exists" },
	[VD_NODE_NEGATE] = { LEVEL_UNARY, "-" },
	[VD_NODE_NOT] = { LEVEL_NOT, "not " },
	[VD_NODE_OR] = { LEVEL_OR, " or " },
	[VD_NODE_AND] = { LEVEL_AND, " and " },
	[VD_NODE_EQUAL] = { LEVEL_COMPARE, " == " },
	[VD_NODE_UNEQUAL] = { LEVEL_COMPARE, " != " },
	[VD_NODE_LESS] = { LEVEL_COMPARE, " < " },
	[VD_NODE_AT_MOST] = { LEVEL_COMPARE, " <= " },
	[VD_NODE_MORE] = { LEVEL_COMPARE, " > " },
	[VD_NODE_AT_LEAST] = { LEVEL_COMPARE, " >= " },
	[VD_NODE_IN] = { LEVEL_COMPARE, " in " },
	[VD_NODE_MATCHES] = { LEVEL_COMPARE, " matches " },
	[VD_NODE_ADD] = { LEVEL_SUM, " + " },
	[VD_NODE_SUBTRACT] = { LEVEL_SUM, " - " },
	[VD_NODE_MULTIPLY] = { LEVEL_PRODUCT, " * " },
	[VD_NODE_DIVIDE] = { LEVEL_PRODUCT, " / " },
	[VD_NODE_LIST] = { LEVEL_UNARY, "" },
};

static int print(struct printer *printer, int index, enum level least);

static int put(struct printer *printer, const char *text)
{
	return vd_buf_append(printer->out, text, strlen(text));
}

static int put_number(struct printer *printer, double number)
{
	char text[40];

	(void)snprintf(text, sizeof text, "%.15g", number);
	if (strtod(text, NULL) != number)
		(void)snprintf(text, sizeof text, "%.17g", number);
	return put(printer, text);
}

/* A string that was read lacks at least the quote it stood in. */
static int put_text(struct printer *printer, const char *before, const char *text)
{
	const char *quote = strchr(text, '\'') || strchr(before, '\'') ? "\"" : "'";

	return vd_buf_printf(printer->out, "%s%s%s%s", quote, before, text, quote);
}

static bool is_word(const char *text)
{
	const size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				      "0123456789");

	return n > 0 && text[n] == '\0' && !(text[0] >= '0' && text[0] <= '9');
}

static int put_name(struct printer *printer, const struct vd_node *node)
{
	const char *first = vd_node_text(printer->expression, node, 0);
	int r = put(printer, first);

	for (int i = 1; r == 0 && i < node->part_count; i++) {
		const char *part = vd_node_text(printer->expression, node, i);
		const char *before = i == 1 && strcmp(first, "steps") == 0 ? printer->prefix : "";

		r = put(printer, ".");
		if (r < 0)
			return r;
		r = is_word(part) && (before[0] == '\0' || is_word(before))
			    ? vd_buf_printf(printer->out, "%s%s", before, part)
			    : put_text(printer, before, part);
	}
	return r;
}

static int put_list(struct printer *printer, int list)
{
	int r = put(printer, "[");

	for (; r == 0 && list >= 0; list = printer->expression->nodes[list].right) {
		r = print(printer, printer->expression->nodes[list].left, LEVEL_UNARY);
		if (r == 0)
			r = put(printer, printer->expression->nodes[list].right < 0 ? "]" : ", ");
	}
	return r;
}

static int put_leaf(struct printer *printer, const struct vd_node *node)
{
	switch (node->kind) {
	case VD_NODE_NUMBER:
		return put_number(printer, node->number);
	case VD_NODE_TEXT:
		return put_text(printer, "", vd_node_text(printer->expression, node, 0));
	case VD_NODE_TRUTH:
		return put(printer, node->number != 0 ? "true" : "false");
	default:
		return put_name(printer, node);
	}
}

static int put_prefix(struct printer *printer, const struct vd_node *node)
{
	const bool is_exists = node->kind == VD_NODE_EXISTS;
	int r = put(printer, OPERATORS[node->kind].sign);

	if (r == 0 && is_exists)
		r = put(printer, "(");
	if (r == 0)
		r = print(printer, node->left,
			  is_exists ? LEVEL_UNARY : OPERATORS[node->kind].level);
	return r == 0 && is_exists ? put(printer, ")") : r;
}

/* Chains grow to the left; a comparison has operands that bind tighter on both sides. */
static int put_infix(struct printer *printer, const struct vd_node *node)
{
	const enum level level = OPERATORS[node->kind].level;
	int r = print(printer, node->left, level == LEVEL_COMPARE ? LEVEL_SUM : level);

	if (r == 0)
		r = put(printer, OPERATORS[node->kind].sign);
	if (r < 0)
		return r;
	if (printer->expression->nodes[node->right].kind == VD_NODE_LIST)
		return put_list(printer, node->right);
	return print(printer, node->right, level + 1);
}

static int print_bare(struct printer *printer, const struct vd_node *node)
{
	if (node->kind < VD_NODE_EXISTS)
		return put_leaf(printer, node);
	return node->kind < VD_NODE_OR ? put_prefix(printer, node) : put_infix(printer, node);
}

static int print(struct printer *printer, int index, enum level least)
{
	const struct vd_node *node = &printer->expression->nodes[index];
	int r;

	if (OPERATORS[node->kind].level >= least)
		return print_bare(printer, node);
	r = put(printer, "(");
	if (r == 0)
		r = print_bare(printer, node);
	return r == 0 ? put(printer, ")") : r;
}

int vd_expression_print(const struct vd_expression *expression, const char *prefix,
			struct vd_buf *out)
{
	struct printer printer = { expression, prefix, out };

	return print(&printer, expression->root, LEVEL_OR);
}

/* ---- equality ---- */

static bool has_same_parts(const struct vd_expression *a, const struct vd_node *left,
			   const struct vd_expression *b, const struct vd_node *right)
{
	const int parts = left->kind == VD_NODE_TEXT ? 1 : left->part_count;

	if (left->part_count != right->part_count)
		return false;
	for (int i = 0; i < parts; i++) {
		if (strcmp(vd_node_text(a, left, i), vd_node_text(b, right, i)) != 0)
			return false;
	}
	return true;
}

bool vd_expression_equals(const struct vd_expression *a, const struct vd_expression *b)
{
	if (a->count != b->count || a->root != b->root)
		return false;
	for (int i = 0; i < a->count; i++) {
		const struct vd_node *left = &a->nodes[i], *right = &b->nodes[i];

		if (left->kind != right->kind || left->left != right->left ||
		    left->right != right->right || left->number != right->number ||
		    !has_same_parts(a, left, b, right))
			return false;
	}
	return true;
}
