/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers: of the decimals that read back as the same double, the one with the fewest digits,
 * found by trying; laid out as ECMAScript does. Where two shortest ones exist (next to a few
 * powers of two) ECMAScript may choose the other.
 */
#include "twin/document/canonical.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_value(const cJSON *value, struct vd_buf *out);

static int append(struct vd_buf *out, const char *text)
{
	return vd_buf_append(out, text, strlen(text));
}

static const char *escape_of(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	case '\f':
		return "\\f";
	case '\r':
		return "\\r";
	default:
		return NULL;
	}
}

static int write_character(unsigned char c, struct vd_buf *out)
{
	const char *escape = escape_of(c);

	if (escape)
		return append(out, escape);
	return c < 0x20 ? vd_buf_printf(out, "\\u%04x", c) : vd_buf_append(out, &c, 1);
}

static int write_text(const char *text, struct vd_buf *out)
{
	int r = append(out, "\"");

	for (; *text && r == 0; text++)
		r = write_character((unsigned char)*text, out);
	return r == 0 ? append(out, "\"") : r;
}

/* Fewest digits, without sign and point, and the exponent of the first one. */
static int shortest_digits(double number, char digits[static 32])
{
	char text[40];
	size_t n = 0;
	char *p;

	for (int precision = 0; precision < 17; precision++) {
		(void)snprintf(text, sizeof text, "%.*e", precision, number);
		if (fabs(strtod(text, NULL) - number) <= 0)
			break;
	}
	for (p = text; *p != 'e'; p++) {
		if (*p != '.')
			digits[n++] = *p;
	}
	digits[n] = '\0';
	return (int)strtol(p + 1, NULL, 10);
}

/* ECMAScript's Number::toString: plain from 1e-6 up to 1e21, else with an exponent. */
static int write_number(double number, struct vd_buf *out)
{
	char digits[32];
	int exponent = shortest_digits(fabs(number), digits), count = (int)strlen(digits);
	const char *sign = number < 0 ? "-" : "";

	if (exponent >= 21 || exponent < -6)
		return vd_buf_printf(out, "%s%c%s%se%+d", sign, digits[0], count > 1 ? "." : "",
				     digits + 1, exponent);
	if (exponent < 0)
		return vd_buf_printf(out, "%s0.%.*s%s", sign, -exponent - 1, "0000000", digits);
	if (exponent + 1 < count)
		return vd_buf_printf(out, "%s%.*s.%s", sign, exponent + 1, digits,
				     digits + exponent + 1);
	return vd_buf_printf(out, "%s%s%.*s", sign, digits, exponent + 1 - count,
			     "00000000000000000000");
}

/* Order of UTF-16: characters from U+10000 are surrogates, before U+E000 to U+FFFF. */
static int rank(unsigned char lead)
{
	return lead >= 0xF0 ? 0xED * 8 + 1 + (lead - 0xF0) : lead * 8;
}

static int compare_keys(const void *a, const void *b)
{
	const char *left = (*(const cJSON *const *)a)->string,
		   *right = (*(const cJSON *const *)b)->string;

	while (*left && *left == *right) {
		left++;
		right++;
	}
	return rank((unsigned char)*left) - rank((unsigned char)*right);
}

static int write_object(const cJSON *object, struct vd_buf *out)
{
	size_t n = 0, count = (size_t)cJSON_GetArraySize(object);
	VD_CLEANUP(vd_free) const cJSON **members = calloc(count + 1, sizeof(const cJSON *));
	const cJSON *member;
	int r = members ? append(out, "{") : -ENOMEM;

	if (r < 0)
		return r;
	cJSON_ArrayForEach(member, object) members[n++] = member;
	qsort(members, n, sizeof *members, compare_keys);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = i > 0 ? append(out, ",") : 0;
		if (r == 0)
			r = write_text(members[i]->string, out);
		if (r == 0)
			r = append(out, ":");
		if (r == 0)
			r = write_value(members[i], out);
	}
	return r == 0 ? append(out, "}") : r;
}

static int write_array(const cJSON *array, struct vd_buf *out)
{
	const cJSON *item;
	int r = append(out, "[");

	cJSON_ArrayForEach(item, array)
	{
		if (r == 0 && item != array->child)
			r = append(out, ",");
		if (r == 0)
			r = write_value(item, out);
	}
	return r == 0 ? append(out, "]") : r;
}

static int write_value(const cJSON *value, struct vd_buf *out)
{
	if (cJSON_IsObject(value))
		return write_object(value, out);
	if (cJSON_IsArray(value))
		return write_array(value, out);
	if (cJSON_IsString(value))
		return write_text(value->valuestring, out);
	if (cJSON_IsNumber(value) && isfinite(value->valuedouble))
		return write_number(value->valuedouble, out);
	if (cJSON_IsBool(value))
		return append(out, cJSON_IsTrue(value) ? "true" : "false");
	return append(out, "null");
}

int vd_canonical_write(const cJSON *value, struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { .limit = out->limit };
	int r = write_value(value, &text);

	return r == 0 ? vd_buf_append(out, text.data, text.len) : r;
}

int vd_canonical_digest(const cJSON *value, char text[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf canonical = { 0 };
	int r = vd_canonical_write(value, &canonical);

	return r == 0 ? vd_sha256_text(canonical.data, canonical.len, text) : r;
}
