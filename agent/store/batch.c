/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/batch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <zstd.h>

/* Level 1 packs records smaller than level 3 does, and three times as fast (field-data, B3). */
enum { LEVEL = 1 };

struct vd_packer {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

struct vd_packer *vd_packer_new(void)
{
	struct vd_packer *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->pack = ZSTD_createCCtx();
	p->unpack = ZSTD_createDCtx();
	return p->pack && p->unpack ? p : vd_packer_free(p);
}

struct vd_packer *vd_packer_free(struct vd_packer *p)
{
	if (p) {
		(void)ZSTD_freeCCtx(p->pack);
		(void)ZSTD_freeDCtx(p->unpack);
		free(p);
	}
	return NULL;
}

/* Makes room for size bytes in an emptied buffer; what they are is the caller's business. */
static int reserve(struct vd_buf *buf, size_t size)
{
	vd_buf_clear(buf);
	if (buf->capacity > size)
		return 0;

	char *data = realloc(buf->data, size + 1);

	if (!data)
		return -ENOMEM;
	buf->data = data;
	buf->capacity = size + 1;
	return 0;
}

int vd_batch_pack(struct vd_packer *p, const void *raw, size_t len, struct vd_buf *out)
{
	int r = reserve(out, ZSTD_compressBound(len));
	size_t n;

	if (r < 0)
		return r;
	n = ZSTD_compressCCtx(p->pack, out->data, out->capacity - 1, raw, len, LEVEL);
	if (ZSTD_isError(n))
		return -ENOMEM; /* the room suffices and the level is valid: nothing else is left */
	out->len = n;
	out->data[n] = '\0';
	return 0;
}

int vd_batch_unpack(struct vd_packer *p, const void *data, size_t len, struct vd_buf *out)
{
	unsigned long long size = ZSTD_getFrameContentSize(data, len);
	size_t n;
	int r;

	/* Unknown and invalid sizes are the two largest numbers. */
	if (size < 2 || size > VD_BATCH_UNPACKED_BYTES)
		return -EBADMSG;
	r = reserve(out, (size_t)size);
	if (r < 0)
		return r;
	n = ZSTD_decompressDCtx(p->unpack, out->data, (size_t)size, data, len);
	if (ZSTD_isError(n) || n != size || out->data[0] != '[' || out->data[n - 1] != ']')
		return -EBADMSG;
	out->len = n;
	out->data[n] = '\0';
	return 0;
}

int vd_batch_join(struct vd_buf *array, const char *more, size_t len)
{
	if (array->len == 0)
		return vd_buf_append(array, more, len);
	array->data[array->len - 1] = ',';
	return vd_buf_append(array, more + 1, len - 1);
}

static uint32_t crc_table[256];

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
		crc_table[i] = crc;
	}
}

uint32_t vd_crc32c(uint32_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *p = data;

	(void)pthread_once(&once, make_crc_table);
	crc = ~crc;
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ p[i]) & 0xff];
	return ~crc;
}
