/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recursive descent, a function a line of the grammar. Types are checked as nodes are made; a
 * parser without a scope knows no types of names and lets them pass.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/inspect/expression/lexer.h"
#include "modules/inspect/expression/tree.h"

struct parser {
	struct vd_lexer lexer;
	const struct vd_scope *scope;
	struct vd_expression *expression;
	struct vd_fault *fault;
	int depth;
};

/* Each returns a node, or -1 with the fault set. */
static int parse_or(struct parser *parser);

static int refuse_at(struct parser *parser, size_t column, const char *text)
{
	vd_fault_set(parser->fault, 400, "", "column %zu: %s", column, text);
	return -1;
}

static int refuse(struct parser *parser, const char *text)
{
	const struct vd_token *token = &parser->lexer.token;

	if (token->kind == VD_TOKEN_BAD)
		text = "neither a number, a string, a name nor a sign";
	return refuse_at(parser, token->column, text);
}

static bool accept(struct parser *parser, const char *text)
{
	if (!vd_lexer_is(&parser->lexer, text))
		return false;
	vd_lexer_next(&parser->lexer);
	return true;
}

static int new_node(struct parser *parser, enum vd_node_kind kind, enum vd_type type, int left,
		    int right)
{
	struct vd_expression *expression = parser->expression;

	if (expression->count == VD_EXPRESSION_NODES)
		return refuse(parser, "the expression is too large");
	expression->nodes[expression->count] =
		(struct vd_node){ .kind = kind, .type = type, .left = left, .right = right };
	return expression->count++;
}

static struct vd_node *node_at(struct parser *parser, int node)
{
	return &parser->expression->nodes[node];
}

/* Keeps the token's text; texts have room for every byte of the longest expression and its NUL. */
static int keep_text(struct parser *parser)
{
	struct vd_expression *expression = parser->expression;
	const struct vd_token *token = &parser->lexer.token;
	const int at = expression->texts_len;

	memcpy(expression->texts + at, token->text, token->len);
	expression->texts[at + (int)token->len] = '\0';
	expression->texts_len += (int)token->len + 1;
	return at;
}

/* ---- types ---- */

static bool is_of(struct parser *parser, int node, enum vd_type type)
{
	const struct vd_node *at = node_at(parser, node);

	return at->type == type || (at->kind == VD_NODE_NAME && !parser->scope);
}

static int want(struct parser *parser, int node, enum vd_type type, size_t column)
{
	static const char *const texts[] = { "a number is wanted", "a string is wanted",
					     "true or false is wanted", "labels are wanted" };

	return is_of(parser, node, type) ? 0 : refuse_at(parser, column, texts[type]);
}

/* ---- names and literals ---- */

static int find_name(struct parser *parser, int node, size_t column)
{
	const char *parts[VD_EXPRESSION_PARTS];
	char text[VD_EXPRESSION_TEXT] = "there is no such name";
	struct vd_node *name = node_at(parser, node);

	if (!parser->scope)
		return node;
	for (int i = 0; i < name->part_count; i++)
		parts[i] = vd_node_text(parser->expression, name, i);
	if (!parser->scope->find(parser->scope->argument, parts, name->part_count, &name->name,
				 text))
		return refuse_at(parser, column, text);
	name->type = name->name.type;
	return node;
}

static int parse_name(struct parser *parser)
{
	const size_t column = parser->lexer.token.column;
	int node;

	if (parser->lexer.token.kind != VD_TOKEN_WORD)
		return refuse(parser, "a name is wanted");
	node = new_node(parser, VD_NODE_NAME, VD_TYPE_NUMBER, -1, -1);
	if (node < 0)
		return -1;
	for (;;) {
		struct vd_node *name = node_at(parser, node);

		if (parser->lexer.token.kind != VD_TOKEN_WORD &&
		    parser->lexer.token.kind != VD_TOKEN_STRING)
			return refuse(parser, "a name is wanted after the point");
		if (name->part_count == VD_EXPRESSION_PARTS)
			return refuse(parser, "the name has too many parts");
		name->parts[name->part_count++] = keep_text(parser);
		vd_lexer_next(&parser->lexer);
		if (!accept(parser, "."))
			return find_name(parser, node, column);
	}
}

