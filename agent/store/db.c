/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table a class: their rows are then appended at the end of a tree, deleted at its
 * beginning, and found by class without an index, so a commit of one batch writes one leaf.
 * EXCLUSIVE keeps the WAL's index in memory: no shared-memory file that a full disk could turn
 * into SIGBUS, no lock calls, and a second agent is refused.
 */
#include "agent/store/db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "agent/store/batch.h"
#include "base/clock.h"
#include "base/file.h"

enum { BOOT_ID = 64 };

/* What each version of the schema adds to the one before; version n is after the first n. */
static const char *const schemas[] = {
#define ROWS(class)                                                                                \
	"CREATE TABLE batch_" class "(first INTEGER PRIMARY KEY, last INTEGER NOT NULL,"           \
				    " kind INTEGER NOT NULL, clock INTEGER NOT NULL, boot "        \
				    "INTEGER NOT NULL,"                                            \
				    " crc INTEGER NOT NULL, data BLOB NOT NULL);"
	ROWS("alarm") ROWS("verdict") ROWS("event") ROWS("telemetry") ROWS("raw")
#undef ROWS
		"CREATE TABLE boot(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE);"
		"CREATE TABLE tally(class INTEGER PRIMARY KEY, rows INTEGER NOT NULL,"
		" records INTEGER NOT NULL, bytes INTEGER NOT NULL, delivered INTEGER NOT NULL,"
		" evicted INTEGER NOT NULL);"
		"CREATE TABLE state(name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE document(name TEXT PRIMARY KEY, text BLOB NOT NULL);"
		"CREATE TABLE image(id INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE,"
		" bytes INTEGER NOT NULL, seq INTEGER NOT NULL, worth INTEGER NOT NULL,"
		" name TEXT NOT NULL, media_type TEXT NOT NULL);"
		"CREATE INDEX image_by_worth ON image(worth, id);",
	"CREATE TABLE key(module TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL,"
	" crc INTEGER NOT NULL, PRIMARY KEY(module, key)) WITHOUT ROWID;",
};
enum { SCHEMA_VERSION = VD_COUNT(schemas) };

enum statement {
	BEGIN,
	COMMIT,
	BOOT_PUT,
	BOOT_GET,
	TALLY_PUT,
	TALLY_GET,
	STATE_PUT,
	STATE_GET,
	DOCUMENT_PUT,
	DOCUMENT_DELETE,
	DOCUMENT_EACH,
	IMAGE_PUT,
	IMAGE_RAISE,
	IMAGE_CHEAPEST,
	IMAGE_DELETE,
	IMAGE_HAS,
	IMAGE_SUM,
	KEY_FIND,
	KEY_KEEP,
	KEY_TRIM,
	STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[BOOT_PUT] = "INSERT OR IGNORE INTO boot(uuid) VALUES(?1)",
	[BOOT_GET] = "SELECT id FROM boot WHERE uuid=?1",
	[TALLY_PUT] = "INSERT OR REPLACE INTO tally VALUES(?1,?2,?3,?4,?5,?6)",
	[TALLY_GET] = "SELECT rows, records, bytes, delivered, evicted FROM tally WHERE class=?1",
	[STATE_PUT] = "INSERT OR REPLACE INTO state VALUES(?1,?2)",
	[STATE_GET] = "SELECT value FROM state WHERE name=?1",
	[DOCUMENT_PUT] = "INSERT OR REPLACE INTO document VALUES(?1,?2)",
	[DOCUMENT_DELETE] = "DELETE FROM document WHERE name=?1",
	[DOCUMENT_EACH] = "SELECT name, text FROM document",
	[IMAGE_PUT] = ("INSERT OR IGNORE INTO image(file, bytes, seq, worth, name, media_type)"
		       " VALUES(?1,?2,?3,?4,?5,?6)"),
	[IMAGE_RAISE] = "UPDATE image SET worth=max(worth, ?2) WHERE file=?1",
	[IMAGE_CHEAPEST] =
		"SELECT id, file, bytes, seq, worth FROM image ORDER BY worth, id LIMIT 1",
	[IMAGE_DELETE] = "DELETE FROM image WHERE id=?1",
	[IMAGE_HAS] = "SELECT 1 FROM image WHERE file=?1",
	[IMAGE_SUM] = "SELECT count(*), ifnull(sum(bytes), 0) FROM image",
	[KEY_FIND] = "SELECT seq, crc FROM key WHERE module=?1 AND key=?2",
	[KEY_KEEP] = "INSERT INTO key VALUES(?1,?2,?3,?4)",
	[KEY_TRIM] = ("DELETE FROM key WHERE module=?1 AND seq<(SELECT seq FROM key WHERE module=?1"
		      " ORDER BY seq DESC LIMIT 1 OFFSET ?2)"),
};

