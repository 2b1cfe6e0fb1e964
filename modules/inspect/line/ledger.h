/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"

/*
 * The triggers that were accepted and have no durable verdict yet, in a file that survives kill -9
 * and a power cut. A line a change: accept with all that must be known to tell of the item later,
 * close once its verdict is stored. The file is appended to, and replaced by rename when most of it
 * is history. A line carries a digest: what a crash cut is passed over, and counted.
 *
 * Writing and syncing are a thread's; accepts that come while one sync lasts share the next.
 * Closing is not synced: a lost close is a verdict published twice under one key, which the agent
 * stores once. Everything here is called on one thread, the loop's.
 */
struct vd_ledger;

enum { VD_LEDGER_MOST = 1024, VD_LEDGER_LINE = 4096 };

/*
 * wake is called from the writer's thread when something can be taken. A file that cannot be read
 * or written is no reason not to start: accepts then settle with a negative status. -errno only
 * without memory or thread; fault says what was wrong with the file (code 0: nothing).
 */
VD_MUST int vd_ledger_new(const char *path, void (*wake)(void *argument), void *argument,
			  struct vd_ledger **ret_ledger, struct vd_fault *fault);

/* Writes what is pending, then ends. */
struct vd_ledger *vd_ledger_free(struct vd_ledger *ledger);
VD_DEFINE_CLEANUP(struct vd_ledger, vd_ledger_free)

/*
 * What was open when the file was read: an array of the objects accepted then, oldest first, as
 * they still are until closed. The caller's. NULL: no memory.
 */
cJSON *vd_ledger_open_items(const struct vd_ledger *ledger);

/*
 * Takes *body, an object with "id", also on failure. vd_ledger_take tells of it once it is on the
 * disk. -EINVAL: no id, or a line above VD_LEDGER_LINE; -ENOBUFS: VD_LEDGER_MOST are open; -ENOMEM.
 */
VD_MUST int vd_ledger_accept(struct vd_ledger *ledger, cJSON **body);

/* The item's verdict is durable. Nothing happens to an id that is not open. */
void vd_ledger_close(struct vd_ledger *ledger, const char *id);

struct vd_ledger_settled {
	char id[VD_UUID_TEXT];
	int status; /* 0: on the disk; -errno: it is not */
};

/* The next accept that has been settled, in order; false: none. */
bool vd_ledger_take(struct vd_ledger *ledger, struct vd_ledger_settled *ret_settled);

size_t vd_ledger_count(const struct vd_ledger *ledger); /* open */

struct vd_ledger_counts {
	uint64_t damaged;  /* lines passed over when the file was read */
	uint64_t syncs;    /* of the file so far */
	uint64_t replaced; /* times the file was written anew */
	uint64_t failures; /* writes and syncs that failed */
};
void vd_ledger_counts(struct vd_ledger *ledger, struct vd_ledger_counts *ret_counts);

/* Pure: the open items in the text of a file, as vd_ledger_open_items. Any bytes. -ENOMEM. */
VD_MUST int vd_ledger_parse(const char *text, size_t len, cJSON **ret_open, uint64_t *ret_damaged);

/* What was accepted under id, while it is open; NULL: it is not. Until the next call. */
const cJSON *vd_ledger_find(const struct vd_ledger *ledger, const char *id);
