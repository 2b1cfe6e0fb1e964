/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Azure's own validator (of IoT Edge) and its pages differ, the stricter one counts:
 * what passes here passes there. It looks at keys and integers inside of arrays, too.
 */
#include "twin/document/limits.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static const double integer_least = -4503599627370496.0, integer_most = 4503599627370495.0;

static bool is_free(const cJSON *member)
{
	return !strcmp(member->string, "$version") || !strcmp(member->string, "$metadata");
}

/* The next character of valid UTF-8. */
static uint32_t next_character(const char **text)
{
	const unsigned char *p = (const unsigned char *)*text;
	uint32_t c = *p++;

	if (c >= 0xC0)
		c &= c >= 0xF0 ? 0x07 : c >= 0xE0 ? 0x0F : 0x1F;
	while ((*p & 0xC0) == 0x80)
		c = c << 6 | (*p++ & 0x3F);
	*text = (const char *)p;
	return c;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x80 && c < 0xA0);
}

static size_t text_size(const char *text)
{
	size_t size = 0;

	while (*text) {
		const char *start = text;

		if (!is_control(next_character(&text)))
			size += (size_t)(text - start);
	}
	return size;
}

static size_t value_size(const cJSON *value);

static size_t member_size(const cJSON *member)
{
	return (member->string ? strlen(member->string) : 0) + value_size(member);
}

static size_t value_size(const cJSON *value)
{
	const cJSON *part;
	size_t size = 0;

	if (cJSON_IsString(value))
		return text_size(value->valuestring);
	if (cJSON_IsNumber(value))
		return 8;
	if (cJSON_IsBool(value))
		return 4;
	cJSON_ArrayForEach(part, value) size += member_size(part);
	return size;
}

size_t vd_limits_size(const cJSON *document)
{
	const cJSON *member;
	size_t size = 0;

	cJSON_ArrayForEach(member, document)
	{
		if (!member->string || !is_free(member))
			size += member_size(member);
	}
	return size;
}

/* Unicode's white space. */
static bool is_space(uint32_t c)
{
	static const uint32_t spaces[] = { 0x20,   0xA0,   0x1680, 0x2028,
					   0x2029, 0x202F, 0x205F, 0x3000 };

	for (size_t i = 0; i < VD_COUNT(spaces); i++) {
		if (c == spaces[i])
			return true;
	}
	return c >= 0x2000 && c <= 0x200A;
}

static int refuse(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	return -EINVAL;
}

int vd_limits_check_key(const char *key, struct vd_fault *fault)
{
	if (strlen(key) > VD_LIMITS_KEY_BYTES) {
		vd_fault_set(fault, 400, "", "the key has %zu bytes, at most %d are allowed",
			     strlen(key), VD_LIMITS_KEY_BYTES);
		return -EINVAL;
	}
	while (*key) {
		uint32_t c = next_character(&key);

		if (c == '.' || c == '$' || c == '#') {
			vd_fault_set(fault, 400, "", "'%c' is not allowed in a key", (char)c);
			return -EINVAL;
		}
		if (is_control(c) || c == 0x7F)
			return refuse(fault, "a control character is not allowed in a key");
		if (is_space(c))
			return refuse(fault, "white space is not allowed in a key");
	}
	return 0;
}

/*
 * cJSON does not say whether 1e17 was written as an integer. What is integral and below 2^63
 * counts as one; above, no reader takes it for an integer.
 */
static int check_number(double number, struct vd_fault *fault)
{
	if (!isfinite(number))
		return refuse(fault, "the number is not finite");
	if (floor(number) < number || fabs(number) >= 0x1p63 ||
	    (number >= integer_least && number <= integer_most))
		return 0;
	vd_fault_set(fault, 400, "", "the integer %.17g is beyond 2^52; a text can hold it",
		     number);
	return -EINVAL;
}

static int check_text(const char *text, struct vd_fault *fault)
{
	size_t len = strlen(text);

	if (len <= VD_LIMITS_STRING_BYTES)
		return 0;
	vd_fault_set(fault, 400, "", "the text has %zu bytes, at most %d are allowed", len,
		     VD_LIMITS_STRING_BYTES);
	return -EINVAL;
}

/* Where the check stands: levels below the document, and whether inside of an array. */
struct place {
	int depth;
	bool is_in_array;
};

static int check_value(const cJSON *value, struct place place, struct vd_fault *fault);

static int check_parts(const cJSON *whole, struct place place, struct vd_fault *fault)
{
	const cJSON *part;
	int r, index = 0;

	place.is_in_array = place.is_in_array || cJSON_IsArray(whole);
	cJSON_ArrayForEach(part, whole)
	{
		r = part->string ? vd_limits_check_key(part->string, fault) : 0;
		if (r == 0)
			r = check_value(part, place, fault);
		if (r < 0 && part->string)
			vd_fault_under(fault, part->string);
		else if (r < 0)
			vd_fault_under_index(fault, index);
		if (r < 0)
			return r;
		index++;
	}
	return 0;
}

static int check_value(const cJSON *value, struct place place, struct vd_fault *fault)
{
	if (cJSON_IsNumber(value))
		return check_number(value->valuedouble, fault);
	if (cJSON_IsString(value))
		return check_text(value->valuestring, fault);
	if (cJSON_IsNull(value) && place.is_in_array)
		return refuse(fault, "null is not allowed inside of an array");
	if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
		return 0;
	if (++place.depth > VD_LIMITS_DEPTH) {
		vd_fault_set(fault, 400, "", "deeper than %d levels", VD_LIMITS_DEPTH);
		return -EINVAL;
	}
	return check_parts(value, place, fault);
}

static int check_member(const cJSON *member, struct vd_fault *fault)
{
	int r = vd_limits_check_key(member->string, fault);

	if (r == 0)
		r = check_value(member, (struct place){ 0 }, fault);
	if (r < 0)
		vd_fault_under(fault, member->string);
	return r;
}

int vd_limits_check(const cJSON *document, size_t max_bytes, struct vd_fault *fault)
{
	const cJSON *member;
	size_t size;
	int r;

	if (!cJSON_IsObject(document))
		return refuse(fault, "must be an object");
	cJSON_ArrayForEach(member, document)
	{
		r = is_free(member) ? 0 : check_member(member, fault);
		if (r < 0)
			return r;
	}
	size = vd_limits_size(document);
	if (size <= max_bytes)
		return 0;
	vd_fault_set(fault, 413, "", "%zu bytes, at most %zu are allowed", size, max_bytes);
	return -EINVAL;
}
