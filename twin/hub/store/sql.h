/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sqlite3.h>

#include "twin/hub/store/store.h"

/* Inside the store only: statements prepared once and found by the address of their text. */

/*
 * kinds has a letter for each ?: t text (NULL allowed), i int64_t, b blob (pointer, size_t).
 * Values are bound without a copy: they must live until the statement was stepped.
 * NULL: failed, logged.
 */
sqlite3_stmt *vd_sql(struct vd_store *store, const char *sql, const char *kinds, ...);

/* Steps once and resets: 0 done, VD_STORE_NONE no row changed (for writes), -errno. */
VD_MUST int vd_sql_run(struct vd_store *store, sqlite3_stmt *statement);

/*
 * As vd_sql_run, without waiting for the disk when in no transaction: for what the broker tells
 * again after a crash. The next durable commit carries it along.
 */
VD_MUST int vd_sql_run_relaxed(struct vd_store *store, sqlite3_stmt *statement);

/* 1 a row, 0 the end, -errno (logged); at 0 and below the statement was reset. */
VD_MUST int vd_sql_step(struct vd_store *store, sqlite3_stmt *statement);
void vd_sql_done(sqlite3_stmt *statement);

/* Rows that the last vd_sql_run changed. */
int vd_sql_changes(struct vd_store *store);

/* For text that is built: the caller finalizes it. NULL: failed, logged. */
sqlite3_stmt *vd_sql_new(struct vd_store *store, const char *sql);

/* Never NULL, "" for NULL; cut to size. */
void vd_sql_copy(sqlite3_stmt *statement, int column, char *out, size_t size);

bool vd_sql_in_transaction(const struct vd_store *store);

/* The audit entry of the call that is being answered, and whether the log has one for it. */
struct vd_audit_slot {
	const struct vd_audit_entry *call; /* NULL: no call, or none that needs one */
	bool is_written, is_done;          /* in the open transaction; in a committed one */
};
struct vd_audit_slot *vd_sql_audit_slot(struct vd_store *store);

/* Before each COMMIT: adds the call's entry if nothing else was recorded for it. 0 or -errno. */
VD_MUST int vd_sql_audit_commit(struct vd_store *store);

/* The state of twin_index.h, kept by its files. */
struct vd_twin_index {
	char *paths; /* a line each; "" none */
	bool is_built;
	struct vd_name built; /* the last twin that the building has reached */
};
struct vd_twin_index *vd_sql_twin_index(struct vd_store *store);
VD_MUST int vd_twin_index_load(struct vd_store *store);

/* A twin is about to be stored so (before the row is written), or to go (texts NULL). */
struct vd_twin_texts {
	const char *tags, *desired, *reported;
};
VD_MUST int vd_twin_index_put(struct vd_store *store, const struct vd_name *name,
			      const struct vd_twin_texts *texts);
/* A device with its modules, or one module, is about to be deleted. */
VD_MUST int vd_twin_index_forget(struct vd_store *store, const struct vd_name *name);
