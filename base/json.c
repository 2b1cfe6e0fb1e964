/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

cJSON *vd_json_free(cJSON *json)
{
	cJSON_Delete(json);
	return NULL;
}

size_t vd_json_utf8(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 0 },
		      { 0xE0, 0xC0, 0x80 },
		      { 0xF0, 0xE0, 0x800 },
		      { 0xF8, 0xF0, 0x10000 } };

	for (size_t n = 1; n <= VD_COUNT(forms); n++) {
		uint32_t c = p[0] & (unsigned char)~forms[n - 1].mask;

		if ((p[0] & forms[n - 1].mask) != forms[n - 1].lead)
			continue;
		if (n > left)
			return 0;
		for (size_t i = 1; i < n; i++) {
			if ((p[i] & 0xC0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3F);
		}
		return c >= forms[n - 1].least && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF) ? n
											      : 0;
	}
	return 0;
}

/*
 * What cJSON does not refuse by itself: bytes that are no UTF-8, a NUL or the escape \u0000
 * (cJSON's strings end there), and more brackets than VD_JSON_DEPTH, found before it recurses.
 */
static int check_text(const char *text, size_t len, struct vd_fault *fault)
{
	const unsigned char *p = (const unsigned char *)text;
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0, n; i < len; i += n) {
		n = vd_json_utf8(p + i, len - i);
		if (n == 0 || p[i] == '\0') {
			vd_fault_set(fault, 400, "", "byte %zu is not UTF-8 text", i);
			return -EINVAL;
		}
		if (in_string && p[i] == '\\') {
			if (len - i >= 6 && !memcmp(p + i, "\\u0000", 6)) {
				vd_fault_set(fault, 400, "", "byte %zu: \\u0000 is not allowed", i);
				return -EINVAL;
			}
			n = 2;
		} else if (p[i] == '"') {
			in_string = !in_string;
		} else if (!in_string && (p[i] == '{' || p[i] == '[') && ++depth > VD_JSON_DEPTH) {
			vd_fault_set(fault, 400, "", "byte %zu: deeper than %d levels", i,
				     VD_JSON_DEPTH);
			return -EINVAL;
		} else if (!in_string && (p[i] == '}' || p[i] == ']')) {
			depth--;
		}
	}
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_keys_once(const cJSON *object, struct vd_fault *fault)
{
	size_t n = 0, count = (size_t)cJSON_GetArraySize(object);
	VD_CLEANUP(vd_free) const char **keys = calloc(count + 1, sizeof *keys);
	const cJSON *item;

	if (!keys)
		return -ENOMEM;
	cJSON_ArrayForEach(item, object) keys[n++] = item->string;
	qsort(keys, n, sizeof *keys, compare_keys);
	for (size_t i = 1; i < n; i++) {
		if (!strcmp(keys[i - 1], keys[i])) {
			vd_fault_set(fault, 400, "", "this key stands twice");
			vd_fault_under(fault, keys[i]);
			return -EINVAL;
		}
	}
	return 0;
}

/* Depth is bounded by check_text. */
static int check_tree(const cJSON *json, struct vd_fault *fault) /* NOLINT(misc-no-recursion) */
{
	const cJSON *item;
	int r = 0, index = 0;

	if (cJSON_IsNumber(json) && !isfinite(json->valuedouble)) {
		vd_fault_set(fault, 400, "", "the number is too large");
		return -EINVAL;
	}
	if (cJSON_IsObject(json))
		r = check_keys_once(json, fault);
	cJSON_ArrayForEach(item, json)
	{
		if (r < 0)
			break;
		r = check_tree(item, fault);
		if (r < 0 && item->string)
			vd_fault_under(fault, item->string);
		else if (r < 0)
			vd_fault_under_index(fault, index);
		index++;
	}
	return r;
}

