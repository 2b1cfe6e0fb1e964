/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/inspect/expression/expression.h"

/* An expression as a tree in an array: a node comes after its operands. */
enum vd_node_kind {
	VD_NODE_NUMBER,
	VD_NODE_TEXT,
	VD_NODE_TRUTH,
	VD_NODE_NAME,
	VD_NODE_EXISTS, /* left: a name */
	VD_NODE_NEGATE, /* left */
	VD_NODE_NOT,    /* left */
	VD_NODE_OR,     /* from here on: left and right */
	VD_NODE_AND,
	VD_NODE_EQUAL,
	VD_NODE_UNEQUAL,
	VD_NODE_LESS,
	VD_NODE_AT_MOST,
	VD_NODE_MORE,
	VD_NODE_AT_LEAST,
	VD_NODE_IN, /* right: a list, or a name */
	VD_NODE_MATCHES,
	VD_NODE_ADD,
	VD_NODE_SUBTRACT,
	VD_NODE_MULTIPLY,
	VD_NODE_DIVIDE,
	VD_NODE_LIST, /* left: a literal; right: the rest, -1: none */
};

struct vd_node {
	enum vd_node_kind kind;
	enum vd_type type;
	int left, right;
	double number;                  /* VD_NODE_NUMBER; VD_NODE_TRUTH: 0 or 1 */
	int parts[VD_EXPRESSION_PARTS]; /* offsets into texts; of VD_NODE_TEXT: the first */
	int part_count;
	struct vd_name name; /* VD_NODE_NAME */
};

struct vd_expression {
	struct vd_node nodes[VD_EXPRESSION_NODES];
	int count, root;
	char texts[2 * VD_EXPRESSION_BYTES];
	int texts_len;
};

static inline const char *vd_node_text(const struct vd_expression *expression,
				       const struct vd_node *node, int part)
{
	return expression->texts + node->parts[part];
}
