/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "twin/query/ast.h"

/* Nothing here allocates; the recursion is as deep as the parser let the expression be. */
enum { LINEAR = 8 }; /* longer lists are searched by halves */

static const struct vd_query_value undefined = { .type = VD_QUERY_UNDEFINED };

static struct vd_query_value evaluate(const struct vd_query *query, int index,
				      const struct vd_source *source);

static struct vd_query_value read_path(const struct vd_query *query, int path,
				       const struct vd_source *source)
{
	if (source->slots)
		return source->slots[query->paths[path].slot];
	return vd_query_value_of(vd_path_find(query, path, source->twin));
}

static struct vd_query_value boolean(bool is_true)
{
	return (struct vd_query_value){ .type = VD_QUERY_BOOL, .boolean = is_true };
}

/* As an operand of NOT, AND, OR: true, false or undefined. */
static struct vd_query_value truth(const struct vd_query *query, int index,
				   const struct vd_source *source) /* NOLINT(misc-no-recursion) */
{
	struct vd_query_value value = evaluate(query, index, source);

	if (value.type == VD_QUERY_BOOL || value.type == VD_QUERY_UNDEFINED)
		return value;
	return boolean(false);
}

/* One operand that decides (false of AND, true of OR) does so beside undefined ones, too. */
static struct vd_query_value
evaluate_all(const struct vd_query *query, const struct vd_node *node,
	     const struct vd_source *source) /* NOLINT(misc-no-recursion) */
{
	bool decisive = node->kind == VD_NODE_OR, has_undefined = false;

	for (int child = node->first; child != VD_NODE_NONE; child = query->nodes[child].next) {
		struct vd_query_value value = truth(query, child, source);

		if (value.type == VD_QUERY_UNDEFINED)
			has_undefined = true;
		else if (value.boolean == decisive)
			return boolean(decisive);
	}
	return has_undefined ? undefined : boolean(!decisive);
}

static struct vd_query_value compare(enum vd_node_kind kind, const struct vd_query_value *a,
				     const struct vd_query_value *b)
{
	int order;

	if (a->type != b->type || a->type == VD_QUERY_UNDEFINED || a->type == VD_QUERY_COMPOSITE)
		return undefined;
	order = vd_query_value_compare(a, b);
	switch (kind) {
	case VD_NODE_EQUAL:
		return boolean(order == 0);
	case VD_NODE_UNEQUAL:
		return boolean(order != 0);
	case VD_NODE_LESS:
		return boolean(order < 0);
	case VD_NODE_AT_MOST:
		return boolean(order <= 0);
	case VD_NODE_MORE:
		return boolean(order > 0);
	default:
		return boolean(order >= 0);
	}
}

static bool list_has(const struct vd_query_value *list, size_t count,
		     const struct vd_query_value *value)
{
	while (count > LINEAR) {
		size_t half = count / 2;
		int order = vd_query_value_compare(value, &list[half]);

		if (order == 0)
			return true;
		if (order > 0)
			list += half + 1;
		count = order > 0 ? count - half - 1 : half;
	}
	for (size_t i = 0; i < count; i++) {
		if (vd_query_value_compare(value, &list[i]) == 0)
			return true;
	}
	return false;
}

/* The OR of all comparisons: beside what is of another type it can only be true or undefined. */
static struct vd_query_value
evaluate_in(const struct vd_query *query, const struct vd_node *node,
	    const struct vd_source *source) /* NOLINT(misc-no-recursion) */
{
	struct vd_query_value value = evaluate(query, node->first, source);
	bool is_in;

	if (value.type == VD_QUERY_UNDEFINED || value.type == VD_QUERY_COMPOSITE)
		return undefined;
	is_in = list_has(query->list + node->list, node->list_count, &value);
	if (!is_in && node->list_types != 1U << value.type)
		return undefined;
	return boolean(is_in == (node->kind == VD_NODE_IN));
}

