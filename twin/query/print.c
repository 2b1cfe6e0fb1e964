/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "twin/query/lexer.h"

/* How tightly each kind of node binds, and the sign between its operands. */
static const struct {
	int binding;
	const char *sign;
} nodes[] = {
	[VD_NODE_CONSTANT] = { 8, NULL },   [VD_NODE_PATH] = { 8, NULL },
	[VD_NODE_IS_DEFINED] = { 8, NULL }, [VD_NODE_OR] = { 1, " OR " },
	[VD_NODE_AND] = { 2, " AND " },     [VD_NODE_NOT] = { 3, "NOT " },
	[VD_NODE_EQUAL] = { 4, " = " },     [VD_NODE_UNEQUAL] = { 4, " != " },
	[VD_NODE_LESS] = { 4, " < " },      [VD_NODE_AT_MOST] = { 4, " <= " },
	[VD_NODE_MORE] = { 4, " > " },      [VD_NODE_AT_LEAST] = { 4, " >= " },
	[VD_NODE_IN] = { 4, " IN " },       [VD_NODE_NOT_IN] = { 4, " NIN " },
	[VD_NODE_ADD] = { 5, " + " },       [VD_NODE_SUBTRACT] = { 5, " - " },
	[VD_NODE_MULTIPLY] = { 6, " * " },  [VD_NODE_DIVIDE] = { 6, " / " },
	[VD_NODE_MODULO] = { 6, " % " },    [VD_NODE_NEGATE] = { 7, "-" },
};

static int print_string(const char *text, struct vd_buf *out)
{
	int r = vd_buf_append(out, "'", 1);

	for (; r == 0 && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\'' || c == '\\')
			r = vd_buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7F)
			r = vd_buf_printf(out, "\\u%04x", c);
		else
			r = vd_buf_append(out, text, 1);
	}
	return r < 0 ? r : vd_buf_append(out, "'", 1);
}

/* The fewest digits that read back as the same number. */
static int print_number(double number, struct vd_buf *out)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	return vd_buf_printf(out, "%s", text);
}

static int print_value(const struct vd_query_value *value, struct vd_buf *out)
{
	switch (value->type) {
	case VD_QUERY_STRING:
		return print_string(value->string, out);
	case VD_QUERY_NUMBER:
		return print_number(value->number, out);
	case VD_QUERY_BOOL:
		return vd_buf_printf(out, "%s", value->boolean ? "true" : "false");
	case VD_QUERY_NULL:
		return vd_buf_printf(out, "null");
	case VD_QUERY_UNDEFINED:
	case VD_QUERY_COMPOSITE:
		break;
	}
	return vd_buf_printf(out, "undefined");
}

static int print_list(const struct vd_query *query, const struct vd_node *node, struct vd_buf *out)
{
	int r = vd_buf_append(out, "[", 1);

	for (size_t i = 0; r == 0 && i < node->list_count; i++) {
		if (i > 0)
			r = vd_buf_append(out, ", ", 2);
		if (r == 0)
			r = print_value(&query->list[node->list + i], out);
	}
	return r < 0 ? r : vd_buf_append(out, "]", 1);
}

/* In parentheses if it binds less tightly than its place asks for. */
static int print_operand(const struct vd_query *query, int node, int binding,
			 struct vd_buf *out) /* NOLINT(misc-no-recursion) */
{
	bool is_loose = nodes[query->nodes[node].kind].binding < binding;
	int r = is_loose ? vd_buf_append(out, "(", 1) : 0;

	if (r == 0)
		r = vd_node_print(query, node, out);
	return r < 0 || !is_loose ? r : vd_buf_append(out, ")", 1);
}

/* Operands around the sign; the ones on the right must bind more tightly. */
static int print_operands(const struct vd_query *query, const struct vd_node *node,
			  struct vd_buf *out) /* NOLINT(misc-no-recursion) */
{
	int binding = nodes[node->kind].binding;
	bool is_chain = binding == 5 || binding == 6;
	int child = node->first, r = print_operand(query, child, binding + !is_chain, out);

