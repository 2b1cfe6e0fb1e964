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
static const char each_sql[] =
	"SELECT device_id, module_id, version, etag, CASE WHEN ? THEN tags END,"
	" CASE WHEN ? THEN desired END, CASE WHEN ? THEN reported END FROM twins"
	" WHERE (device_id, module_id) >= (?, ?) AND (module_id > '') = ?"
	" ORDER BY device_id, module_id LIMIT ?";
static const char put_sql[] =
	"INSERT INTO twins VALUES (?, ?, ?, ?, ?, ?, ?)"
	" ON CONFLICT DO UPDATE SET version = excluded.version, etag = excluded.etag,"
	" tags = excluded.tags, desired = excluded.desired, reported = excluded.reported";
static const char history_add_sql[] =
	"INSERT OR REPLACE INTO desired_history VALUES (?, ?, ?, ?, ?, ?, ?)";
static const char history_trim_sql[] =
	"DELETE FROM desired_history WHERE device_id = ? AND module_id = ? AND version <= ?";
static const char history_get_sql[] = "SELECT document FROM desired_history WHERE device_id = ? "
				      "AND module_id = ? AND version = ?";
static const char history_each_sql[] =
	"SELECT version, changed_ms, author, operation FROM desired_history"
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

int vd_store_twins_each(struct vd_store *s, bool of_modules, const struct vd_name *from,
			unsigned parts, int limit, vd_twin_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, each_sql, "iiittii", (int64_t)((parts & VD_TWIN_TAGS) != 0),
				 (int64_t)((parts & VD_TWIN_DESIRED) != 0),
				 (int64_t)((parts & VD_TWIN_REPORTED) != 0), from->device,
				 from->module, (int64_t)of_modules, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_twin_row row = {
			.version = sqlite3_column_int64(q, 2),
			.etag = sqlite3_column_int64(q, 3),
			.tags = column_text(q, 4),
			.desired = column_text(q, 5),
			.reported = column_text(q, 6),
		};

		vd_sql_copy(q, 0, row.name.device, sizeof row.name.device);
		vd_sql_copy(q, 1, row.name.module, sizeof row.name.module);
		r = fn(&row, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
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
	r = vd_sql_run(s, vd_sql(s, history_add_sql, "ttiittt", name->device, name->module,
				 entry->version, entry->changed_ms, entry->author, entry->operation,
				 text));
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
		};

		r = fn(&entry, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}
