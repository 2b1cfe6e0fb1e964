/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "twin/query/parser.h"

/*
 * From loose to tight: OR, AND, NOT, comparison and IN, + -, * / %, sign. AND and OR keep all
 * their operands in one node, so that a condition of a thousand ORs is not a thousand levels deep.
 */
static int parse_unary(struct vd_parser *parser, int *ret_node);

static int too_deep(struct vd_parser *parser)
{
	return vd_lexer_refuse(&parser->lexer, parser->lexer.token.start,
			       "the expression is more than %d levels deep", VD_QUERY_DEPTH);
}

bool vd_parse_is_reserved(const char *word)
{
	static const char *const words[] = { "SELECT", "FROM",  "WHERE", "GROUP",    "AND",
					     "OR",     "NOT",   "IN",    "NIN",      "AS",
					     "TRUE",   "FALSE", "NULL",  "UNDEFINED" };

	for (size_t i = 0; i < VD_COUNT(words); i++) {
		if (!strcasecmp(word, words[i]))
			return true;
	}
	return false;
}

static int parse_segment(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	int r;

	if (lexer->token.kind == VD_TOKEN_NUMBER)
		return vd_lexer_expected(lexer, "a property (one that begins with a digit is "
						"written [[so]])");
	if (lexer->token.kind != VD_TOKEN_NAME && lexer->token.kind != VD_TOKEN_QUOTED)
		return vd_lexer_expected(lexer, "a property after '.'");
	r = vd_query_add_segment(parser->query, lexer->token.text);
	return r < 0 ? r : vd_lexer_next(lexer);
}

int vd_parse_path_after(struct vd_parser *parser, const struct vd_token *first, int *ret_path)
{
	struct vd_lexer *lexer = &parser->lexer;
	int path = vd_query_add_path(parser->query), r = path;
	size_t count = 1;

	if (r >= 0)
		r = vd_query_add_segment(parser->query, first->text);
	while (r >= 0 && lexer->token.kind == VD_TOKEN_DOT) {
		if (count++ == VD_QUERY_SEGMENTS)
			return vd_lexer_refuse(lexer, first->start,
					       "the path has more than %d names",
					       VD_QUERY_SEGMENTS);
		r = vd_lexer_next(lexer);
		if (r == 0)
			r = parse_segment(parser);
	}
	if (r < 0)
		return r;
	if (lexer->token.kind == VD_TOKEN_QUOTED || lexer->token.kind == VD_TOKEN_OPEN_LIST)
		return vd_lexer_refuse(lexer, lexer->token.start,
				       "elements of an array cannot be asked for; a name in [[ ]] "
				       "follows a '.'");
	parser->query->paths[path].count = count;
	parser->query->paths[path].position = first->start;
	parser->query->paths[path].is_first_quoted = first->kind == VD_TOKEN_QUOTED;
	*ret_path = path;
	return 0;
}

int vd_parse_path(struct vd_parser *parser, int *ret_path)
{
	struct vd_token first = parser->lexer.token;
	int r;

	if (first.kind != VD_TOKEN_QUOTED &&
	    (first.kind != VD_TOKEN_NAME || vd_parse_is_reserved(first.text)))
		return vd_lexer_expected(&parser->lexer, "a property");
	r = vd_lexer_next(&parser->lexer);
	return r < 0 ? r : vd_parse_path_after(parser, &first, ret_path);
}

int vd_parse_word(struct vd_parser *parser, const char *word)
{
	if (!vd_lexer_is_word(&parser->lexer, word))
		return vd_lexer_expected(&parser->lexer, word);
	return vd_lexer_next(&parser->lexer);
}

int vd_parse_sign(struct vd_parser *parser, enum vd_token_kind kind, const char *shown)
{
	if (parser->lexer.token.kind != kind)
		return vd_lexer_expected(&parser->lexer, shown);
	return vd_lexer_next(&parser->lexer);
}

/* A node over children, which may be VD_NODE_NONE; refuses what gets too deep. */
static int make_node(struct vd_parser *parser, enum vd_node_kind kind, int left, int right,
		     int *ret_node)
{
	int node = vd_query_add_node(parser->query, kind);
	struct vd_node *nodes = parser->query->nodes;

	if (node < 0)
		return node;
	nodes[node].first = left;
	if (left >= 0) {
		nodes[left].next = right;
		nodes[node].depth = 1 + nodes[left].depth;
	}
	if (right >= 0 && nodes[node].depth <= nodes[right].depth)
		nodes[node].depth = 1 + nodes[right].depth;
	if (nodes[node].depth > VD_QUERY_DEPTH)
		return too_deep(parser);
	*ret_node = node;
	return 0;
}

