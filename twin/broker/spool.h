/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * The telemetry spool between broker and hub: a folder of segment files that the broker
 * appends to and the hub reads and deletes. vedette-broker(7) has the format on disk.
 *
 * A record that vd_spool_append took is on the disk: it survives a power cut. A tail torn by
 * one is passed over when reading. A writer never continues an old segment, so the position of
 * a record is never used twice, and a hub that keeps the position after the last record that it
 * took, in the transaction that stores the record, takes every record exactly once.
 */
struct vd_spool_position {
	uint64_t segment,
		offset; /* ordered by segment, then offset; { 0, 0 } is the oldest there is */
};

enum { VD_SPOOL_RETAIN = 1, VD_SPOOL_WILL = 2 }; /* flags: what the device asked for, what it was */

struct vd_spool_record {
	const char *identity; /* "dev" or "dev/mod" */
	const char *bag;      /* property bag as in the topic, URL-encoded; "" if none */
	const void *payload;
	size_t payload_len;
	int64_t received_ms; /* wall clock at the broker */
	unsigned flags;
};

enum {
	VD_SPOOL_IDENTITY_MAX = 257,
	VD_SPOOL_BAG_MAX = 65535,
	VD_SPOOL_PAYLOAD_MAX = 1 << 20,
};

struct vd_spool_limits {
	uint64_t segment_bytes; /* a segment that reached it is followed by a new one; 0: 16 MiB */
	uint64_t total_bytes;   /* appending beyond is -ENOSPC; 0: 4 GiB */
};

/*
 * The writer. One at a time on a folder (-EBUSY); the folder is made if absent, with its parents.
 * -errno with the reason in fault.
 */
struct vd_spool_writer;
VD_MUST int vd_spool_writer_new(const char *folder, const struct vd_spool_limits *limits,
				struct vd_spool_writer **ret_writer, struct vd_fault *fault);
struct vd_spool_writer *vd_spool_writer_free(struct vd_spool_writer *writer);
VD_DEFINE_CLEANUP(struct vd_spool_writer, vd_spool_writer_free)

/*
 * Appends one record and returns after fdatasync. -ENOSPC: the spool or the disk is full;
 * -EMSGSIZE: one of the maxima above; other -errno: the disk is sick. After a failure the record
 * is not promised, though it may be read; the next append starts a new segment.
 */
VD_MUST int vd_spool_append(struct vd_spool_writer *writer, const struct vd_spool_record *record);

/*
 * The reader; any process, beside a living writer. The folder may still be absent. Reading
 * starts at the first record at or after `from`.
 */
struct vd_spool_reader;
VD_MUST int vd_spool_reader_new(const char *folder, struct vd_spool_position from,
				struct vd_spool_reader **ret_reader);
struct vd_spool_reader *vd_spool_reader_free(struct vd_spool_reader *reader);
VD_DEFINE_CLEANUP(struct vd_spool_reader, vd_spool_reader_free)

/*
 * 0: the next record, its pointers valid until the next call, and the position after it (store
 * it; start a later reader from it). VD_SPOOL_END: no more for now, ask again when the broker
 * says hub/spool. Damaged records are passed over and counted. -errno: reading failed, nothing
 * was passed over; ask again later.
 */
enum { VD_SPOOL_END = 1 };
VD_MUST int vd_spool_next(struct vd_spool_reader *reader, struct vd_spool_record *ret_record,
			  struct vd_spool_position *ret_after);

/* Bytes that were no valid record and were passed over since the reader was made. */
uint64_t vd_spool_damaged_bytes(const struct vd_spool_reader *reader);

/*
 * Deletes the segments that lie wholly before the position, which must be stored durably. The
 * newest one always stays: it keeps the numbering. Returns how many, or -errno.
 */
VD_MUST int vd_spool_trim(const char *folder, struct vd_spool_position before);

/* Bytes of records at or after the position, roughly (frames included). */
VD_MUST int vd_spool_backlog(const char *folder, struct vd_spool_position from,
			     uint64_t *ret_bytes);
