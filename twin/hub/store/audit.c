/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log. An entry that belongs to a change is committed with it: the call's own entry
 * waits in the store's slot until a transaction commits (vd_audit_slot).
 */
#include "twin/hub/store/trust.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "twin/document/audit.h"
#include "twin/document/canonical.h"
#include "twin/hub/store/sql.h"

static const char last_sql[] = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1";
static const char add_sql[] = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)";
static const char count_sql[] = "SELECT coalesce(max(id), 0) FROM audit";
static const char anchor_sql[] = "SELECT id, hash FROM audit_anchor";
static const char anchor_set_sql[] = "INSERT OR REPLACE INTO audit_anchor VALUES (1, ?, ?)";
static const char old_sql[] =
	"SELECT id, hash FROM (SELECT id, hash, time_ms FROM audit ORDER BY id LIMIT ?2)"
	" WHERE time_ms < ?1 AND id < (SELECT max(id) FROM audit) ORDER BY id DESC LIMIT 1";
static const char expire_sql[] = "DELETE FROM audit WHERE id <= ?";
#define EACH_WHERE                                                                                 \
	"SELECT id, time_ms, actor, action, target, details, hash FROM audit WHERE id > ?1"        \
	" AND (?2 IS NULL OR actor = ?2) AND (?3 IS NULL OR action = ?3) AND (?4 IS NULL"          \
	" OR target = ?4 OR (target >= ?4 || '/' AND target < ?4 || '0'))"
static const char oldest_sql[] = EACH_WHERE " ORDER BY id LIMIT ?5";
static const char newest_sql[] =
	"SELECT * FROM (" EACH_WHERE " ORDER BY id DESC LIMIT ?5) ORDER BY id";

static int last_entry(struct vd_store *s, int64_t *ret_id, char hash[static VD_SHA256_TEXT])
{
	sqlite3_stmt *q = vd_sql(s, last_sql, "");
	int r = vd_sql_step(s, q);

	*ret_id = 0;
	(void)memcpy(hash, VD_AUDIT_START, VD_SHA256_TEXT);
	if (r <= 0)
		return r;
	*ret_id = sqlite3_column_int64(q, 0);
	vd_sql_copy(q, 1, hash, VD_SHA256_TEXT);
	vd_sql_done(q);
	return 0;
}

cJSON *vd_audit_json(const struct vd_audit_entry *entry)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *none = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !none || !vd_json_add_number(json, "id", (double)entry->id) ||
	    !vd_json_add_string(json, "time", vd_time_text(entry->time_ms, time)) ||
	    !vd_json_add_string(json, "actor", entry->actor) ||
	    !vd_json_add_string(json, "action", entry->action) ||
	    !vd_json_add_string(json, "target", entry->target) ||
	    !vd_json_add_copy(json, "details", entry->details ? entry->details : none) ||
	    (entry->hash && !vd_json_add_string(json, "hash", entry->hash)))
		return NULL;
	return VD_TAKE(json);
}

static int insert(struct vd_store *s, const struct vd_audit_entry *entry)
{
	VD_CLEANUP(vd_json_free) cJSON *json = vd_audit_json(entry);
	VD_CLEANUP(vd_buf_fini) struct vd_buf details = { 0 };
	char previous[VD_SHA256_TEXT], hash[VD_SHA256_TEXT];
	int64_t last;
	int r = json ? last_entry(s, &last, previous) : -ENOMEM;

	if (r < 0)
		return r;
	(void)cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(json, "id"),
				   (double)(last + 1));
	r = vd_audit_hash(previous, json, hash);
	if (r == 0)
		r = vd_canonical_write(vd_json_get(json, "details"), &details);
	if (r < 0)
		return r;
	return vd_sql_run(s, vd_sql(s, add_sql, "iittttt", last + 1, entry->time_ms, entry->actor,
				    entry->action, entry->target, details.data, hash));
}

int vd_store_audit_add(struct vd_store *s, const struct vd_audit_entry *entry)
{
	struct vd_audit_slot *slot = vd_sql_audit_slot(s);
	struct vd_audit_entry whole = *entry;
	bool is_alone = !vd_sql_in_transaction(s);
	int r = is_alone ? vd_store_begin(s) : 0;

	if (r < 0)
		return r;
	if (!whole.actor)
		whole.actor = slot->call ? slot->call->actor : "hub";
	slot->is_written = true;
	r = insert(s, &whole);
	if (is_alone && r == 0)
		return vd_store_commit(s);
	if (is_alone)
		vd_store_rollback(s);
	return r;
}

