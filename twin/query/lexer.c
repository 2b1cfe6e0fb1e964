/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/lexer.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHOWN = 40, NUMBER_BYTES = 64 };

size_t vd_lexer_position(const char *source, size_t at)
{
	size_t position = 1;

	for (size_t i = 0; i < at; i++)
		position += ((unsigned char)source[i] & 0xC0) != 0x80;
	return position;
}

int vd_lexer_refuse(struct vd_lexer *lexer, size_t at, const char *format, ...)
{
	char text[sizeof lexer->fault->text];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	vd_fault_set(lexer->fault, 400, "", "%s", text);
	vd_fault_prefix(lexer->fault, "position %zu", vd_lexer_position(lexer->source, at));
	return -EINVAL;
}

/* Bytes of source from at that fit into a message and end with a character. */
static int shown_length(const struct vd_lexer *lexer, size_t at, size_t len)
{
	if (len > SHOWN)
		len = SHOWN;
	while (len > 0 && at + len < lexer->len &&
	       ((unsigned char)lexer->source[at + len] & 0xC0) == 0x80)
		len--;
	return (int)len;
}

int vd_lexer_expected(struct vd_lexer *lexer, const char *what)
{
	const struct vd_token *token = &lexer->token;

	if (token->kind == VD_TOKEN_END)
		return vd_lexer_refuse(lexer, token->start, "expected %s, found the end", what);
	return vd_lexer_refuse(lexer, token->start, "expected %s, found %s%.*s%s", what,
			       token->kind == VD_TOKEN_STRING ? "" : "'",
			       shown_length(lexer, token->start, token->len),
			       lexer->source + token->start,
			       token->kind == VD_TOKEN_STRING ? "" : "'");
}

bool vd_lexer_is_word(const struct vd_lexer *lexer, const char *word)
{
	return lexer->token.kind == VD_TOKEN_NAME && !strcasecmp(lexer->token.text, word);
}

/* Length of the UTF-8 character at source[at]; 0: none. */
static size_t character_length(const struct vd_lexer *lexer, size_t at)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)lexer->source + at;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	uint32_t c = n == 4 ? p[0] & 0x0F : p[0] & 0x1F;

	if (n <= 1)
		return n;
	if (n == 3)
		c = p[0] & 0x0F;
	if (n > lexer->len - at)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	return p[0] < 0xF8 && c >= least[n] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF) ? n : 0;
}

static void put(struct vd_query *query, const char *bytes, size_t len)
{
	assert(query->arena_len + len <= query->arena_size);
	memcpy(query->arena + query->arena_len, bytes, len);
	query->arena_len += len;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

bool vd_lexer_is_plain_name(const char *name)
{
	if (!is_name_start(name[0]))
		return false;
	for (; *name; name++) {
		if (!is_name_start(*name) && !is_digit(*name))
			return false;
	}
	return true;
}

/* Copies one character, which may be of any length, from source[at] to the arena. */
static int copy_character(struct vd_lexer *lexer, size_t *at)
{
	size_t n = character_length(lexer, *at);

	if (n == 0 || lexer->source[*at] == '\0')
		return vd_lexer_refuse(lexer, *at, "this is not UTF-8 text");
	put(lexer->query, lexer->source + *at, n);
	*at += n;
	return 0;
}

static int read_name(struct vd_lexer *lexer, size_t at)
{
	struct vd_token *token = &lexer->token;

	token->kind = VD_TOKEN_NAME;
	token->text = lexer->query->arena + lexer->query->arena_len;
	while (at < lexer->len &&
	       (is_name_start(lexer->source[at]) || is_digit(lexer->source[at]))) {
		int r = copy_character(lexer, &at);

		if (r < 0)
			return r;
	}
	put(lexer->query, "", 1);
	lexer->at = at;
	return 0;
}

/* [[anything but two brackets]] */
static int read_quoted_name(struct vd_lexer *lexer, size_t start)
{
	const char *source = lexer->source;
	struct vd_token *token = &lexer->token;
	size_t at = start + 2;

	token->kind = VD_TOKEN_QUOTED;
	token->text = lexer->query->arena + lexer->query->arena_len;
	while (at < lexer->len) {
		bool is_end = lexer->len - at >= 2 && !memcmp(source + at, "]]", 2) &&
			      (lexer->len - at == 2 || source[at + 2] != ']');
		int r;

		if (is_end && at == start + 2)
			return vd_lexer_refuse(lexer, start, "[[]] has no name in it");
		if (is_end) {
			put(lexer->query, "", 1);
			lexer->at = at + 2;
			return 0;
		}
		r = copy_character(lexer, &at);
		if (r < 0)
			return r;
	}
	return vd_lexer_refuse(lexer, start, "[[ has no ]]");
}

int32_t vd_lexer_hex_unit(const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	int32_t unit = 0;

	if (len < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		const char *digit = memchr(digits, text[i] | 0x20, 16);

		if (!digit || text[i] < '0')
			return -1;
		unit = unit << 4 | (int32_t)(digit - digits);
	}
	return unit;
}

size_t vd_lexer_encode(uint32_t c, char bytes[static 4])
{
	static const unsigned lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3F));
	bytes[0] = (char)(lead[n] | c);
	return n;
}

