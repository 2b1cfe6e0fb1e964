/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536, LINE_MAX_BYTES = 65536 };

int vd_journal_init(struct vd_journal *journal, const char *path)
{
	*journal = (struct vd_journal){ .path = strdup(path), .tail.limit = LINE_MAX_BYTES };
	return journal->path ? 0 : -ENOMEM;
}

void vd_journal_fini(struct vd_journal *journal)
{
	vd_buf_fini(&journal->tail);
	free(journal->path);
	*journal = (struct vd_journal){ 0 };
}

static int hand_out(struct vd_journal *journal, const struct vd_journal_reader *reader,
		    const char *line, size_t len)
{
	int r;

	if (journal->tail.len == 0)
		return len ? reader->line(reader->argument, line, len) : 0;
	r = vd_buf_append(&journal->tail, line, len);
	if (r == 0)
		r = reader->line(reader->argument, journal->tail.data, journal->tail.len);
	vd_buf_clear(&journal->tail);
	return r;
}

/* A line longer than the limit loses its beginning, and is then no valid line for its reader. */
static int keep_tail(struct vd_journal *journal, const char *text, size_t len)
{
	int r = vd_buf_append(&journal->tail, text, len);

	if (r != -E2BIG)
		return r;
	vd_buf_clear(&journal->tail);
	return len <= LINE_MAX_BYTES ? vd_buf_append(&journal->tail, text, len) : 0;
}

static int split(struct vd_journal *journal, const struct vd_journal_reader *reader,
		 const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		int r;

		if (!end)
			return keep_tail(journal, text, len);
		r = hand_out(journal, reader, text, (size_t)(end - text));
		if (r < 0)
			return r;
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	return 0;
}

static int read_on(struct vd_journal *journal, int fd, const struct vd_journal_reader *reader)
{
	VD_CLEANUP(vd_free) char *block = malloc(BLOCK);

	if (!block)
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(fd, block, BLOCK, journal->offset);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : VD_JOURNAL_READ;
		journal->offset += n;
		r = split(journal, reader, block, (size_t)n);
		if (r < 0)
			return r;
	}
}

static void start_over(struct vd_journal *journal, const struct vd_journal_reader *reader,
		       const struct stat *st)
{
	journal->device = st->st_dev;
	journal->inode = st->st_ino;
	journal->offset = 0;
	vd_buf_clear(&journal->tail);
	reader->restart(reader->argument);
}

int vd_journal_follow(struct vd_journal *journal, const struct vd_journal_reader *reader)
{
	struct stat st;

	if (stat(journal->path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev == journal->device && st.st_ino == journal->inode &&
	    st.st_size == journal->offset)
		return 0;
	VD_CLEANUP(vd_close) int fd = open(journal->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != journal->device || st.st_ino != journal->inode ||
	    st.st_size < journal->offset)
		start_over(journal, reader, &st);
	return read_on(journal, fd, reader);
}

/* 1: the file is empty or ends with a newline. */
static int ends_well(int fd, off_t size)
{
	char last;

	if (size == 0)
		return 1;
	if (pread(fd, &last, 1, size - 1) != 1)
		return -EIO;
	return last == '\n';
}

static int write_and_sync(int fd, const char *text, size_t len)
{
	ssize_t n = write(fd, text, len);

	if (n != (ssize_t)len)
		return n < 0 ? -errno : -ENOSPC;
	return fdatasync(fd) < 0 ? -errno : 0;
}

int vd_journal_append(const char *path, const char *text, size_t len)
{
	VD_CLEANUP(vd_close)
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = ends_well(fd, st.st_size);
	if (r == 0)
		r = write_and_sync(fd, "\n", 1);
	if (r >= 0)
		r = write_and_sync(fd, text, len);
	if (r < 0 && ftruncate(fd, st.st_size) < 0)
		return r;
	return r;
}
