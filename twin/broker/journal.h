/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"

/*
 * A text file of changes, one a line, that one process appends to and another follows: what
 * was appended since the last look, or everything when the file was replaced by rename.
 */
struct vd_journal {
	char *path;
	dev_t device;
	ino_t inode;
	off_t offset;       /* of the first byte not yet handed out */
	struct vd_buf tail; /* a last line without its newline */
};

VD_MUST int vd_journal_init(struct vd_journal *journal, const char *path);
void vd_journal_fini(struct vd_journal *journal);

/*
 * Handlers return <0 to stop; what they took so far counts as read. restart: the lines that
 * follow are the whole content, forget what came before.
 */
struct vd_journal_reader {
	void (*restart)(void *argument);
	int (*line)(void *argument, const char *line, size_t len);
	void *argument;
};

/* 0: nothing new, VD_JOURNAL_READ: lines were handed out, -errno. An absent file is empty. */
enum { VD_JOURNAL_READ = 1 };
VD_MUST int vd_journal_follow(struct vd_journal *journal, const struct vd_journal_reader *reader);

/* Appends text to path (made with mode 0600) with one write, and syncs it. A last line that a
 * crash cut is ended first. -errno: the file is as it was. */
VD_MUST int vd_journal_append(const char *path, const char *text, size_t len);
