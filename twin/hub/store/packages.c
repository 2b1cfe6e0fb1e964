/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/packages.h"

#include <errno.h>
#include <string.h>

#include "twin/hub/store/sql.h"

#define COLUMNS                                                                                    \
	"name, version, arch, kind, sha256, bytes, manifest_sha256, manifest, signature, key_id,"  \
	" author, created_ms, stored_ms, deleted_ms"

static const char put_sql[] =
	"INSERT OR REPLACE INTO packages (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	" ?, ?, ?, 0)";
static const char get_sql[] =
	"SELECT " COLUMNS " FROM packages WHERE name = ? AND version = ? AND arch = ?";
static const char each_sql[] =
	"SELECT " COLUMNS " FROM packages WHERE stored_ms > 0 AND deleted_ms = 0"
	" AND (name, version, arch) > (?1, ?2, ?3) AND (?4 IS NULL OR name = ?4)"
	" ORDER BY name, version, arch LIMIT ?5";
static const char loose_sql[] =
	"SELECT " COLUMNS " FROM packages p WHERE stored_ms BETWEEN 1 AND ?1 - 1 AND deleted_ms = 0"
	" AND NOT EXISTS (SELECT 1 FROM channels c WHERE c.name = p.name AND c.arch = p.arch"
	" AND c.version = p.version) ORDER BY name, version, arch LIMIT ?2";
static const char delete_sql[] =
	"UPDATE packages SET deleted_ms = ?4 WHERE name = ?1 AND version = ?2 AND arch = ?3"
	" AND deleted_ms = 0";
static const char forget_sql[] = "DELETE FROM packages WHERE stored_ms = 0 AND created_ms < ?";
static const char archive_sql[] =
	"SELECT max(bytes), max(stored_ms) > 0 FROM packages WHERE sha256 = ? AND deleted_ms = 0"
	" GROUP BY sha256";
static const char stored_sql[] =
	"UPDATE packages SET stored_ms = ? WHERE sha256 = ? AND stored_ms = 0 AND deleted_ms = 0";
static const char bytes_sql[] = "SELECT coalesce(sum(bytes), 0) FROM (SELECT max(bytes) AS bytes"
				" FROM packages WHERE deleted_ms = 0 GROUP BY sha256)";

#define CHANNEL_COLUMNS "name, arch, channel, version, author, comment, moved_ms"
static const char channel_get_sql[] =
	"SELECT version FROM channels WHERE name = ? AND arch = ? AND channel = ?";
static const char channel_put_sql[] =
	"INSERT OR REPLACE INTO channels (" CHANNEL_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)";
static const char channel_remove_sql[] =
	"DELETE FROM channels WHERE name = ? AND arch = ? AND channel = ?";
static const char move_add_sql[] =
	"INSERT INTO channel_moves (" CHANNEL_COLUMNS ", before) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char channel_each_sql[] =
	"SELECT " CHANNEL_COLUMNS ", '' FROM channels WHERE ?1 IS NULL OR name = ?1"
	" ORDER BY name, arch, channel LIMIT ?2";
static const char moves_sql[] = "SELECT " CHANNEL_COLUMNS ", before FROM channel_moves"
				" WHERE name = ? AND arch = ? AND channel = ? ORDER BY id DESC"
				" LIMIT ?";

/* --- packages --- */

int vd_store_package_put(struct vd_store *s, const struct vd_package_row *row)
{
	return vd_sql_run(s, vd_sql(s, put_sql, "tttttitttttii", row->id.name, row->id.version,
				    row->id.arch, row->kind, row->sha256, row->bytes,
				    row->manifest_sha256, row->manifest, row->signature,
				    row->key_id, row->author, row->created_ms, row->stored_ms));
}

static int give_package(sqlite3_stmt *q, vd_package_fn fn, void *argument)
{
	struct vd_package_row row = {
		.kind = (const char *)sqlite3_column_text(q, 3),
		.sha256 = (const char *)sqlite3_column_text(q, 4),
		.bytes = sqlite3_column_int64(q, 5),
		.manifest_sha256 = (const char *)sqlite3_column_text(q, 6),
		.manifest = (const char *)sqlite3_column_text(q, 7),
		.signature = (const char *)sqlite3_column_text(q, 8),
		.key_id = (const char *)sqlite3_column_text(q, 9),
		.author = (const char *)sqlite3_column_text(q, 10),
		.created_ms = sqlite3_column_int64(q, 11),
		.stored_ms = sqlite3_column_int64(q, 12),
		.deleted_ms = sqlite3_column_int64(q, 13),
	};

	vd_sql_copy(q, 0, row.id.name, sizeof row.id.name);
	vd_sql_copy(q, 1, row.id.version, sizeof row.id.version);
	vd_sql_copy(q, 2, row.id.arch, sizeof row.id.arch);
	return fn(&row, argument);
}

