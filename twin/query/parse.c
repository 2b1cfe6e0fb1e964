/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "twin/query/parser.h"

static const struct {
	const char *name;
	enum vd_column_kind kind;
} functions[] = { { "COUNT", VD_COLUMN_COUNT },
		  { "AVG", VD_COLUMN_AVG },
		  { "SUM", VD_COLUMN_SUM },
		  { "MIN", VD_COLUMN_MIN },
		  { "MAX", VD_COLUMN_MAX } };

/* COUNT() or AVG(path), the parenthesis being next. */
static int parse_aggregate(struct vd_parser *parser, const struct vd_token *name,
			   struct vd_column *column)
{
	struct vd_lexer *lexer = &parser->lexer;
	int r;

	for (size_t i = 0; i < VD_COUNT(functions); i++) {
		if (!strcasecmp(name->text, functions[i].name))
			column->kind = functions[i].kind;
	}
	if (column->kind == VD_COLUMN_PATH)
		return vd_lexer_refuse(lexer, name->start,
				       "there is no function %.40s here, only COUNT, AVG, SUM, "
				       "MIN and MAX",
				       name->text);
	parser->query->is_aggregate = true;
	r = vd_lexer_next(lexer);
	if (r == 0 && column->kind == VD_COLUMN_COUNT)
		return vd_parse_sign(parser, VD_TOKEN_CLOSE, "')', since COUNT() counts rows");
	if (r == 0)
		r = vd_parse_path(parser, &column->path);
	return r < 0 ? r : vd_parse_sign(parser, VD_TOKEN_CLOSE, "')'");
}

/* AS name */
static int parse_alias(struct vd_parser *parser, struct vd_column *column)
{
	struct vd_lexer *lexer = &parser->lexer;
	int r;

	if (!vd_lexer_is_word(lexer, "AS"))
		return 0;
	r = vd_lexer_next(lexer);
	if (r < 0)
		return r;
	if (lexer->token.kind != VD_TOKEN_NAME && lexer->token.kind != VD_TOKEN_QUOTED)
		return vd_lexer_expected(lexer, "a name after AS");
	column->name = lexer->token.text;
	return vd_lexer_next(lexer);
}

/* A column whose first name was read already. */
static int parse_column_after(struct vd_parser *parser, const struct vd_token *first)
{
	struct vd_query *query = parser->query;
	struct vd_column column = { .kind = VD_COLUMN_PATH, .path = -1, .position = first->start };
	int r;

	if (first->kind == VD_TOKEN_NAME && parser->lexer.token.kind == VD_TOKEN_OPEN)
		r = parse_aggregate(parser, first, &column);
	else
		r = vd_parse_path_after(parser, first, &column.path);
	if (r == 0)
		r = parse_alias(parser, &column);
	if (r < 0)
		return r;
	if (query->column_count == VD_QUERY_COLUMNS)
		return vd_lexer_refuse(&parser->lexer, first->start, "more than %d columns",
				       VD_QUERY_COLUMNS);
	query->columns[query->column_count++] = column;
	return 0;
}

static int parse_column(struct vd_parser *parser)
{
	struct vd_token first = parser->lexer.token;
	int r;

	if (first.kind != VD_TOKEN_QUOTED &&
	    (first.kind != VD_TOKEN_NAME || vd_parse_is_reserved(first.text)))
		return vd_lexer_expected(&parser->lexer, "a column");
	r = vd_lexer_next(&parser->lexer);
	return r < 0 ? r : parse_column_after(parser, &first);
}

/* TOP n: `top` is a column if no number follows. */
static int parse_top(struct vd_parser *parser, const struct vd_token *top, bool *ret_is_column)
{
	struct vd_lexer *lexer = &parser->lexer;
	double n = lexer->token.number;

	*ret_is_column = lexer->token.kind != VD_TOKEN_NUMBER;
	if (*ret_is_column)
		return parse_column_after(parser, top);
	if (n < 1 || n > 2147483647.0 || n != (double)(int64_t)n)
		return vd_lexer_expected(lexer, "a whole number from 1 to 2147483647 after TOP");
	parser->query->top = (int64_t)n;
	return vd_lexer_next(lexer);
}

