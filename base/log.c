/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_BYTES = 2048 };

static const struct {
	const char *name;
	int journald;
} levels[] = {
	[VD_ERROR] = { "error", 3 }, [VD_WARN] = { "warn", 4 },   [VD_NOTICE] = { "notice", 5 },
	[VD_INFO] = { "info", 6 },   [VD_DEBUG] = { "debug", 7 },
};

static _Atomic int threshold = VD_INFO;

void vd_log_set_level(enum vd_log_level level)
{
	atomic_store(&threshold, (int)level);
}

bool vd_log_is_on(enum vd_log_level level)
{
	return (int)level <= atomic_load(&threshold);
}

const char *vd_log_level_name(enum vd_log_level level)
{
	return levels[level].name;
}

int vd_log_level_parse(const char *name, enum vd_log_level *ret_level)
{
	for (size_t i = 0; i < VD_COUNT(levels); i++) {
		if (!strcmp(name, levels[i].name)) {
			*ret_level = (enum vd_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int write_head(char *line, enum vd_log_level level)
{
	char time[VD_TIME_TEXT];

	if (getenv("JOURNAL_STREAM"))
		return snprintf(line, LINE_BYTES, "<%d>", levels[level].journald);
	return snprintf(line, LINE_BYTES, "%s %-6s ", vd_time_text(vd_clock_wall_ms(), time),
			levels[level].name);
}

/* Adds what fits; the line always ends with a NUL. */
static size_t append(char *line, size_t n, const char *format, va_list args) VD_PRINTF(3, 0);

static size_t append(char *line, size_t n, const char *format, va_list args)
{
	int more = vsnprintf(line + n, LINE_BYTES - n, format, args);

	if (more < 0)
		return n;
	return (size_t)more < LINE_BYTES - n ? n + (size_t)more : LINE_BYTES - 1;
}

static size_t append_event(char *line, size_t n, const char *event)
{
	int more = snprintf(line + n, LINE_BYTES - n, "%s ", event);

	return (size_t)more < LINE_BYTES - n ? n + (size_t)more : LINE_BYTES - 1;
}

void vd_log(enum vd_log_level level, const char *event, const char *format, ...)
{
	char line[LINE_BYTES];
	size_t head, n;
	va_list args;

	if (!vd_log_is_on(level))
		return;
	head = (size_t)write_head(line, level);
	n = append_event(line, head, event);
	va_start(args, format);
	n = append(line, n, format, args);
	va_end(args);
	/* A newline from outside must not forge a second event, nor an escape move the cursor. */
	for (size_t i = head; i < n; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
			line[i] = ' ';
	}
	line[n++] = '\n';
	/* One write, so that lines of several threads do not mix; a full pipe loses the line. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