int vd_json_parse(const char *text, size_t len, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	const char *end = NULL;
	int r = check_text(text, len, fault);

	if (r < 0)
		return r;
	json = len ? cJSON_ParseWithLengthOpts(text, len, &end, 0) : NULL;
	if (!json) {
		vd_fault_set(fault, 400, "", len ? "not JSON at byte %td" : "empty, not JSON",
			     end ? end - text : 0);
		return -EINVAL;
	}
	for (; end < text + len; end++) {
		if (!strchr(" \t\r\n", *end)) {
			vd_fault_set(fault, 400, "", "more text after the JSON value, at byte %td",
				     end - text);
			return -EINVAL;
		}
	}
	r = check_tree(json, fault);
	if (r < 0)
		return r;
	*ret_json = VD_TAKE(json);
	return 0;
}

int vd_json_parse_commented(const char *text, size_t len, cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) != len) {
		vd_fault_set(fault, 400, "", "byte %zu is not UTF-8 text", strlen(copy));
		return -EINVAL;
	}
	cJSON_Minify(copy);
	return vd_json_parse(copy, strlen(copy), ret_json, fault);
}

char *vd_json_text(const cJSON *json)
{
	return cJSON_PrintUnformatted(json);
}

const cJSON *vd_json_get(const cJSON *object, const char *key)
{
	return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const char *vd_json_string(const cJSON *object, const char *key, const char *fallback)
{
	const cJSON *item = vd_json_get(object, key);

	return cJSON_IsString(item) ? item->valuestring : fallback;
}

double vd_json_number(const cJSON *object, const char *key, double fallback)
{
	const cJSON *item = vd_json_get(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

int64_t vd_json_int(const cJSON *object, const char *key, int64_t fallback)
{
	const cJSON *item = vd_json_get(object, key);

	if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= 9007199254740992.0))
		return fallback;
	return (int64_t)item->valuedouble;
}

bool vd_json_bool(const cJSON *object, const char *key, bool fallback)
{
	const cJSON *item = vd_json_get(object, key);

	return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

const cJSON *vd_json_object(const cJSON *object, const char *key)
{
	const cJSON *item = vd_json_get(object, key);

	return cJSON_IsObject(item) ? item : NULL;
}

const cJSON *vd_json_array(const cJSON *object, const char *key)
{
	const cJSON *item = vd_json_get(object, key);

	return cJSON_IsArray(item) ? item : NULL;
}

/* Does the pointer segment [p, end) name key? */
static bool segment_is(const char *p, const char *end, const char *key)
{
	for (; p < end && *key; p++, key++) {
		char c = *p;

		if (c == '~' && p + 1 < end)
			c = *++p == '1' ? '/' : '~';
		if (c != *key)
			return false;
	}
	return p == end && !*key;
}

/* -1: not an index as RFC 6901 writes one, or beyond any array. */
static int array_index(const char *p, const char *end)
{
	int index = 0;

	if (p == end || end - p > 9 || (*p == '0' && end - p > 1))
		return -1;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		index = index * 10 + (*p - '0');
	}
	return index;
}

static const cJSON *child_at(const cJSON *json, const char *p, const char *end)
{
	const cJSON *item;

	if (cJSON_IsArray(json))
		return cJSON_GetArrayItem(json, array_index(p, end));
	cJSON_ArrayForEach(item, json)
	{
		if (item->string && segment_is(p, end, item->string))
			return item;
	}
	return NULL;
}

const cJSON *vd_json_at(const cJSON *json, const char *pointer)
{
	while (json && *pointer == '/') {
		const char *end = strchrnul(pointer + 1, '/');

		json = child_at(json, pointer + 1, end);
		pointer = end;
	}
	return *pointer ? NULL : json;
}

bool vd_json_add_take(cJSON *object, const char *key, cJSON **value)
{
	cJSON *item = VD_TAKE(*value);

	if (item && cJSON_AddItemToObject(object, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool add(cJSON *object, const char *key, cJSON *item)
{
	return vd_json_add_take(object, key, &item);
}

bool vd_json_add_string(cJSON *object, const char *key, const char *value)
{
	return add(object, key, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

bool vd_json_add_number(cJSON *object, const char *key, double value)
{
	return add(object, key, cJSON_CreateNumber(value));
}

bool vd_json_add_bool(cJSON *object, const char *key, bool value)
{
	return add(object, key, cJSON_CreateBool(value));
}

bool vd_json_add_copy(cJSON *object, const char *key, const cJSON *value)
{
	return add(object, key, cJSON_Duplicate(value, 1));
}
