/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/loop.h"
#include "twin/broker/spool.h"
#include "twin/hub/store/store.h"

/*
 * From the broker's spool into the database. The position in the spool is committed with the
 * rows, so each message has its effect exactly once, whatever is killed when. A message that
 * cannot be read becomes a dead letter.
 */
struct vd_ingest;

/* stored: new records are in the database. folder and store are borrowed for its life. */
VD_MUST int vd_ingest_new(struct vd_loop *loop, struct vd_store *store, const char *folder,
			  vd_fn stored, void *argument, struct vd_ingest **ret_ingest);
struct vd_ingest *vd_ingest_free(struct vd_ingest *ingest);
VD_DEFINE_CLEANUP(struct vd_ingest, vd_ingest_free)

/* There may be something in the spool: looks at the loop's next turn. */
void vd_ingest_wake(struct vd_ingest *ingest);

/* Bytes of the spool that are not in the database yet, roughly. */
uint64_t vd_ingest_backlog(const struct vd_ingest *ingest);

/* One message into the database, inside the caller's transaction. <0: the database failed. */
VD_MUST int vd_ingest_take(struct vd_store *store, const struct vd_spool_record *message);
/* A message that could not be read, once more; its receipt was counted then. */
VD_MUST int vd_ingest_again(struct vd_store *store, const struct vd_dead_letter *letter);
