/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* An expression cut into tokens. Nothing is copied: a token points into the text. */
enum vd_token_kind {
	VD_TOKEN_END,
	VD_TOKEN_BAD, /* a byte that begins nothing, or a string without an end */
	VD_TOKEN_NUMBER,
	VD_TOKEN_STRING, /* text without its quotes */
	VD_TOKEN_WORD,
	VD_TOKEN_SIGN, /* one or two characters */
};

struct vd_token {
	enum vd_token_kind kind;
	const char *text;
	size_t len;
	size_t column; /* from 1 */
	double number;
};

struct vd_lexer {
	const char *text;
	size_t len, at;
	struct vd_token token; /* the one at hand */
};

void vd_lexer_init(struct vd_lexer *lexer, const char *text, size_t len); /* at the first token */
void vd_lexer_next(struct vd_lexer *lexer);

/* Is the token at hand this word or sign? */
bool vd_lexer_is(const struct vd_lexer *lexer, const char *text);
