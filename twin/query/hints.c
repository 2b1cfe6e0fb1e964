/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/query/ast.h"

/*
 * An operand of the outermost AND (or of ANDs directly below) must be true. If it compares one path
 * with constants, what the path leads to is known to be one of them, or in a range; so it is if
 * it is an OR of nothing but equalities of one path. Ranges of one path and type are cut with each
 * other, so that "x > 1 AND x < 5" is one scan of the index.
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

static bool is_same_path(const struct vd_query *query, int a, int b)
{
	return a < 0 || !strcmp(query->paths[a].text, query->paths[b].text);
}

/* Appends constants; what is undefined equals nothing. */
static void keep_values(struct vd_query *query, const struct vd_query_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (values[i].type != VD_QUERY_UNDEFINED)
			query->hint_values[query->hint_value_count++] = values[i];
	}
}

/*
 * Is the node true only if one path, *path or the first one met, equals one of some constants?
 * Appends them.
 */
static bool gather(struct vd_query *query, int index, int *path) /* NOLINT(misc-no-recursion) */
{
	static const struct vd_query_value yes = { .type = VD_QUERY_BOOL, .boolean = true };
	const struct vd_node *node = &query->nodes[index];
	const struct vd_node *left = node->first < 0 ? NULL : &query->nodes[node->first];
	const struct vd_node *right = !left || left->next < 0 ? NULL : &query->nodes[left->next];
	const struct vd_node *named = node->kind == VD_NODE_PATH ? node : left;
	const struct vd_query_value *values = &yes;
	size_t count = 1;

	if (node->kind == VD_NODE_OR) {
		for (int child = node->first; child >= 0; child = query->nodes[child].next) {
			if (!gather(query, child, path))
				return false;
		}
		return true;
	}
	if (node->kind == VD_NODE_IN) {
		values = query->list + node->list;
		count = node->list_count;
	} else if (node->kind == VD_NODE_EQUAL) {
		named = right->kind == VD_NODE_PATH ? right : left;
		values = right->kind == VD_NODE_PATH ? &left->value : &right->value;
		if ((named == right ? left : right)->kind != VD_NODE_CONSTANT)
			return false;
	} else if (node->kind != VD_NODE_PATH) {
		return false;
	}
	if (named->kind != VD_NODE_PATH || !is_indexed(query, named->path) ||
	    !is_same_path(query, *path, named->path))
		return false;
	*path = named->path;
	keep_values(query, values, count);
	return true;
}

static int compare_values(const void *a, const void *b)
{
	return vd_query_value_compare(a, b);
}

/* A hint of the values gathered since `first`. */
static void hint_values(struct vd_query *query, int path, size_t first)
{
	struct vd_query_value *values = query->hint_values + first;
	struct vd_query_hint *hint = add_hint(query, path);
	size_t count = query->hint_value_count - first, kept = 0;

	qsort(values, count, sizeof *values, compare_values);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || vd_query_value_compare(&values[i], &values[kept - 1]) != 0)
			values[kept++] = values[i];
	}
	hint->values = values;
	hint->value_count = kept;
	hint->is_never = kept == 0;
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

static void hint_range(struct vd_query *query, enum vd_node_kind kind, int path,
		       const struct vd_query_value *value)
{
	struct vd_query_hint *hint;

	if (value->type == VD_QUERY_UNDEFINED) {
		hint_values(query, path, query->hint_value_count);
		return;
	}
	hint = find_range(query, path, value->type);
	if (kind == VD_NODE_MORE || kind == VD_NODE_AT_LEAST)
		cut_low(hint, *value, kind == VD_NODE_AT_LEAST);
	else
		cut_high(hint, *value, kind == VD_NODE_AT_MOST);
	check_range(hint);
}

static void collect_range(struct vd_query *query, const struct vd_node *node)
{
	const struct vd_node *left = &query->nodes[node->first];
	const struct vd_node *right = &query->nodes[left->next];

	if (left->kind == VD_NODE_CONSTANT && right->kind == VD_NODE_PATH &&
	    is_indexed(query, right->path))
		hint_range(query, turned(node->kind), right->path, &left->value);
	if (left->kind == VD_NODE_PATH && right->kind == VD_NODE_CONSTANT &&
	    is_indexed(query, left->path))
		hint_range(query, node->kind, left->path, &right->value);
}

static void collect(struct vd_query *query, int index) /* NOLINT(misc-no-recursion) */
{
	const struct vd_node *node = &query->nodes[index];
	size_t first = query->hint_value_count;
	int path = -1;

	if (node->kind == VD_NODE_AND) {
		for (int child = node->first; child >= 0; child = query->nodes[child].next)
			collect(query, child);
		return;
	}
	if (gather(query, index, &path)) {
		hint_values(query, path, first);
		return;
	}
	query->hint_value_count = first;
	if (node->kind >= VD_NODE_LESS && node->kind <= VD_NODE_AT_LEAST)
		collect_range(query, node);
}

int vd_hints_collect(struct vd_query *query)
{
	query->hints = calloc(query->node_count + 1, sizeof *query->hints);
	query->hint_values =
		calloc(query->node_count + query->list_count + 1, sizeof *query->hint_values);
	if (!query->hints || !query->hint_values)
		return -ENOMEM;
	if (query->where != VD_NODE_NONE)
		collect(query, query->where);
	query->is_hint_all = query->hint_count == 1 && query->hints->value_count > 0 &&
			     query->nodes[query->where].kind != VD_NODE_AND;
	return 0;
}

bool vd_query_is_hint_all(const struct vd_query *query)
{
	return query->is_hint_all;
}

size_t vd_query_hints(const struct vd_query *query, const struct vd_query_hint **ret_hints)
{
	*ret_hints = query->hints;
	return query->hint_count;
}

bool vd_query_is_all(const struct vd_query *query)
{
	return query->where == VD_NODE_NONE && !query->is_never;
}