static int make_constant(struct vd_parser *parser, struct vd_query_value value, int *ret_node)
{
	int r = make_node(parser, VD_NODE_CONSTANT, VD_NODE_NONE, VD_NODE_NONE, ret_node);

	if (r == 0)
		parser->query->nodes[*ret_node].value = value;
	return r;
}

/* Is the next token a constant? A number's sign is not looked at. */
static bool is_constant(const struct vd_lexer *lexer, struct vd_query_value *ret_value)
{
	static const struct {
		const char *word;
		struct vd_query_value value;
	} words[] = {
		{ "true", { .type = VD_QUERY_BOOL, .boolean = true } },
		{ "false", { .type = VD_QUERY_BOOL, .boolean = false } },
		{ "null", { .type = VD_QUERY_NULL } },
		{ "undefined", { .type = VD_QUERY_UNDEFINED } },
	};

	if (lexer->token.kind == VD_TOKEN_STRING) {
		*ret_value = (struct vd_query_value){ .type = VD_QUERY_STRING,
						      .string = lexer->token.text };
		return true;
	}
	if (lexer->token.kind == VD_TOKEN_NUMBER) {
		*ret_value = (struct vd_query_value){ .type = VD_QUERY_NUMBER,
						      .number = lexer->token.number };
		return true;
	}
	for (size_t i = 0; i < VD_COUNT(words); i++) {
		if (vd_lexer_is_word(lexer, words[i].word)) {
			*ret_value = words[i].value;
			return true;
		}
	}
	return false;
}

/* name(…), the parenthesis being next. */
static int parse_function(struct vd_parser *parser, const struct vd_token *name, int *ret_node)
{
	int path, r;

	if (strcasecmp(name->text, "IS_DEFINED") != 0)
		return vd_lexer_refuse(&parser->lexer, name->start,
				       "there is no function %.40s here, only IS_DEFINED",
				       name->text);
	r = vd_lexer_next(&parser->lexer);
	if (r == 0)
		r = vd_parse_path(parser, &path);
	if (r == 0)
		r = vd_parse_sign(parser, VD_TOKEN_CLOSE, "')'");
	if (r == 0)
		r = make_node(parser, VD_NODE_IS_DEFINED, VD_NODE_NONE, VD_NODE_NONE, ret_node);
	if (r == 0)
		parser->query->nodes[*ret_node].path = path;
	return r;
}

static int parse_named(struct vd_parser *parser, int *ret_node)
{
	struct vd_token first = parser->lexer.token;
	int path, r;

	if (first.kind == VD_TOKEN_NAME && vd_parse_is_reserved(first.text))
		return vd_lexer_expected(&parser->lexer, "a value");
	r = vd_lexer_next(&parser->lexer);
	if (r < 0)
		return r;
	if (first.kind == VD_TOKEN_NAME && parser->lexer.token.kind == VD_TOKEN_OPEN)
		return parse_function(parser, &first, ret_node);
	r = vd_parse_path_after(parser, &first, &path);
	if (r == 0)
		r = make_node(parser, VD_NODE_PATH, VD_NODE_NONE, VD_NODE_NONE, ret_node);
	if (r == 0)
		parser->query->nodes[*ret_node].path = path;
	return r;
}

static int parse_primary(struct vd_parser *parser, int *ret_node)
{
	struct vd_query_value value;
	int r;

	if (is_constant(&parser->lexer, &value)) {
		r = vd_lexer_next(&parser->lexer);
		return r < 0 ? r : make_constant(parser, value, ret_node);
	}
	if (parser->lexer.token.kind == VD_TOKEN_NAME ||
	    parser->lexer.token.kind == VD_TOKEN_QUOTED)
		return parse_named(parser, ret_node);
	if (parser->lexer.token.kind == VD_TOKEN_OPEN_LIST)
		return vd_lexer_refuse(&parser->lexer, parser->lexer.token.start,
				       "a list may only follow IN or NIN");
	if (parser->lexer.token.kind != VD_TOKEN_OPEN)
		return vd_lexer_expected(&parser->lexer, "a value");
	r = vd_lexer_next(&parser->lexer);
	if (r == 0)
		r = vd_parse_expression(parser, ret_node);
	return r < 0 ? r : vd_parse_sign(parser, VD_TOKEN_CLOSE, "')'");
}

