/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, migrations, transactions and the statement cache. WAL with synchronous=FULL: a
 * commit that returned survives a power cut, which the telemetry spool relies on when it
 * deletes what the hub has taken.
 */
#include "twin/hub/store/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "twin/hub/store/migrations.h"
#include "twin/hub/store/sql.h"

enum { STATEMENTS = 256, BUSY_MS = 5000 };

struct vd_store {
	sqlite3 *db;
	struct {
		const char *sql;
		sqlite3_stmt *statement;
	} cache[STATEMENTS];
	int cached;
	bool in_transaction, is_relaxed;
	int groups;         /* group_begin without its end */
	bool is_group_open; /* and something has begun */
	vd_group_fn group_ended;
	void *argument;
	struct vd_audit_slot audit;
	struct vd_twin_index index;
};

static int failed(struct vd_store *s, const char *where)
{
	int code = sqlite3_errcode(s->db);

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return -EBUSY;
	vd_log(VD_ERROR, "store.failed", "code=%d reason=\"%s\" sql=\"%.60s\"",
	       sqlite3_extended_errcode(s->db), sqlite3_errmsg(s->db), where);
	return -EIO;
}

static sqlite3_stmt *prepared(struct vd_store *s, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	for (int i = 0; i < s->cached; i++) {
		if (s->cache[i].sql == sql)
			return s->cache[i].statement;
	}
	if (s->cached == STATEMENTS || sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
							  &statement, NULL) != SQLITE_OK) {
		(void)failed(s, sql);
		return NULL;
	}
	s->cache[s->cached].sql = sql;
	s->cache[s->cached++].statement = statement;
	return statement;
}

static int bind_one(sqlite3_stmt *statement, int index, char kind, va_list *values)
{
	if (kind == 't')
		return sqlite3_bind_text(statement, index, va_arg(*values, const char *), -1,
					 SQLITE_STATIC);
	if (kind == 'i')
		return sqlite3_bind_int64(statement, index, va_arg(*values, int64_t));
	const void *blob = va_arg(*values, const void *);
	size_t len = va_arg(*values, size_t);
	/* A NULL pointer would be SQL's NULL, not an empty blob. */
	return sqlite3_bind_blob64(statement, index, blob ? blob : "", len, SQLITE_STATIC);
}

sqlite3_stmt *vd_sql(struct vd_store *s, const char *sql, const char *kinds, ...)
{
	sqlite3_stmt *statement = prepared(s, sql);
	int code = SQLITE_OK;
	va_list values;

	if (!statement)
		return NULL;
	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	va_start(values, kinds);
	for (int i = 0; kinds[i] && code == SQLITE_OK; i++)
		code = bind_one(statement, i + 1, kinds[i], &values);
	va_end(values);
	if (code != SQLITE_OK) {
		(void)failed(s, sql);
		return NULL;
	}
	return statement;
}

void vd_sql_done(sqlite3_stmt *statement)
{
	(void)sqlite3_reset(statement);
}

int vd_sql_step(struct vd_store *s, sqlite3_stmt *statement)
{
	int code, r;

	if (!statement)
		return -EIO;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return 1;
	r = code == SQLITE_DONE ? 0 : failed(s, sqlite3_sql(statement));
	vd_sql_done(statement);
	return r;
}

int vd_sql_run(struct vd_store *s, sqlite3_stmt *statement)
{
	int r = vd_sql_step(s, statement);

	if (r < 0)
		return r;
	if (r > 0)
		vd_sql_done(statement);
	return sqlite3_changes(s->db) > 0 ? 0 : VD_STORE_NONE;
}

int vd_sql_changes(struct vd_store *s)
{
	return sqlite3_changes(s->db);
}

sqlite3_stmt *vd_sql_new(struct vd_store *s, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		(void)failed(s, sql);
	return statement;
}

void vd_sql_copy(sqlite3_stmt *statement, int column, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	(void)snprintf(out, size, "%s", text ? text : "");
}

static int execute(struct vd_store *s, const char *sql)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(s, sql);
	return 0;
}

int vd_sql_run_relaxed(struct vd_store *s, sqlite3_stmt *statement)
{
	bool is_alone = !s->in_transaction && !s->is_group_open;
	int r = is_alone ? execute(s, "PRAGMA synchronous = NORMAL") : 0;

	if (r == 0)
		r = vd_sql_run(s, statement);
	if (is_alone && execute(s, "PRAGMA synchronous = FULL") < 0)
		return -EIO;
	return r;
}

static void end_relaxed(struct vd_store *s)
{
	if (s->is_relaxed)
		(void)execute(s, "PRAGMA synchronous = FULL");
	s->is_relaxed = false;
}

static int begin_part(struct vd_store *s)
{
	int r = s->is_group_open ? 0 : execute(s, "BEGIN IMMEDIATE");

	s->is_group_open = s->is_group_open || r == 0;
	return r == 0 ? execute(s, "SAVEPOINT part") : r;
}

int vd_store_begin(struct vd_store *s)
{
	int r = s->groups > 0 ? begin_part(s) : execute(s, "BEGIN IMMEDIATE");

	s->in_transaction = r == 0;
	return r;
}

/* The level can only be changed between transactions. */
int vd_store_begin_relaxed(struct vd_store *s)
{
	int r = s->groups > 0 ? 0 : execute(s, "PRAGMA synchronous = NORMAL");

	if (r < 0)
		return r;
	s->is_relaxed = s->groups == 0;
	r = vd_store_begin(s);
	if (r < 0)
		end_relaxed(s);
	return r;
}

