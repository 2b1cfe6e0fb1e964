/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/spool_format.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

static const char segment_magic[8] = { 'V', 'D', 'S', 'P', 'O', 'O', 'L', '1' };
enum { FRAME_MAGIC = 0x31524456, RESYNC_BLOCK = 65536 };

static void put32(uint8_t *to, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof value);
}

static uint32_t get32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof value);
	return le32toh(value);
}

static void put64(uint8_t *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof value);
}

static uint64_t get64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof value);
	return le64toh(value);
}

uint32_t vd_crc32(uint32_t crc, const void *data, size_t len)
{
	return len ? (uint32_t)crc32_z(crc, data, len) : crc;
}

void vd_segment_head_make(uint64_t number, uint8_t head[static VD_SEGMENT_HEAD])
{
	memcpy(head, segment_magic, sizeof segment_magic);
	put64(head + sizeof segment_magic, number);
}

bool vd_segment_head_is(const uint8_t head[static VD_SEGMENT_HEAD], uint64_t number)
{
	return !memcmp(head, segment_magic, sizeof segment_magic) &&
	       get64(head + sizeof segment_magic) == number;
}

void vd_frame_make(struct vd_frame frame, uint8_t head[static VD_FRAME_HEAD])
{
	put32(head, FRAME_MAGIC);
	put32(head + 4, frame.body_len);
	put32(head + 8, frame.body_crc);
	put32(head + 12, vd_crc32(0, head, 12));
}

int vd_frame_parse(const uint8_t head[static VD_FRAME_HEAD], struct vd_frame *ret_frame)
{
	uint32_t len = get32(head + 4);

	if (get32(head) != FRAME_MAGIC || get32(head + 12) != vd_crc32(0, head, 12))
		return -EBADMSG;
	if (len < VD_BODY_HEAD + 2 || len > VD_BODY_MAX)
		return -EBADMSG;
	*ret_frame = (struct vd_frame){ .body_len = len, .body_crc = get32(head + 8) };
	return 0;
}

void vd_body_head_make(const struct vd_spool_record *record, uint8_t head[static VD_BODY_HEAD])
{
	put64(head, (uint64_t)record->received_ms);
	put32(head + 8, record->flags);
	put32(head + 12, (uint32_t)strlen(record->identity));
	put32(head + 16, (uint32_t)strlen(record->bag));
	put32(head + 20, (uint32_t)record->payload_len);
}

int vd_body_parse(const uint8_t *body, size_t len, struct vd_spool_record *ret_record)
{
	size_t identity_len, bag_len, payload_len;
	const uint8_t *bag;

	if (len < VD_BODY_HEAD + 2)
		return -EBADMSG;
	identity_len = get32(body + 12);
	bag_len = get32(body + 16);
	payload_len = get32(body + 20);
	if (identity_len == 0 || identity_len > VD_SPOOL_IDENTITY_MAX ||
	    bag_len > VD_SPOOL_BAG_MAX || payload_len > VD_SPOOL_PAYLOAD_MAX ||
	    VD_BODY_HEAD + identity_len + 1 + bag_len + 1 + payload_len != len)
		return -EBADMSG;
	bag = body + VD_BODY_HEAD + identity_len + 1;
	if (strnlen((const char *)body + VD_BODY_HEAD, identity_len + 1) != identity_len ||
	    strnlen((const char *)bag, bag_len + 1) != bag_len)
		return -EBADMSG;
	*ret_record = (struct vd_spool_record){
		.identity = (const char *)body + VD_BODY_HEAD,
		.bag = (const char *)bag,
		.payload = bag + bag_len + 1,
		.payload_len = payload_len,
		.received_ms = (int64_t)get64(body),
		.flags = get32(body + 8),
	};
	return 0;
}

const char *vd_segment_name(uint64_t number, char name[static VD_SEGMENT_NAME])
{
	(void)snprintf(name, VD_SEGMENT_NAME, "%016llx.spool", (unsigned long long)number);
	return name;
}

