/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/ast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vd_query_new(size_t len, struct vd_query **ret_query)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = calloc(1, sizeof *query);

	if (!query)
		return -ENOMEM;
	query->top = -1;
	query->where = VD_NODE_NONE;
	/* A name of one byte becomes two; nothing grows more. */
	query->arena_size = 2 * len + 1;
	query->arena = malloc(query->arena_size);
	if (!query->arena)
		return -ENOMEM;
	*ret_query = VD_TAKE(query);
	return 0;
}

struct vd_query *vd_query_free(struct vd_query *query)
{
	if (!query)
		return NULL;
	for (size_t i = 0; i < query->path_count; i++)
		free(query->paths[i].text);
	free(query->paths);
	free(query->segments);
	free(query->nodes);
	free(query->list);
	free(query->where_paths);
	free(query->where_path_of);
	free(query->hints);
	free(query->hint_values);
	free(query->arena);
	free(query);
	return NULL;
}

/* Makes room for one more and zeroes it; the address of the array, NULL: no memory. */
static void *grow(void *array, size_t *count, size_t *room, size_t size)
{
	if (*count == *room) {
		size_t wanted = *room ? 2 * *room : 8;
		void *moved = realloc(array, wanted * size);

		if (!moved)
			return NULL;
		array = moved;
		*room = wanted;
	}
	memset((char *)array + *count * size, 0, size);
	(*count)++;
	return array;
}

int vd_query_add_node(struct vd_query *query, enum vd_node_kind kind)
{
	struct vd_node *nodes =
		grow(query->nodes, &query->node_count, &query->node_room, sizeof *nodes);

	if (!nodes)
		return -ENOMEM;
	query->nodes = nodes;
	nodes[query->node_count - 1] = (struct vd_node){
		.kind = kind, .first = VD_NODE_NONE, .next = VD_NODE_NONE, .depth = 1, .path = -1
	};
	return (int)query->node_count - 1;
}

int vd_query_add_path(struct vd_query *query)
{
	struct vd_path *paths =
		grow(query->paths, &query->path_count, &query->path_room, sizeof *paths);

	if (!paths)
		return -ENOMEM;
	query->paths = paths;
	paths[query->path_count - 1].first = query->segment_count;
	return (int)query->path_count - 1;
}

int vd_query_add_segment(struct vd_query *query, const char *segment)
{
	const char **segments = grow(query->segments, &query->segment_count, &query->segment_room,
				     sizeof *segments);

	if (!segments)
		return -ENOMEM;
	query->segments = segments;
	segments[query->segment_count - 1] = segment;
	return (int)query->segment_count - 1;
}

int vd_query_add_constant(struct vd_query *query, struct vd_query_value value)
{
	struct vd_query_value *list =
		grow(query->list, &query->list_count, &query->list_room, sizeof *list);

	if (!list)
		return -ENOMEM;
	query->list = list;
	list[query->list_count - 1] = value;
	return (int)query->list_count - 1;
}

enum vd_query_source vd_query_source(const struct vd_query *query)
{
	return query->source;
}

int64_t vd_query_top(const struct vd_query *query)
{
	return query->top;
}

bool vd_query_is_whole(const struct vd_query *query)
{
	return query->is_whole;
}

bool vd_query_is_aggregate(const struct vd_query *query)
{
	return query->is_aggregate;
}
