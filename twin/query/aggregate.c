/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/aggregate.h"

#include <errno.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/canonical.h"
#include "twin/query/ast.h"

struct cell {
	double sum;
	int64_t count;
	cJSON *best; /* of MIN and MAX */
};

struct group {
	char *key;   /* canonical text of the values that it stands for */
	cJSON *keys; /* those values, by the text of their paths */
	struct cell cells[];
};

struct vd_aggregate {
	const struct vd_query *query;
	void *by_key; /* tsearch */
	struct group **groups;
	size_t count, room;
};

static struct group *free_group(const struct vd_query *query, struct group *group)
{
	if (!group)
		return NULL;
	for (size_t i = 0; i < query->column_count; i++)
		cJSON_Delete(group->cells[i].best);
	cJSON_Delete(group->keys);
	free(group->key);
	free(group);
	return NULL;
}

static void leave_group(void *group)
{
}

struct vd_aggregate *vd_aggregate_free(struct vd_aggregate *aggregate)
{
	if (!aggregate)
		return NULL;
	tdestroy(aggregate->by_key, leave_group);
	for (size_t i = 0; i < aggregate->count; i++)
		free_group(aggregate->query, aggregate->groups[i]);
	free(aggregate->groups);
	free(aggregate);
	return NULL;
}

static int compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->key, ((const struct group *)b)->key);
}

static int keep_group(struct vd_aggregate *aggregate, struct group *group)
{
	if (aggregate->count == aggregate->room) {
		size_t room = aggregate->room ? 2 * aggregate->room : 8;
		struct group **groups = realloc(aggregate->groups, room * sizeof *groups);

		if (!groups)
			return -ENOMEM;
		aggregate->groups = groups;
		aggregate->room = room;
	}
	if (!tsearch(group, &aggregate->by_key, compare_groups))
		return -ENOMEM;
	aggregate->groups[aggregate->count++] = group;
	return 0;
}

/* Takes keys and key, on failure too. */
static int add_group(struct vd_aggregate *aggregate, cJSON *keys, char *key,
		     struct group **ret_group)
{
	const struct vd_query *query = aggregate->query;
	struct group *group =
		calloc(1, sizeof *group + query->column_count * sizeof group->cells[0]);
	int r;

	if (!group) {
		cJSON_Delete(keys);
		free(key);
		return -ENOMEM;
	}
	group->keys = keys;
	group->key = key;
	r = keep_group(aggregate, group);
	if (r < 0)
		free_group(query, group);
	else
		*ret_group = group;
	return r;
}

/* The values of GROUP BY, by the text of their paths. */
static int take_keys(const struct vd_query *query, const cJSON *twin, cJSON **ret_keys)
{
	VD_CLEANUP(vd_json_free) cJSON *keys = cJSON_CreateObject();

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < query->group_count; i++) {
		const cJSON *value = vd_path_find(query, query->groups[i], twin);

		if (value && !vd_json_add_copy(keys, query->paths[query->groups[i]].text, value))
			return -ENOMEM;
	}
	*ret_keys = VD_TAKE(keys);
	return 0;
}

static int find_group(struct vd_aggregate *aggregate, const cJSON *twin, struct group **ret_group,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *keys = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf key = { 0 };
	struct group wanted, *const *found;
	int r = take_keys(aggregate->query, twin, &keys);

	if (r == 0)
		r = vd_canonical_write(keys, &key);
	if (r < 0)
		return r;
	wanted.key = key.data;
	found = (struct group *const *)tfind(&wanted, &aggregate->by_key, compare_groups);
	if (found) {
		*ret_group = *found;
		return 0;
	}
	if (aggregate->count == VD_AGGREGATE_GROUPS) {
		vd_fault_set(fault, 413, "", "GROUP BY makes more than %d groups",
			     VD_AGGREGATE_GROUPS);
		return -EINVAL;
	}
	return add_group(aggregate, VD_TAKE(keys), VD_TAKE(key.data), ret_group);
}

/* Does value stand before (MIN) or behind (MAX) the best so far? */
static bool is_better(const struct vd_column *column, const struct cell *cell, const cJSON *json)
{
	struct vd_query_value value = vd_query_value_of(json);
	struct vd_query_value best = vd_query_value_of(cell->best);
	int order;

	if (value.type == VD_QUERY_UNDEFINED || value.type == VD_QUERY_COMPOSITE)
		return false;
	order = vd_query_value_compare(&value, &best);
	return !cell->best || (column->kind == VD_COLUMN_MIN ? order < 0 : order > 0);
}