static int parse_number(struct parser *parser, double sign)
{
	const int node = new_node(parser, VD_NODE_NUMBER, VD_TYPE_NUMBER, -1, -1);

	if (node < 0)
		return -1;
	node_at(parser, node)->number = sign * parser->lexer.token.number;
	vd_lexer_next(&parser->lexer);
	return node;
}

static int parse_string(struct parser *parser)
{
	const int node = new_node(parser, VD_NODE_TEXT, VD_TYPE_TEXT, -1, -1);

	if (node < 0)
		return -1;
	node_at(parser, node)->parts[0] = keep_text(parser);
	vd_lexer_next(&parser->lexer);
	return node;
}

static int parse_literal(struct parser *parser)
{
	const bool is_negative = accept(parser, "-");

	if (parser->lexer.token.kind == VD_TOKEN_NUMBER)
		return parse_number(parser, is_negative ? -1 : 1);
	if (parser->lexer.token.kind == VD_TOKEN_STRING && !is_negative)
		return parse_string(parser);
	return refuse(parser, is_negative ? "a number is wanted" : "a number or string is wanted");
}

/* After "[": literals of one type. */
static int parse_list(struct parser *parser, enum vd_type type)
{
	int first = -1, last = -1;

	do {
		const size_t column = parser->lexer.token.column;
		const int literal = parse_literal(parser);
		int node;

		if (literal < 0 || want(parser, literal, type, column) < 0)
			return -1;
		node = new_node(parser, VD_NODE_LIST, type, literal, -1);
		if (node < 0)
			return -1;
		if (last >= 0)
			node_at(parser, last)->right = node;
		else
			first = node;
		last = node;
	} while (accept(parser, ","));
	return accept(parser, "]") ? first : refuse(parser, "\",\" or \"]\" is wanted");
}

/* ---- operators ---- */

static int parse_exists(struct parser *parser)
{
	int name;

	if (!accept(parser, "("))
		return refuse(parser, "exists wants a name in parentheses");
	name = parse_name(parser);
	if (name < 0)
		return -1;
	if (!accept(parser, ")"))
		return refuse(parser, "\")\" is wanted");
	return new_node(parser, VD_NODE_EXISTS, VD_TYPE_TRUTH, name, -1);
}

static int parse_truth(struct parser *parser, double value)
{
	const int node = new_node(parser, VD_NODE_TRUTH, VD_TYPE_TRUTH, -1, -1);

	if (node >= 0)
		node_at(parser, node)->number = value;
	return node;
}

static int parse_group(struct parser *parser)
{
	int node;

	if (++parser->depth > VD_EXPRESSION_DEPTH)
		return refuse(parser, "the expression is nested too deep");
	node = parse_or(parser);
	parser->depth--;
	if (node >= 0 && !accept(parser, ")"))
		return refuse(parser, "\")\" is wanted");
	return node;
}

static int parse_primary(struct parser *parser)
{
	switch (parser->lexer.token.kind) {
	case VD_TOKEN_NUMBER:
		return parse_number(parser, 1);
	case VD_TOKEN_STRING:
		return parse_string(parser);
	default:
		break;
	}
	if (accept(parser, "("))
		return parse_group(parser);
	if (accept(parser, "true"))
		return parse_truth(parser, 1);
	if (accept(parser, "false"))
		return parse_truth(parser, 0);
	if (accept(parser, "exists"))
		return parse_exists(parser);
	return parse_name(parser);
}

/* An operator before its operand, with the depth that it costs. */
static int parse_prefix(struct parser *parser, enum vd_node_kind kind, enum vd_type type,
			int (*parse_operand)(struct parser *parser))
{
	const size_t column = parser->lexer.token.column;
	int node;

	if (++parser->depth > VD_EXPRESSION_DEPTH)
		return refuse(parser, "the expression is nested too deep");
	node = parse_operand(parser);
	parser->depth--;
	if (node < 0 || want(parser, node, type, column) < 0)
		return -1;
	return new_node(parser, kind, type, node, -1);
}

