/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/query/ast.h"

/*
 * An operand of the outermost AND (or of ANDs directly below) must be true. If it compares one path
 * with constants, what the path leads to is known to be one of them, or in a range. Ranges of
 * one path and type are cut with each other, so that "x > 1 AND x < 5" is one scan of the index.
 */
static bool is_indexed(const struct vd_query *query, int path)
{
	const struct vd_path *p = &query->paths[path];

	for (size_t i = 0; i < p->count; i++) {
		if (!strcmp(query->segments[p->first + i], "$metadata"))
			return false;
	}
	return true;
}

static struct vd_query_hint *add_hint(struct vd_query *query, int path)
{
	struct vd_query_hint *hint = &query->hints[query->hint_count++];

	*hint = (struct vd_query_hint){ .path = query->paths[path].text };
	return hint;
}

/* Constants that something could be equal to; undefined ones stand first. */
static void hint_values(struct vd_query *query, int path, const struct vd_query_value *values,
			size_t count)
{
	struct vd_query_hint *hint = add_hint(query, path);

	if (count && values[0].type == VD_QUERY_UNDEFINED) {
		values++;
		count--;
	}
	hint->values = values;
	hint->value_count = count;
	hint->is_never = count == 0;
}

static struct vd_query_hint *find_range(struct vd_query *query, int path, enum vd_query_type type)
{
	for (size_t i = 0; i < query->hint_count; i++) {
		struct vd_query_hint *hint = &query->hints[i];

		if (!hint->value_count && !hint->is_never &&
		    !strcmp(hint->path, query->paths[path].text) &&
		    (hint->low.type == type || hint->high.type == type))
			return hint;
	}
	return add_hint(query, path);
}

static void cut_low(struct vd_query_hint *hint, struct vd_query_value value, bool is_included)
{
	int order = vd_query_value_compare(&value, &hint->low); /* undefined is below all */

	if (order < 0 || (order == 0 && is_included))
		return;
	hint->low = value;
	hint->is_low_included = is_included;
}

static void cut_high(struct vd_query_hint *hint, struct vd_query_value value, bool is_included)
{
	int order = vd_query_value_compare(&value, &hint->high);

	if (hint->high.type != VD_QUERY_UNDEFINED && (order > 0 || (order == 0 && is_included)))
		return;
	hint->high = value;
	hint->is_high_included = is_included;
}

static void check_range(struct vd_query_hint *hint)
{
	int order;

	if (hint->low.type == VD_QUERY_UNDEFINED || hint->high.type == VD_QUERY_UNDEFINED)
		return;
	order = vd_query_value_compare(&hint->low, &hint->high);
	hint->is_never =
		order > 0 || (order == 0 && !(hint->is_low_included && hint->is_high_included));
}

static enum vd_node_kind turned(enum vd_node_kind kind)
{
	switch (kind) {
	case VD_NODE_LESS:
		return VD_NODE_MORE;
	case VD_NODE_AT_MOST:
		return VD_NODE_AT_LEAST;
	case VD_NODE_MORE:
		return VD_NODE_LESS;
	case VD_NODE_AT_LEAST:
		return VD_NODE_AT_MOST;
	default:
		return kind;
	}
}

static void hint_comparison(struct vd_query *query, enum vd_node_kind kind, int path,
			    const struct vd_query_value *value)
{
	struct vd_query_hint *hint;

	if (kind == VD_NODE_EQUAL || value->type == VD_QUERY_UNDEFINED) {
		hint_values(query, path, value, 1);
		return;
	}
	hint = find_range(query, path, value->type);
	if (kind == VD_NODE_MORE || kind == VD_NODE_AT_LEAST)
		cut_low(hint, *value, kind == VD_NODE_AT_LEAST);
	else
		cut_high(hint, *value, kind == VD_NODE_AT_MOST);
	check_range(hint);
}

static void collect(struct vd_query *query, int index) /* NOLINT(misc-no-recursion) */
{
	static const struct vd_query_value yes = { .type = VD_QUERY_BOOL, .boolean = true };
	const struct vd_node *node = &query->nodes[index];
	const struct vd_node *left = node->first < 0 ? NULL : &query->nodes[node->first];
	const struct vd_node *right = !left || left->next < 0 ? NULL : &query->nodes[left->next];
	bool is_turned = right && right->kind == VD_NODE_PATH;

	if (node->kind == VD_NODE_AND) {
		for (int child = node->first; child >= 0; child = query->nodes[child].next)
			collect(query, child);
		return;
	}
	if (node->kind == VD_NODE_PATH && is_indexed(query, node->path))
		hint_values(query, node->path, &yes, 1);
	if (node->kind == VD_NODE_IN && left->kind == VD_NODE_PATH && is_indexed(query, left->path))
		hint_values(query, left->path, query->list + node->list, node->list_count);
	if (node->kind < VD_NODE_EQUAL || node->kind > VD_NODE_AT_LEAST ||
	    node->kind == VD_NODE_UNEQUAL)
		return;
	if (is_turned && left->kind == VD_NODE_CONSTANT && is_indexed(query, right->path))
		hint_comparison(query, turned(node->kind), right->path, &left->value);
	if (left->kind == VD_NODE_PATH && right->kind == VD_NODE_CONSTANT &&
	    is_indexed(query, left->path))
		hint_comparison(query, node->kind, left->path, &right->value);
}

int vd_hints_collect(struct vd_query *query)
{
	query->hints = calloc(query->node_count + 1, sizeof *query->hints);
	if (!query->hints)
		return -ENOMEM;
	if (query->where != VD_NODE_NONE)
		collect(query, query->where);
	return 0;
}

size_t vd_query_hints(const struct vd_query *query, const struct vd_query_hint **ret_hints)
{
	*ret_hints = query->hints;
	return query->hint_count;
}
