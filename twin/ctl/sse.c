/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/sse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int end_event(struct vd_sse *sse, vd_sse_fn fn, void *argument)
{
	int r = 0;

	if (sse->data.len > 0)
		r = fn(sse->type[0] ? sse->type : "message", sse->id, sse->data.data, argument);
	vd_buf_clear(&sse->data);
	sse->type[0] = '\0';
	return r;
}

static int take_field(struct vd_sse *sse, const char *name, const char *value)
{
	if (strcmp(name, "event") == 0)
		(void)snprintf(sse->type, sizeof sse->type, "%s", value);
	else if (strcmp(name, "id") == 0)
		(void)snprintf(sse->id, sizeof sse->id, "%s", value);
	else if (strcmp(name, "data") == 0)
		return vd_buf_printf(&sse->data, "%s%s", sse->data.len ? "\n" : "", value);
	return 0;
}

static int take_line(struct vd_sse *sse, vd_sse_fn fn, void *argument)
{
	char *line = sse->line.len ? sse->line.data : NULL, *value;

	if (line && line[sse->line.len - 1] == '\r')
		line[--sse->line.len] = '\0';
	if (!line || !line[0])
		return end_event(sse, fn, argument);
	if (line[0] == ':')
		return 0;
	value = strchr(line, ':');
	if (value) {
		*value++ = '\0';
		value += *value == ' ';
	}
	return take_field(sse, line, value ? value : "");
}

int vd_sse_feed(struct vd_sse *sse, const char *bytes, size_t len, vd_sse_fn fn, void *argument)
{
	sse->line.limit = sse->data.limit = VD_SSE_BYTES;
	while (len > 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;
		int r = vd_buf_append(&sse->line, bytes, part);

		if (r == 0 && end) {
			r = take_line(sse, fn, argument);
			vd_buf_clear(&sse->line);
		}
		if (r != 0)
			return r;
		bytes += part + (end != NULL);
		len -= part + (end != NULL);
	}
	return 0;
}

void vd_sse_fini(struct vd_sse *sse)
{
	vd_buf_fini(&sse->line);
	vd_buf_fini(&sse->data);
}