/* The same for every class, with the table's name in place of %s. */
enum class_statement { ROW_PUT, ROW_NEXT, ROW_DELETE, ROW_SUM, CLASS_STATEMENTS };
static const char *const class_statements[CLASS_STATEMENTS] = {
	[ROW_PUT] = "INSERT INTO batch_%s VALUES(?1,?2,?3,?4,?5,?6,?7)",
	[ROW_NEXT] = ("SELECT first, last, kind, clock, (SELECT uuid FROM boot WHERE id=boot), crc,"
		      " data FROM batch_%s WHERE first>?1 AND first<=?2 AND (?3<0 OR kind=?3)"
		      " ORDER BY first LIMIT 1"),
	[ROW_DELETE] = "DELETE FROM batch_%s WHERE first BETWEEN ?1 AND ?2",
	[ROW_SUM] = ("SELECT kind, count(*), sum(last-first+1), sum(length(data)+48), max(last)+1,"
		     " max(clock) FROM batch_%s WHERE first>=?1 GROUP BY kind"),
};

struct vd_db {
	sqlite3 *sqlite;
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3_stmt *class_statements[VD_CLASSES][CLASS_STATEMENTS];
	sqlite3_stmt *borrowed; /* whose row the caller looks at */
	char boot_id[BOOT_ID];  /* the last one looked up, and its number */
	int64_t boot;
	uint64_t kernel_boot;
	char error[256];
};

/* Remembers why; sqlite 0 is success. */
static int result(struct vd_db *db, int code)
{
	static const struct {
		int code, error;
	} errors[] = {
		{ SQLITE_FULL, -ENOSPC },    { SQLITE_IOERR, -EIO },
		{ SQLITE_READONLY, -EROFS }, { SQLITE_CORRUPT, -EUCLEAN },
		{ SQLITE_NOTADB, -EUCLEAN }, { SQLITE_BUSY, -EBUSY },
		{ SQLITE_LOCKED, -EBUSY },   { SQLITE_NOMEM, -ENOMEM },
		{ SQLITE_CANTOPEN, -EIO },   { SQLITE_CONSTRAINT, -EUCLEAN },
	};

	if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
		return 0;

	int os = db->sqlite ? sqlite3_system_errno(db->sqlite) : 0;

	(void)snprintf(db->error, sizeof db->error, "%s%s%s",
		       db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(code),
		       os ? ": " : "", os ? strerrordesc_np(os) : "");
	if (os == ENOSPC || os == EDQUOT)
		return -ENOSPC;
	for (size_t i = 0; i < VD_COUNT(errors); i++)
		if ((code & 0xff) == errors[i].code)
			return errors[i].error;
	return -EIO;
}

const char *vd_db_error(const struct vd_db *db)
{
	return db->error;
}

static void end_borrow(struct vd_db *db)
{
	if (db->borrowed)
		(void)sqlite3_reset(db->borrowed);
	db->borrowed = NULL;
}

/* 1: a row stands there, 0: done. A done statement is reset, ready for the next use. */
static int step(struct vd_db *db, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	int r = result(db, code);

	if (code == SQLITE_ROW)
		return 1;
	(void)sqlite3_reset(statement);
	return r;
}

static void bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
	(void)sqlite3_bind_int64(statement, index,
				 (sqlite3_int64)(value > INT64_MAX ? INT64_MAX : value));
}

