/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/lines.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at p, 0: none. Shortest forms and real code points only. */
static size_t character_bytes(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, and what lies above U+10FFFF. */
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90) ||
	    (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return n;
}

static void make_printable(char *text, size_t len)
{
	unsigned char *p = (unsigned char *)text;

	for (size_t i = 0; i < len;) {
		size_t n = character_bytes(p + i, len - i);

		if (n == 0 || (n == 1 && (p[i] < ' ' || p[i] == 0x7F) && p[i] != '\t')) {
			p[i] = '?';
			n = 1;
		}
		i += n;
	}
}

/* journald's priorities 0 to 7 in our levels. */
static enum vd_log_level take_priority(const char **text)
{
	static const enum vd_log_level levels[] = { VD_ERROR, VD_ERROR,  VD_ERROR, VD_ERROR,
						    VD_WARN,  VD_NOTICE, VD_INFO,  VD_DEBUG };
	const char *p = *text;

	if (p[0] != '<' || p[1] < '0' || p[1] > '7' || p[2] != '>')
		return VD_INFO;
	*text += 3;
	return levels[p[1] - '0'];
}

static void end_line(struct vd_lines *l, int64_t wall_ms, vd_line_fn fn, void *argument)
{
	struct vd_line *line = &l->kept[l->count % VD_LINES];
	const char *text = l->partial;
	enum vd_log_level level;
	char *copy;

	if (l->partial_len > 0 && l->partial[l->partial_len - 1] == '\r')
		l->partial_len--;
	make_printable(l->partial, l->partial_len);
	l->partial[l->partial_len] = '\0';
	l->partial_len = 0;
	level = take_priority(&text);
	copy = *text ? strdup(text) : NULL;
	if (!copy)
		return;
	free(line->text);
	*line = (struct vd_line){ .wall_ms = wall_ms, .level = level, .text = copy };
	l->count++;
	fn(line, argument);
}

void vd_lines_feed(struct vd_lines *l, const char *data, size_t len, int64_t wall_ms, vd_line_fn fn,
		   void *argument)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n') {
			end_line(l, wall_ms, fn, argument);
			continue;
		}
		if (l->partial_len == VD_LINE_BYTES)
			end_line(l, wall_ms, fn, argument);
		l->partial[l->partial_len++] = data[i];
	}
}

void vd_lines_finish(struct vd_lines *l, int64_t wall_ms, vd_line_fn fn, void *argument)
{
	if (l->partial_len > 0)
		end_line(l, wall_ms, fn, argument);
}

uint64_t vd_lines_first(const struct vd_lines *l)
{
	return l->count > VD_LINES ? l->count - VD_LINES : 0;
}

const struct vd_line *vd_lines_at(const struct vd_lines *l, uint64_t number)
{
	return &l->kept[number % VD_LINES];
}

void vd_lines_fini(struct vd_lines *l)
{
	for (size_t i = 0; i < VD_LINES; i++)
		free(VD_TAKE(l->kept[i].text));
	l->count = 0;
	l->partial_len = 0;
}
