/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading side. The newest segment may be in the middle of a write, so that bytes which
 * are no frame mean "not yet"; in an older one they mean damage, and reading goes on at the next
 * frame that is whole.
 */
#include "twin/broker/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "twin/broker/spool_format.h"

struct vd_spool_reader {
	char *folder;
	int fd; /* of the segment at position, or -1 */
	struct vd_spool_position at;
	uint64_t damaged;
	uint8_t body[VD_BODY_MAX];
};

int vd_spool_reader_new(const char *folder, struct vd_spool_position from,
			struct vd_spool_reader **ret_reader)
{
	VD_CLEANUP(vd_spool_reader_free)
	struct vd_spool_reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return -ENOMEM;
	reader->fd = -1;
	reader->at = from;
	reader->folder = strdup(folder);
	if (!reader->folder)
		return -ENOMEM;
	*ret_reader = VD_TAKE(reader);
	return 0;
}

struct vd_spool_reader *vd_spool_reader_free(struct vd_spool_reader *reader)
{
	if (!reader)
		return NULL;
	vd_close(&reader->fd);
	free(reader->folder);
	free(reader);
	return NULL;
}

uint64_t vd_spool_damaged_bytes(const struct vd_spool_reader *reader)
{
	return reader->damaged;
}

/* An absent folder has no segments. */
static int list_folder(const char *folder, int *ret_fd, uint64_t **ret_numbers, size_t *ret_count)
{
	VD_CLEANUP(vd_close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0) {
		*ret_count = 0;
		return errno == ENOENT ? 0 : -errno;
	}
	r = vd_segment_list(fd, ret_numbers, ret_count);
	if (r == 0 && ret_fd) {
		*ret_fd = fd;
		fd = -1;
	}
	return r;
}

/* Opens the first segment at or after number. VD_SPOOL_END: there is none. */
static int open_from(struct vd_spool_reader *reader, uint64_t number)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	VD_CLEANUP(vd_close) int folder = -1;
	char name[VD_SEGMENT_NAME];
	size_t count = 0, i = 0;
	int fd, r = list_folder(reader->folder, &folder, &numbers, &count);

	if (r < 0)
		return r;
	while (i < count && numbers[i] < number)
		i++;
	if (i == count)
		return VD_SPOOL_END;
	fd = openat(folder, vd_segment_name(numbers[i], name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	vd_close(&reader->fd);
	reader->fd = fd;
	if (numbers[i] != reader->at.segment)
		reader->at = (struct vd_spool_position){ .segment = numbers[i] };
	return 0;
}

/* A segment is finished once there is a newer one. 1, 0 or -errno. */
static int is_finished(const struct vd_spool_reader *reader)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	size_t count = 0;
	int r = list_folder(reader->folder, NULL, &numbers, &count);

	return r < 0 ? r : count > 0 && numbers[count - 1] > reader->at.segment;
}

static int read_segment_head(struct vd_spool_reader *reader)
{
	uint8_t head[VD_SEGMENT_HEAD];
	ssize_t n;

	if (reader->at.offset >= VD_SEGMENT_HEAD)
		return 0;
	n = pread(reader->fd, head, sizeof head, 0);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof head || !vd_segment_head_is(head, reader->at.segment))
		return -EBADMSG;
	reader->at.offset = VD_SEGMENT_HEAD;
	return 0;
}

static int read_here(struct vd_spool_reader *reader, struct vd_spool_record *ret_record)
{
	struct vd_frame frame;
	int r = read_segment_head(reader);

	if (r == 0)
		r = vd_segment_read_frame(reader->fd, reader->at.offset, reader->body, &frame);
	if (r == 0)
		r = vd_body_parse(reader->body, frame.body_len, ret_record);
	if (r == 0)
		reader->at.offset += VD_FRAME_HEAD + frame.body_len;
	return r;
}

/* Passes over the damage between here and next. */
static int skip_to(struct vd_spool_reader *reader, uint64_t next)
{
	reader->damaged += next - reader->at.offset;
	reader->at.offset = next;
	return -EAGAIN;
}

/*
 * There was no whole frame here. Damage, or not written yet? Evidence comes first: a newer
 * segment, or a whole frame behind this place, is younger than what stands here. Then this place
 * is looked at again, since the writer may have finished it in between; only what is still no frame is
 * damage, and zeroes up to the end are not: they were reserved (spool_writer.c). -EAGAIN: something was passed over, go on reading.
 */
static int go_on(struct vd_spool_reader *reader, struct vd_spool_record *ret_record)
{
	int finished = is_finished(reader), blank;
	uint64_t next, size;
	struct stat st;
	int r;

	if (finished < 0)
		return finished;
	blank = vd_segment_is_blank(reader->fd, reader->at.offset);
	if (blank < 0 || (blank && !finished))
		return blank < 0 ? blank : VD_SPOOL_END;
	if (fstat(reader->fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	if (reader->at.offset < size) {
		r = vd_segment_resync(reader->fd, reader->at.offset + 1, &next);
		if (r == 0)
			r = read_here(reader, ret_record);
		if (r != -EBADMSG)
			return r;
		if (next < size)
			return skip_to(reader, next);
	}
	if (!finished)
		return VD_SPOOL_END;
	if (reader->at.offset < size && !blank)
		(void)skip_to(reader, size);
	r = open_from(reader, reader->at.segment + 1);
	return r == 0 ? -EAGAIN : r;
}

int vd_spool_next(struct vd_spool_reader *reader, struct vd_spool_record *ret_record,
		  struct vd_spool_position *ret_after)
{
	int r = reader->fd < 0 ? open_from(reader, reader->at.segment) : 0;

	if (r != 0)
		return r;
	do {
		r = read_here(reader, ret_record);
		if (r == -EBADMSG)
			r = go_on(reader, ret_record);
	} while (r == -EAGAIN);
	if (r == 0)
		*ret_after = reader->at;
	return r;
}

int vd_spool_trim(const char *folder, struct vd_spool_position before)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	VD_CLEANUP(vd_close) int fd = -1;
	char name[VD_SEGMENT_NAME];
	size_t count = 0;
	int deleted = 0, r = list_folder(folder, &fd, &numbers, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < count && numbers[i] < before.segment; i++) {
		if (unlinkat(fd, vd_segment_name(numbers[i], name), 0) < 0)
			return -errno;
		deleted++;
	}
	return deleted;
}

static bool is_blank_at(int folder, const char *name, uint64_t offset)
{
	VD_CLEANUP(vd_close) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && vd_segment_is_blank(fd, offset) == 1;
}

int vd_spool_backlog(const char *folder, struct vd_spool_position from, uint64_t *ret_bytes)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	VD_CLEANUP(vd_close) int fd = -1;
	char name[VD_SEGMENT_NAME];
	size_t count = 0;
	uint64_t bytes = 0;
	int r = list_folder(folder, &fd, &numbers, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		uint64_t skip = numbers[i] == from.segment ? from.offset : VD_SEGMENT_HEAD;
		struct stat st;

		if (skip < VD_SEGMENT_HEAD)
			skip = VD_SEGMENT_HEAD;
		if (numbers[i] < from.segment ||
		    fstatat(fd, vd_segment_name(numbers[i], name), &st, 0) < 0 ||
		    is_blank_at(fd, name, skip))
			continue;
		if ((uint64_t)st.st_size > skip)
			bytes += (uint64_t)st.st_size - skip;
	}
	*ret_bytes = bytes;
	return 0;
}