static int parse_unary(struct parser *parser)
{
	return accept(parser, "-")
		       ? parse_prefix(parser, VD_NODE_NEGATE, VD_TYPE_NUMBER, parse_unary)
		       : parse_primary(parser);
}

struct infix {
	const char *sign;
	enum vd_node_kind kind;
};

/* The operator at hand among these, which is then passed; NULL: none of them. */
static const struct infix *accept_infix(struct parser *parser, const struct infix *list,
					size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (accept(parser, list[i].sign))
			return &list[i];
	}
	return NULL;
}

/* Operands of one type joined from left to right. */
static int parse_chain(struct parser *parser, const struct infix *list, size_t count,
		       enum vd_type type, int (*parse_operand)(struct parser *parser))
{
	size_t column = parser->lexer.token.column;
	int left = parse_operand(parser);

	while (left >= 0) {
		const struct infix *infix = accept_infix(parser, list, count);
		int right;

		if (!infix)
			return left;
		if (want(parser, left, type, column) < 0)
			return -1;
		column = parser->lexer.token.column;
		right = parse_operand(parser);
		if (right < 0 || want(parser, right, type, column) < 0)
			return -1;
		left = new_node(parser, infix->kind, type, left, right);
	}
	return -1;
}

static int parse_product(struct parser *parser)
{
	static const struct infix list[] = { { "*", VD_NODE_MULTIPLY }, { "/", VD_NODE_DIVIDE } };

	return parse_chain(parser, list, VD_COUNT(list), VD_TYPE_NUMBER, parse_unary);
}

static int parse_sum(struct parser *parser)
{
	static const struct infix list[] = { { "+", VD_NODE_ADD }, { "-", VD_NODE_SUBTRACT } };

	return parse_chain(parser, list, VD_COUNT(list), VD_TYPE_NUMBER, parse_product);
}

/* ---- comparisons ---- */

static int parse_relation(struct parser *parser, int left, enum vd_node_kind kind, size_t column)
{
	const bool is_equality = kind == VD_NODE_EQUAL || kind == VD_NODE_UNEQUAL;
	const bool is_text = is_equality && is_of(parser, left, VD_TYPE_TEXT) &&
			     !is_of(parser, left, VD_TYPE_NUMBER);
	const size_t right_column = parser->lexer.token.column;
	int right;

	if (!is_text && want(parser, left, VD_TYPE_NUMBER, column) < 0)
		return -1;
	right = parse_sum(parser);
	/* Without a scope a name may be of either type. */
	if (right >= 0 && !is_text && !(is_equality && !parser->scope) &&
	    want(parser, right, VD_TYPE_NUMBER, right_column) < 0)
		return -1;
	if (right < 0 || (is_text && want(parser, right, VD_TYPE_TEXT, right_column) < 0))
		return -1;
	return new_node(parser, kind, VD_TYPE_TRUTH, left, right);
}

static int parse_in(struct parser *parser, int left, size_t column)
{
	const enum vd_type type = node_at(parser, left)->type;
	const size_t right_column = parser->lexer.token.column;
	int right;

	if (type != VD_TYPE_NUMBER && want(parser, left, VD_TYPE_TEXT, column) < 0)
		return -1;
	if (!accept(parser, "[")) {
		right = parse_name(parser);
		if (right < 0 || want(parser, right, VD_TYPE_LABELS, right_column) < 0 ||
		    want(parser, left, VD_TYPE_TEXT, column) < 0)
			return -1;
		return new_node(parser, VD_NODE_IN, VD_TYPE_TRUTH, left, right);
	}
	/* The first literal says the type where a name's is not known. */
	right = parse_list(parser, !parser->scope && parser->lexer.token.kind == VD_TOKEN_STRING
					   ? VD_TYPE_TEXT
					   : type);
	return right < 0 ? -1 : new_node(parser, VD_NODE_IN, VD_TYPE_TRUTH, left, right);
}

