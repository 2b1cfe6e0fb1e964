/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/class.h"
#include "agent/store/store.h"
#include "base/attr.h"

/*
 * Store and forward. A record is put, becomes durable, is answered (on_stored), travels in a
 * batch, and is deleted when the hub has acknowledged the batch.
 *
 * Identity. Every record is a JSON object
 *   {"deviceId","bootId","seq","tMono","tWall","timeQuality","class","module","output",
 *    "moduleVersion","desiredVersion","attachments","body"}
 * and (deviceId, bootId, seq) is its id; attachments, [{"name","type","sha256","bytes"}], is
 * absent when there are none. seq is given at the commit: records of one class
 * have the order in which they were put; seq never restarts while the store's file lives. A
 * batch may be sent more than once, and after a restart of the agent its records may be cut
 * into other batches: the hub drops duplicates by the record's id, not by the batch's.
 *
 * Order. Alarms and verdicts leave strictly by seq: the hub sees every verdict in order,
 * whatever happened in between, so a verdict made after an outage waits for those made in
 * it. Events, telemetry and raw data that arise after sending resumed go first, and what
 * gathered in the outage drains beside them: each class is in order in either stream. Of
 * eight batches, at least two are live and one is backlog while there are such.
 *
 * Loss. When a class is over its quota or too old, or the outbox is full, the oldest records
 * of the least valuable class go, and an event record of module "agent", output "tombstone"
 * takes their place:
 *   {"class","firstSeq","lastSeq","count","reason":"quota|full|expired|corrupt"}
 * It says: count records of this class, with numbers in this range, will not come. Alarms
 * and verdicts are refused when there is no room, never evicted; only an expired ttl or a row
 * that rotted on the disk ends one.
 *
 * Keys. A producer that was not answered, because it or the agent ended, puts its record again
 * under the same key: if the first was stored, the second is answered with the first's seq and
 * not stored, whatever its body. Keys are committed with their records and outlive them: the
 * last VD_KEYS of each module.
 *
 * Rot. accepted = delivered + counted in tombstones, whatever page of the files is overwritten:
 *   what should be there stands in the account (agent/store/account.h), which lies in the
 *   database and beside it, with checksums; what is there is whatever rows can be found. A row's
 *   payload and its range have a checksum each. A rotten payload is counted out with its range;
 *   what is no row, and whatever SQLite finds wrong, has the file replaced by what can be read
 *   of it (salvage.c); a row from an older state of its page is known by the ranges that are
 *   settled. And when a class has nothing more to send while the account still expects some,
 *   these are hidden or gone, and are counted out: no scan, no second index, one comparison of
 *   numbers that are kept anyway. It is exact in count; the range in the tombstone is then that
 *   of all that the class could still have.
 *   A checksum over the whole file would find more, sooner, at the price of reading it; a list
 *   of all rows beside the file would tell which ones are gone, at that of a second write.
 *   When both copies of the account are lost, the store says so (notice), and takes what it finds.
 *   When rot meets a power cut, the copy beside may be some commits old: what the lost pages
 *   alone knew is then uncounted. A rotten document is found by whoever parses it.
 */
enum {
	VD_ATTACHMENTS = 4,
	VD_RECORD_BYTES = 128 << 10,
	VD_IMAGE_BYTES = 32 << 20,
	VD_KEY_BYTES = 64,
	VD_KEYS = 4096, /* remembered, a module */
};

struct vd_attachment {
	const char *name;       /* "overlay" */
	const char *media_type; /* "image/jpeg" */
	const char *sha256;     /* 64 hexadecimal digits, lower case */
	uint64_t bytes;
	int fd; /* memfd or file, read from its beginning; the store duplicates it */
};

struct vd_record {
	enum vd_class class;
	const char *module, *output;
	const char *module_version; /* NULL: left out */
	int64_t desired_version;    /* < 0: left out */
	const char *body;           /* JSON value, trusted to be one */
	size_t body_len;
	const struct vd_attachment *attachments;
	size_t attachment_count;
	const char *key; /* what module calls this record, 1 to VD_KEY_BYTES bytes; NULL: nothing */
};

/*
 * Queues a copy. 0: on_stored or on_refused follows with the token, unless the store is
 * closed first. Else refused at once, with the reason in fault and neither handler called:
 * -E2BIG body above VD_RECORD_BYTES or attachment above VD_IMAGE_BYTES (413);
 * -EINVAL a bad attachment (400); -ENOSPC the ring in memory is full (507); -ENOMEM (500).
 *
 * Attachments are written to <folder>/images/<sha256>.<ext> before the record is committed; one
 * whose content is not what it says refuses the record. Images of OK parts are evicted first,
 * then the others, oldest first.
 */
VD_MUST int vd_outbox_put(struct vd_store *store, const struct vd_record *record, uint64_t token,
			  struct vd_fault *fault);

/* A message for the hub: a JSON array of records, as it is or as one zstd frame. */
struct vd_outbox_batch {
	uint64_t id; /* for vd_outbox_delivered; means nothing outside this process */
	enum vd_class class;
	uint64_t first_seq, last_seq;
	uint32_t count;
	const char *bag; /* the message's property bag, encoded for the topic */
	const void *payload;
	size_t len;
};

/*
 * Hands out the next batch to send; how many may be out at a time is the caller's to decide
 * (4 to 16: the link slows with more). It stays the store's memory, valid until it is
 * delivered or the store is closed. 1: there is one; 0: none now, on_ready will tell.
 * The first call after vd_store_open or vd_outbox_return_all says that sending resumed.
 */
VD_MUST int vd_outbox_next(struct vd_store *store, struct vd_outbox_batch *ret_batch);

/* The hub has it. -ENOENT: no such batch is out. */
VD_MUST int vd_outbox_delivered(struct vd_store *store, uint64_t id);

/* The connection went: all batches that are out will be handed out again, in their order. */
void vd_outbox_return_all(struct vd_store *store);

/* How many batches are out. */
size_t vd_outbox_out(const struct vd_store *store);