int vd_segment_name_parse(const char *name, uint64_t *ret_number)
{
	char again[VD_SEGMENT_NAME];
	uint64_t number = strtoull(name, NULL, 16);

	if (strcmp(vd_segment_name(number, again), name))
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof left);
	memcpy(&right, b, sizeof right);
	return (left > right) - (left < right);
}

static int collect_numbers(DIR *folder, uint64_t **numbers, size_t *count)
{
	struct dirent *entry;
	uint64_t number;

	while ((entry = readdir(folder))) {
		uint64_t *more;

		if (vd_segment_name_parse(entry->d_name, &number) < 0)
			continue;
		more = reallocarray(*numbers, *count + 1, sizeof number);
		if (!more)
			return -ENOMEM;
		*numbers = more;
		(*numbers)[(*count)++] = number;
	}
	return 0;
}

int vd_segment_list(int folder_fd, uint64_t **ret_numbers, size_t *ret_count)
{
	VD_CLEANUP(vd_free) uint64_t *numbers = NULL;
	size_t count = 0;
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	int r;

	if (!folder) {
		r = -errno;
		vd_close(&fd);
		return r;
	}
	r = collect_numbers(folder, &numbers, &count);
	(void)closedir(folder);
	if (r < 0)
		return r;
	if (count > 1)
		qsort(numbers, count, sizeof *numbers, compare_numbers);
	*ret_numbers = VD_TAKE(numbers);
	*ret_count = count;
	return 0;
}

/* -EBADMSG: fewer than len bytes stand there. */
static int read_exactly(int fd, void *to, size_t len, uint64_t offset)
{
	char *at = to;

	while (len > 0) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int vd_segment_read_frame(int fd, uint64_t offset, uint8_t *body, struct vd_frame *ret_frame)
{
	uint8_t head[VD_FRAME_HEAD];
	struct vd_frame frame;
	int r = read_exactly(fd, head, sizeof head, offset);

	if (r == 0)
		r = vd_frame_parse(head, &frame);
	if (r == 0)
		r = read_exactly(fd, body, frame.body_len, offset + sizeof head);
	if (r < 0)
		return r;
	if (vd_crc32(0, body, frame.body_len) != frame.body_crc)
		return -EBADMSG;
	*ret_frame = frame;
	return 0;
}

/* Blocks overlap by a frame's head, so that none is missed on a border. */
static int resync_in_block(int fd, const uint8_t *block, size_t len, uint64_t offset, uint8_t *body,
			   uint64_t *ret_offset)
{
	struct vd_frame frame;

	for (size_t i = 0; i + VD_FRAME_HEAD <= len; i++) {
		int r = vd_frame_parse(block + i, &frame);

		if (r == 0)
			r = vd_segment_read_frame(fd, offset + i, body, &frame);
		if (r == 0)
			*ret_offset = offset + i;
		if (r != -EBADMSG)
			return r;
	}
	return -EBADMSG;
}

int vd_segment_resync(int fd, uint64_t offset, uint64_t *ret_offset)
{
	VD_CLEANUP(vd_free) uint8_t *memory = malloc(RESYNC_BLOCK + VD_BODY_MAX);
	struct stat st;

	if (!memory)
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(fd, memory, RESYNC_BLOCK, (off_t)offset);
		int r;

		if (n < 0)
			return -errno;
		if (n < VD_FRAME_HEAD)
			break;
		r = resync_in_block(fd, memory, (size_t)n, offset, memory + RESYNC_BLOCK,
				    ret_offset);
		if (r != -EBADMSG)
			return r;
		offset += (uint64_t)n - VD_FRAME_HEAD + 1;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_offset = (uint64_t)st.st_size;
	return 0;
}

int vd_segment_is_blank(int fd, uint64_t offset)
{
	static const uint8_t blank[VD_FRAME_HEAD];
	uint8_t head[VD_FRAME_HEAD];
	ssize_t n = pread(fd, head, sizeof head, (off_t)offset);

	if (n < 0)
		return -errno;
	return n > 0 && memcmp(head, blank, (size_t)n) == 0;
}
