/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/avi.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	CHUNK = 8,
	ENTRY = 16, /* of the index */
	MAIN = 56,
	STREAM = 56,
	FORMAT = 40,
	HEAD = 12 + 12 + CHUNK + MAIN + 12 + CHUNK + STREAM + CHUNK + FORMAT + 12,
	MOVI = HEAD - 4, /* where "movi" stands: offsets in the index count from it */
	HAS_INDEX = 0x10,
	KEY_FRAME = 0x10,
};

/* Bytes of the head, one after the other. */
struct cursor {
	uint8_t *at;
};

static void put_code(struct cursor *c, const char code[static 5])
{
	memcpy(c->at, code, 4);
	c->at += 4;
}

static void put16(struct cursor *c, uint32_t value)
{
	*c->at++ = (uint8_t)value;
	*c->at++ = (uint8_t)(value >> 8);
}

/* A larger one is a hint only, and says "at least". */
static void put32(struct cursor *c, uint64_t value)
{
	if (value > UINT32_MAX)
		value = UINT32_MAX;
	put16(c, (uint32_t)value & 0xffff);
	put16(c, (uint32_t)(value >> 16));
}

static void put_chunk(struct cursor *c, const char code[static 5], uint64_t bytes)
{
	put_code(c, code);
	put32(c, bytes);
}

static void put_list(struct cursor *c, const char code[static 5], uint64_t bytes)
{
	put_chunk(c, "LIST", bytes);
	put_code(c, code);
}

static void put_main(struct cursor *c, const struct vd_avi *avi)
{
	put_chunk(c, "avih", MAIN);
	put32(c, avi->period_us);
	put32(c, (uint64_t)avi->largest * 1000000 / avi->period_us);
	put32(c, 0); /* no padding */
	put32(c, HAS_INDEX);
	put32(c, avi->places);
	put32(c, 0); /* not interleaved */
	put32(c, 1); /* stream */
	put32(c, avi->largest);
	put32(c, avi->width);
	put32(c, avi->height);
	for (int i = 0; i < 4; i++)
		put32(c, 0);
}

static void put_stream(struct cursor *c, const struct vd_avi *avi)
{
	put_chunk(c, "strh", STREAM);
	put_code(c, "vids");
	put_code(c, "MJPG");
	put32(c, 0); /* flags */
	put32(c, 0); /* priority, language */
	put32(c, 0); /* not delayed */
	put32(c, avi->period_us);
	put32(c, 1000000);
	put32(c, 0); /* begins at once */
	put32(c, avi->places);
	put32(c, avi->largest);
	put32(c, UINT32_MAX); /* quality: the codec's */
	put32(c, 0);          /* samples differ in size */
	put16(c, 0);
	put16(c, 0);
	put16(c, avi->width);
	put16(c, avi->height);
}

static void put_format(struct cursor *c, const struct vd_avi *avi)
{
	put_chunk(c, "strf", FORMAT);
	put32(c, FORMAT);
	put32(c, avi->width);
	put32(c, avi->height);
	put16(c, 1);
	put16(c, 24);
	put_code(c, "MJPG");
	put32(c, (uint64_t)avi->width * avi->height * 3);
	for (int i = 0; i < 4; i++)
		put32(c, 0);
}

static void fill_head(const struct vd_avi *avi, uint8_t head[static HEAD])
{
	struct cursor c = { head };
	uint64_t indexed = avi->bytes + CHUNK + avi->index.len;

	put_chunk(&c, "RIFF", indexed - CHUNK);
	put_code(&c, "AVI ");
	put_list(&c, "hdrl", 4 + CHUNK + MAIN + 12 + CHUNK + STREAM + CHUNK + FORMAT);
	put_main(&c, avi);
	put_list(&c, "strl", 4 + CHUNK + STREAM + CHUNK + FORMAT);
	put_stream(&c, avi);
	put_format(&c, avi);
	put_list(&c, "movi", avi->bytes - MOVI);
}

static int write_at(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			offset += (uint64_t)n;
		}
	}
	return 0;
}

int vd_avi_begin(struct vd_avi *avi, int fd, uint32_t width, uint32_t height, uint32_t period_us)
{
	uint8_t head[HEAD];

	if (width == 0 || width > UINT16_MAX || height == 0 || height > UINT16_MAX ||
	    period_us == 0)
		return -EINVAL;
	*avi = (struct vd_avi){
		.fd = fd, .width = width, .height = height, .period_us = period_us, .bytes = HEAD
	};
	fill_head(avi, head);
	return write_at(fd, head, sizeof head, 0);
}

size_t vd_avi_cost(size_t len)
{
	return CHUNK + len + len % 2 + ENTRY;
}

static int add_to_index(struct vd_avi *avi, size_t len)
{
	uint8_t entry[ENTRY];
	struct cursor c = { entry };

	put_code(&c, "00dc");
	put32(&c, len > 0 ? KEY_FRAME : 0);
	put32(&c, avi->bytes - MOVI);
	put32(&c, len);
	return vd_buf_append(&avi->index, entry, sizeof entry);
}

int vd_avi_add(struct vd_avi *avi, const void *jpeg, size_t len)
{
	static const uint8_t padding[1] = { 0 };
	uint8_t head[CHUNK];
	struct cursor c = { head };
	int r;

	if (len > VD_AVI_BYTES || avi->bytes + avi->index.len + vd_avi_cost(len) > VD_AVI_BYTES)
		return -EFBIG;
	put_chunk(&c, "00dc", len);
	r = write_at(avi->fd, head, sizeof head, avi->bytes);
	if (r == 0)
		r = write_at(avi->fd, jpeg, len, avi->bytes + CHUNK);
	if (r == 0)
		r = write_at(avi->fd, padding, len % 2, avi->bytes + CHUNK + len);
	if (r == 0)
		r = add_to_index(avi, len);
	if (r < 0)
		return r;
	avi->bytes += CHUNK + len + len % 2;
	avi->places++;
	if (len > avi->largest)
		avi->largest = (uint32_t)len;
	return 0;
}

int vd_avi_end(struct vd_avi *avi)
{
	uint8_t head[HEAD], chunk[CHUNK];
	struct cursor c = { chunk };
	int r;

	fill_head(avi, head);
	put_chunk(&c, "idx1", avi->index.len);
	r = ftruncate(avi->fd, (off_t)avi->bytes) < 0 ? -errno : 0;
	if (r == 0)
		r = write_at(avi->fd, chunk, sizeof chunk, avi->bytes);
	if (r == 0 && avi->index.len > 0)
		r = write_at(avi->fd, avi->index.data, avi->index.len, avi->bytes + CHUNK);
	if (r == 0)
		r = write_at(avi->fd, head, sizeof head, 0);
	return r == 0 && fsync(avi->fd) < 0 ? -errno : r;
}

void vd_avi_fini(struct vd_avi *avi)
{
	vd_buf_fini(&avi->index);
}
