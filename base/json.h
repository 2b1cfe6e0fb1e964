/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * JSON from outside, on cJSON: bounded, strict about what follows the text, and with a
 * fault that names the place. Getters never fail: what is absent or of another type is
 * the fallback, so check first (base/schema.h) and read then.
 */
enum { VD_JSON_DEPTH = 32 };

cJSON *vd_json_free(cJSON *json); /* returns NULL */
VD_DEFINE_CLEANUP(cJSON, vd_json_free)

/*
 * Parses exactly one JSON value, white space around it allowed. The text need not end
 * with NUL. 400 in fault and -EINVAL: not JSON, not UTF-8, a NUL inside, a key twice in
 * an object, more than VD_JSON_DEPTH deep, a number that is not finite. -ENOMEM.
 */
VD_MUST int vd_json_parse(const char *text, size_t len, cJSON **ret_json, struct vd_fault *fault);

/* As vd_json_parse, but allows // and C comments: configuration files. */
VD_MUST int vd_json_parse_commented(const char *text, size_t len, cJSON **ret_json,
				    struct vd_fault *fault);

/* Length of the UTF-8 character at p; 0: none (overlong, surrogate, above U+10FFFF, cut). left > 0. */
size_t vd_json_utf8(const unsigned char *p, size_t left);

/* Compact text for the wire; NULL: no memory. Free with free(). */
char *vd_json_text(const cJSON *json);

const cJSON *vd_json_get(const cJSON *object, const char *key); /* NULL: absent; case-sensitive */
const char *vd_json_string(const cJSON *object, const char *key, const char *fallback);
double vd_json_number(const cJSON *object, const char *key, double fallback);
int64_t vd_json_int(const cJSON *object, const char *key, int64_t fallback);
bool vd_json_bool(const cJSON *object, const char *key, bool fallback);
const cJSON *vd_json_object(const cJSON *object, const char *key); /* NULL: absent or no object */
const cJSON *vd_json_array(const cJSON *object, const char *key);

/* RFC 6901; NULL: nothing there. "" is json itself. */
const cJSON *vd_json_at(const cJSON *json, const char *pointer);

/*
 * Building: each adds a copy of its value under key. They return false when memory ran out;
 * the object is then incomplete, and its text must not be used.
 */
bool vd_json_add_string(cJSON *object, const char *key, const char *value); /* NULL value: null */
bool vd_json_add_number(cJSON *object, const char *key, double value);
bool vd_json_add_bool(cJSON *object, const char *key, bool value);
bool vd_json_add_copy(cJSON *object, const char *key, const cJSON *value);
bool vd_json_add_take(cJSON *object, const char *key,
		      cJSON **value); /* takes *value, frees it on failure */