static int give_packages(struct vd_store *s, sqlite3_stmt *q, vd_package_fn fn, void *argument)
{
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		r = give_package(q, fn, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_package_get(struct vd_store *s, const struct vd_package_id *id, vd_package_fn fn,
			 void *argument)
{
	sqlite3_stmt *q = vd_sql(s, get_sql, "ttt", id->name, id->version, id->arch);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	r = give_package(q, fn, argument);
	vd_sql_done(q);
	return r;
}

int vd_store_package_each(struct vd_store *s, const char *name, const struct vd_package_id *after,
			  int limit, vd_package_fn fn, void *argument)
{
	return give_packages(s,
			     vd_sql(s, each_sql, "tttti", after ? after->name : "",
				    after ? after->version : "", after ? after->arch : "", name,
				    (int64_t)limit),
			     fn, argument);
}

int vd_store_package_loose(struct vd_store *s, int64_t before_ms, int limit, vd_package_fn fn,
			   void *argument)
{
	return give_packages(s, vd_sql(s, loose_sql, "ii", before_ms, (int64_t)limit), fn,
			     argument);
}

int vd_store_package_delete(struct vd_store *s, const struct vd_package_id *id, int64_t now_ms)
{
	return vd_sql_run(s,
			  vd_sql(s, delete_sql, "ttti", id->name, id->version, id->arch, now_ms));
}

int vd_store_package_forget(struct vd_store *s, int64_t before_ms)
{
	int r = vd_sql_run(s, vd_sql(s, forget_sql, "i", before_ms));

	return r == VD_STORE_NONE ? 0 : r;
}

int vd_store_archive_get(struct vd_store *s, const char *sha256, int64_t *ret_bytes,
			 bool *ret_is_stored)
{
	sqlite3_stmt *q = vd_sql(s, archive_sql, "t", sha256);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	*ret_bytes = sqlite3_column_int64(q, 0);
	*ret_is_stored = sqlite3_column_int(q, 1) != 0;
	vd_sql_done(q);
	return 0;
}

int vd_store_archive_stored(struct vd_store *s, const char *sha256, int64_t now_ms)
{
	return vd_sql_run(s, vd_sql(s, stored_sql, "it", now_ms, sha256));
}

int vd_store_archive_bytes(struct vd_store *s, int64_t *ret_bytes)
{
	sqlite3_stmt *q = vd_sql(s, bytes_sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_bytes = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

/* --- channels --- */

static int channel_version(struct vd_store *s, const struct vd_channel_row *row,
			   char version[static VD_PACKAGE_NAME_BYTES])
{
	sqlite3_stmt *q = vd_sql(s, channel_get_sql, "ttt", row->name, row->arch, row->channel);
	int r = vd_sql_step(s, q);

	version[0] = '\0';
	if (r <= 0)
		return r;
	vd_sql_copy(q, 0, version, VD_PACKAGE_NAME_BYTES);
	vd_sql_done(q);
	return 0;
}

int vd_store_channel_move(struct vd_store *s, const struct vd_channel_row *row,
			  char ret_before[static VD_PACKAGE_NAME_BYTES])
{
	int r = channel_version(s, row, ret_before);

	if (r < 0)
		return r;
	if (strcmp(ret_before, row->version) == 0)
		return VD_STORE_NONE;
	if (row->version[0])
		r = vd_sql_run(s, vd_sql(s, channel_put_sql, "tttttti", row->name, row->arch,
					 row->channel, row->version, row->author, row->comment,
					 row->moved_ms));
	else
		r = vd_sql_run(s, vd_sql(s, channel_remove_sql, "ttt", row->name, row->arch,
					 row->channel));
	if (r != 0)
		return r;
	return vd_sql_run(s, vd_sql(s, move_add_sql, "ttttttit", row->name, row->arch, row->channel,
				    row->version, row->author, row->comment, row->moved_ms,
				    ret_before));
}

static int give_channels(struct vd_store *s, sqlite3_stmt *q, vd_channel_fn fn, void *argument)
{
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		const struct vd_channel_row row = {
			.name = (const char *)sqlite3_column_text(q, 0),
			.arch = (const char *)sqlite3_column_text(q, 1),
			.channel = (const char *)sqlite3_column_text(q, 2),
			.version = (const char *)sqlite3_column_text(q, 3),
			.author = (const char *)sqlite3_column_text(q, 4),
			.comment = (const char *)sqlite3_column_text(q, 5),
			.moved_ms = sqlite3_column_int64(q, 6),
			.before = (const char *)sqlite3_column_text(q, 7),
		};

		r = fn(&row, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_channel_each(struct vd_store *s, const char *name, int limit, vd_channel_fn fn,
			  void *argument)
{
	return give_channels(s, vd_sql(s, channel_each_sql, "ti", name, (int64_t)limit), fn,
			     argument);
}

int vd_store_channel_moves(struct vd_store *s, const char *name, const char *arch,
			   const char *channel, int limit, vd_channel_fn fn, void *argument)
{
	return give_channels(s, vd_sql(s, moves_sql, "ttti", name, arch, channel, (int64_t)limit),
			     fn, argument);
}