/* The sign of a constant number becomes part of it. */
static int negate(struct vd_parser *parser, int operand, int *ret_node)
{
	struct vd_node *node = &parser->query->nodes[operand];

	if (node->kind == VD_NODE_CONSTANT && node->value.type == VD_QUERY_NUMBER) {
		node->value.number = -node->value.number;
		*ret_node = operand;
		return 0;
	}
	return make_node(parser, VD_NODE_NEGATE, operand, VD_NODE_NONE, ret_node);
}

static int parse_unary(struct vd_parser *parser, int *ret_node) /* NOLINT(misc-no-recursion) */
{
	bool is_minus = parser->lexer.token.kind == VD_TOKEN_MINUS;
	int operand, r;

	if (!is_minus && parser->lexer.token.kind != VD_TOKEN_PLUS)
		return parse_primary(parser, ret_node);
	if (++parser->depth > VD_QUERY_DEPTH)
		return too_deep(parser);
	r = vd_lexer_next(&parser->lexer);
	if (r == 0)
		r = parse_unary(parser, &operand);
	parser->depth--;
	if (r < 0)
		return r;
	if (is_minus)
		return negate(parser, operand, ret_node);
	*ret_node = operand;
	return 0;
}

struct binary {
	enum vd_token_kind token;
	enum vd_node_kind node;
};

/* NULL: the next token is none of them. */
static const struct binary *find_operator(const struct vd_parser *parser,
					  const struct binary *operators, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (parser->lexer.token.kind == operators[i].token)
			return &operators[i];
	}
	return NULL;
}

typedef int (*operand_fn)(struct vd_parser *parser, int *ret_node);

/* operand, then any number of "operator operand", from left to right. */
static int parse_chain(struct vd_parser *parser, const struct binary *operators, size_t count,
		       operand_fn operand, int *ret_node)
{
	const struct binary *found;
	int node, right, r = operand(parser, &node);

	while (r == 0 && (found = find_operator(parser, operators, count))) {
		r = vd_lexer_next(&parser->lexer);
		if (r == 0)
			r = operand(parser, &right);
		if (r == 0)
			r = make_node(parser, found->node, node, right, &node);
	}
	if (r == 0)
		*ret_node = node;
	return r;
}

static int parse_product(struct vd_parser *parser, int *ret_node)
{
	static const struct binary operators[] = { { VD_TOKEN_STAR, VD_NODE_MULTIPLY },
						   { VD_TOKEN_SLASH, VD_NODE_DIVIDE },
						   { VD_TOKEN_PERCENT, VD_NODE_MODULO } };

	return parse_chain(parser, operators, VD_COUNT(operators), parse_unary, ret_node);
}

static int parse_sum(struct vd_parser *parser, int *ret_node)
{
	static const struct binary operators[] = { { VD_TOKEN_PLUS, VD_NODE_ADD },
						   { VD_TOKEN_MINUS, VD_NODE_SUBTRACT } };

	return parse_chain(parser, operators, VD_COUNT(operators), parse_product, ret_node);
}

static int parse_list_constant(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	bool is_minus = lexer->token.kind == VD_TOKEN_MINUS;
	struct vd_query_value value;
	int r = is_minus ? vd_lexer_next(lexer) : 0;

	if (r < 0)
		return r;
	if (!is_constant(lexer, &value) || (is_minus && value.type != VD_QUERY_NUMBER))
		return vd_lexer_expected(lexer, is_minus ? "a number" : "a constant");
	if (is_minus)
		value.number = -value.number;
	r = vd_query_add_constant(parser->query, value);
	return r < 0 ? r : vd_lexer_next(lexer);
}

static int compare_values(const void *a, const void *b)
{
	return vd_query_value_compare(a, b);
}

/* Sorted and distinct, for a binary search and for one canonical text. */
static void close_list(struct vd_query *query, struct vd_node *node)
{
	struct vd_query_value *list = query->list + node->list;
	size_t kept = 1;

	qsort(list, query->list_count - node->list, sizeof *list, compare_values);
	for (size_t i = 1; i < query->list_count - node->list; i++) {
		if (vd_query_value_compare(&list[i], &list[kept - 1]) != 0)
			list[kept++] = list[i];
	}
	for (size_t i = 0; i < kept; i++)
		node->list_types |= 1U << list[i].type;
	node->list_count = kept;
	query->list_count = node->list + kept;
}

