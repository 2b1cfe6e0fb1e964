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
	" crc INTEGER NOT NULL, PRIMARY KEY(module, key)) WITHOUT ROWID;"
	"CREATE TABLE account(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"DROP TABLE tally; DROP TABLE state;",
	"ALTER TABLE image ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE image ADD COLUMN state INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE image ADD COLUMN blob TEXT NOT NULL DEFAULT '';"
	"DROP INDEX image_by_worth;"
	"CREATE INDEX image_to_evict ON image((state=1) DESC, worth, id);"
	"CREATE INDEX image_to_send ON image(rank DESC, id) WHERE state=0;"
	"CREATE TABLE image_total(state INTEGER PRIMARY KEY, count INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL);",
};
enum { SCHEMA_VERSION = VD_COUNT(schemas) };

enum statement {
	BEGIN,
	COMMIT,
	BOOT_PUT,
	BOOT_GET,
	ACCOUNT_PUT,
	ACCOUNT_GET,
	DOCUMENT_PUT,
	DOCUMENT_DELETE,
	DOCUMENT_EACH,
	IMAGE_PUT,
	IMAGE_RAISE,
	IMAGE_CHEAPEST,
	IMAGE_NEXT,
	IMAGE_END,
	IMAGE_DELETE,
	IMAGE_HAS,
	IMAGE_SUM,
	IMAGE_EACH,
	IMAGE_TOTAL_ADD,
	IMAGE_TOTAL_EACH,
	KEY_FIND,
	KEY_KEEP,
	KEY_TRIM,
	KEY_EACH,
	STATEMENTS,
};

#define IMAGE_COLUMNS "id, file, bytes, seq, worth, rank, state, blob"

static const char *const statements[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[BOOT_PUT] = "INSERT OR IGNORE INTO boot(uuid) VALUES(?1)",
	[BOOT_GET] = "SELECT id FROM boot WHERE uuid=?1",
	[ACCOUNT_PUT] = "INSERT OR REPLACE INTO account VALUES(1,?1)",
	[ACCOUNT_GET] = "SELECT data FROM account WHERE id=1",
	[DOCUMENT_PUT] = "INSERT OR REPLACE INTO document VALUES(?1,?2)",
	[DOCUMENT_DELETE] = "DELETE FROM document WHERE name=?1",
	[DOCUMENT_EACH] = "SELECT name, text FROM document",
	[IMAGE_PUT] =
		("INSERT OR IGNORE INTO image(file, bytes, seq, worth, name, media_type, rank,"
		 " state, blob) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"),
	/* One that was adopted gets to know its record. */
	[IMAGE_RAISE] = ("UPDATE image SET worth=max(worth, ?2), rank=max(rank, ?3),"
			 " blob=iif(blob='', ?4, blob) WHERE file=?1"),
	[IMAGE_CHEAPEST] = ("SELECT " IMAGE_COLUMNS " FROM image"
			    " ORDER BY (state=1) DESC, worth, id LIMIT 1"),
	[IMAGE_NEXT] = ("SELECT " IMAGE_COLUMNS " FROM image WHERE state=0"
			" ORDER BY rank DESC, id LIMIT 1 OFFSET ?1"),
	[IMAGE_END] = "UPDATE image SET state=?2 WHERE id=?1 AND state=0 RETURNING bytes",
	[IMAGE_DELETE] = "DELETE FROM image WHERE id=?1",
	[IMAGE_HAS] = "SELECT 1 FROM image WHERE file=?1",
	[IMAGE_SUM] = "SELECT count(*), ifnull(sum(bytes), 0) FROM image",
	[IMAGE_EACH] = "SELECT " IMAGE_COLUMNS ", name, media_type FROM image ORDER BY id",
	[IMAGE_TOTAL_ADD] = ("INSERT INTO image_total VALUES(?1,?2,?3) ON CONFLICT(state)"
			     " DO UPDATE SET count=count+?2, bytes=bytes+?3"),
	[IMAGE_TOTAL_EACH] =
		("SELECT state, count, bytes FROM image_total UNION ALL"
		 " SELECT 0, count(*), ifnull(sum(bytes), 0) FROM image WHERE state=0"),
	[KEY_EACH] = "SELECT module, key, seq, crc FROM key",
	[KEY_FIND] = "SELECT seq, crc FROM key WHERE module=?1 AND key=?2",
	[KEY_KEEP] = "INSERT OR REPLACE INTO key VALUES(?1,?2,?3,?4)",
	[KEY_TRIM] = ("DELETE FROM key WHERE module=?1 AND seq<(SELECT seq FROM key WHERE module=?1"
		      " ORDER BY seq DESC LIMIT 1 OFFSET ?2)"),
};

