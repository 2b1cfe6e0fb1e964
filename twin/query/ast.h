/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/query/query.h"

/*
 * A parsed query, for this folder only. Nodes name each other by index, so that the whole is a few
 * arrays and not a heap of pieces; texts lie in one arena, which is sized from the query's text
 * at the start and never moves.
 */
enum { VD_NODE_NONE = -1 };

enum vd_node_kind {
	VD_NODE_CONSTANT,   /* value */
	VD_NODE_PATH,       /* path */
	VD_NODE_IS_DEFINED, /* path */
	VD_NODE_OR,         /* two children or more */
	VD_NODE_AND,
	VD_NODE_NOT,
	VD_NODE_EQUAL,
	VD_NODE_UNEQUAL,
	VD_NODE_LESS,
	VD_NODE_AT_MOST,
	VD_NODE_MORE,
	VD_NODE_AT_LEAST,
	VD_NODE_IN, /* one child, and the constants of list, sorted and distinct */
	VD_NODE_NOT_IN,
	VD_NODE_ADD,
	VD_NODE_SUBTRACT,
	VD_NODE_MULTIPLY,
	VD_NODE_DIVIDE,
	VD_NODE_MODULO,
	VD_NODE_NEGATE,
};

struct vd_node {
	enum vd_node_kind kind;
	int first, next; /* child, sibling */
	int depth;       /* levels from here down */
	int path;
	struct vd_query_value value;
	size_t list, list_count;
	unsigned list_types; /* 1 << enum vd_query_type, of each in the list */
};

struct vd_path {
	size_t first, count; /* in segments */
	size_t position;     /* in the text, for messages */
	bool is_first_quoted;
	char *text;
	size_t slot; /* in where_paths, for those of WHERE */
};

enum vd_column_kind {
	VD_COLUMN_PATH,
	VD_COLUMN_COUNT,
	VD_COLUMN_AVG,
	VD_COLUMN_SUM,
	VD_COLUMN_MIN,
	VD_COLUMN_MAX
};

struct vd_column {
	enum vd_column_kind kind;
	int path;         /* COUNT has none */
	const char *name; /* in a row; NULL until resolved */
	size_t position;
};

struct vd_query {
	enum vd_query_source source;
	bool is_whole, is_aggregate, is_condition, is_never;
	int64_t top;
	int where; /* VD_NODE_NONE: all */
	const char *alias;
	char *arena;
	size_t arena_len, arena_size;
	struct vd_node *nodes;
	size_t node_count, node_room;
	struct vd_query_value *list;
	size_t list_count, list_room;
	const char **segments;
	size_t segment_count, segment_room;
	struct vd_path *paths;
	size_t path_count, path_room;
	struct vd_column columns[VD_QUERY_COLUMNS];
	size_t column_count;
	int groups[VD_QUERY_COLUMNS]; /* paths */
	size_t group_count;
	const char **where_paths; /* sorted and distinct */
	int *where_path_of;       /* for each of them, one path that is spelled so */
	size_t where_path_count;
	struct vd_query_hint *hints;
	size_t hint_count;
	bool is_hint_all;                   /* WHERE says what its one hint does */
	struct vd_query_value *hint_values; /* of all hints */
	size_t hint_value_count;
};

/* An empty query with room for the texts of `len` bytes of source. -ENOMEM. */
VD_MUST int vd_query_new(size_t len, struct vd_query **ret_query);

/* Appends one zeroed element and returns its index, or -ENOMEM. */
VD_MUST int vd_query_add_node(struct vd_query *query, enum vd_node_kind kind);
VD_MUST int vd_query_add_path(struct vd_query *query);
VD_MUST int vd_query_add_segment(struct vd_query *query, const char *segment);
VD_MUST int vd_query_add_constant(struct vd_query *query, struct vd_query_value value);

/* Strips the collection's names from all paths, and spells them. 400 in fault, -EINVAL; -ENOMEM. */
VD_MUST int vd_paths_resolve(struct vd_query *query, const char *source, struct vd_fault *fault);

/* Lists the paths of WHERE. -ENOMEM. */
VD_MUST int vd_paths_collect(struct vd_query *query);

/* Finds the hints. -ENOMEM. */
VD_MUST int vd_hints_collect(struct vd_query *query);

/* ".segment", without the dot and with reserved words bracketed if it is the first. -ENOMEM, -E2BIG. */
VD_MUST int vd_path_append(struct vd_buf *out, const char *segment, bool is_first);

/* Where an expression finds what its paths lead to: in a twin, or in one value for each slot. */
struct vd_source {
	const cJSON *twin;
	const struct vd_query_value *slots; /* NULL: look into the twin */
};

bool vd_query_matches_source(const struct vd_query *query, const struct vd_source *source);

/* What a path leads to; NULL: undefined. */
const cJSON *vd_path_find(const struct vd_query *query, int path, const cJSON *twin);

/* Appends the text of an expression. -ENOMEM, -E2BIG. */
VD_MUST int vd_node_print(const struct vd_query *query, int node, struct vd_buf *out);