	while (r == 0 && (child = query->nodes[child].next) != VD_NODE_NONE) {
		r = vd_buf_printf(out, "%s", nodes[node->kind].sign);
		if (r == 0)
			r = print_operand(query, child, binding + 1, out);
	}
	return r;
}

int vd_node_print(const struct vd_query *query, int index,
		  struct vd_buf *out) /* NOLINT(misc-no-recursion) */
{
	const struct vd_node *node = &query->nodes[index];
	int binding = nodes[node->kind].binding, r;

	switch (node->kind) {
	case VD_NODE_CONSTANT:
		return print_value(&node->value, out);
	case VD_NODE_PATH:
		return vd_buf_printf(out, "%s", query->paths[node->path].text);
	case VD_NODE_IS_DEFINED:
		return vd_buf_printf(out, "IS_DEFINED(%s)", query->paths[node->path].text);
	case VD_NODE_NOT:
	case VD_NODE_NEGATE:
		r = vd_buf_printf(out, "%s", nodes[node->kind].sign);
		return r < 0 ? r : print_operand(query, node->first, binding, out);
	case VD_NODE_IN:
	case VD_NODE_NOT_IN:
		r = print_operand(query, node->first, binding + 1, out);
		if (r == 0)
			r = vd_buf_printf(out, "%s", nodes[node->kind].sign);
		return r < 0 ? r : print_list(query, node, out);
	default:
		return print_operands(query, node, out);
	}
}

static int print_column(const struct vd_query *query, size_t i, struct vd_buf *out)
{
	static const char *const functions[] = { NULL, "COUNT", "AVG", "SUM", "MIN", "MAX" };
	const struct vd_column *column = &query->columns[i];
	const char *path = column->path < 0 ? "" : query->paths[column->path].text;
	bool is_plain = vd_lexer_is_plain_name(column->name);
	int r = i > 0 ? vd_buf_append(out, ", ", 2) : 0;

	if (r == 0 && column->kind == VD_COLUMN_PATH)
		r = vd_buf_printf(out, "%s", path);
	else if (r == 0)
		r = vd_buf_printf(out, "%s(%s)", functions[column->kind], path);
	return r < 0 ? r
		     : vd_buf_printf(out, " AS %s%s%s", is_plain ? "" : "[[", column->name,
				     is_plain ? "" : "]]");
}

static int print_select(const struct vd_query *query, struct vd_buf *out)
{
	static const char *const sources[] = { "devices", "devices.modules", "devices.jobs" };
	int r = vd_buf_printf(out, "SELECT ");

	if (r == 0 && query->top >= 0)
		r = vd_buf_printf(out, "TOP %lld ", (long long)query->top);
	if (r == 0 && query->is_whole)
		r = vd_buf_printf(out, "*");
	for (size_t i = 0; r == 0 && i < query->column_count; i++)
		r = print_column(query, i, out);
	return r < 0 ? r : vd_buf_printf(out, " FROM %s", sources[query->source]);
}

static int print_condition(const struct vd_query *query, struct vd_buf *out)
{
	int r = 0;

	if (query->is_never)
		return 0;
	if (query->where == VD_NODE_NONE)
		return vd_buf_printf(out, "*");
	if (query->source == VD_QUERY_MODULES)
		r = vd_buf_printf(out, "FROM devices.modules WHERE ");
	return r < 0 ? r : vd_node_print(query, query->where, out);
}

int vd_query_print(const struct vd_query *query, struct vd_buf *out)
{
	int r;

	if (query->is_condition)
		return print_condition(query, out);
	r = print_select(query, out);
	if (r == 0 && query->where != VD_NODE_NONE)
		r = vd_buf_printf(out, " WHERE ");
	if (r == 0 && query->where != VD_NODE_NONE)
		r = vd_node_print(query, query->where, out);
	for (size_t i = 0; r == 0 && i < query->group_count; i++)
		r = vd_buf_printf(out, "%s%s", i > 0 ? ", " : " GROUP BY ",
				  query->paths[query->groups[i]].text);
	return r;
}
