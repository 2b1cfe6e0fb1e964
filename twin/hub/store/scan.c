/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why by hand: cJSON's tree, with what base/json.c checks in it, takes 2.6 microseconds a record, this
 * 0.5 (bench_ingest), and 300,000 records a second leave 3.3 for everything. Debian 12 has no faster
 * parser for C (yyjson comes later, simdjson is C++). So this one only finds the ends of values,
 * and leaves judging (OTHER) to the other reader as soon as something is unusual.
 */
#include "twin/hub/store/scan.h"

#include <string.h>

#include "base/json.h"

/* What may follow in a string without a closer look. */
static const unsigned char is_plain[256] = {
	[' '] = 1,
	['!'] = 1,
	['#' ... '['] = 1,
	[']' ... 0x7E] = 1,
};

struct reader {
	const char *at, *end;
	int depth;
};

struct keys {
	struct vd_slice keys[VD_SCAN_MEMBERS];
	int count;
	uint64_t hashes; /* a bit for each */
};

static int scan_value(struct reader *in);

bool vd_slice_is(struct vd_slice slice, const char *word)
{
	return slice.text && strlen(word) == slice.len && !memcmp(slice.text, word, slice.len);
}

static void skip_space(struct reader *in)
{
	while (in->at < in->end && *in->at == ' ')
		in->at++;
}

/* Takes the character if it is the next one. */
static bool take(struct reader *in, char c)
{
	skip_space(in);
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* \uXXXX, behind "\u"; neither NUL nor half of a pair. */
static bool take_unicode(struct reader *in)
{
	const char *p = in->at;

	if (in->end - p < 4 || !is_hex(p[0]) || !is_hex(p[1]) || !is_hex(p[2]) || !is_hex(p[3]) ||
	    !memcmp(p, "0000", 4) || *p == 'd' || *p == 'D')
		return false;
	in->at += 4;
	return true;
}

static bool take_escape(struct reader *in)
{
	char c;

	if (in->end - in->at < 2)
		return false;
	c = in->at[1];
	in->at += 2;
	if (c == 'u')
		return take_unicode(in);
	return c && strchr("\"\\/bfnrt", c);
}

static bool take_character(struct reader *in)
{
	size_t n = vd_json_utf8((const unsigned char *)in->at, (size_t)(in->end - in->at));

	in->at += n;
	return n > 1;
}

/* A string behind its quote. ret_escaped: its value is not its text. */
static int scan_text(struct reader *in, struct vd_slice *ret_text, bool *ret_escaped)
{
	const char *start = in->at;

	*ret_escaped = false;
	for (;;) {
		while (in->at < in->end && is_plain[(unsigned char)*in->at])
			in->at++;
		if (in->at == in->end)
			return VD_SCAN_OTHER;
		if (*in->at == '"')
			break;
		if (*in->at == '\\')
			*ret_escaped = true;
		if (*in->at == '\\' ? !take_escape(in) : !take_character(in))
			return VD_SCAN_OTHER;
	}
	*ret_text = (struct vd_slice){ start, (size_t)(in->at - start) };
	in->at++;
	return 0;
}

static int skip_digits(struct reader *in)
{
	const char *start = in->at;

	while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
		in->at++;
	return (int)(in->at - start);
}

/* Two digits of exponent and forty characters: certainly finite, and known to strtod. */
static int scan_number(struct reader *in)
{
	enum { LONGEST = 40 };
	const char *start = in->at, *first;
	int digits;

	if (*in->at == '-')
		in->at++;
	first = in->at;
	digits = skip_digits(in);
	if (digits == 0 || (*first == '0' && digits > 1))
		return VD_SCAN_OTHER;
	if (in->at < in->end && *in->at == '.') {
		in->at++;
		if (skip_digits(in) == 0)
			return VD_SCAN_OTHER;
	}
	if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
		in->at++;
		if (in->at < in->end && (*in->at == '-' || *in->at == '+'))
			in->at++;
		digits = skip_digits(in);
		if (digits == 0 || digits > 2)
			return VD_SCAN_OTHER;
	}
	return in->at - start > LONGEST ? VD_SCAN_OTHER : 0;
}