static uint64_t column_u64(sqlite3_stmt *statement, int index)
{
	sqlite3_int64 value = sqlite3_column_int64(statement, index);

	return value < 0 ? 0 : (uint64_t)value;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	(void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static int run(struct vd_db *db, const char *sql)
{
	return result(db, sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL));
}

static int read_schema_version(struct vd_db *db, int *ret_version)
{
	sqlite3_stmt *s = NULL;
	int r = result(db, sqlite3_prepare_v2(db->sqlite, "PRAGMA user_version", -1, &s, NULL));

	if (r == 0 && step(db, s) == 1)
		*ret_version = sqlite3_column_int(s, 0);
	(void)sqlite3_finalize(s);
	return r;
}

static int raise_schema(struct vd_db *db, int version)
{
	char sql[64];
	int r = run(db, "BEGIN IMMEDIATE");

	for (; r == 0 && version < SCHEMA_VERSION; version++)
		r = run(db, schemas[version]);
	(void)snprintf(sql, sizeof sql, "PRAGMA user_version=%d; COMMIT", SCHEMA_VERSION);
	if (r == 0)
		r = run(db, sql);
	if (r < 0)
		vd_db_rollback(db);
	return r;
}

/* A newer agent's file is not read by an older one: it is set aside like a broken one. */
static int check_schema(struct vd_db *db)
{
	int version = 0;
	int r = read_schema_version(db, &version);

	if (r < 0 || version == SCHEMA_VERSION)
		return r;
	if (version >= 0 && version < SCHEMA_VERSION)
		return raise_schema(db, version);
	(void)snprintf(db->error, sizeof db->error, "schema version %d is not %d", version,
		       SCHEMA_VERSION);
	return -EUCLEAN;
}

static int prepare(struct vd_db *db, const char *sql, sqlite3_stmt **ret_statement)
{
	return result(db, sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT,
					     ret_statement, NULL));
}

static int prepare_class(struct vd_db *db, enum vd_class class)
{
	int r = 0;

	for (int i = 0; r == 0 && i < CLASS_STATEMENTS; i++) {
		char sql[256];

		(void)sqlite3_snprintf(sizeof sql, sql, class_statements[i], vd_class_name(class));
		r = prepare(db, sql, &db->class_statements[class][i]);
	}
	return r;
}

static int prepare_all(struct vd_db *db)
{
	int r = 0;

	for (int i = 0; r == 0 && i < STATEMENTS; i++)
		r = prepare(db, statements[i], &db->statements[i]);
	for (int class = 0; r == 0 && class < VD_CLASSES; class ++)
		r = prepare_class(db, (enum vd_class) class);
	return r;
}

static int open_file(struct vd_db *db, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int r = result(db, sqlite3_open_v2(path, &db->sqlite, flags, NULL));

	if (r == 0)
		r = run(db,
			"PRAGMA locking_mode=EXCLUSIVE; "
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			"PRAGMA cache_size=-512; PRAGMA temp_store=MEMORY;"
			/* Debian's default is on: every page freed would be written once more. */
			"PRAGMA secure_delete=OFF;");
	if (r == 0)
		r = check_schema(db);
	return r < 0 ? r : prepare_all(db);
}

/* A number for this start of the machine, from the kernel's random one; 0: not known. */
static uint64_t read_kernel_boot(void)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (vd_file_read("/proc/sys/kernel/random/boot_id", 128, &text, NULL) < 0)
		return 0;
	return vd_crc32c(0, text.data, text.len);
}