static int parse_matches(struct parser *parser, int left, size_t column)
{
	int right;

	if (want(parser, left, VD_TYPE_TEXT, column) < 0)
		return -1;
	if (parser->lexer.token.kind != VD_TOKEN_STRING)
		return refuse(parser, "matches wants a string");
	right = parse_string(parser);
	return right < 0 ? -1 : new_node(parser, VD_NODE_MATCHES, VD_TYPE_TRUTH, left, right);
}

static int parse_compare(struct parser *parser)
{
	static const struct infix list[] = {
		{ "==", VD_NODE_EQUAL },   { "!=", VD_NODE_UNEQUAL }, { "<", VD_NODE_LESS },
		{ "<=", VD_NODE_AT_MOST }, { ">", VD_NODE_MORE },     { ">=", VD_NODE_AT_LEAST },
	};
	const size_t column = parser->lexer.token.column;
	const int left = parse_sum(parser);
	const struct infix *infix;
	int node;

	if (left < 0)
		return -1;
	infix = accept_infix(parser, list, VD_COUNT(list));
	if (infix)
		return parse_relation(parser, left, infix->kind, column);
	if (accept(parser, "in"))
		return parse_in(parser, left, column);
	if (accept(parser, "matches"))
		return parse_matches(parser, left, column);
	if (!accept(parser, "not"))
		return left;
	if (!accept(parser, "in"))
		return refuse(parser, "\"in\" is wanted after \"not\"");
	if (parser->depth == VD_EXPRESSION_DEPTH) /* it is printed as "not … in" */
		return refuse(parser, "the expression is nested too deep");
	node = parse_in(parser, left, column);
	return node < 0 ? -1 : new_node(parser, VD_NODE_NOT, VD_TYPE_TRUTH, node, -1);
}

static int parse_not(struct parser *parser)
{
	return accept(parser, "not") ? parse_prefix(parser, VD_NODE_NOT, VD_TYPE_TRUTH, parse_not)
				     : parse_compare(parser);
}

static int parse_and(struct parser *parser)
{
	static const struct infix list[] = { { "and", VD_NODE_AND } };

	return parse_chain(parser, list, VD_COUNT(list), VD_TYPE_TRUTH, parse_not);
}

static int parse_or(struct parser *parser)
{
	static const struct infix list[] = { { "or", VD_NODE_OR } };

	return parse_chain(parser, list, VD_COUNT(list), VD_TYPE_TRUTH, parse_and);
}

/* ---- the whole ---- */

static int parse_all(struct parser *parser)
{
	const int root = parse_or(parser);

	if (root < 0 || want(parser, root, VD_TYPE_TRUTH, 1) < 0)
		return -1;
	if (parser->lexer.token.kind != VD_TOKEN_END)
		return refuse(parser, "the expression should end here");
	return root;
}

int vd_expression_parse(const char *text, size_t len, const struct vd_scope *scope,
			struct vd_expression **ret_expression, struct vd_fault *fault)
{
	VD_CLEANUP(vd_expression_free) struct vd_expression *expression = NULL;
	struct parser parser = { .scope = scope, .fault = fault };

	if (len > VD_EXPRESSION_BYTES) {
		vd_fault_set(fault, 400, "", "longer than %d bytes", VD_EXPRESSION_BYTES);
		return -EINVAL;
	}
	expression = calloc(1, sizeof *expression);
	if (!expression)
		return -ENOMEM;
	parser.expression = expression;
	vd_lexer_init(&parser.lexer, text, len);
	expression->root = parse_all(&parser);
	if (expression->root < 0)
		return -EINVAL;
	*ret_expression = VD_TAKE(expression);
	return 0;
}

struct vd_expression *vd_expression_free(struct vd_expression *expression)
{
	free(expression);
	return NULL;
}