static int scan_word(struct reader *in)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < VD_COUNT(words); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(in->end - in->at) >= len && !memcmp(in->at, words[i], len)) {
			in->at += len;
			return 0;
		}
	}
	return VD_SCAN_OTHER;
}

/* A key that stands twice is for the other reader to refuse. */
static int note_key(struct keys *keys, struct vd_slice key)
{
	uint64_t hash = key.len * 7, bit;

	for (size_t i = 0; i < key.len; i++)
		hash = hash * 31 + (unsigned char)key.text[i];
	bit = 1ULL << (hash >> 3 & 63);
	for (int i = 0; keys->hashes & bit && i < keys->count; i++) {
		if (keys->keys[i].len == key.len && !memcmp(keys->keys[i].text, key.text, key.len))
			return VD_SCAN_OTHER;
	}
	if (keys->count == VD_SCAN_MEMBERS)
		return VD_SCAN_OTHER;
	keys->hashes |= bit;
	keys->keys[keys->count++] = key;
	return 0;
}

/* The key of the next member and its ':'. */
static int scan_key(struct reader *in, struct keys *keys, struct vd_slice *ret_key)
{
	bool is_escaped;

	if (!take(in, '"') || scan_text(in, ret_key, &is_escaped) != 0 || is_escaped ||
	    !take(in, ':'))
		return VD_SCAN_OTHER;
	return note_key(keys, *ret_key);
}

/*
 * An object behind its brace; each member's value is read by fn, which is told the key.
 */
typedef int (*member_fn)(struct reader *in, struct vd_slice key, void *argument);

static int scan_members(struct reader *in, member_fn fn, void *argument)
{
	struct keys keys;
	struct vd_slice key;
	int r = ++in->depth > VD_SCAN_DEPTH ? VD_SCAN_OTHER : 0;

	keys.count = 0;
	keys.hashes = 0;
	if (r == 0 && take(in, '}')) {
		in->depth--;
		return 0;
	}
	do {
		if (r == 0)
			r = scan_key(in, &keys, &key);
		if (r == 0)
			r = fn(in, key, argument);
	} while (r == 0 && take(in, ','));
	in->depth--;
	return r == 0 && take(in, '}') ? 0 : VD_SCAN_OTHER;
}

static int scan_elements(struct reader *in)
{
	int r = ++in->depth > VD_SCAN_DEPTH ? VD_SCAN_OTHER : 0;

	if (r == 0 && take(in, ']')) {
		in->depth--;
		return 0;
	}
	do {
		if (r == 0)
			r = scan_value(in);
	} while (r == 0 && take(in, ','));
	in->depth--;
	return r == 0 && take(in, ']') ? 0 : VD_SCAN_OTHER;
}

static int skip_member(struct reader *in, struct vd_slice key, void *argument)
{
	return scan_value(in);
}

/* Recursion ends at VD_SCAN_DEPTH. */
static int scan_value(struct reader *in) /* NOLINT(misc-no-recursion) */
{
	struct vd_slice text;
	bool is_escaped;

	skip_space(in);
	if (in->at == in->end)
		return VD_SCAN_OTHER;
	switch (*in->at) {
	case '"':
		in->at++;
		return scan_text(in, &text, &is_escaped);
	case '{':
		in->at++;
		return scan_members(in, skip_member, NULL);
	case '[':
		in->at++;
		return scan_elements(in);
	case '-':
	case '0' ... '9':
		return scan_number(in);
	default:
		return scan_word(in);
	}
}

/* A value that is kept if it is a string. */
static int scan_kept(struct reader *in, struct vd_slice *slice)
{
	bool is_escaped;

	if (!take(in, '"'))
		return scan_value(in);
	return scan_text(in, slice, &is_escaped) == 0 && !is_escaped ? 0 : VD_SCAN_OTHER;
}

