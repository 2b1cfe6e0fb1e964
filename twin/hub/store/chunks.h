/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "twin/hub/store/scan.h"
#include "twin/hub/store/store.h"

/*
 * Inside the store only: telemetry kept by the batch. Looked for by device, class, module and id alone,
 * it needs no row of its own a record; a batch is one row, compressed as the device
 * sent it, and unpacked when it is read. What can be looked for by verdict or serial is a row.
 * Taking a record twice is prevented by a bitmap for each 4096 numbers of a boot: one small row is read and
 * written a batch, however its numbers overlap those of others.
 */
struct vd_chunk {
	int64_t first_id, received_ms;
	struct vd_buf text; /* the array */
	struct vd_scanned *records;
	size_t count;
};
/* -EIO: damaged. */
VD_MUST int vd_chunk_unpack(const void *frame, size_t len, struct vd_chunk *chunk);
/* The record at index as a row. */
VD_MUST int vd_chunk_row(const struct vd_chunk *chunk, size_t index, const char *device,
			 vd_record_fn fn, void *argument);
void vd_chunk_fini(struct vd_chunk *chunk);

/* Deletes the oldest chunks received before, until limit records are gone; how many, or <0. */
VD_MUST int vd_chunks_expire(struct vd_store *store, int64_t before_ms, int limit);

/* store_records.c: count more of a class were taken. verdict NULL: none. */
VD_MUST int vd_record_count(struct vd_store *store, const char *device, const char *class_name,
			    const char *verdict, int64_t count);
