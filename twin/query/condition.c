/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "twin/query/parser.h"

/* What a target condition may read: the first names of a path, and how many there must be. */
static const struct {
	const char *names[2];
	size_t least;
	bool for_modules_only;
} readable[] = {
	{ { "tags" }, 2, false },
	{ { "deviceId" }, 1, false },
	{ { "properties", "reported" }, 3, false },
	{ { "moduleId" }, 1, true },
};

static bool is_readable(const struct vd_query *query, const struct vd_path *path)
{
	for (size_t i = 0; i < VD_COUNT(readable); i++) {
		if (path->count < readable[i].least ||
		    strcmp(query->segments[path->first], readable[i].names[0]) != 0 ||
		    (readable[i].least == 1 && path->count > 1))
			continue;
		if (readable[i].names[1] &&
		    strcmp(query->segments[path->first + 1], readable[i].names[1]) != 0)
			continue;
		return !readable[i].for_modules_only || query->source == VD_QUERY_MODULES;
	}
	return false;
}

static int check_paths(struct vd_parser *parser)
{
	const struct vd_query *query = parser->query;

	for (size_t i = 0; i < query->path_count; i++) {
		if (!is_readable(query, &query->paths[i]))
			return vd_lexer_refuse(&parser->lexer, query->paths[i].position,
					       "a target condition reads tags, properties.reported "
					       "and deviceId%s, not %.80s",
					       query->source == VD_QUERY_MODULES ? ", moduleId"
										 : "",
					       query->paths[i].text);
	}
	return 0;
}

/* Can it be true at all? */
static int check_boolean(struct vd_parser *parser)
{
	const struct vd_node *node = &parser->query->nodes[parser->query->where];
	bool is_constant = node->kind == VD_NODE_CONSTANT && node->value.type != VD_QUERY_BOOL;

	if (is_constant || node->kind >= VD_NODE_ADD)
		return vd_lexer_refuse(&parser->lexer, 0, "this is a value and not a condition");
	return 0;
}

/* FROM devices.modules WHERE */
static int parse_module_head(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	int r = vd_parse_word(parser, "FROM");

	if (r == 0)
		r = vd_parse_word(parser, "devices");
	if (r == 0)
		r = vd_parse_sign(parser, VD_TOKEN_DOT, "devices.modules");
	if (r == 0)
		r = vd_parse_word(parser, "modules");
	if (r < 0)
		return r;
	parser->query->source = VD_QUERY_MODULES;
	r = vd_parse_word(parser, "WHERE");
	if (r == 0 && lexer->token.kind == VD_TOKEN_STAR)
		return vd_lexer_expected(lexer, "a condition, since * is for devices only");
	return r;
}

static int parse_condition(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	bool is_star = lexer->token.kind == VD_TOKEN_STAR;
	int r = 0;

	parser->query->is_never = lexer->token.kind == VD_TOKEN_END;
	if (parser->query->is_never)
		return 0;
	if (vd_lexer_is_word(lexer, "SELECT"))
		return vd_lexer_refuse(lexer, lexer->token.start,
				       "a target condition is not a query: begin after WHERE");
	if (is_star)
		r = vd_lexer_next(lexer);
	else if (vd_lexer_is_word(lexer, "FROM"))
		r = parse_module_head(parser);
	if (r == 0 && !is_star)
		r = vd_parse_expression(parser, &parser->query->where);
	if (r == 0 && lexer->token.kind != VD_TOKEN_END)
		return vd_lexer_expected(lexer,
					 is_star ? "the end after *" : "an operator or the end");
	return r < 0 || is_star ? r : check_boolean(parser);
}

int vd_condition_parse(const char *text, size_t len, struct vd_query **ret_condition,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	struct vd_parser parser = {
		.lexer = { .source = text, .len = len, .fault = fault, .single_quotes_only = true }
	};
	int r;

	if (len > VD_QUERY_BYTES) {
		vd_fault_set(fault, 413, "", "the condition has %zu bytes, at most %d", len,
			     VD_QUERY_BYTES);
		return -EINVAL;
	}
	r = vd_query_new(len, &query);
	if (r < 0)
		return r;
	query->is_condition = query->is_whole = true;
	parser.query = parser.lexer.query = query;
	r = vd_lexer_next(&parser.lexer);
	if (r == 0)
		r = parse_condition(&parser);
	if (r == 0)
		r = vd_parse_finish(&parser);
	if (r == 0)
		r = check_paths(&parser);
	if (r == 0)
		*ret_condition = VD_TAKE(query);
	return r;
}
