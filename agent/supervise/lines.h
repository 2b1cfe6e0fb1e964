/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"

/*
 * What a module writes to stdout and stderr: cut into lines, made valid UTF-8 without control
 * characters ('?' instead), the last VD_LINES kept. A line longer than VD_LINE_BYTES goes on as
 * a second one. A journald priority in front ("<4>") becomes the level, and is taken off.
 */
enum { VD_LINES = 200, VD_LINE_BYTES = 1024 };

struct vd_line {
	int64_t wall_ms;
	enum vd_log_level level;
	char *text;
};

struct vd_lines {
	struct vd_line kept[VD_LINES]; /* a ring; `count` lines were put in it, ever */
	uint64_t count;
	char partial[VD_LINE_BYTES + 1];
	size_t partial_len;
};

typedef void (*vd_line_fn)(const struct vd_line *line, void *argument);

/* Calls fn for each line that is now complete. A line for which there is no memory is lost. */
void vd_lines_feed(struct vd_lines *lines, const char *data, size_t len, int64_t wall_ms,
		   vd_line_fn fn, void *argument);

/* The writer is gone: what stands without a line end is a line. */
void vd_lines_finish(struct vd_lines *lines, int64_t wall_ms, vd_line_fn fn, void *argument);

/* The oldest number that is still kept; lines are numbered from 0 to count - 1. */
uint64_t vd_lines_first(const struct vd_lines *lines);
const struct vd_line *vd_lines_at(const struct vd_lines *lines, uint64_t number);

void vd_lines_fini(struct vd_lines *lines);