/* [1, 2, 3], after IN or NIN */
static int parse_list(struct vd_parser *parser, enum vd_node_kind kind, int left, int *ret_node)
{
	size_t first = parser->query->list_count;
	int node, r = vd_lexer_next(&parser->lexer);

	if (r == 0)
		r = vd_parse_sign(parser, VD_TOKEN_OPEN_LIST, "'['");
	if (r == 0)
		r = parse_list_constant(parser);
	while (r == 0 && parser->lexer.token.kind == VD_TOKEN_COMMA) {
		r = vd_lexer_next(&parser->lexer);
		if (r == 0)
			r = parse_list_constant(parser);
	}
	if (r == 0)
		r = vd_parse_sign(parser, VD_TOKEN_CLOSE_LIST, "',' or ']'");
	if (r == 0)
		r = make_node(parser, kind, left, VD_NODE_NONE, &node);
	if (r < 0)
		return r;
	parser->query->nodes[node].list = first;
	close_list(parser->query, &parser->query->nodes[node]);
	*ret_node = node;
	return 0;
}

static const struct binary comparisons[] = {
	{ VD_TOKEN_EQUAL, VD_NODE_EQUAL }, { VD_TOKEN_UNEQUAL, VD_NODE_UNEQUAL },
	{ VD_TOKEN_LESS, VD_NODE_LESS },   { VD_TOKEN_AT_MOST, VD_NODE_AT_MOST },
	{ VD_TOKEN_MORE, VD_NODE_MORE },   { VD_TOKEN_AT_LEAST, VD_NODE_AT_LEAST },
};

static int parse_comparison(struct vd_parser *parser, int *ret_node)
{
	const struct binary *found;
	int left, right, r = parse_sum(parser, &left);

	if (r < 0)
		return r;
	if (vd_lexer_is_word(&parser->lexer, "IN"))
		return parse_list(parser, VD_NODE_IN, left, ret_node);
	if (vd_lexer_is_word(&parser->lexer, "NIN"))
		return parse_list(parser, VD_NODE_NOT_IN, left, ret_node);
	found = find_operator(parser, comparisons, VD_COUNT(comparisons));
	if (!found) {
		*ret_node = left;
		return 0;
	}
	r = vd_lexer_next(&parser->lexer);
	if (r == 0)
		r = parse_sum(parser, &right);
	if (r == 0 && find_operator(parser, comparisons, VD_COUNT(comparisons)))
		return vd_lexer_refuse(&parser->lexer, parser->lexer.token.start,
				       "one comparison cannot follow another: use AND, or "
				       "parentheses");
	return r < 0 ? r : make_node(parser, found->node, left, right, ret_node);
}

static int parse_not(struct vd_parser *parser, int *ret_node) /* NOLINT(misc-no-recursion) */
{
	int operand, r;

	if (!vd_lexer_is_word(&parser->lexer, "NOT"))
		return parse_comparison(parser, ret_node);
	if (++parser->depth > VD_QUERY_DEPTH)
		return too_deep(parser);
	r = vd_lexer_next(&parser->lexer);
	if (r == 0)
		r = parse_not(parser, &operand);
	parser->depth--;
	return r < 0 ? r : make_node(parser, VD_NODE_NOT, operand, VD_NODE_NONE, ret_node);
}

/* One node for all operands between the same word. */
static int parse_operands(struct vd_parser *parser, const char *word, enum vd_node_kind kind,
			  operand_fn operand, int *ret_node)
{
	int node, last, next, r = operand(parser, ret_node);

	if (r < 0 || !vd_lexer_is_word(&parser->lexer, word))
		return r;
	last = *ret_node;
	r = make_node(parser, kind, last, VD_NODE_NONE, &node);
	while (r == 0 && vd_lexer_is_word(&parser->lexer, word)) {
		struct vd_node *nodes;

		r = vd_lexer_next(&parser->lexer);
		if (r == 0)
			r = operand(parser, &next);
		if (r < 0)
			return r;
		nodes = parser->query->nodes;
		nodes[last].next = next;
		last = next;
		if (nodes[node].depth <= nodes[next].depth)
			nodes[node].depth = 1 + nodes[next].depth;
		if (nodes[node].depth > VD_QUERY_DEPTH)
			return too_deep(parser);
	}
	*ret_node = node;
	return r;
}

static int parse_and(struct vd_parser *parser, int *ret_node)
{
	return parse_operands(parser, "AND", VD_NODE_AND, parse_not, ret_node);
}

int vd_parse_expression(struct vd_parser *parser, int *ret_node) /* NOLINT(misc-no-recursion) */
{
	int r;

	if (++parser->depth > VD_QUERY_DEPTH)
		return too_deep(parser);
	r = parse_operands(parser, "OR", VD_NODE_OR, parse_and, ret_node);
	parser->depth--;
	return r;
}
