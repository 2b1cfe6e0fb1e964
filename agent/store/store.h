/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/class.h"
#include "agent/store/upload.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/loop.h"

/*
 * What the device must not forget: the outbox (agent/store/outbox.h), its images, and the
 * documents that the agent starts from. One SQLite file in a folder of its own
 * (outbox.db, WAL, synchronous=FULL), written by one thread that groups what arrives while
 * a commit is under way. The loop's thread never waits for the disk: it queues, and is
 * told the result by a handler later. All functions and handlers belong to the loop's thread.
 *
 * The file is locked while it is open: a second agent on the same folder is refused. Look
 * into it with sqlite3 when the agent is stopped.
 *
 * A file that is not a sound database is replaced by what can be read of it and kept as
 * outbox.db.corrupt, and the store says so (vd_store_stats); that never prevents a start. A disk that
 * fails or is full makes the store degraded: records wait in a bounded ring in memory, not
 * answered as stored, tried again every second, and refused when the ring is full.
 */
struct vd_store;

struct vd_class_limit {
	uint64_t max_bytes; /* of compressed records on disk; 0: as much as the outbox has */
	uint64_t ttl_ms;    /* 0: for ever; counted while the device runs, not by the wall clock */
};

struct vd_store_config {
	const char *folder; /* made when absent */
	const char *device_id, *boot_id;
	uint64_t max_bytes;       /* of compressed records on disk, all classes; 0: 256 MiB */
	uint64_t image_max_bytes; /* of images on disk; 0: 1 GiB */
	uint64_t ring_max_bytes;  /* of records in memory, waiting for the disk; 0: 4 MiB */
	struct vd_class_limit classes[VD_CLASSES]; /* by enum vd_class */
	bool send_plain;                           /* batches leave as plain JSON instead of zstd */
};

struct vd_store_handlers {
	/* The record given with token is on disk, under this sequence number. */
	void (*on_stored)(void *argument, uint64_t token, uint64_t seq);
	/* It is not, and never will be; the producer must be told. */
	void (*on_refused)(void *argument, uint64_t token, const struct vd_fault *fault);
	/* vd_outbox_next has something to send again, after it had nothing. */
	void (*on_ready)(void *argument);
	/* The document given with token is on disk (NULL: fine), or could not be written. */
	void (*on_document_stored)(void *argument, uint64_t token, const struct vd_fault *fault);
	/* The store became degraded, for another reason, or sound again (NULL). */
	void (*on_state)(void *argument, const char *degraded);
	/* vd_upload_next has an image, after it had none. */
	void (*on_image)(void *argument);
};

/*
 * Opens or begins a store; strings of config are copied, handlers must outlive the store. Any
 * handler may be NULL. Handlers run from the loop, never from inside a call.
 * -EBUSY: another process has it open; -ENOMEM; else -errno for a folder that cannot be made
 * or read: 500 in fault. A folder on a sick or full disk opens degraded if it opens at all.
 */
VD_MUST int vd_store_open(struct vd_loop *loop, const struct vd_store_config *config,
			  const struct vd_store_handlers *handlers, void *argument,
			  struct vd_store **ret_store, struct vd_fault *fault);

/*
 * Writes what is queued, then closes. What became durable thereby is not reported: no handler
 * runs any more. Returns NULL.
 */
struct vd_store *vd_store_close(struct vd_store *store);
VD_DEFINE_CLEANUP(struct vd_store, vd_store_close)

/*
 * Other bounds from now on: bytes on disk in all (0: 256 MiB), and the time to live of events,
 * telemetry and raw data (0: for ever). What is over them goes with the next commits. Verdicts
 * and alarms keep the time to live that the store was opened with.
 */
void vd_store_set_bounds(struct vd_store *store, uint64_t max_bytes, uint64_t ttl_ms);

/*
 * Documents: small texts by name, whole, at most VD_DOCUMENT_BYTES. The agent's names are
 * "desired", "reported" and "evidence/<module>". vd_store_document_put copies; the answer is
 * on_document_stored. NULL text deletes. Puts of one name are written in their order.
 * -EINVAL: no or too long a name (VD_DOCUMENT_NAME); -E2BIG; -ENOMEM.
 */
enum { VD_DOCUMENT_BYTES = 1 << 20, VD_DOCUMENT_NAME = 128 };
VD_MUST int vd_store_document_put(struct vd_store *store, const char *name, const char *text,
				  size_t len, uint64_t token);

/*
 * Appends the text last put under name, from memory: it does not wait, and answers from the
 * moment of vd_store_open. -ENOENT: there is none. -ENOMEM.
 */
VD_MUST int vd_store_document_get(const struct vd_store *store, const char *name,
				  struct vd_buf *out);

/*
 * Figures for status and metrics. The counters hold over the store's whole life, restarts
 * included, and for every class at any moment
 *     accepted = delivered + evicted + records
 * where every evicted record is named by a tombstone (agent/store/outbox.h).
 */
struct vd_class_stats {
	uint64_t rows, records, bytes; /* on disk, not yet delivered */
	uint64_t accepted, delivered, evicted;
	uint64_t refused;       /* since the start */
	uint64_t repeated;      /* since the start: under a key that is stored already */
	uint64_t oldest_age_ms; /* of the oldest record on disk; 0: none */
};

struct vd_store_stats {
	struct vd_class_stats classes[VD_CLASSES];
	uint64_t tombstones_pending, tombstones_delivered;
	uint64_t queued_records, queued_bytes; /* in memory, not on disk yet */
	uint64_t images, image_bytes, images_evicted;
	struct vd_image_count
		images_of[VD_IMAGE_STATES]; /* waiting now; the others over the life */
	uint64_t commits, last_commit_us, slowest_commit_us; /* since the start */
	uint64_t next_seq;
	uint64_t key_conflicts; /* since the start: repeated, with another body */
	char degraded[256];     /* "": sound */
	char notice[256]; /* what happened at open and does not pass: a corrupt file set aside */
};

void vd_store_stats(struct vd_store *store, struct vd_store_stats *ret_stats);
