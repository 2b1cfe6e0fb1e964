/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing side. A record is one writev and one fdatasync. An old segment is never
 * continued: after a power cut the hub may have taken records that never reached the disk, and
 * its position would then lie beyond the file's end, on offsets that new records would reuse.
 * For the same reason the name of a segment is on the disk before its first record, and a folder
 * that was emptied by hand starts its numbers from the clock.
 *
 * A file that grows with each record makes each fdatasync a commit of the file system's journal,
 * which also waits for what others wrote (the hub's database, say). So a segment with some
 * traffic is filled with zeroes a piece ahead, and syncing a record is then one write to the disk. The
 * rest is cut off when the segment is done, or at the next start.
 */
#include "twin/broker/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "twin/broker/spool_format.h"

static const struct vd_spool_limits default_limits = {
	.segment_bytes = 16ULL << 20,
	.total_bytes = 4ULL << 30,
};

enum { RESERVE_FROM = 128 << 10, RESERVE_BYTES = 1 << 20 };

struct vd_spool_writer {
	int folder_fd; /* holds the lock */
	int fd;        /* the segment, or -1: the next append makes one */
	uint64_t segment, offset;
	uint64_t reserved; /* bytes of the segment's file, zeroes from offset on */
	bool is_tight;     /* reserving failed in this segment */
	uint64_t total;    /* bytes of all segments; too high when the hub deleted some */
	struct vd_spool_limits limits;
};

/* What was reserved is cut off; a failure leaves zeroes, which readers know. */
static void close_segment(struct vd_spool_writer *writer)
{
	if (writer->fd >= 0 && writer->reserved > writer->offset)
		(void)!ftruncate(writer->fd, (off_t)writer->offset);
	vd_close(&writer->fd);
}

struct vd_spool_writer *vd_spool_writer_free(struct vd_spool_writer *writer)
{
	if (!writer)
		return NULL;
	close_segment(writer);
	vd_close(&writer->folder_fd);
	free(writer);
	return NULL;
}

static int count_bytes(struct vd_spool_writer *writer, uint64_t *ret_last)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	char name[VD_SEGMENT_NAME];
	size_t count = 0;
	struct stat st;
	int r = vd_segment_list(writer->folder_fd, &numbers, &count);

	if (r < 0)
		return r;
	writer->total = 0;
	for (size_t i = 0; i < count; i++) {
		if (fstatat(writer->folder_fd, vd_segment_name(numbers[i], name), &st, 0) == 0)
			writer->total += (uint64_t)st.st_size;
	}
	*ret_last = count ? numbers[count - 1] : 0;
	return 0;
}

