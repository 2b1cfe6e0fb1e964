/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/table.h"

int vd_say_error(enum vd_exit code, const char *format, ...)
{
	va_list values;

	(void)fputs("vedettectl: ", stderr);
	va_start(values, format);
	(void)vfprintf(stderr, format, values);
	va_end(values);
	(void)fputc('\n', stderr);
	return (int)code;
}

static int add_part(struct vd_ctl *ctl, const char *text, size_t len, struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf part = { 0 };

	if (len == 0)
		return -EINVAL;
	if (vd_buf_append(&part, text, len) < 0)
		return -ENOMEM;
	return vd_client_escape(ctl->client, part.data, out);
}

int vd_say_path(struct vd_ctl *ctl, const char *prefix, const char *id, struct vd_buf *out)
{
	const char *slash = strchr(id, '/');
	int r = vd_buf_printf(out, "%s/", prefix);

	if (r == 0)
		r = add_part(ctl, id, slash ? (size_t)(slash - id) : strlen(id), out);
	if (r == 0 && slash)
		r = vd_buf_printf(out, "/modules/");
	if (r == 0 && slash)
		r = add_part(ctl, slash + 1, strlen(slash + 1), out);
	if (r == -EINVAL)
		(void)vd_say_error(VD_EXIT_USAGE, "\"%s\" is neither DEVICE nor DEVICE/MODULE", id);
	return r;
}

int vd_say_filter(struct vd_ctl *ctl, const char *name, const char *value, struct vd_buf *path)
{
	int r = value ? vd_buf_printf(path, "&%s=", name) : 0;

	return r == 0 && value ? vd_client_escape(ctl->client, value, path) : r;
}

int vd_say_json(const cJSON *json)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);

	return text && puts(text) >= 0 ? VD_EXIT_OK : VD_EXIT_FAILED;
}

static int write_value(const cJSON *value, int depth, struct vd_buf *out);

static int write_indent(int depth, struct vd_buf *out)
{
	return vd_buf_printf(out, "\n%*s", 2 * depth, "");
}

/* The key with its escapes, as cJSON writes a text. */
static int write_key(const char *key, struct vd_buf *out)
{
	VD_CLEANUP(vd_json_free) cJSON *text = cJSON_CreateString(key);
	int r = text ? write_value(text, 0, out) : -ENOMEM;

	return r == 0 ? vd_buf_printf(out, ": ") : r;
}

static int write_members(const cJSON *value, int depth, struct vd_buf *out)
{
	bool is_object = cJSON_IsObject(value);
	int r = vd_buf_printf(out, is_object ? "{" : "[");

	for (const cJSON *child = value->child; r == 0 && child; child = child->next) {
		r = write_indent(depth + 1, out);
		if (r == 0 && is_object)
			r = write_key(child->string, out);
		if (r == 0)
			r = write_value(child, depth + 1, out);
		if (r == 0 && child->next)
			r = vd_buf_printf(out, ",");
	}
	if (r == 0 && value->child)
		r = write_indent(depth, out);
	return r == 0 ? vd_buf_printf(out, is_object ? "}" : "]") : r;
}

static int write_value(const cJSON *value, int depth, struct vd_buf *out)
{
	VD_CLEANUP(vd_free) char *text = NULL;

	if (cJSON_IsObject(value) || cJSON_IsArray(value))
		return write_members(value, depth, out);
	text = vd_json_text(value);
	return text ? vd_buf_append(out, text, strlen(text)) : -ENOMEM;
}

int vd_say_pretty(const cJSON *json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (!json || write_value(json, 0, &text) < 0)
		return VD_EXIT_FAILED;
	return puts(text.data) >= 0 ? VD_EXIT_OK : VD_EXIT_FAILED;
}

char *vd_say_value(const cJSON *value)
{
	if (!value)
		return NULL;
	return cJSON_IsString(value) ? strdup(value->valuestring) : vd_json_text(value);
}

int vd_say_list(const struct vd_ctl *ctl, const cJSON *list, const char *const *headings,
		const char *const *keys)
{
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *item;

	if (ctl->is_json)
		return vd_say_json(list);
	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(item, list)
	{
		const char *cells[8] = { 0 };

		for (int i = 0; keys[i]; i++)
			cells[i] = vd_json_string(item, keys[i], NULL);
		if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}