/* The same for every class, with the table's name in place of %s. */
enum class_statement { ROW_PUT, ROW_NEXT, ROW_LAST, ROW_DELETE, CLASS_STATEMENTS };
static const char *const class_statements[CLASS_STATEMENTS] = {
	[ROW_PUT] = "INSERT INTO batch_%s VALUES(?1,?2,?3,?4,?5,?6,?7)",
	[ROW_NEXT] = ("SELECT first, last, kind, clock, (SELECT uuid FROM boot WHERE id=boot), crc,"
		      " data FROM batch_%s WHERE first>?1 AND first<=?2 AND (?3<0 OR kind=?3)"
		      " ORDER BY first LIMIT 1"),
	[ROW_LAST] = ("SELECT first, last, kind, clock, '', crc, data FROM batch_%s"
		      " WHERE first>?1 AND first<=?2 ORDER BY first DESC LIMIT 1"),
	[ROW_DELETE] = "DELETE FROM batch_%s WHERE first BETWEEN ?1 AND ?2",
};

struct vd_db {
	sqlite3 *sqlite;
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3_stmt *class_statements[VD_CLASSES][CLASS_STATEMENTS];
	sqlite3_stmt *borrowed; /* whose row the caller looks at */
	char boot_id[BOOT_ID];  /* the last one looked up, and its number */
	int64_t boot;
	bool is_new;
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
		{ SQLITE_ERROR, -EUCLEAN }, /* tables are not as they were made */
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
	db->is_new = version == 0;
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

int vd_db_open(const char *path, struct vd_db **ret_db, char *error, size_t error_size)
{
	struct vd_db *db = calloc(1, sizeof *db);
	int r;

	if (!db)
		return -ENOMEM;
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

bool vd_db_is_new(const struct vd_db *db)
{
	return db->is_new;
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

static uint32_t range_crc(const struct vd_row *row)
{
	uint64_t range[] = { row->first, row->last, (uint64_t)row->class, (uint64_t)row->kind };

	return vd_crc32c(0, range, sizeof range);
}

uint64_t vd_row_crc(const struct vd_row *row)
{
	uint32_t crc = range_crc(row);

	return (uint64_t)crc << 32 | vd_crc32c(crc, row->data, row->len);
}

static bool has_sound_range(const struct vd_row *row)
{
	return row->first >= 1 && row->last >= row->first && row->crc >> 32 == range_crc(row);
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
	(void)sqlite3_bind_int64(s, 6, (sqlite3_int64)row->crc);
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
	row->crc = (uint64_t)sqlite3_column_int64(s, 5);
	row->data = sqlite3_column_blob(s, 6);
	row->len = (size_t)sqlite3_column_bytes(s, 6);
}

/*
 * A tree that rotted may give what was not asked for, again and again, and cells that are no rows
 * of ours: it is not asked any further.
 */
static int check_row(struct vd_db *db, const struct vd_row *row, uint64_t after, uint64_t upto)
{
	if (row->first > after && row->first <= upto && has_sound_range(row))
		return 1;
	(void)snprintf(db->error, sizeof db->error,
		       "what stands behind row %" PRIu64 " of class %s is none", after,
		       vd_class_name(row->class));
	return -EUCLEAN;
}

static int borrow_row(struct vd_db *db, sqlite3_stmt *s, enum vd_class class, uint64_t after,
		      uint64_t upto, struct vd_row *ret_row)
{
	int r;

	bind_u64(s, 1, after);
	bind_u64(s, 2, upto);
	r = step(db, s);
	if (r != 1)
		return r;
	db->borrowed = s;
	ret_row->class = class;
	read_row(s, ret_row);
	return check_row(db, ret_row, after, upto);
}

int vd_db_next(struct vd_db *db, enum vd_class class, uint64_t after, uint64_t upto, int kind,
	       struct vd_row *ret_row)
{
	sqlite3_stmt *s = db->class_statements[class][ROW_NEXT];

	end_borrow(db);
	(void)sqlite3_bind_int(s, 3, kind);
	return borrow_row(db, s, class, after, upto, ret_row);
}

int vd_db_last(struct vd_db *db, enum vd_class class, uint64_t after, uint64_t upto,
	       struct vd_row *ret_row)
{
	end_borrow(db);
	return borrow_row(db, db->class_statements[class][ROW_LAST], class, after, upto, ret_row);
}

int vd_db_delete(struct vd_db *db, enum vd_class class, uint64_t from, uint64_t to)
{
	sqlite3_stmt *s = db->class_statements[class][ROW_DELETE];

	end_borrow(db);
	bind_u64(s, 1, from);
	bind_u64(s, 2, to);
	return step(db, s);
}

int vd_db_delete_one(struct vd_db *db, enum vd_class class, uint64_t first)
{
	int r = vd_db_delete(db, class, first, first);

	if (r < 0 || sqlite3_changes(db->sqlite) == 1)
		return r;
	(void)snprintf(db->error, sizeof db->error,
		       "row %" PRIu64 " of class %s is not where it is", first,
		       vd_class_name(class));
	return -EUCLEAN;
}

int vd_db_account_load(struct vd_db *db, struct vd_account *ret_account)
{
	sqlite3_stmt *s = db->statements[ACCOUNT_GET];
	int r = step(db, s);

	if (r != 1)
		return r;
	r = vd_account_decode(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
			      ret_account);
	(void)sqlite3_reset(s);
	return r == 0;
}

int vd_db_account_save(struct vd_db *db, const struct vd_account *account)
{
	sqlite3_stmt *s = db->statements[ACCOUNT_PUT];
	unsigned char bytes[VD_ACCOUNT_BYTES];
	int r;

	vd_account_encode(account, bytes);
	(void)sqlite3_bind_blob(s, 1, bytes, sizeof bytes, SQLITE_STATIC);
	r = step(db, s);
	(void)sqlite3_clear_bindings(s);
	return r;
}

static void add_row(struct vd_account *account, const struct vd_row *row)
{
	int index = row->kind == VD_ROW_TOMBSTONE ? VD_TOMBSTONES : (int)row->class;

	account->of[index].rows++;
	account->of[index].records += row->last - row->first + 1;
	account->of[index].bytes += vd_row_cost(row);
	if (row->last >= account->next_seq)
		account->next_seq = row->last + 1;
	if (row->clock_ms > account->clock_ms)
		account->clock_ms = row->clock_ms;
}

static int extend_by(struct vd_db *db, enum vd_class class, uint64_t since,
		     struct vd_account *account)
{
	struct vd_row row = { .first = since - 1 };
	int r;

	while ((r = vd_db_next(db, class, row.first, UINT64_MAX, -1, &row)) == 1)
		add_row(account, &row);
	return r;
}

int vd_db_account_extend(struct vd_db *db, struct vd_account *account)
{
	uint64_t since = account->next_seq;
	int r = 0;

	for (int i = 0; r == 0 && i < VD_CLASSES; i++)
		r = extend_by(db, (enum vd_class)i, since, account);
	return r;
}

int vd_db_count_images(struct vd_db *db, struct vd_account *account)
{
	sqlite3_stmt *s = db->statements[IMAGE_SUM];
	int r = step(db, s);

	if (r != 1)
		return r;
	account->images = column_u64(s, 0);
	account->image_bytes = column_u64(s, 1);
	(void)sqlite3_reset(s);
	return 0;
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
	(void)sqlite3_bind_int(s, 7, image->rank);
	(void)sqlite3_bind_int(s, 8, (int)image->state);
	bind_text(s, 9, image->blob);
	r = step(db, s);
	if (r < 0 || sqlite3_changes(db->sqlite) > 0)
		return r < 0 ? r : 1;
	s = db->statements[IMAGE_RAISE];
	bind_text(s, 1, image->file);
	(void)sqlite3_bind_int(s, 2, image->worth);
	(void)sqlite3_bind_int(s, 3, image->rank);
	bind_text(s, 4, image->blob);
	return step(db, s);
}

static void copy_text(sqlite3_stmt *s, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	(void)snprintf(out, size, "%s", text ? (const char *)text : "");
}

static void read_image(sqlite3_stmt *s, struct vd_image *image)
{
	int state = sqlite3_column_int(s, 6);

	image->id = sqlite3_column_int64(s, 0);
	copy_text(s, 1, image->file, sizeof image->file);
	image->bytes = column_u64(s, 2);
	image->seq = column_u64(s, 3);
	image->worth = sqlite3_column_int(s, 4);
	image->rank = sqlite3_column_int(s, 5);
	image->state = state == VD_IMAGE_UPLOADED || state == VD_IMAGE_REFUSED
			       ? (enum vd_image_state)state
			       : VD_IMAGE_WAITING;
	copy_text(s, 7, image->blob, sizeof image->blob);
}

static int find_image(struct vd_db *db, sqlite3_stmt *s, struct vd_image *ret_image)
{
	int r = step(db, s);

	if (r != 1)
		return r;
	read_image(s, ret_image);
	(void)sqlite3_reset(s);
	return 1;
}

int vd_db_image_cheapest(struct vd_db *db, struct vd_image *ret_image)
{
	return find_image(db, db->statements[IMAGE_CHEAPEST], ret_image);
}

int vd_db_image_next(struct vd_db *db, unsigned skip, struct vd_image *ret_image)
{
	sqlite3_stmt *s = db->statements[IMAGE_NEXT];

	bind_u64(s, 1, skip);
	return find_image(db, s, ret_image);
}

int vd_db_image_end(struct vd_db *db, int64_t id, enum vd_image_state state, uint64_t *ret_bytes)
{
	sqlite3_stmt *s = db->statements[IMAGE_END];
	int r;

	(void)sqlite3_bind_int64(s, 1, id);
	(void)sqlite3_bind_int(s, 2, (int)state);
	r = step(db, s);
	if (r != 1)
		return r;
	*ret_bytes = column_u64(s, 0);
	(void)sqlite3_reset(s);
	return 1;
}

static int add_total(struct vd_db *db, int state, const struct vd_image_count *count)
{
	sqlite3_stmt *s = db->statements[IMAGE_TOTAL_ADD];

	(void)sqlite3_bind_int(s, 1, state);
	bind_u64(s, 2, count->count);
	bind_u64(s, 3, count->bytes);
	return step(db, s);
}

int vd_db_image_total(struct vd_db *db, enum vd_image_state state, uint64_t bytes)
{
	return add_total(db, (int)state, &(struct vd_image_count){ 1, bytes });
}

int vd_db_image_totals(struct vd_db *db, struct vd_image_count ret_counts[static VD_IMAGE_STATES])
{
	sqlite3_stmt *s = db->statements[IMAGE_TOTAL_EACH];
	int r;

	memset(ret_counts, 0, VD_IMAGE_STATES * sizeof *ret_counts);
	while ((r = step(db, s)) == 1) {
		int state = sqlite3_column_int(s, 0);

		if (state >= 0 && state < VD_IMAGE_STATES)
			ret_counts[state] =
				(struct vd_image_count){ column_u64(s, 1), column_u64(s, 2) };
	}
	return r;
}

int vd_db_copy_images(struct vd_db *from, struct vd_db *to)
{
	struct vd_image_count counts[VD_IMAGE_STATES];
	sqlite3_stmt *s = from->statements[IMAGE_EACH];
	int r = 0;

	while (r >= 0 && step(from, s) == 1) {
		const unsigned char *name = sqlite3_column_text(s, 8);
		const unsigned char *media_type = sqlite3_column_text(s, 9);
		struct vd_image image;

		read_image(s, &image);
		if (name && media_type)
			r = vd_db_image_put(to, &image, (const char *)name,
					    (const char *)media_type);
	}
	(void)sqlite3_reset(s);
	if (r < 0 || vd_db_image_totals(from, counts) < 0)
		return r < 0 ? r : 0;
	for (int state = VD_IMAGE_UPLOADED; r >= 0 && state < VD_IMAGE_STATES; state++)
		r = add_total(to, state, &counts[state]);
	return r < 0 ? r : 0;
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

int vd_db_copy_keys(struct vd_db *from, struct vd_db *to)
{
	sqlite3_stmt *s = from->statements[KEY_EACH];
	int r = 0;

	while (r == 0 && step(from, s) == 1) {
		const unsigned char *module = sqlite3_column_text(s, 0);
		const unsigned char *key = sqlite3_column_text(s, 1);
		uint64_t seq = column_u64(s, 2);

		if (module && key)
			r = vd_db_key_keep(to, (const char *)module, (const char *)key, seq,
					   (uint32_t)sqlite3_column_int64(s, 3));
	}
	(void)sqlite3_reset(s);
	return r;
}
