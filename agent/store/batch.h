/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/*
 * A batch: a JSON array of records, "[{…},{…}]", packed into one zstd frame that states its
 * size. Pure functions over bytes; what is unpacked may come from a disk that rots.
 */
enum {
	VD_BATCH_RECORDS = 255,
	VD_BATCH_BYTES = 64 << 10,         /* a batch takes no more records from here on */
	VD_BATCH_UNPACKED_BYTES = 1 << 20, /* more than any batch can have */
};

struct vd_packer; /* compression contexts, reused; used by one thread at a time */
struct vd_packer *vd_packer_new(void); /* NULL: no memory */
struct vd_packer *vd_packer_free(struct vd_packer *packer);
VD_DEFINE_CLEANUP(struct vd_packer, vd_packer_free)

/* Replaces out's content by the frame. -ENOMEM. */
VD_MUST int vd_batch_pack(struct vd_packer *packer, const void *raw, size_t len,
			  struct vd_buf *out);

/*
 * Replaces out's content by what is packed. -EBADMSG: not one whole frame, or larger than
 * VD_BATCH_UNPACKED_BYTES, or not "[" … "]". -ENOMEM.
 */
VD_MUST int vd_batch_unpack(struct vd_packer *packer, const void *data, size_t len,
			    struct vd_buf *out);

/* Adds the records of one array to another: "" or "[a]" + "[b,c]" -> "[a,b,c]". -ENOMEM. */
VD_MUST int vd_batch_join(struct vd_buf *array, const char *more, size_t len);

/* CRC-32C (Castagnoli), continued from crc; begin with 0. */
uint32_t vd_crc32c(uint32_t crc, const void *data, size_t len);