int vd_store_commit(struct vd_store *s)
{
	int r = vd_sql_audit_commit(s);

	if (r == 0)
		r = execute(s, s->is_group_open ? "RELEASE part" : "COMMIT");
	if (r < 0) {
		vd_store_rollback(s);
		return r;
	}
	s->in_transaction = false;
	s->audit.is_done |= s->audit.is_written;
	end_relaxed(s);
	return 0;
}

void vd_store_rollback(struct vd_store *s)
{
	/* A failed statement may have ended the transaction already. */
	if (s->in_transaction && sqlite3_get_autocommit(s->db) == 0)
		(void)execute(s, s->is_group_open ? "ROLLBACK TO part; RELEASE part" : "ROLLBACK");
	s->in_transaction = false;
	s->audit.is_written = false;
	end_relaxed(s);
}

void vd_store_on_group_end(struct vd_store *s, vd_group_fn fn, void *argument)
{
	s->group_ended = fn;
	s->argument = argument;
}

void vd_store_group_begin(struct vd_store *s)
{
	s->groups++;
}

bool vd_store_is_grouping(const struct vd_store *s)
{
	return s->groups > 0;
}

/* A disk that failed may have ended the transaction; then nothing of the group is stored. */
static int commit_group(struct vd_store *s)
{
	int r;

	if (!s->is_group_open)
		return 0;
	s->is_group_open = false;
	if (sqlite3_get_autocommit(s->db) != 0)
		return -EIO;
	r = execute(s, "COMMIT");
	if (r < 0 && sqlite3_get_autocommit(s->db) == 0)
		(void)execute(s, "ROLLBACK");
	return r;
}

void vd_store_group_end(struct vd_store *s)
{
	int r;

	if (--s->groups > 0)
		return;
	r = commit_group(s);
	if (s->group_ended)
		s->group_ended(r, s->argument);
}

bool vd_sql_in_transaction(const struct vd_store *s)
{
	return s->in_transaction;
}

struct vd_audit_slot *vd_sql_audit_slot(struct vd_store *s)
{
	return &s->audit;
}

struct vd_twin_index *vd_sql_twin_index(struct vd_store *s)
{
	return &s->index;
}

int vd_store_shrink(struct vd_store *s, int pages)
{
	char pragma[64];

	(void)snprintf(pragma, sizeof pragma, "PRAGMA incremental_vacuum(%d)", pages);
	return execute(s, pragma);
}

static int schema_version(struct vd_store *s, int *ret_version)
{
	sqlite3_stmt *statement = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		r = failed(s, "PRAGMA user_version");
	else
		*ret_version = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return r;
}

static int migrate_one(struct vd_store *s, const struct vd_migration *migration)
{
	char pragma[64];
	int r = vd_store_begin(s);

	if (r < 0)
		return r;
	(void)snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", migration->to);
	r = execute(s, migration->sql);
	if (r == 0)
		r = execute(s, pragma);
	if (r < 0) {
		vd_store_rollback(s);
		return r;
	}
	vd_log(VD_NOTICE, "store.migrated", "version=%d", migration->to);
	return vd_store_commit(s);
}

static int migrate(struct vd_store *s, struct vd_fault *fault)
{
	int version = 0, newest = vd_migrations[vd_migration_count - 1].to;
	int r = schema_version(s, &version);

	if (r == 0 && version > newest) {
		vd_fault_set(fault, 500, "", "its schema is version %d, this hub knows up to %d",
			     version, newest);
		return -EPROTO;
	}
	for (size_t i = 0; r == 0 && i < vd_migration_count; i++) {
		if (vd_migrations[i].to > version)
			r = migrate_one(s, &vd_migrations[i]);
	}
	return r;
}

static int configure(struct vd_store *s, struct vd_fault *fault)
{
	int r = 0;

	(void)sqlite3_extended_result_codes(s->db, 0);
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* auto_vacuum holds only if it precedes the first table. */
	r = execute(s, "PRAGMA auto_vacuum = INCREMENTAL");
	if (r == 0)
		r = execute(s, "PRAGMA journal_mode = WAL");
	if (r == 0)
		r = execute(s, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
			       "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384;"
			       "PRAGMA journal_size_limit = 67108864");
	if (r == 0)
		r = migrate(s, fault);
	return r == 0 ? vd_twin_index_load(s) : r;
}

int vd_store_open(const char *path, bool create, struct vd_store **ret_store,
		  struct vd_fault *fault)
{
	int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
	VD_CLEANUP(vd_store_free) struct vd_store *s = calloc(1, sizeof *s);
	struct stat file;
	int r;

	if (!s)
		return -ENOMEM;
	if (!create && stat(path, &file) < 0) {
		vd_fault_set(fault, 404, "", "%s: %s", path, strerror(errno));
		return -ENOENT;
	}
	if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK) {
		vd_fault_set(fault, 500, "", "%s: %s", path,
			     s->db ? sqlite3_errmsg(s->db) : "no memory");
		return -EIO;
	}
	r = configure(s, fault);
	if (r < 0) {
		if (fault && !fault->code)
			vd_fault_set(fault, 500, "", "%s", sqlite3_errmsg(s->db));
		vd_fault_prefix(fault, "%s", path);
		return r;
	}
	*ret_store = VD_TAKE(s);
	return 0;
}

struct vd_store *vd_store_free(struct vd_store *s)
{
	if (s) {
		for (int i = 0; i < s->cached; i++)
			(void)sqlite3_finalize(s->cache[i].statement);
		(void)sqlite3_close(s->db);
		free(s->index.paths);
		free(s);
	}
	return NULL;
}