static int parse_select(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	bool has_column = false;
	int r = vd_parse_word(parser, "SELECT");

	if (r == 0 && vd_lexer_is_word(lexer, "TOP")) {
		struct vd_token top = lexer->token;

		r = vd_lexer_next(lexer);
		if (r == 0)
			r = parse_top(parser, &top, &has_column);
	}
	if (r == 0 && !has_column && lexer->token.kind == VD_TOKEN_STAR) {
		parser->query->is_whole = true;
		return vd_lexer_next(lexer);
	}
	if (r == 0 && !has_column)
		r = parse_column(parser);
	while (r == 0 && lexer->token.kind == VD_TOKEN_COMMA) {
		r = vd_lexer_next(lexer);
		if (r == 0)
			r = parse_column(parser);
	}
	return r;
}

/* devices[.modules|.jobs] */
static int parse_source(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	int r = vd_parse_word(parser, "devices");

	if (r < 0 || lexer->token.kind != VD_TOKEN_DOT)
		return r;
	r = vd_lexer_next(lexer);
	if (r < 0)
		return r;
	if (vd_lexer_is_word(lexer, "modules"))
		parser->query->source = VD_QUERY_MODULES;
	else if (vd_lexer_is_word(lexer, "jobs"))
		parser->query->source = VD_QUERY_JOBS;
	else
		return vd_lexer_expected(lexer, "modules or jobs");
	return vd_lexer_next(lexer);
}

/* What other query languages have and people try; NULL: the next token is none of it. */
static const char *foreign_word(const struct vd_lexer *lexer)
{
	static const char *const words[] = { "ORDER", "HAVING", "LIMIT",  "OFFSET",
					     "JOIN",  "LIKE",   "BETWEEN" };

	for (size_t i = 0; i < VD_COUNT(words); i++) {
		if (vd_lexer_is_word(lexer, words[i]))
			return words[i];
	}
	return NULL;
}

static int parse_from(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;
	bool has_as;
	int r = vd_parse_word(parser, "FROM");

	if (r == 0)
		r = parse_source(parser);
	if (r < 0)
		return r;
	has_as = vd_lexer_is_word(lexer, "AS");
	if (has_as)
		r = vd_lexer_next(lexer);
	if (r < 0)
		return r;
	if (lexer->token.kind == VD_TOKEN_NAME && !vd_parse_is_reserved(lexer->token.text) &&
	    !foreign_word(lexer)) {
		parser->query->alias = lexer->token.text;
		return vd_lexer_next(lexer);
	}
	return has_as ? vd_lexer_expected(lexer, "a name after AS") : 0;
}

static int parse_group(struct vd_parser *parser)
{
	struct vd_query *query = parser->query;
	int r = vd_lexer_next(&parser->lexer);

	if (r == 0)
		r = vd_parse_word(parser, "BY");
	query->is_aggregate = true;
	while (r == 0) {
		if (query->group_count == VD_QUERY_COLUMNS)
			return vd_lexer_refuse(&parser->lexer, parser->lexer.token.start,
					       "more than %d paths to group by", VD_QUERY_COLUMNS);
		r = vd_parse_path(parser, &query->groups[query->group_count++]);
		if (r < 0 || parser->lexer.token.kind != VD_TOKEN_COMMA)
			break;
		r = vd_lexer_next(&parser->lexer);
	}
	return r;
}

static int parse_end(struct vd_parser *parser)
{
	struct vd_lexer *lexer = &parser->lexer;

	if (lexer->token.kind == VD_TOKEN_END)
		return 0;
	if (foreign_word(lexer))
		return vd_lexer_refuse(lexer, lexer->token.start, "the query language has no %s",
				       foreign_word(lexer));
	if (vd_lexer_is_word(lexer, "NOT"))
		return vd_lexer_refuse(lexer, lexer->token.start,
				       "expected AND or OR before NOT (NOT IN is written NIN)");
	if (parser->query->group_count)
		return vd_lexer_expected(lexer, "the end");
	return vd_lexer_expected(lexer, parser->query->where == VD_NODE_NONE
						? "WHERE, GROUP BY or the end"
						: "an operator, GROUP BY or the end");
}

