/* SPDX-License-Identifier: Apache-2.0 */
/* Twins and the history of their desired documents. */
#include "twin/hub/store/sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char get_sql[] = "SELECT version, etag, tags, desired, reported FROM twins"
			      " WHERE device_id = ? AND module_id = ?";
/* Parts that are not asked for may fill pages of their own, which are not read then. */
#define ROW_COLUMNS                                                                                \
	"SELECT device_id, module_id, version, twins.etag, CASE WHEN ? THEN tags END,"             \
	" CASE WHEN ? THEN desired END, CASE WHEN ? THEN reported END"
#define STATE_COLUMNS ", enabled, connected, authentication"
#define WITH_STATE    " FROM twins CROSS JOIN identities USING (device_id, module_id)"
#define EACH                                                                                       \
	" WHERE (device_id, module_id) >= (?, ?) AND (module_id > '') = ?"                         \
	" ORDER BY device_id, module_id LIMIT ?"
#define ONE " WHERE device_id = ? AND module_id = ?"
static const char each_sql[] = ROW_COLUMNS " FROM twins" EACH;
static const char each_state_sql[] = ROW_COLUMNS STATE_COLUMNS WITH_STATE EACH;
static const char one_sql[] = ROW_COLUMNS " FROM twins" ONE;
static const char one_state_sql[] = ROW_COLUMNS STATE_COLUMNS WITH_STATE ONE;
static const char count_sql[] = "SELECT count(*) FROM twins WHERE (module_id > '') = ?";
static const char put_sql[] =
	"INSERT INTO twins VALUES (?, ?, ?, ?, ?, ?, ?)"
	" ON CONFLICT DO UPDATE SET version = excluded.version, etag = excluded.etag,"
	" tags = excluded.tags, desired = excluded.desired, reported = excluded.reported";
static const char history_add_sql[] =
	"INSERT OR REPLACE INTO desired_history VALUES (?, ?, ?, ?, ?, ?, ?, coalesce(?, ''))";
static const char history_trim_sql[] =
	"DELETE FROM desired_history WHERE device_id = ? AND module_id = ? AND version <= ?";
static const char history_get_sql[] = "SELECT document FROM desired_history WHERE device_id = ? "
				      "AND module_id = ? AND version = ?";
static const char history_each_sql[] =
	"SELECT version, changed_ms, author, operation, comment FROM desired_history"
	" WHERE device_id = ? AND module_id = ? ORDER BY version DESC LIMIT ?";

void vd_twin_fini(struct vd_twin *twin)
{
	twin->tags = vd_json_free(twin->tags);
	twin->desired = vd_section_free(twin->desired);
	twin->reported = vd_section_free(twin->reported);
}

/* What we wrote ourselves: the depth was checked then, metadata included. */
static int column_json(sqlite3_stmt *q, int column, cJSON **ret_json)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	*ret_json =
		text ? cJSON_ParseWithLength(text, (size_t)sqlite3_column_bytes(q, column)) : NULL;
	return *ret_json ? 0 : -EIO;
}

static int column_section(sqlite3_stmt *q, int column, enum vd_section_kind kind,
			  struct vd_section **ret_section)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_fault fault = { 0 };
	int r = column_json(q, column, &json);

	if (r == 0)
		r = vd_section_load(kind, json, ret_section, &fault);
	if (r == -EINVAL) {
		vd_log(VD_ERROR, "store.twinDamaged", "place=\"%s\" reason=\"%s\"", fault.pointer,
		       fault.text);
		return -EIO;
	}
	return r;
}

int vd_store_twin_get(struct vd_store *s, const struct vd_name *name, struct vd_twin *ret_twin)
{
	VD_CLEANUP(vd_twin_fini) struct vd_twin twin = { 0 };
	sqlite3_stmt *q = vd_sql(s, get_sql, "tt", name->device, name->module);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	twin.version = sqlite3_column_int64(q, 0);
	twin.etag = sqlite3_column_int64(q, 1);
	r = column_json(q, 2, &twin.tags);
	if (r == 0)
		r = column_section(q, 3, VD_SECTION_DESIRED, &twin.desired);
	if (r == 0)
		r = column_section(q, 4, VD_SECTION_REPORTED, &twin.reported);
	vd_sql_done(q);
	if (r == 0) {
		*ret_twin = twin;
		twin = (struct vd_twin){ 0 };
	}
	return r;
}

static struct vd_twin_text column_text(sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	return (struct vd_twin_text){ text, (size_t)sqlite3_column_bytes(q, column) };
}

