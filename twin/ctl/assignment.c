/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/assignment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "~1" is '/', "~0" is '~' in a pointer. */
static void unescape(char *key)
{
	char *out = key;

	for (const char *in = key; *in; in++) {
		if (in[0] == '~' && (in[1] == '0' || in[1] == '1'))
			*out++ = *++in == '0' ? '~' : '/';
		else
			*out++ = *in;
	}
	*out = '\0';
}

static cJSON *value_of(const char *text)
{
	cJSON *value = NULL;

	if (vd_json_parse(text, strlen(text), &value, NULL) == 0)
		return value;
	return cJSON_CreateString(text);
}

static int refuse(struct vd_fault *fault, const char *assignment, const char *text)
{
	vd_fault_set(fault, 400, "", "\"%s\" %s", assignment, text);
	return -EINVAL;
}

/* The object under key, made if absent; NULL: something else is there, or no memory. */
static cJSON *descend(cJSON *object, const char *key)
{
	cJSON *child = cJSON_GetObjectItemCaseSensitive(object, key);

	if (child)
		return cJSON_IsObject(child) ? child : NULL;
	return cJSON_AddObjectToObject(object, key);
}

static int put(cJSON *patch, char *path, const char *value_text, const char *assignment,
	       struct vd_fault *fault)
{
	const char *separator = path[0] == '/' ? "/" : ".";
	char *rest = path + (path[0] == '/'), *key = strsep(&rest, separator);
	cJSON *value;

	while (patch && rest) {
		if (separator[0] == '/')
			unescape(key);
		if (!key[0])
			return refuse(fault, assignment, "has an empty part in its path");
		patch = descend(patch, key);
		key = strsep(&rest, separator);
	}
	if (separator[0] == '/')
		unescape(key);
	if (!key[0])
		return refuse(fault, assignment, "has an empty part in its path");
	if (!patch || cJSON_GetObjectItemCaseSensitive(patch, key))
		return refuse(fault, assignment, "contradicts another assignment");
	value = value_of(value_text);
	return value && vd_json_add_take(patch, key, &value) ? 0 : -ENOMEM;
}

int vd_assignment_add(cJSON *patch, const char *assignment, struct vd_fault *fault)
{
	const char *equals = strchr(assignment, '=');
	VD_CLEANUP(vd_free) char *path = NULL;

	if (!equals || equals == assignment)
		return refuse(fault, assignment, "is not PATH=VALUE");
	path = strndup(assignment, (size_t)(equals - assignment));
	if (!path)
		return -ENOMEM;
	return put(patch, path, equals + 1, assignment, fault);
}