static double calculate(enum vd_node_kind kind, double a, double b)
{
	switch (kind) {
	case VD_NODE_ADD:
		return a + b;
	case VD_NODE_SUBTRACT:
		return a - b;
	case VD_NODE_MULTIPLY:
		return a * b;
	case VD_NODE_DIVIDE:
		return b == 0 ? NAN : a / b;
	default:
		return b == 0 ? NAN : fmod(a, b);
	}
}

/* What is no number has no result, and a result that JSON cannot hold is none. */
static struct vd_query_value number(double result)
{
	return isfinite(result)
		       ? (struct vd_query_value){ .type = VD_QUERY_NUMBER, .number = result }
		       : undefined;
}

static struct vd_query_value
evaluate_two(const struct vd_query *query, const struct vd_node *node,
	     const struct vd_source *source) /* NOLINT(misc-no-recursion) */
{
	struct vd_query_value a = evaluate(query, node->first, source);
	struct vd_query_value b = evaluate(query, query->nodes[node->first].next, source);

	if (node->kind < VD_NODE_ADD)
		return compare(node->kind, &a, &b);
	if (a.type != VD_QUERY_NUMBER || b.type != VD_QUERY_NUMBER)
		return undefined;
	return number(calculate(node->kind, a.number, b.number));
}

static struct vd_query_value
evaluate_one(const struct vd_query *query, const struct vd_node *node,
	     const struct vd_source *source) /* NOLINT(misc-no-recursion) */
{
	struct vd_query_value value;

	if (node->kind == VD_NODE_NOT) {
		value = truth(query, node->first, source);
		return value.type == VD_QUERY_BOOL ? boolean(!value.boolean) : undefined;
	}
	value = evaluate(query, node->first, source);
	return value.type == VD_QUERY_NUMBER ? number(-value.number) : undefined;
}

static struct vd_query_value
evaluate(const struct vd_query *query, int index,
	 const struct vd_source *source) /* NOLINT(misc-no-recursion) */
{
	const struct vd_node *node = &query->nodes[index];
	struct vd_query_value value;

	switch (node->kind) {
	case VD_NODE_CONSTANT:
		return node->value;
	case VD_NODE_PATH:
		return read_path(query, node->path, source);
	case VD_NODE_IS_DEFINED:
		value = read_path(query, node->path, source);
		return boolean(value.type != VD_QUERY_UNDEFINED);
	case VD_NODE_AND:
	case VD_NODE_OR:
		return evaluate_all(query, node, source);
	case VD_NODE_NOT:
	case VD_NODE_NEGATE:
		return evaluate_one(query, node, source);
	case VD_NODE_IN:
	case VD_NODE_NOT_IN:
		return evaluate_in(query, node, source);
	default:
		return evaluate_two(query, node, source);
	}
}

bool vd_query_matches_source(const struct vd_query *query, const struct vd_source *source)
{
	struct vd_query_value value;

	if (query->is_never)
		return false;
	if (query->where == VD_NODE_NONE)
		return true;
	value = evaluate(query, query->where, source);
	return value.type == VD_QUERY_BOOL && value.boolean;
}

bool vd_query_matches(const struct vd_query *query, const cJSON *twin)
{
	struct vd_source source = { .twin = twin };

	return vd_query_matches_source(query, &source);
}

int vd_query_project(const struct vd_query *query, const cJSON *twin, cJSON **ret_row)
{
	VD_CLEANUP(vd_json_free)
	cJSON *row = query->is_whole ? cJSON_Duplicate(twin, 1) : cJSON_CreateObject();

	if (!row)
		return -ENOMEM;
	for (size_t i = 0; i < query->column_count; i++) {
		const cJSON *value = vd_path_find(query, query->columns[i].path, twin);

		if (value && !vd_json_add_copy(row, query->columns[i].name, value))
			return -ENOMEM;
	}
	*ret_row = VD_TAKE(row);
	return 0;
}