int vd_sql_audit_commit(struct vd_store *s)
{
	struct vd_audit_slot *slot = vd_sql_audit_slot(s);

	if (!slot->call || slot->is_written || slot->is_done)
		return 0;
	slot->is_written = true;
	return insert(s, slot->call);
}

void vd_store_audit_begin(struct vd_store *s, const struct vd_audit_entry *call)
{
	*vd_sql_audit_slot(s) = (struct vd_audit_slot){ .call = call };
}

bool vd_store_audit_end(struct vd_store *s)
{
	struct vd_audit_slot *slot = vd_sql_audit_slot(s);
	bool is_done = slot->is_done;

	*slot = (struct vd_audit_slot){ 0 };
	return is_done;
}

static int read_entry(sqlite3_stmt *q, vd_audit_fn fn, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *details = NULL;
	struct vd_audit_entry entry = {
		.id = sqlite3_column_int64(q, 0),
		.time_ms = sqlite3_column_int64(q, 1),
		.actor = (const char *)sqlite3_column_text(q, 2),
		.action = (const char *)sqlite3_column_text(q, 3),
		.target = (const char *)sqlite3_column_text(q, 4),
		.hash = (const char *)sqlite3_column_text(q, 6),
	};
	const char *text = (const char *)sqlite3_column_text(q, 5);

	/* Somebody's edit of the file may have left anything: what is no JSON is shown as a text. */
	if (vd_json_parse(text ? text : "", (size_t)sqlite3_column_bytes(q, 5), &details, NULL) < 0)
		details = cJSON_CreateString(text ? text : "");
	entry.details = details;
	return details ? fn(&entry, argument) : -ENOMEM;
}

int vd_store_audit_each(struct vd_store *s, const struct vd_audit_filter *f, vd_audit_fn fn,
			void *argument)
{
	sqlite3_stmt *q = vd_sql(s, f->newest ? newest_sql : oldest_sql, "ittti", f->after,
				 f->actor, f->action, f->target, (int64_t)f->limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		r = read_entry(q, fn, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_audit_count(struct vd_store *s, int64_t *ret_count)
{
	sqlite3_stmt *q = vd_sql(s, count_sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_count = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

/* --- retention --- */

/* VD_STORE_NONE: there is no such row. */
static int read_link(struct vd_store *s, sqlite3_stmt *q, int64_t *ret_id,
		     char hash[static VD_AUDIT_HASH_BYTES])
{
	int r = vd_sql_step(s, q);

	*ret_id = 0;
	(void)memcpy(hash, VD_AUDIT_START, VD_AUDIT_HASH_BYTES);
	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	*ret_id = sqlite3_column_int64(q, 0);
	vd_sql_copy(q, 1, hash, VD_AUDIT_HASH_BYTES);
	vd_sql_done(q);
	return 0;
}

int vd_store_audit_anchor(struct vd_store *s, int64_t *ret_id,
			  char ret_hash[static VD_AUDIT_HASH_BYTES])
{
	int r = read_link(s, vd_sql(s, anchor_sql, ""), ret_id, ret_hash);

	return r == VD_STORE_NONE ? 0 : r;
}

static int note_expiry(struct vd_store *s, int64_t id, const char *hash, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	const struct vd_audit_entry entry = { .time_ms = now_ms,
					      .actor = "hub",
					      .action = "audit.expire",
					      .target = "audit",
					      .details = details };

	if (!details || !vd_json_add_number(details, "id", (double)id) ||
	    !vd_json_add_string(details, "hash", hash))
		return -ENOMEM;
	return vd_store_audit_add(s, &entry);
}

/* The number deleted. */
static int expire(struct vd_store *s, int64_t before_ms, int limit, int64_t now_ms)
{
	char hash[VD_AUDIT_HASH_BYTES];
	int64_t id;
	int r = read_link(s, vd_sql(s, old_sql, "ii", before_ms, (int64_t)limit), &id, hash);

	if (r != 0)
		return r == VD_STORE_NONE ? 0 : r;
	r = vd_sql_run(s, vd_sql(s, anchor_set_sql, "it", id, hash));
	if (r == 0)
		r = vd_sql_run(s, vd_sql(s, expire_sql, "i", id));
	if (r != 0)
		return r < 0 ? r : -EIO;
	limit = vd_sql_changes(s);
	r = note_expiry(s, id, hash, now_ms);
	return r < 0 ? r : limit;
}

int vd_store_audit_expire(struct vd_store *s, int64_t before_ms, int limit, int64_t now_ms)
{
	int count, r = vd_store_begin(s);

	if (r < 0)
		return r;
	count = expire(s, before_ms, limit, now_ms);
	if (count <= 0) {
		vd_store_rollback(s);
		return count;
	}
	r = vd_store_commit(s);
	return r < 0 ? r : count;
}
