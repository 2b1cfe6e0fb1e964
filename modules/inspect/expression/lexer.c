/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/expression/lexer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 32 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char byte_at(const struct vd_lexer *lexer, size_t at)
{
	return at < lexer->len ? lexer->text[at] : '\0';
}

static size_t digits_from(const struct vd_lexer *lexer, size_t at)
{
	while (is_digit(byte_at(lexer, at)))
		at++;
	return at;
}

/* Digits, a point and digits, an exponent; a number is finite and stands alone. */
static void take_number(struct vd_lexer *lexer, struct vd_token *token)
{
	size_t end = digits_from(lexer, lexer->at), exponent;
	char copy[NUMBER_BYTES];

	if (byte_at(lexer, end) == '.' && is_digit(byte_at(lexer, end + 1)))
		end = digits_from(lexer, end + 1);
	if (byte_at(lexer, end) == 'e' || byte_at(lexer, end) == 'E') {
		const char sign = byte_at(lexer, end + 1);

		exponent = end + 1 + (sign == '+' || sign == '-');
		if (is_digit(byte_at(lexer, exponent)))
			end = digits_from(lexer, exponent);
	}
	token->len = end - lexer->at;
	if (token->len >= sizeof copy || is_letter(byte_at(lexer, end)))
		return;
	memcpy(copy, token->text, token->len);
	copy[token->len] = '\0';
	token->number = strtod(copy, NULL);
	if (isfinite(token->number))
		token->kind = VD_TOKEN_NUMBER;
}

static void take_word(struct vd_lexer *lexer, struct vd_token *token)
{
	while (is_letter(byte_at(lexer, lexer->at + token->len)) ||
	       is_digit(byte_at(lexer, lexer->at + token->len)))
		token->len++;
	token->kind = VD_TOKEN_WORD;
}

static void take_string(struct vd_lexer *lexer, struct vd_token *token)
{
	const char *end = memchr(token->text + 1, token->text[0], lexer->len - lexer->at - 1);

	if (!end || memchr(token->text, '\0', (size_t)(end - token->text)))
		return;
	token->kind = VD_TOKEN_STRING;
	token->text++;
	token->len = (size_t)(end - token->text);
	lexer->at += 2;
}

static void take_sign(struct vd_lexer *lexer, struct vd_token *token)
{
	const char first = token->text[0];

	if (!memchr("=!<>+-*/()[],.", first, 14))
		return;
	token->kind = VD_TOKEN_SIGN;
	token->len = memchr("=!<>", first, 4) && byte_at(lexer, lexer->at + 1) == '=' ? 2 : 1;
}

void vd_lexer_next(struct vd_lexer *lexer)
{
	struct vd_token token = { .kind = VD_TOKEN_BAD };

	while (lexer->at < lexer->len && memchr(" \t\r\n", lexer->text[lexer->at], 4))
		lexer->at++;
	token.text = lexer->text + lexer->at;
	token.column = lexer->at + 1;
	if (lexer->at == lexer->len)
		token.kind = VD_TOKEN_END;
	else if (is_digit(token.text[0]))
		take_number(lexer, &token);
	else if (is_letter(token.text[0]))
		take_word(lexer, &token);
	else if (token.text[0] == '\'' || token.text[0] == '"')
		take_string(lexer, &token);
	else
		take_sign(lexer, &token);
	lexer->at += token.len;
	lexer->token = token;
}

void vd_lexer_init(struct vd_lexer *lexer, const char *text, size_t len)
{
	*lexer = (struct vd_lexer){ .text = text, .len = len };
	vd_lexer_next(lexer);
}

bool vd_lexer_is(const struct vd_lexer *lexer, const char *text)
{
	const struct vd_token *token = &lexer->token;

	return (token->kind == VD_TOKEN_WORD || token->kind == VD_TOKEN_SIGN) &&
	       strlen(text) == token->len && memcmp(text, token->text, token->len) == 0;
}