/* Bytes after the last valid frame are what a power cut tore; nobody was promised them. */
static int cut_torn_tail(struct vd_spool_writer *writer, uint64_t segment)
{
	VD_CLEANUP(vd_free) uint8_t *body = malloc(VD_BODY_MAX);
	uint64_t offset = VD_SEGMENT_HEAD, end = VD_SEGMENT_HEAD;
	char name[VD_SEGMENT_NAME];
	struct vd_frame frame;
	struct stat st;
	VD_CLEANUP(vd_close)
	int fd = openat(writer->folder_fd, vd_segment_name(segment, name), O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!body)
		return -ENOMEM;
	while (offset < (uint64_t)st.st_size) {
		int r = vd_segment_read_frame(fd, offset, body, &frame);

		if (r == -EBADMSG)
			r = vd_segment_resync(fd, offset + 1, &offset);
		else if (r == 0)
			end = offset += VD_FRAME_HEAD + frame.body_len;
		if (r < 0)
			return r;
	}
	if (end >= (uint64_t)st.st_size)
		return 0;
	vd_log(VD_NOTICE, "spool.tailCut", "segment=%s bytes=%llu", name,
	       (unsigned long long)st.st_size - end);
	return ftruncate(fd, (off_t)end) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int take_over_folder(struct vd_spool_writer *writer)
{
	uint64_t last;
	int r = count_bytes(writer, &last);

	if (r < 0)
		return r;
	writer->segment = last ? last : (uint64_t)vd_clock_wall_ms();
	return last ? cut_torn_tail(writer, last) : 0;
}

static int lock_folder(struct vd_spool_writer *writer, const char *folder)
{
	int r = vd_file_make_folders(folder, 0700);

	if (r < 0)
		return r;
	writer->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->folder_fd < 0)
		return -errno;
	if (flock(writer->folder_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

int vd_spool_writer_new(const char *folder, const struct vd_spool_limits *limits,
			struct vd_spool_writer **ret_writer, struct vd_fault *fault)
{
	VD_CLEANUP(vd_spool_writer_free)
	struct vd_spool_writer *writer = calloc(1, sizeof *writer);
	int r;

	if (!writer)
		return -ENOMEM;
	writer->fd = writer->folder_fd = -1;
	writer->limits = limits ? *limits : default_limits;
	if (!writer->limits.segment_bytes)
		writer->limits.segment_bytes = default_limits.segment_bytes;
	if (!writer->limits.total_bytes)
		writer->limits.total_bytes = default_limits.total_bytes;
	r = lock_folder(writer, folder);
	if (r == 0)
		r = take_over_folder(writer);
	if (r < 0) {
		vd_fault_set(fault, 500, "", "%s: %s", folder,
			     r == -EBUSY ? "another broker writes to it" : strerror(-r));
		return r;
	}
	*ret_writer = VD_TAKE(writer);
	return 0;
}

static int start_segment(struct vd_spool_writer *writer)
{
	uint8_t head[VD_SEGMENT_HEAD];
	char name[VD_SEGMENT_NAME];
	VD_CLEANUP(vd_close)
	int fd = openat(writer->folder_fd, vd_segment_name(writer->segment + 1, name),
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	vd_segment_head_make(writer->segment + 1, head);
	errno = ENOSPC;
	if (write(fd, head, sizeof head) != (ssize_t)sizeof head || fsync(fd) < 0 ||
	    fsync(writer->folder_fd) < 0) {
		int r = -errno;

		(void)unlinkat(writer->folder_fd, name, 0);
		return r;
	}
	writer->segment++;
	writer->offset = writer->reserved = sizeof head;
	writer->is_tight = false;
	writer->total += sizeof head;
	writer->fd = fd;
	fd = -1;
	return 0;
}

static int make_room(struct vd_spool_writer *writer, size_t len)
{
	uint64_t last;
	int r;

	if (writer->fd >= 0 && writer->offset >= writer->limits.segment_bytes)
		close_segment(writer);
	if (writer->total + len > writer->limits.total_bytes) {
		r = count_bytes(writer, &last);
		if (r < 0)
			return r;
		if (writer->fd >= 0 && writer->reserved > writer->offset)
			writer->total -= writer->reserved - writer->offset;
		if (writer->total + len > writer->limits.total_bytes)
			return -ENOSPC;
	}
	return writer->fd < 0 ? start_segment(writer) : 0;
}

static void reserve(struct vd_spool_writer *writer, size_t len)
{
	static const char zeroes[RESERVE_BYTES];
	uint64_t needed = writer->offset + len;

	if (writer->is_tight || needed <= writer->reserved || writer->offset < RESERVE_FROM ||
	    needed > writer->limits.segment_bytes || len > sizeof zeroes)
		return;
	if (pwrite(writer->fd, zeroes, sizeof zeroes, (off_t)writer->offset) ==
	    (ssize_t)sizeof zeroes) {
		writer->reserved = writer->offset + sizeof zeroes;
		return;
	}
	writer->is_tight = true;
	if (ftruncate(writer->fd, (off_t)writer->offset) < 0)
		vd_close(&writer->fd); /* the append fails, the next one starts a new segment */
	writer->reserved = writer->offset;
}

/* All or nothing: what a full disk cut short is taken back. */
static int write_frame(struct vd_spool_writer *writer, struct iovec *parts, int count, size_t len)
{
	ssize_t n;

	do
		n = writev(writer->fd, parts, count);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	int r = n < 0 ? -errno : -ENOSPC;
	writer->reserved = writer->offset;
	if (ftruncate(writer->fd, (off_t)writer->offset) < 0 ||
	    lseek(writer->fd, (off_t)writer->offset, SEEK_SET) < 0)
		vd_close(&writer->fd);
	return r;
}

static int is_too_long(const struct vd_spool_record *record)
{
	return strlen(record->identity) > VD_SPOOL_IDENTITY_MAX ||
	       strlen(record->bag) > VD_SPOOL_BAG_MAX || record->payload_len > VD_SPOOL_PAYLOAD_MAX;
}

int vd_spool_append(struct vd_spool_writer *writer, const struct vd_spool_record *record)
{
	uint8_t frame_head[VD_FRAME_HEAD], body_head[VD_BODY_HEAD];
	struct iovec parts[] = {
		{ frame_head, sizeof frame_head },
		{ body_head, sizeof body_head },
		{ (void *)(uintptr_t)record->identity, strlen(record->identity) + 1 },
		{ (void *)(uintptr_t)record->bag, strlen(record->bag) + 1 },
		{ (void *)(uintptr_t)record->payload, record->payload_len },
	};
	struct vd_frame frame = { 0 };
	int r;

	if (is_too_long(record))
		return -EMSGSIZE;
	vd_body_head_make(record, body_head);
	for (size_t i = 1; i < VD_COUNT(parts); i++) {
		frame.body_len += (uint32_t)parts[i].iov_len;
		frame.body_crc = vd_crc32(frame.body_crc, parts[i].iov_base, parts[i].iov_len);
	}
	vd_frame_make(frame, frame_head);
	r = make_room(writer, VD_FRAME_HEAD + frame.body_len);
	if (r == 0) {
		reserve(writer, VD_FRAME_HEAD + frame.body_len);
		r = write_frame(writer, parts, VD_COUNT(parts), VD_FRAME_HEAD + frame.body_len);
	}
	if (r < 0)
		return r;
	if (fdatasync(writer->fd) < 0) {
		/* What the kernel kept after a failed sync is unknown: this file is done with. */
		r = -errno;
		vd_close(&writer->fd);
		return r;
	}
	writer->offset += VD_FRAME_HEAD + frame.body_len;
	if (writer->reserved < writer->offset)
		writer->reserved = writer->offset;
	writer->total += VD_FRAME_HEAD + frame.body_len;
	return 0;
}
