/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/query/lexer.h"

/*
 * Recursive descent over the lexer. Each function begins at the next token and leaves the one
 * behind what it read; 0, -EINVAL with the reason in the lexer's fault, or -ENOMEM.
 */
struct vd_parser {
	struct vd_lexer lexer;
	struct vd_query *query;
	int depth; /* of recursion */
};

/* Consumes the word, or refuses and says what was expected. */
VD_MUST int vd_parse_word(struct vd_parser *parser, const char *word);
VD_MUST int vd_parse_sign(struct vd_parser *parser, enum vd_token_kind kind, const char *shown);

/* a.b.[[c]]; `_after`: its first name was read already. */
VD_MUST int vd_parse_path(struct vd_parser *parser, int *ret_path);
VD_MUST int vd_parse_path_after(struct vd_parser *parser, const struct vd_token *first,
				int *ret_path);

VD_MUST int vd_parse_expression(struct vd_parser *parser, int *ret_node);

/* Is it one of the words that must be bracketed as the first name of a path? */
bool vd_parse_is_reserved(const char *word);

/* What WHERE needs once it is read: paths, their list, hints. */
VD_MUST int vd_parse_finish(struct vd_parser *parser);