size_t vd_lexer_decode(const char *text, size_t len, uint32_t *ret_character)
{
	int32_t unit = vd_lexer_hex_unit(text, len), low;

	if (unit < 0xD800 || unit > 0xDFFF) {
		*ret_character = (uint32_t)unit;
		return unit < 0 ? 0 : 6;
	}
	low = unit < 0xDC00 ? vd_lexer_hex_unit(text + 6, len - 6) : -1;
	if (low < 0xDC00 || low > 0xDFFF)
		return 0;
	*ret_character = 0x10000U + (((uint32_t)unit & 0x3FF) << 10 | ((uint32_t)low & 0x3FF));
	return 12;
}

static int read_unicode(struct vd_lexer *lexer, size_t *at)
{
	const char *text = lexer->source + *at;
	char bytes[4];
	uint32_t c;
	size_t n = vd_lexer_decode(text, lexer->len - *at, &c);

	if (vd_lexer_hex_unit(text, lexer->len - *at) < 0)
		return vd_lexer_refuse(lexer, *at, "\\u takes four hexadecimal digits");
	if (n == 0)
		return vd_lexer_refuse(lexer, *at, "half a surrogate pair");
	if (c == 0)
		return vd_lexer_refuse(lexer, *at, "\\u0000 is not allowed");
	put(lexer->query, bytes, vd_lexer_encode(c, bytes));
	*at += n;
	return 0;
}

static int read_escape(struct vd_lexer *lexer, size_t *at)
{
	char c = *at + 1 < lexer->len ? lexer->source[*at + 1] : '\0';

	if (c == 'u')
		return read_unicode(lexer, at);
	if (c != '\'' && c != '"' && c != '\\')
		return vd_lexer_refuse(lexer, *at, "escapes are \\' \\\" \\\\ and \\uXXXX");
	put(lexer->query, &c, 1);
	*at += 2;
	return 0;
}

/* The quote stands for itself when doubled, as target conditions write it. */
static int read_string(struct vd_lexer *lexer, size_t start)
{
	char quote = lexer->source[start];
	struct vd_token *token = &lexer->token;
	size_t at = start + 1;

	if (quote == '"' && lexer->single_quotes_only)
		return vd_lexer_refuse(lexer, start, "a target condition has single quotes only");
	token->kind = VD_TOKEN_STRING;
	token->text = lexer->query->arena + lexer->query->arena_len;
	while (at < lexer->len) {
		bool is_quote = lexer->source[at] == quote;
		int r;

		if (is_quote && (at + 1 == lexer->len || lexer->source[at + 1] != quote)) {
			put(lexer->query, "", 1);
			lexer->at = at + 1;
			return 0;
		}
		at += is_quote;
		r = lexer->source[at] == '\\' ? read_escape(lexer, &at)
					      : copy_character(lexer, &at);
		if (r < 0)
			return r;
	}
	return vd_lexer_refuse(lexer, start, "the text has no end: expected %c", quote);
}

