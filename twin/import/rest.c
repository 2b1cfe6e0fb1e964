/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/import/rest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 512 };

int vd_rest_init(struct vd_rest *rest)
{
	*rest = (struct vd_rest){ .taken = cJSON_CreateArray(), .notes = cJSON_CreateArray() };
	if (rest->taken && rest->notes)
		return 0;
	vd_rest_fini(rest);
	return -ENOMEM;
}

void vd_rest_fini(struct vd_rest *rest)
{
	rest->taken = vd_json_free(rest->taken);
	rest->notes = vd_json_free(rest->notes);
}

cJSON *vd_rest_take(struct vd_rest *rest, cJSON *object, const char *key)
{
	cJSON *member = cJSON_DetachItemFromObjectCaseSensitive(object, key);

	if (member)
		(void)cJSON_AddItemToArray(rest->taken, member);
	return member;
}

const char *vd_rest_take_text(struct vd_rest *rest, cJSON *object, const char *key,
			      const char *fallback)
{
	if (!cJSON_IsString(vd_json_get(object, key)))
		return fallback;
	return vd_rest_take(rest, object, key)->valuestring;
}

static int add_note(struct vd_rest *rest, const char *pointer, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *note = cJSON_CreateObject();

	if (!note || !vd_json_add_string(note, "pointer", pointer) ||
	    !vd_json_add_string(note, "text", text))
		return -ENOMEM;
	(void)cJSON_AddItemToArray(rest->notes, VD_TAKE(note));
	return 0;
}

int vd_rest_note(struct vd_rest *rest, const char *pointer, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return add_note(rest, pointer, text);
}

const char *vd_rest_place(char out[static VD_PLACE_BYTES], const char *parent, const char *key)
{
	size_t at = (size_t)snprintf(out, VD_PLACE_BYTES - 2, "%s/", parent);

	if (at > VD_PLACE_BYTES - 3)
		at = VD_PLACE_BYTES - 3;
	for (; *key && at + 3 < VD_PLACE_BYTES; key++) {
		if (*key == '~' || *key == '/') {
			out[at++] = '~';
			out[at++] = *key == '~' ? '0' : '1';
		} else {
			out[at++] = *key;
		}
	}
	out[at] = '\0';
	return out;
}

static int list(struct vd_rest *rest, const cJSON *value, const char *pointer,
		const char *(*why)(const char *key))
{
	const cJSON *member;
	size_t index = 0;
	int r = 0;

	cJSON_ArrayForEach(member, value)
	{
		char key[32], place[VD_PLACE_BYTES];
		const char *reason;

		(void)snprintf(key, sizeof key, "%zu", index++);
		(void)vd_rest_place(place, pointer, member->string ? member->string : key);
		reason = member->string ? why(member->string) : NULL;
		if (!member->child && cJSON_IsObject(member))
			continue;
		if (!member->child || reason)
			r = add_note(rest, place, reason ? reason : "is not known here");
		else
			r = list(rest, member, place, why);
		if (r < 0)
			return r;
	}
	return 0;
}

int vd_rest_list(struct vd_rest *rest, const cJSON *document, const char *(*why)(const char *key))
{
	return list(rest, document, "", why);
}