int vd_db_open(const char *path, struct vd_db **ret_db, char *error, size_t error_size)
{
	struct vd_db *db = calloc(1, sizeof *db);
	int r;

	if (!db)
		return -ENOMEM;
	db->kernel_boot = read_kernel_boot();
	r = open_file(db, path);
	if (r < 0) {
		(void)snprintf(error, error_size, "%s", db->error);
		(void)vd_db_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

struct vd_db *vd_db_close(struct vd_db *db)
{
	if (!db)
		return NULL;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(db->statements[i]);
	for (int class = 0; class < VD_CLASSES; class ++)
		for (int i = 0; i < CLASS_STATEMENTS; i++)
			(void)sqlite3_finalize(db->class_statements[class][i]);
	(void)sqlite3_close(db->sqlite);
	free(db);
	return NULL;
}

bool vd_db_is_readonly(const struct vd_db *db)
{
	return sqlite3_db_readonly(db->sqlite, "main") != 0;
}

int vd_db_begin(struct vd_db *db)
{
	end_borrow(db);
	return step(db, db->statements[BEGIN]);
}

int vd_db_commit(struct vd_db *db)
{
	end_borrow(db);
	return step(db, db->statements[COMMIT]);
}

void vd_db_rollback(struct vd_db *db)
{
	char error[sizeof db->error];

	/* The reason is wanted that made the rollback necessary. */
	memcpy(error, db->error, sizeof error);
	end_borrow(db);
	if (!sqlite3_get_autocommit(db->sqlite))
		(void)run(db, "ROLLBACK");
	memcpy(db->error, error, sizeof error);
	db->boot_id[0] = '\0'; /* its row may be gone */
}

uint32_t vd_row_crc(const struct vd_row *row)
{
	uint64_t head[] = { row->first, row->last, (uint64_t)row->class, (uint64_t)row->kind };
	uint32_t crc = vd_crc32c(0, head, sizeof head);

	return vd_crc32c(crc, row->data, row->len);
}

static int find_boot(struct vd_db *db, const char *boot_id)
{
	sqlite3_stmt *put = db->statements[BOOT_PUT], *get = db->statements[BOOT_GET];
	int r;

	if (strcmp(db->boot_id, boot_id) == 0)
		return 0;
	bind_text(put, 1, boot_id);
	r = step(db, put);
	if (r < 0)
		return r;
	bind_text(get, 1, boot_id);
	r = step(db, get);
	if (r != 1)
		return r < 0 ? r : -EUCLEAN;
	db->boot = sqlite3_column_int64(get, 0);
	(void)sqlite3_reset(get);
	(void)snprintf(db->boot_id, sizeof db->boot_id, "%s", boot_id);
	return 0;
}

int vd_db_insert(struct vd_db *db, const struct vd_row *row)
{
	sqlite3_stmt *s = db->class_statements[row->class][ROW_PUT];
	int r = find_boot(db, row->boot_id);

	if (r < 0)
		return r;
	bind_u64(s, 1, row->first);
	bind_u64(s, 2, row->last);
	(void)sqlite3_bind_int(s, 3, (int)row->kind);
	bind_u64(s, 4, row->clock_ms);
	(void)sqlite3_bind_int64(s, 5, db->boot);
	(void)sqlite3_bind_int64(s, 6, row->crc);
	(void)sqlite3_bind_blob64(s, 7, row->data, row->len, SQLITE_STATIC);
	r = step(db, s);
	(void)sqlite3_bind_null(s, 7);
	return r;
}

static void read_row(sqlite3_stmt *s, struct vd_row *row)
{
	const unsigned char *boot_id = sqlite3_column_text(s, 4);

	row->first = column_u64(s, 0);
	row->last = column_u64(s, 1);
	row->kind =
		sqlite3_column_int(s, 2) == VD_ROW_TOMBSTONE ? VD_ROW_TOMBSTONE : VD_ROW_RECORDS;
	row->clock_ms = column_u64(s, 3);
	(void)snprintf(row->boot_id, sizeof row->boot_id, "%s",
		       boot_id ? (const char *)boot_id : "");
	row->crc = (uint32_t)sqlite3_column_int64(s, 5);
	row->data = sqlite3_column_blob(s, 6);
	row->len = (size_t)sqlite3_column_bytes(s, 6);
}

int vd_db_next(struct vd_db *db, enum vd_class class, uint64_t after, uint64_t upto, int kind,
	       struct vd_row *ret_row)
{
	sqlite3_stmt *s = db->class_statements[class][ROW_NEXT];
	int r;

	end_borrow(db);
	bind_u64(s, 1, after);
	bind_u64(s, 2, upto);
	(void)sqlite3_bind_int(s, 3, kind);
	r = step(db, s);
	if (r != 1)
		return r;
	db->borrowed = s;
	ret_row->class = class;
	read_row(s, ret_row);
	return 1;
}

int vd_db_delete(struct vd_db *db, enum vd_class class, uint64_t from, uint64_t to)
{
	sqlite3_stmt *s = db->class_statements[class][ROW_DELETE];

	end_borrow(db);
	bind_u64(s, 1, from);
	bind_u64(s, 2, to);
	return step(db, s);
}

/* Index: the figures of one class, or VD_TOMBSTONES. */
static int load_saved(struct vd_db *db, int index, struct vd_tally *tally)
{
	sqlite3_stmt *s = db->statements[TALLY_GET];
	int r;

	(void)sqlite3_bind_int(s, 1, index);
	r = step(db, s);
	if (r != 1)
		return r;
	tally->of[index].rows = column_u64(s, 0);
	tally->of[index].records = column_u64(s, 1);
	tally->of[index].bytes = column_u64(s, 2);
	tally->of[index].delivered = column_u64(s, 3);
	tally->of[index].evicted = column_u64(s, 4);
	(void)sqlite3_reset(s);
	return 0;
}

static void add_sum(sqlite3_stmt *s, int index, struct vd_tally *tally)
{
	tally->of[index].rows += column_u64(s, 1);
	tally->of[index].records += column_u64(s, 2);
	tally->of[index].bytes += column_u64(s, 3);
}

static int add_rows_since(struct vd_db *db, enum vd_class class, uint64_t since,
			  struct vd_tally *tally, uint64_t *last_clock_ms)
{
	sqlite3_stmt *s = db->class_statements[class][ROW_SUM];
	int r;

	bind_u64(s, 1, since);
	while ((r = step(db, s)) == 1) {
		add_sum(s,
			sqlite3_column_int(s, 0) == VD_ROW_TOMBSTONE ? VD_TOMBSTONES : (int)class,
			tally);
		if (column_u64(s, 4) > tally->next_seq)
			tally->next_seq = column_u64(s, 4);
		if (column_u64(s, 5) > *last_clock_ms)
			*last_clock_ms = column_u64(s, 5);
	}
	return r;
}

static int get_state(struct vd_db *db, const char *name, uint64_t *value)
{
	sqlite3_stmt *s = db->statements[STATE_GET];
	int r;

	bind_text(s, 1, name);
	r = step(db, s);
	if (r == 1) {
		*value = (uint64_t)sqlite3_column_int64(s, 0);
		(void)sqlite3_reset(s);
	}
	return r < 0 ? r : 0;
}

static int put_state(struct vd_db *db, const char *name, uint64_t value)
{
	sqlite3_stmt *s = db->statements[STATE_PUT];

	bind_text(s, 1, name);
	(void)sqlite3_bind_int64(s, 2, (sqlite3_int64)value);
	return step(db, s);
}

/* After a restart of the machine the clock goes on from where it was last seen. */
static int load_clock(struct vd_db *db, uint64_t last_clock_ms, struct vd_tally *tally)
{
	uint64_t boot = 0, offset = 0, saved_ms = 0;
	int r = get_state(db, "kernelBoot", &boot);

	if (r == 0)
		r = get_state(db, "clockOffsetMs", &offset);
	if (r == 0)
		r = get_state(db, "clockMs", &saved_ms);
	if (r < 0)
		return r;
	if (saved_ms > last_clock_ms)
		last_clock_ms = saved_ms;
	tally->clock_offset_ms = (int64_t)offset;
	if (boot != db->kernel_boot || boot == 0)
		tally->clock_offset_ms = (int64_t)(last_clock_ms - vd_clock_mono_ms());
	return 0;
}

static int load_images(struct vd_db *db, struct vd_tally *tally)
{
	sqlite3_stmt *s = db->statements[IMAGE_SUM];
	int r = step(db, s);

	if (r != 1)
		return r;
	tally->images = column_u64(s, 0);
	tally->image_bytes = column_u64(s, 1);
	(void)sqlite3_reset(s);
	return get_state(db, "imagesEvicted", &tally->images_evicted);
}

int vd_db_load_tally(struct vd_db *db, struct vd_tally *ret_tally)
{
	struct vd_tally tally = { .next_seq = 1 };
	uint64_t last_clock_ms = 0;
	int r = get_state(db, "nextSeq", &tally.next_seq);

	/* The figures are saved with every deletion: all that came later is from here on. */
	uint64_t since = tally.next_seq;

	for (int i = 0; r == 0 && i < VD_TALLIES; i++)
		r = load_saved(db, i, &tally);
	for (int i = 0; r == 0 && i < VD_CLASSES; i++)
		r = add_rows_since(db, (enum vd_class)i, since, &tally, &last_clock_ms);
	if (r == 0)
		r = load_clock(db, last_clock_ms, &tally);
	if (r == 0)
		r = load_images(db, &tally);
	if (r == 0)
		*ret_tally = tally;
	return r;
}

static int save_one(struct vd_db *db, int index, const struct vd_tally *tally)
{
	sqlite3_stmt *s = db->statements[TALLY_PUT];

	(void)sqlite3_bind_int(s, 1, index);
	bind_u64(s, 2, tally->of[index].rows);
	bind_u64(s, 3, tally->of[index].records);
	bind_u64(s, 4, tally->of[index].bytes);
	bind_u64(s, 5, tally->of[index].delivered);
	bind_u64(s, 6, tally->of[index].evicted);
	return step(db, s);
}

int vd_db_save_tally(struct vd_db *db, const struct vd_tally *tally)
{
	const struct {
		const char *name;
		uint64_t value;
	} states[] = {
		{ "nextSeq", tally->next_seq },
		{ "imagesEvicted", tally->images_evicted },
		{ "kernelBoot", db->kernel_boot },
		{ "clockOffsetMs", (uint64_t)tally->clock_offset_ms },
		{ "clockMs", vd_clock_mono_ms() + (uint64_t)tally->clock_offset_ms },
	};
	int r = 0;

	for (int i = 0; r == 0 && i < VD_TALLIES; i++)
		r = save_one(db, i, tally);
	for (size_t i = 0; r == 0 && i < VD_COUNT(states); i++)
		r = put_state(db, states[i].name, states[i].value);
	return r;
}

int vd_db_document_put(struct vd_db *db, const char *name, const char *text, size_t len)
{
	sqlite3_stmt *s = db->statements[text ? DOCUMENT_PUT : DOCUMENT_DELETE];
	int r;

	bind_text(s, 1, name);
	if (text)
		(void)sqlite3_bind_blob64(s, 2, text, len, SQLITE_STATIC);
	r = step(db, s);
	(void)sqlite3_clear_bindings(s);
	return r;
}

int vd_db_each_document(struct vd_db *db, vd_db_document_fn fn, void *argument)
{
	sqlite3_stmt *s = db->statements[DOCUMENT_EACH];
	int r;

	while ((r = step(db, s)) == 1) {
		const unsigned char *name = sqlite3_column_text(s, 0);
		const void *text = sqlite3_column_blob(s, 1);

		r = fn(argument, name ? (const char *)name : "", text ? text : "",
		       (size_t)sqlite3_column_bytes(s, 1));
		if (r < 0) {
			(void)sqlite3_reset(s);
			return r;
		}
	}
	return r;
}

int vd_db_image_put(struct vd_db *db, const struct vd_image *image, const char *name,
		    const char *media_type)
{
	sqlite3_stmt *s = db->statements[IMAGE_PUT];
	int r;

	bind_text(s, 1, image->file);
	bind_u64(s, 2, image->bytes);
	bind_u64(s, 3, image->seq);
	(void)sqlite3_bind_int(s, 4, image->worth);
	bind_text(s, 5, name);
	bind_text(s, 6, media_type);
	r = step(db, s);
	if (r < 0 || sqlite3_changes(db->sqlite) > 0)
		return r < 0 ? r : 1;
	s = db->statements[IMAGE_RAISE];
	bind_text(s, 1, image->file);
	(void)sqlite3_bind_int(s, 2, image->worth);
	return step(db, s);
}

int vd_db_image_cheapest(struct vd_db *db, struct vd_image *ret_image)
{
	sqlite3_stmt *s = db->statements[IMAGE_CHEAPEST];
	int r = step(db, s);

	if (r != 1)
		return r;

	const unsigned char *file = sqlite3_column_text(s, 1);

	ret_image->id = sqlite3_column_int64(s, 0);
	(void)snprintf(ret_image->file, sizeof ret_image->file, "%s",
		       file ? (const char *)file : "");
	ret_image->bytes = column_u64(s, 2);
	ret_image->seq = column_u64(s, 3);
	ret_image->worth = sqlite3_column_int(s, 4);
	(void)sqlite3_reset(s);
	return 1;
}

int vd_db_image_delete(struct vd_db *db, int64_t id)
{
	sqlite3_stmt *s = db->statements[IMAGE_DELETE];

	(void)sqlite3_bind_int64(s, 1, id);
	return step(db, s);
}

int vd_db_has_image(struct vd_db *db, const char *file)
{
	sqlite3_stmt *s = db->statements[IMAGE_HAS];
	int r;

	bind_text(s, 1, file);
	r = step(db, s);
	if (r == 1)
		(void)sqlite3_reset(s);
	return r;
}

int vd_db_key_find(struct vd_db *db, const char *module, const char *key, uint64_t *ret_seq,
		   uint32_t *ret_crc)
{
	sqlite3_stmt *s = db->statements[KEY_FIND];
	int r;

	bind_text(s, 1, module);
	bind_text(s, 2, key);
	r = step(db, s);
	if (r != 1)
		return r;
	*ret_seq = column_u64(s, 0);
	*ret_crc = (uint32_t)sqlite3_column_int64(s, 1);
	(void)sqlite3_reset(s);
	return 1;
}

int vd_db_key_keep(struct vd_db *db, const char *module, const char *key, uint64_t seq,
		   uint32_t crc)
{
	sqlite3_stmt *s = db->statements[KEY_KEEP];

	bind_text(s, 1, module);
	bind_text(s, 2, key);
	bind_u64(s, 3, seq);
	(void)sqlite3_bind_int64(s, 4, crc);
	return step(db, s);
}

int vd_db_key_trim(struct vd_db *db, const char *module, unsigned keep)
{
	sqlite3_stmt *s = db->statements[KEY_TRIM];

	bind_text(s, 1, module);
	bind_u64(s, 2, keep - 1);
	return step(db, s);
}