/* 15 digits and no more: below 2^53, and what else there may be the other reader knows. */
static int scan_seq(struct reader *in, int64_t *ret_seq)
{
	const char *start;
	int64_t seq = 0;
	int r;

	skip_space(in);
	start = in->at;
	r = scan_value(in);
	if (r != 0 || in->at - start > 15)
		return VD_SCAN_OTHER;
	for (; start < in->at; start++) {
		if (*start < '0' || *start > '9')
			return VD_SCAN_OTHER;
		seq = seq * 10 + (*start - '0');
	}
	*ret_seq = seq;
	return 0;
}

static int scan_body_member(struct reader *in, struct vd_slice key, void *argument)
{
	struct vd_scanned *record = argument;

	if (vd_slice_is(key, "verdict"))
		return scan_kept(in, &record->verdict);
	if (vd_slice_is(key, "serial"))
		return scan_kept(in, &record->serial);
	return scan_value(in);
}

static int scan_member(struct reader *in, struct vd_slice key, void *argument)
{
	struct vd_scanned *record = argument;

	if (vd_slice_is(key, "deviceId"))
		return scan_kept(in, &record->device);
	if (vd_slice_is(key, "bootId"))
		return scan_kept(in, &record->boot_id);
	if (vd_slice_is(key, "class"))
		return scan_kept(in, &record->class_name);
	if (vd_slice_is(key, "module"))
		return scan_kept(in, &record->module);
	if (vd_slice_is(key, "tWall"))
		return scan_kept(in, &record->wall);
	if (vd_slice_is(key, "seq"))
		return scan_seq(in, &record->seq);
	if (vd_slice_is(key, "id") || vd_slice_is(key, "receivedTime"))
		return VD_SCAN_OTHER; /* only the hub may add these */
	if (vd_slice_is(key, "body") && take(in, '{'))
		return scan_members(in, scan_body_member, record);
	return scan_value(in);
}

static int scan_end(struct reader *in)
{
	skip_space(in);
	return in->at == in->end ? VD_SCAN_END : VD_SCAN_OTHER;
}

int vd_scan_next(struct vd_scan *scan, struct vd_scanned *ret_record)
{
	struct reader in = { .at = scan->at, .end = scan->end };
	struct vd_scanned record = { .seq = -1 };
	const char *start;

	if (!take(&in, scan->is_begun ? ',' : '['))
		return scan->is_begun && take(&in, ']') ? scan_end(&in) : VD_SCAN_OTHER;
	scan->is_begun = true;
	skip_space(&in);
	start = in.at;
	if (!take(&in, '{') || scan_members(&in, scan_member, &record) != 0)
		return VD_SCAN_OTHER; /* an empty array too */
	record.text = (struct vd_slice){ start, (size_t)(in.at - start) };
	scan->at = in.at;
	*ret_record = record;
	return 0;
}

bool vd_boot_id_is_good(struct vd_slice boot_id)
{
	if (!boot_id.text || boot_id.len == 0 || boot_id.len > VD_BOOT_ID_MAX)
		return false;
	for (size_t i = 0; i < boot_id.len; i++) {
		char c = boot_id.text[i], lower = (char)(c | 0x20);
		bool is_digit = c >= '0' && c <= '9';

		if (!is_digit && (lower < 'a' || lower > 'z') && c != '-')
			return false;
	}
	return true;
}

bool vd_record_class_is_good(struct vd_slice class_name)
{
	static const char *const classes[] = { "telemetry", "raw", "verdict", "event", "alarm" };

	for (size_t i = 0; i < VD_COUNT(classes); i++) {
		if (vd_slice_is(class_name, classes[i]))
			return true;
	}
	return false;
}

bool vd_scanned_is_good(const struct vd_scanned *record, const char *device)
{
	return (!record->device.text || vd_slice_is(record->device, device)) &&
	       vd_boot_id_is_good(record->boot_id) && record->seq >= 0 &&
	       vd_record_class_is_good(record->class_name) &&
	       record->module.len <= VD_RECORD_MODULE_MAX;
}
