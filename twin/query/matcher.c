/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/query/matcher.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "twin/query/lexer.h"

/*
 * The paths that may still be met are a set of bits, at most SET in one pass; a member whose name
 * leaves none of them is skipped by its brackets and quotes alone.
 */
enum { SET = 64, NUMBER_BYTES = 64 };

struct vd_matcher {
	const struct vd_query *query;
	struct vd_query_value *slots;
	char *texts; /* decoded strings of this twin */
	size_t texts_len, texts_size;
};

struct scan {
	struct vd_matcher *matcher;
	const char *at, *end;
	size_t base;   /* slot of bit 0 */
	uint64_t left; /* the set that this pass still looks for; none: it may stop */
};

int vd_matcher_new(const struct vd_query *query, struct vd_matcher **ret_matcher)
{
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = calloc(1, sizeof *matcher);

	if (!matcher)
		return -ENOMEM;
	matcher->query = query;
	matcher->slots = calloc(query->where_path_count + 1, sizeof *matcher->slots);
	if (!matcher->slots)
		return -ENOMEM;
	*ret_matcher = VD_TAKE(matcher);
	return 0;
}

struct vd_matcher *vd_matcher_free(struct vd_matcher *matcher)
{
	if (!matcher)
		return NULL;
	free(matcher->slots);
	free(matcher->texts);
	free(matcher);
	return NULL;
}

/* --- names and sets --- */

static const struct vd_path *path_of(const struct scan *scan, unsigned bit)
{
	const struct vd_query *query = scan->matcher->query;

	return &query->paths[query->where_path_of[scan->base + bit]];
}

/* Those of the set whose name at this depth is this one. */
static uint64_t narrow(const struct scan *scan, uint64_t set, size_t depth, const char *name,
		       size_t len)
{
	uint64_t kept = 0;

	for (uint64_t left = set; left; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);
		const struct vd_path *path = path_of(scan, bit);
		const char *segment;

		if (path->count <= depth)
			continue;
		segment = scan->matcher->query->segments[path->first + depth];
		if (strlen(segment) == len && !memcmp(segment, name, len))
			kept |= (uint64_t)1 << bit;
	}
	return kept;
}

/* Those of the set that end at this depth: one at most, since no two are spelled alike. */
static uint64_t ending(const struct scan *scan, uint64_t set, size_t depth)
{
	for (uint64_t left = set; left; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);

		if (path_of(scan, bit)->count == depth)
			return (uint64_t)1 << bit;
	}
	return 0;
}

static void settle(const struct scan *scan, uint64_t bit, const struct vd_query_value *value)
{
	scan->matcher->slots[scan->base + (unsigned)__builtin_ctzll(bit)] = *value;
}

/* --- the text --- */

static bool skip_space(struct scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
		scan->at++;
	return scan->at < scan->end;
}