static int add_cell(const struct vd_query *query, const struct vd_column *column, struct cell *cell,
		    const cJSON *twin)
{
	const cJSON *json = column->path < 0 ? NULL : vd_path_find(query, column->path, twin);

	if (column->kind == VD_COLUMN_COUNT)
		cell->count++;
	if ((column->kind == VD_COLUMN_SUM || column->kind == VD_COLUMN_AVG) &&
	    cJSON_IsNumber(json)) {
		cell->sum += json->valuedouble;
		cell->count++;
	}
	if ((column->kind == VD_COLUMN_MIN || column->kind == VD_COLUMN_MAX) &&
	    is_better(column, cell, json)) {
		cJSON *copy = cJSON_Duplicate(json, 1);

		if (!copy)
			return -ENOMEM;
		cJSON_Delete(cell->best);
		cell->best = copy;
	}
	return 0;
}

int vd_aggregate_new(const struct vd_query *query, struct vd_aggregate **ret_aggregate)
{
	VD_CLEANUP(vd_aggregate_free) struct vd_aggregate *aggregate = calloc(1, sizeof *aggregate);
	struct group *group;

	if (!aggregate)
		return -ENOMEM;
	aggregate->query = query;
	if (query->group_count == 0) {
		int r = find_group(aggregate, NULL, &group, NULL);

		if (r < 0)
			return r;
	}
	*ret_aggregate = VD_TAKE(aggregate);
	return 0;
}

int vd_aggregate_add(struct vd_aggregate *aggregate, const cJSON *twin, struct vd_fault *fault)
{
	const struct vd_query *query = aggregate->query;
	struct group *group = query->group_count ? NULL : aggregate->groups[0];
	int r = group ? 0 : find_group(aggregate, twin, &group, fault);

	for (size_t i = 0; r == 0 && i < query->column_count; i++)
		r = add_cell(query, &query->columns[i], &group->cells[i], twin);
	return r;
}

bool vd_aggregate_is_count(const struct vd_query *query)
{
	for (size_t i = 0; i < query->column_count; i++) {
		if (query->columns[i].kind != VD_COLUMN_COUNT)
			return false;
	}
	return query->is_aggregate && query->group_count == 0;
}

void vd_aggregate_add_count(struct vd_aggregate *aggregate, int64_t count)
{
	for (size_t i = 0; i < aggregate->query->column_count; i++)
		aggregate->groups[0]->cells[i].count += count;
}

/* NULL with *ret_is_defined: no memory. */
static cJSON *cell_value(const struct vd_query *query, const struct group *group, size_t i,
			 bool *ret_is_defined)
{
	const struct vd_column *column = &query->columns[i];
	const struct cell *cell = &group->cells[i];
	const cJSON *copied = cell->best;

	if (column->kind == VD_COLUMN_PATH)
		copied = vd_json_get(group->keys, query->paths[column->path].text);
	*ret_is_defined = true;
	if (copied)
		return cJSON_Duplicate(copied, 1);
	if (column->kind == VD_COLUMN_COUNT)
		return cJSON_CreateNumber((double)cell->count);
	if (column->kind == VD_COLUMN_SUM && isfinite(cell->sum))
		return cJSON_CreateNumber(cell->sum);
	if (column->kind == VD_COLUMN_AVG && cell->count && isfinite(cell->sum))
		return cJSON_CreateNumber(cell->sum / (double)cell->count);
	*ret_is_defined = false;
	return NULL;
}

static int add_row(const struct vd_query *query, const struct group *group, cJSON *rows)
{
	cJSON *row = cJSON_CreateObject();

	if (!row)
		return -ENOMEM;
	if (!cJSON_AddItemToArray(rows, row)) {
		cJSON_Delete(row);
		return -ENOMEM;
	}
	for (size_t i = 0; i < query->column_count; i++) {
		bool is_defined;
		cJSON *value = cell_value(query, group, i, &is_defined);

		if (is_defined && !vd_json_add_take(row, query->columns[i].name, &value))
			return -ENOMEM;
	}
	return 0;
}

int vd_aggregate_finish(const struct vd_aggregate *aggregate, cJSON **ret_rows)
{
	VD_CLEANUP(vd_json_free) cJSON *rows = cJSON_CreateArray();
	int64_t top = aggregate->query->top;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < aggregate->count && (top < 0 || (int64_t)i < top); i++) {
		int r = add_row(aggregate->query, aggregate->groups[i], rows);

		if (r < 0)
			return r;
	}
	*ret_rows = VD_TAKE(rows);
	return 0;
}