static size_t digits_end(const struct vd_lexer *lexer, size_t at)
{
	while (at < lexer->len && is_digit(lexer->source[at]))
		at++;
	return at;
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Where a number that begins at `at` ends. */
static size_t number_end(const struct vd_lexer *lexer, size_t at)
{
	const char *source = lexer->source;
	size_t end, exponent;

	if (lexer->len - at > 2 && source[at] == '0' && (source[at + 1] | 0x20) == 'x') {
		for (at += 2; at < lexer->len && is_hex(source[at]);)
			at++;
		return at;
	}
	end = digits_end(lexer, at);
	if (lexer->len - end > 1 && source[end] == '.' && is_digit(source[end + 1]))
		end = digits_end(lexer, end + 1);
	if (end == lexer->len || (source[end] | 0x20) != 'e')
		return end;
	exponent = end + 1;
	if (exponent < lexer->len && (source[exponent] == '+' || source[exponent] == '-'))
		exponent++;
	at = digits_end(lexer, exponent);
	return at > exponent ? at : end;
}

static int read_number(struct vd_lexer *lexer, size_t start)
{
	size_t end = number_end(lexer, start);
	char text[NUMBER_BYTES], *rest = text;

	if (end - start >= sizeof text)
		return vd_lexer_refuse(lexer, start, "the number is too long");
	memcpy(text, lexer->source + start, end - start);
	text[end - start] = '\0';
	lexer->token.kind = VD_TOKEN_NUMBER;
	lexer->token.number = strtod(text, &rest);
	if (*rest || (end < lexer->len &&
		      (is_name_start(lexer->source[end]) || is_digit(lexer->source[end]))))
		return vd_lexer_refuse(lexer, start, "this is not a number");
	if (!isfinite(lexer->token.number))
		return vd_lexer_refuse(lexer, start, "the number is too large");
	lexer->at = end;
	return 0;
}

/* Signs, the longer ones first. */
static const struct {
	const char *text;
	enum vd_token_kind kind;
} signs[] = {
	{ "!=", VD_TOKEN_UNEQUAL },  { "<>", VD_TOKEN_UNEQUAL },   { "<=", VD_TOKEN_AT_MOST },
	{ ">=", VD_TOKEN_AT_LEAST }, { "=", VD_TOKEN_EQUAL },      { "<", VD_TOKEN_LESS },
	{ ">", VD_TOKEN_MORE },      { "(", VD_TOKEN_OPEN },       { ")", VD_TOKEN_CLOSE },
	{ "[", VD_TOKEN_OPEN_LIST }, { "]", VD_TOKEN_CLOSE_LIST }, { ",", VD_TOKEN_COMMA },
	{ ".", VD_TOKEN_DOT },       { "*", VD_TOKEN_STAR },       { "+", VD_TOKEN_PLUS },
	{ "-", VD_TOKEN_MINUS },     { "/", VD_TOKEN_SLASH },      { "%", VD_TOKEN_PERCENT },
};

static int read_sign(struct vd_lexer *lexer, size_t start)
{
	size_t shown = character_length(lexer, start);

	for (size_t i = 0; i < VD_COUNT(signs); i++) {
		size_t len = strlen(signs[i].text);

		if (lexer->len - start < len ||
		    memcmp(lexer->source + start, signs[i].text, len) != 0)
			continue;
		lexer->token.kind = signs[i].kind;
		lexer->at = start + len;
		return 0;
	}
	if (!shown || (unsigned char)lexer->source[start] < ' ')
		return vd_lexer_refuse(lexer, start, "this is not UTF-8 text");
	return vd_lexer_refuse(lexer, start, "'%.*s' has no meaning here", (int)shown,
			       lexer->source + start);
}

static int read_token(struct vd_lexer *lexer, size_t start)
{
	char c = lexer->source[start];

	if (c == '\'' || c == '"')
		return read_string(lexer, start);
	if (is_digit(c))
		return read_number(lexer, start);
	if (is_name_start(c))
		return read_name(lexer, start);
	if (c == '[' && lexer->len - start > 1 && lexer->source[start + 1] == '[')
		return read_quoted_name(lexer, start);
	return read_sign(lexer, start);
}

int vd_lexer_next(struct vd_lexer *lexer)
{
	int r = 0;

	while (lexer->at < lexer->len && memchr(" \t\r\n", lexer->source[lexer->at], 4))
		lexer->at++;
	lexer->token = (struct vd_token){ .kind = VD_TOKEN_END, .start = lexer->at };
	if (lexer->at < lexer->len)
		r = read_token(lexer, lexer->at);
	if (r == 0)
		lexer->token.len = lexer->at - lexer->token.start;
	return r;
}