static int parse_clauses(struct vd_parser *parser)
{
	int r = parse_select(parser);

	if (r == 0)
		r = parse_from(parser);
	if (r == 0 && vd_lexer_is_word(&parser->lexer, "WHERE")) {
		r = vd_lexer_next(&parser->lexer);
		if (r == 0)
			r = vd_parse_expression(parser, &parser->query->where);
	}
	if (r == 0 && vd_lexer_is_word(&parser->lexer, "GROUP"))
		r = parse_group(parser);
	return r < 0 ? r : parse_end(parser);
}

/* Names by AS, else the last name of the path; an aggregate without AS is $1, $2… by its place. */
static void name_column(struct vd_query *query, size_t i)
{
	struct vd_column *column = &query->columns[i];
	const struct vd_path *path;

	if (column->name)
		return;
	if (column->kind == VD_COLUMN_PATH) {
		path = &query->paths[column->path];
		column->name = query->segments[path->first + path->count - 1];
		return;
	}
	column->name = query->arena + query->arena_len;
	query->arena_len +=
		1 + (size_t)snprintf(query->arena + query->arena_len,
				     query->arena_size - query->arena_len, "$%zu", i + 1);
}

static bool is_grouped(const struct vd_query *query, int path)
{
	for (size_t i = 0; i < query->group_count; i++) {
		if (!strcmp(query->paths[query->groups[i]].text, query->paths[path].text))
			return true;
	}
	return false;
}

static int check_column(struct vd_parser *parser, size_t i)
{
	const struct vd_query *query = parser->query;
	const struct vd_column *column = &query->columns[i];

	for (size_t j = 0; j < i; j++) {
		if (!strcmp(query->columns[j].name, column->name))
			return vd_lexer_refuse(&parser->lexer, column->position,
					       "two columns are named %.40s: name one with AS",
					       column->name);
	}
	if (query->is_aggregate && column->kind == VD_COLUMN_PATH &&
	    !is_grouped(query, column->path))
		return vd_lexer_refuse(&parser->lexer, column->position,
				       "%.80s is neither in GROUP BY nor inside an aggregate",
				       query->paths[column->path].text);
	return 0;
}

static int check_select(struct vd_parser *parser)
{
	struct vd_query *query = parser->query;
	int r = 0;

	if (query->source == VD_QUERY_JOBS && (query->is_aggregate || !query->is_whole))
		return vd_lexer_refuse(&parser->lexer, 0,
				       "of devices.jobs there is only SELECT *, ungrouped");
	if (query->is_whole && query->group_count)
		return vd_lexer_refuse(&parser->lexer, 0,
				       "SELECT * cannot be grouped: name the columns");
	for (size_t i = 0; r == 0 && i < query->column_count; i++) {
		name_column(query, i);
		r = check_column(parser, i);
	}
	return r;
}

int vd_parse_finish(struct vd_parser *parser)
{
	int r = vd_paths_resolve(parser->query, parser->lexer.source, parser->lexer.fault);

	if (r == 0)
		r = check_select(parser);
	if (r == 0)
		r = vd_paths_collect(parser->query);
	return r < 0 ? r : vd_hints_collect(parser->query);
}

int vd_query_parse(const char *text, size_t len, struct vd_query **ret_query,
		   struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	struct vd_parser parser = { .lexer = { .source = text, .len = len, .fault = fault } };
	int r;

	if (len > VD_QUERY_BYTES) {
		vd_fault_set(fault, 413, "", "the query has %zu bytes, at most %d", len,
			     VD_QUERY_BYTES);
		return -EINVAL;
	}
	r = vd_query_new(len, &query);
	parser.query = parser.lexer.query = query;
	if (r == 0)
		r = vd_lexer_next(&parser.lexer);
	if (r == 0)
		r = parse_clauses(&parser);
	if (r == 0)
		r = vd_parse_finish(&parser);
	if (r == 0)
		*ret_query = VD_TAKE(query);
	return r;
}
