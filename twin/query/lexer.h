/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/query/ast.h"

/*
 * Takes a query's text apart into tokens. Texts and names are decoded into the arena of the query;
 * every byte of the text is looked at once.
 */
enum vd_token_kind {
	VD_TOKEN_END,
	VD_TOKEN_NAME,   /* text; keywords are names, too */
	VD_TOKEN_QUOTED, /* [[name]]: text */
	VD_TOKEN_STRING, /* text */
	VD_TOKEN_NUMBER, /* number */
	VD_TOKEN_OPEN,
	VD_TOKEN_CLOSE,
	VD_TOKEN_OPEN_LIST,
	VD_TOKEN_CLOSE_LIST,
	VD_TOKEN_COMMA,
	VD_TOKEN_DOT,
	VD_TOKEN_STAR,
	VD_TOKEN_PLUS,
	VD_TOKEN_MINUS,
	VD_TOKEN_SLASH,
	VD_TOKEN_PERCENT,
	VD_TOKEN_EQUAL,
	VD_TOKEN_UNEQUAL,
	VD_TOKEN_LESS,
	VD_TOKEN_AT_MOST,
	VD_TOKEN_MORE,
	VD_TOKEN_AT_LEAST,
};

struct vd_token {
	enum vd_token_kind kind;
	size_t start, len; /* in the source */
	const char *text;
	double number;
};

struct vd_lexer {
	const char *source;
	size_t len, at;
	struct vd_query *query;
	struct vd_token token; /* the one that comes next */
	struct vd_fault *fault;
	bool single_quotes_only;
};

/* Goes on to the next token. 400 in fault and -EINVAL: no token begins here. */
VD_MUST int vd_lexer_next(struct vd_lexer *lexer);

/* Is the next token this word, in any case? */
bool vd_lexer_is_word(const struct vd_lexer *lexer, const char *word);

/* "position 3: " and the text; code 400; returns -EINVAL. */
VD_MUST int vd_lexer_refuse(struct vd_lexer *lexer, size_t at, const char *format, ...)
	VD_PRINTF(3, 4);

/* "position 3: expected <what>, found 'x'"; returns -EINVAL. */
VD_MUST int vd_lexer_expected(struct vd_lexer *lexer, const char *what);

/* The position of byte `at`: characters from 1. */
size_t vd_lexer_position(const char *source, size_t at);

/* Could it be written as a path's segment without brackets? */
bool vd_lexer_is_plain_name(const char *name);

/* The unit of "\uXXXX" at text; -1: it is not that. */
int32_t vd_lexer_hex_unit(const char *text, size_t len);

/* The character of one such escape, or of a surrogate pair of two; its length there, 0: none. */
size_t vd_lexer_decode(const char *text, size_t len, uint32_t *ret_character);

/* A character as UTF-8; returns the number of bytes. */
size_t vd_lexer_encode(uint32_t c, char bytes[static 4]);