static bool take(struct scan *scan, char c)
{
	if (!skip_space(scan) || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

/* Is the quote at p escaped? */
static bool is_escaped(const char *start, const char *p)
{
	const char *q = p;

	while (q > start && q[-1] == '\\')
		q--;
	return (p - q) % 2 != 0;
}

/* Behind the string that begins here. */
static bool skip_string(struct scan *scan)
{
	const char *start = scan->at + 1, *p = start;

	while ((p = memchr(p, '"', (size_t)(scan->end - p)))) {
		if (!is_escaped(start, p)) {
			scan->at = p + 1;
			return true;
		}
		p++;
	}
	return false;
}

/* Behind the bracket that closes as many as are open. */
static bool skip_brackets(struct scan *scan, int open)
{
	static const signed char steps[256] = {
		['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1, ['"'] = 2
	};

	while (open > 0) {
		const char *p = scan->at;
		int step;

		while (p < scan->end && !steps[(unsigned char)*p])
			p++;
		scan->at = p;
		if (p == scan->end)
			return false;
		step = steps[(unsigned char)*p];
		if (step == 2) {
			if (!skip_string(scan))
				return false;
			continue;
		}
		open += step;
		scan->at++;
	}
	return true;
}

/* Behind the scalar, object or array that begins here. */
static bool skip_value(struct scan *scan)
{
	if (*scan->at == '"')
		return skip_string(scan);
	if (*scan->at == '{' || *scan->at == '[') {
		scan->at++;
		return skip_brackets(scan, 1);
	}
	while (scan->at < scan->end && *scan->at != ',' && *scan->at != '}' && *scan->at != ']')
		scan->at++;
	return true;
}

static const char escapes[][2] = { { '"', '"' },  { '\\', '\\' }, { '/', '/' },  { 'b', '\b' },
				   { 'f', '\f' }, { 'n', '\n' },  { 'r', '\r' }, { 't', '\t' } };

/* One escape at p to out, which both move on. */
static bool decode_escape(const char **p, const char *end, char **out)
{
	uint32_t c = 0;
	size_t n = vd_lexer_decode(*p, (size_t)(end - *p), &c);

	if (n > 0) {
		*p += n;
		*out += vd_lexer_encode(c, *out);
		return c != 0;
	}
	for (size_t i = 0; end - *p >= 2 && i < VD_COUNT(escapes); i++) {
		if ((*p)[1] != escapes[i][0])
			continue;
		*(*out)++ = escapes[i][1];
		*p += 2;
		return true;
	}
	return false;
}

/* What stands between the quotes, decoded and with a NUL; never longer than it was. */
static bool decode(const char *p, const char *end, char *out)
{
	while (p < end) {
		if (*p != '\\')
			*out++ = *p++;
		else if (!decode_escape(&p, end, &out))
			return false;
	}
	*out = '\0';
	return true;
}

/* The name of a member, in place, or behind all strings so far if it has escapes. */
static bool read_name(struct scan *scan, const char **ret_name, size_t *ret_len)
{
	char *room = scan->matcher->texts + scan->matcher->texts_len;
	const char *start = scan->at + 1;
	size_t len;

	if (!skip_string(scan))
		return false;
	len = (size_t)(scan->at - 1 - start);
	*ret_name = start;
	*ret_len = len;
	if (!memchr(start, '\\', len))
		return true;
	if (!decode(start, start + len, room))
		return false;
	*ret_name = room;
	*ret_len = strlen(room);
	return true;
}

static bool read_string(struct scan *scan, struct vd_query_value *value)
{
	struct vd_matcher *matcher = scan->matcher;
	const char *start = scan->at + 1;
	char *text = matcher->texts + matcher->texts_len;

	if (!skip_string(scan) || !decode(start, scan->at - 1, text))
		return false;
	matcher->texts_len += (size_t)(scan->at - start);
	value->type = VD_QUERY_STRING;
	value->string = text;
	return true;
}

static bool read_number(struct scan *scan, struct vd_query_value *value)
{
	char text[NUMBER_BYTES], *rest;
	const char *start = scan->at;
	size_t len;

	if (!skip_value(scan))
		return false;
	len = (size_t)(scan->at - start);
	if (len >= sizeof text)
		return false;
	memcpy(text, start, len);
	text[len] = '\0';
	value->type = VD_QUERY_NUMBER;
	value->number = strtod(text, &rest);
	return rest != text && rest[strspn(rest, " \t\r\n")] == '\0' && isfinite(value->number);
}

static bool read_word(struct scan *scan, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
		return false;
	scan->at += len;
	return true;
}

/* A scalar; an object or array is left where it is. */
static bool read_value(struct scan *scan, struct vd_query_value *value)
{
	char c = *scan->at;

	value->type = VD_QUERY_COMPOSITE;
	if (c == '{' || c == '[')
		return true;
	if (c == '"')
		return read_string(scan, value);
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(scan, value);
	value->type = c == 'n' ? VD_QUERY_NULL : VD_QUERY_BOOL;
	value->boolean = c == 't';
	return read_word(scan, c == 'n' ? "null" : c == 't' ? "true" : "false");
}

static bool scan_object(struct scan *scan, uint64_t set, size_t depth);

static bool scan_value(struct scan *scan, uint64_t set,
		       size_t depth) /* NOLINT(misc-no-recursion) */
{
	uint64_t here = ending(scan, set, depth);
	bool is_open = *scan->at == '{' || *scan->at == '[';
	struct vd_query_value value;

	if (here) {
		if (!read_value(scan, &value))
			return false;
		settle(scan, here, &value);
		set &= ~here;
		if (!is_open)
			return true;
	}
	return *scan->at == '{' && set ? scan_object(scan, set, depth) : skip_value(scan);
}

/* A member, and which of the set it concerns. */
static bool scan_member(struct scan *scan, uint64_t set, size_t depth,
			uint64_t *ret_met) /* NOLINT(misc-no-recursion) */
{
	const char *name;
	size_t len;

	if (!skip_space(scan) || *scan->at != '"' || !read_name(scan, &name, &len) ||
	    !take(scan, ':') || !skip_space(scan))
		return false;
	*ret_met = narrow(scan, set, depth, name, len);
	return *ret_met ? scan_value(scan, *ret_met, depth + 1) : skip_value(scan);
}

/*
 * A name stands once in an object, so that what a member concerned is done with; when nothing is
 * left, the rest is skipped. The depth of the recursion is bounded by that of the paths.
 */
static bool scan_object(struct scan *scan, uint64_t set,
			size_t depth) /* NOLINT(misc-no-recursion) */
{
	if (!take(scan, '{'))
		return false;
	if (take(scan, '}'))
		return true;
	do {
		uint64_t met;

		if (!scan_member(scan, set, depth, &met))
			return false;
		set &= ~met;
		scan->left &= ~met;
		if (!scan->left)
			return true;
		if (!set)
			return skip_brackets(scan, 1);
	} while (take(scan, ','));
	return take(scan, '}');
}

/* The set that `below` leaves; what ends at or above it is an object. */
static uint64_t enter(const struct scan *scan, uint64_t set, const char *below, size_t *ret_depth)
{
	static const struct vd_query_value object = { .type = VD_QUERY_COMPOSITE };
	size_t depth = 0;

	while (*below) {
		size_t len = strcspn(below, ".");
		uint64_t here;

		set = narrow(scan, set, depth++, below, len);
		here = ending(scan, set, depth);
		if (here)
			settle(scan, here, &object);
		set &= ~here;
		below += len + (below[len] == '.');
	}
	*ret_depth = depth;
	return set;
}

static int scan_part(struct vd_matcher *matcher, const struct vd_query_part *part)
{
	size_t count = matcher->query->where_path_count;

	for (size_t base = 0; base < count; base += SET) {
		struct scan scan = { matcher, part->text, part->text + part->len, base, 0 };
		uint64_t set =
			count - base >= SET ? UINT64_MAX : ((uint64_t)1 << (count - base)) - 1;
		size_t depth;

		set = enter(&scan, set, part->below, &depth);
		scan.left = set;
		if (set && !scan_object(&scan, set, depth))
			return -EINVAL;
	}
	return 0;
}

bool vd_matcher_reads(const struct vd_matcher *matcher, const char *below)
{
	const struct vd_query *query = matcher->query;
	size_t len = strlen(below);

	for (size_t i = 0; i < query->where_path_count; i++) {
		const char *path = query->where_paths[i];
		size_t path_len = strlen(path), least = path_len < len ? path_len : len;
		char next = path_len > len ? path[len] : below[path_len < len ? path_len : len];

		if (!len || (!strncmp(path, below, least) && (next == '.' || next == '\0')))
			return true;
	}
	return false;
}

/* Room for all strings of all parts, none of which grows by decoding, and for one name more. */
static int make_room(struct vd_matcher *matcher, const struct vd_query_part *parts, size_t count)
{
	size_t size = 1;
	char *texts;

	for (size_t i = 0; i < count; i++)
		size += 2 * parts[i].len;
	matcher->texts_len = 0;
	if (size <= matcher->texts_size)
		return 0;
	texts = realloc(matcher->texts, size);
	if (!texts)
		return -ENOMEM;
	matcher->texts = texts;
	matcher->texts_size = size;
	return 0;
}

int vd_matcher_ask(struct vd_matcher *matcher, const struct vd_query_part *parts, size_t count,
		   bool *ret_matches)
{
	struct vd_source source = { .slots = matcher->slots };
	int r = make_room(matcher, parts, count);

	memset(matcher->slots, 0, (matcher->query->where_path_count + 1) * sizeof *matcher->slots);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = scan_part(matcher, &parts[i]);
	if (r == 0)
		*ret_matches = vd_query_matches_source(matcher->query, &source);
	return r;
}