static int give_row(sqlite3_stmt *q, unsigned parts, vd_twin_fn fn, void *argument)
{
	struct vd_twin_row row = {
		.version = sqlite3_column_int64(q, 2),
		.etag = sqlite3_column_int64(q, 3),
		.tags = column_text(q, 4),
		.desired = column_text(q, 5),
		.reported = column_text(q, 6),
	};

	vd_sql_copy(q, 0, row.name.device, sizeof row.name.device);
	vd_sql_copy(q, 1, row.name.module, sizeof row.name.module);
	if (parts & VD_TWIN_STATE) {
		row.is_enabled = sqlite3_column_int(q, 7) != 0;
		row.is_connected = sqlite3_column_int(q, 8) != 0;
		row.authentication = (const char *)sqlite3_column_text(q, 9);
	}
	return fn(&row, argument);
}

static int64_t wants(unsigned parts, unsigned part)
{
	return (parts & part) != 0;
}

int vd_store_twins_each(struct vd_store *s, bool of_modules, const struct vd_name *from,
			unsigned parts, int limit, vd_twin_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, parts & VD_TWIN_STATE ? each_state_sql : each_sql, "iiittii",
				 wants(parts, VD_TWIN_TAGS), wants(parts, VD_TWIN_DESIRED),
				 wants(parts, VD_TWIN_REPORTED), from->device, from->module,
				 (int64_t)of_modules, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		r = give_row(q, parts, fn, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_twin_row(struct vd_store *s, const struct vd_name *name, unsigned parts, vd_twin_fn fn,
		      void *argument)
{
	sqlite3_stmt *q = vd_sql(s, parts & VD_TWIN_STATE ? one_state_sql : one_sql, "iiitt",
				 wants(parts, VD_TWIN_TAGS), wants(parts, VD_TWIN_DESIRED),
				 wants(parts, VD_TWIN_REPORTED), name->device, name->module);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r;
	r = give_row(q, parts, fn, argument);
	vd_sql_done(q);
	return r;
}

int vd_store_twin_count(struct vd_store *s, bool of_modules, int64_t *ret_count)
{
	sqlite3_stmt *q = vd_sql(s, count_sql, "i", (int64_t)of_modules);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_count = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

static int section_text(const struct vd_section *section, char **ret_text)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_section_json(section, true, &json);

	if (r < 0)
		return r;
	*ret_text = vd_json_text(json);
	return *ret_text ? 0 : -ENOMEM;
}

int vd_store_twin_put(struct vd_store *s, const struct vd_name *name, const struct vd_twin *twin)
{
	VD_CLEANUP(vd_free) char *tags = vd_json_text(twin->tags);
	VD_CLEANUP(vd_free) char *desired = NULL;
	VD_CLEANUP(vd_free) char *reported = NULL;
	int r = tags ? section_text(twin->desired, &desired) : -ENOMEM;

	if (r == 0)
		r = section_text(twin->reported, &reported);
	if (r == 0)
		r = vd_twin_index_put(s, name, &(struct vd_twin_texts){ tags, desired, reported });
	if (r < 0)
		return r;
	return vd_sql_run(s, vd_sql(s, put_sql, "ttiittt", name->device, name->module,
				    twin->version, twin->etag, tags, desired, reported));
}

int vd_store_history_add(struct vd_store *s, const struct vd_name *name,
			 const struct vd_history *entry, const cJSON *document)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(document);
	int r;

	if (!text)
		return -ENOMEM;
	r = vd_sql_run(s, vd_sql(s, history_add_sql, "ttiitttt", name->device, name->module,
				 entry->version, entry->changed_ms, entry->author, entry->operation,
				 text, entry->comment));
	if (r != 0)
		return r;
	r = vd_sql_run(s, vd_sql(s, history_trim_sql, "tti", name->device, name->module,
				 entry->version - VD_HISTORY_KEPT));
	return r == VD_STORE_NONE ? 0 : r;
}

int vd_store_history_get(struct vd_store *s, const struct vd_name *name, int64_t version,
			 cJSON **ret_document)
{
	sqlite3_stmt *q = vd_sql(s, history_get_sql, "tti", name->device, name->module, version);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	r = column_json(q, 0, ret_document);
	vd_sql_done(q);
	return r;
}

int vd_store_history_each(struct vd_store *s, const struct vd_name *name, int limit,
			  vd_history_fn fn, void *argument)
{
	sqlite3_stmt *q =
		vd_sql(s, history_each_sql, "tti", name->device, name->module, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_history entry = {
			.version = sqlite3_column_int64(q, 0),
			.changed_ms = sqlite3_column_int64(q, 1),
			.author = (const char *)sqlite3_column_text(q, 2),
			.operation = (const char *)sqlite3_column_text(q, 3),
			.comment = (const char *)sqlite3_column_text(q, 4),
		};

		r = fn(&entry, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}
