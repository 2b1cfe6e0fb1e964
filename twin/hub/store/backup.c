/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "twin/hub/store/trust.h"

enum { BUSY_MS = 10000 };

static sqlite3 *db_close(sqlite3 *db)
{
	(void)sqlite3_close(db);
	return NULL;
}
VD_DEFINE_CLEANUP(sqlite3, db_close)

static int failed(const char *path, const char *text, int r, struct vd_fault *fault)
{
	vd_fault_set(fault, 500, "", "%s: %s", path, text);
	return r;
}

static int suffixed(const char *path, const char *suffix, char out[static PATH_MAX])
{
	int len = snprintf(out, PATH_MAX, "%s%s", path, suffix);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int sync_path(const char *path, int flags)
{
	VD_CLEANUP(vd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];

	(void)snprintf(folder, sizeof folder, "%s", path);
	return sync_path(dirname(folder), O_DIRECTORY);
}

/* Empty and closed to others before anything is in it. */
static int make_file(const char *path)
{
	VD_CLEANUP(vd_close) int fd = -1;

	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : 0;
}

static int open_db(const char *path, int flags, sqlite3 **ret_db, struct vd_fault *fault)
{
	VD_CLEANUP(db_close) sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
		return failed(path, db ? sqlite3_errmsg(db) : "no memory", -EIO, fault);
	(void)sqlite3_busy_timeout(db, BUSY_MS);
	*ret_db = VD_TAKE(db);
	return 0;
}

/* All pages in one step: one moment, and writers go on meanwhile (WAL). */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;

	if (backup && sqlite3_backup_finish(backup) != SQLITE_OK)
		code = SQLITE_ERROR;
	return code == SQLITE_DONE ? 0 : -EIO;
}

static int note_answer(void *argument, int count, char **values, char **names)
{
	bool *is_ok = argument;

	*is_ok = count == 1 && values[0] && strcmp(values[0], "ok") == 0;
	return 0;
}

static int check_pages(sqlite3 *db, const char *path, struct vd_fault *fault)
{
	bool is_ok = false;

	if (sqlite3_exec(db, "PRAGMA quick_check(1)", note_answer, &is_ok, NULL) != SQLITE_OK)
		return failed(path, sqlite3_errmsg(db), -EIO, fault);
	return is_ok ? 0 : failed(path, "the database is damaged", -EIO, fault);
}

/* One file, without a journal beside it. */
static int copy_database(const char *from_path, const char *to_path, struct vd_fault *fault)
{
	VD_CLEANUP(db_close) sqlite3 *from = NULL;
	VD_CLEANUP(db_close) sqlite3 *to = NULL;
	int r = open_db(from_path, SQLITE_OPEN_READONLY, &from, fault);

	if (r < 0)
		return r;
	r = make_file(to_path);
	if (r < 0)
		return failed(to_path, strerror(-r), r, fault);
	r = open_db(to_path, SQLITE_OPEN_READWRITE, &to, fault);
	if (r < 0)
		return r;
	if (copy_pages(from, to) < 0)
		return failed(from_path, sqlite3_errmsg(to), -EIO, fault);
	if (sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
		return failed(to_path, sqlite3_errmsg(to), -EIO, fault);
	return check_pages(to, to_path, fault);
}

int vd_store_backup(const char *database, const char *copy, struct vd_fault *fault)
{
	char temporary[PATH_MAX];
	int r = suffixed(copy, ".new", temporary);

	if (r < 0)
		return failed(copy, strerror(-r), r, fault);
	r = copy_database(database, temporary, fault);
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	r = sync_path(temporary, 0);
	if (r == 0 && rename(temporary, copy) < 0)
		r = -errno;
	if (r == 0)
		r = sync_folder_of(copy);
	return r < 0 ? failed(copy, strerror(-r), r, fault) : 0;
}

/* --- the way back --- */

static int close_open_tokens(struct vd_store *store, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	const struct vd_audit_entry entry = {
		.time_ms = now_ms, .action = "hub.restore", .target = "hub", .details = details
	};
	int64_t open = 0;
	int r = details ? vd_store_begin(store) : -ENOMEM;

	if (r < 0)
		return r;
	r = vd_store_enrolment_open_count(store, now_ms, &open);
	if (r == 0)
		r = vd_store_enrolment_void(store);
	if (r == 0 && !vd_json_add_number(details, "tokensCancelled", (double)open))
		r = -ENOMEM;
	if (r == 0)
		r = vd_store_audit_add(store, &entry);
	if (r == 0)
		return vd_store_commit(store);
	vd_store_rollback(store);
	return r;
}

/* Brings the copy to this hub's schema, in a file of its own. */
static int prepare(const char *path, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_store_free) struct vd_store *store = NULL;
	int r = vd_store_open(path, false, &store, fault);

	return r == 0 ? close_open_tokens(store, now_ms) : r;
}

static int rename_if_there(const char *from, const char *to)
{
	return rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * The old journal must go before the new file comes, or SQLite would apply it; the old file is
 * linked aside, so that at no moment there is no database (the hub would make an empty one).
 */
static int swap(const char *prepared, const char *database)
{
	char wal[PATH_MAX], shm[PATH_MAX], replaced[PATH_MAX], replaced_wal[PATH_MAX];
	int r;

	if (suffixed(database, "-wal", wal) < 0 || suffixed(database, "-shm", shm) < 0 ||
	    suffixed(database, ".replaced", replaced) < 0 ||
	    suffixed(database, ".replaced-wal", replaced_wal) < 0)
		return -ENAMETOOLONG;
	(void)unlink(replaced);
	(void)unlink(replaced_wal);
	if (link(database, replaced) < 0 && errno != ENOENT)
		return -errno;
	r = rename_if_there(wal, replaced_wal);
	if (r < 0)
		return r;
	(void)unlink(shm);
	r = sync_folder_of(database);
	if (r == 0 && rename(prepared, database) < 0)
		r = -errno;
	return r == 0 ? sync_folder_of(database) : r;
}

int vd_store_restore(const char *copy, const char *database, int64_t now_ms, struct vd_fault *fault)
{
	char prepared[PATH_MAX];
	int r = suffixed(database, ".new", prepared);

	if (r < 0)
		return failed(database, strerror(-r), r, fault);
	r = copy_database(copy, prepared, fault);
	if (r == 0)
		r = prepare(prepared, now_ms, fault);
	if (r != 0) {
		(void)unlink(prepared);
		return r < 0 ? r : -EIO;
	}
	r = sync_path(prepared, 0);
	if (r == 0)
		r = swap(prepared, database);
	return r < 0 ? failed(database, strerror(-r), r, fault) : 0;
}
