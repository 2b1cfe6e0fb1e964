/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "twin/broker/spool.h"

/*
 * What writer and reader of the spool share: frames in a segment file. Numbers are little endian.
 *
 *   segment   "VDSPOOL1" u64 number, then frames
 *   frame     u32 magic, u32 body bytes, u32 CRC-32 of the body, u32 CRC-32 of the 12 bytes before
 *   body      i64 received ms, u32 flags, u32 bytes of identity, of bag, of payload;
 *             identity NUL bag NUL payload
 */
enum {
	VD_SEGMENT_HEAD = 16,
	VD_FRAME_HEAD = 16,
	VD_BODY_HEAD = 24,
	VD_BODY_MAX =
		VD_BODY_HEAD + VD_SPOOL_IDENTITY_MAX + VD_SPOOL_BAG_MAX + 2 + VD_SPOOL_PAYLOAD_MAX,
	VD_SEGMENT_NAME = 32,
};

struct vd_frame {
	uint32_t body_len, body_crc;
};

void vd_segment_head_make(uint64_t number, uint8_t head[static VD_SEGMENT_HEAD]);
bool vd_segment_head_is(const uint8_t head[static VD_SEGMENT_HEAD], uint64_t number);

void vd_frame_make(struct vd_frame frame, uint8_t head[static VD_FRAME_HEAD]);
/* -EBADMSG: no frame begins with these bytes. */
VD_MUST int vd_frame_parse(const uint8_t head[static VD_FRAME_HEAD], struct vd_frame *ret_frame);

void vd_body_head_make(const struct vd_spool_record *record, uint8_t head[static VD_BODY_HEAD]);
/* Pointers of the record go into body. -EBADMSG: lengths or terminators are wrong. */
VD_MUST int vd_body_parse(const uint8_t *body, size_t len, struct vd_spool_record *ret_record);

/* CRC-32 as in zlib, continued from crc (0 at first). */
uint32_t vd_crc32(uint32_t crc, const void *data, size_t len);

/* "00000193f7a1b2c3.spool"; returns name. */
const char *vd_segment_name(uint64_t number, char name[static VD_SEGMENT_NAME]);
VD_MUST int vd_segment_name_parse(const char *name, uint64_t *ret_number); /* -EINVAL */

/*
 * The numbers of the segments in a folder, ascending, in memory to free; an absent folder has
 * none. -errno.
 */
VD_MUST int vd_segment_list(int folder_fd, uint64_t **ret_numbers, size_t *ret_count);

/*
 * Where the first whole, valid frame at or after offset begins; the file's size if there is
 * none. -errno. Slow: it is for damaged files.
 */
VD_MUST int vd_segment_resync(int fd, uint64_t offset, uint64_t *ret_offset);

/*
 * 1: nothing was written at offset yet, though the file goes on: the writer reserves room by
 * writing zeroes (spool_writer.c). 0: something was, or the file ends. -errno.
 */
VD_MUST int vd_segment_is_blank(int fd, uint64_t offset);

/* Reads and checks the frame at offset into body (VD_BODY_MAX bytes). -EBADMSG: there is none (yet). */
VD_MUST int vd_segment_read_frame(int fd, uint64_t offset, uint8_t *body,
				  struct vd_frame *ret_frame);
