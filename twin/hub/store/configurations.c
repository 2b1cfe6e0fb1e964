/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations, whom they target and what they have set. */
#include "twin/hub/store/configurations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/store/sql.h"

static const char all_sql[] =
	"SELECT id, content, labels, target_condition, priority, metrics, results, created_ms,"
	" updated_ms, etag FROM configurations ORDER BY priority, created_ms, id";
static const char put_sql[] =
	"INSERT INTO configurations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON CONFLICT DO UPDATE SET labels = excluded.labels,"
	" target_condition = excluded.target_condition, priority = excluded.priority,"
	" metrics = excluded.metrics, results = excluded.results,"
	" updated_ms = excluded.updated_ms, etag = excluded.etag";
static const char delete_sql[] = "DELETE FROM configurations WHERE id = ?";
static const char results_sql[] = "UPDATE configurations SET results = ? WHERE id = ?";
static const char counts_of_modules_sql[] =
	"SELECT count(*), coalesce(sum(applied), 0)"
	" FROM configuration_targets WHERE configuration_id = ?";
/* A device and the modules that are set with it are one; it has it if all of them have. */
static const char counts_of_devices_sql[] =
	"SELECT count(*), coalesce(sum(applied), 0) FROM (SELECT min(applied) AS applied"
	" FROM configuration_targets WHERE configuration_id = ? GROUP BY device_id)";
static const char targets_sql[] = "SELECT device_id, module_id FROM configuration_targets"
				  " WHERE configuration_id = ? ORDER BY device_id, module_id";
static const char statuses_sql[] = "SELECT configuration_id, applied FROM configuration_targets"
				   " WHERE device_id = ? AND module_id = ?";
static const char statuses_clear_sql[] =
	"DELETE FROM configuration_targets WHERE device_id = ? AND module_id = ?";
static const char statuses_add_sql[] = "INSERT INTO configuration_targets VALUES (?, ?, ?, ?)";
static const char settings_get_sql[] =
	"SELECT settings, stays FROM configuration_settings WHERE device_id = ? AND module_id = ?";
static const char settings_put_sql[] = "INSERT OR REPLACE INTO configuration_settings"
				       " VALUES (?, ?, ?, ?)";
static const char settings_delete_sql[] =
	"DELETE FROM configuration_settings WHERE device_id = ? AND module_id = ?";
static const char device_ids_sql[] = "SELECT device_id FROM identities WHERE module_id = ''"
				     " AND device_id > ? ORDER BY device_id LIMIT ?";
static const char set_ids_sql[] = "SELECT DISTINCT device_id FROM configuration_settings"
				  " WHERE device_id > ? ORDER BY device_id LIMIT ?";

static cJSON *column_json(sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	return text ? cJSON_ParseWithLength(text, (size_t)sqlite3_column_bytes(q, column)) : NULL;
}

static int read_row(sqlite3_stmt *q, struct vd_configuration *c)
{
	vd_sql_copy(q, 0, c->id, sizeof c->id);
	c->content = column_json(q, 1);
	c->labels = column_json(q, 2);
	c->target_text = strdup((const char *)sqlite3_column_text(q, 3));
	c->priority = sqlite3_column_int64(q, 4);
	c->metrics = column_json(q, 5);
	c->results = column_json(q, 6);
	c->created_ms = sqlite3_column_int64(q, 7);
	c->updated_ms = sqlite3_column_int64(q, 8);
	c->etag = sqlite3_column_int64(q, 9);
	return c->content && c->labels && c->target_text && c->metrics && c->results ? 0 : -ENOMEM;
}

int vd_store_configurations(struct vd_store *s, vd_configuration_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, all_sql, "");
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		VD_CLEANUP(vd_configuration_fini) struct vd_configuration c = { 0 };

		r = read_row(q, &c);
		if (r == 0)
			r = fn(&c, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_configuration_put(struct vd_store *s, const struct vd_configuration *c)
{
	VD_CLEANUP(vd_free) char *content = vd_json_text(c->content);
	VD_CLEANUP(vd_free) char *labels = vd_json_text(c->labels);
	VD_CLEANUP(vd_free) char *metrics = vd_json_text(c->metrics);
	VD_CLEANUP(vd_free) char *results = vd_json_text(c->results);

	if (!content || !labels || !metrics || !results)
		return -ENOMEM;
	return vd_sql_run(s, vd_sql(s, put_sql, "ttttittiii", c->id, content, labels,
				    c->target_text, c->priority, metrics, results, c->created_ms,
				    c->updated_ms, c->etag));
}

int vd_store_configuration_delete(struct vd_store *s, const char *id)
{
	return vd_sql_run(s, vd_sql(s, delete_sql, "t", id));
}

int vd_store_configuration_set_results(struct vd_store *s, const char *id, const cJSON *results)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(results);

	return text ? vd_sql_run_relaxed(s, vd_sql(s, results_sql, "tt", text, id)) : -ENOMEM;
}

int vd_store_configuration_counts(struct vd_store *s, const char *id, bool is_of_modules,
				  int64_t *ret_targeted, int64_t *ret_applied)
{
	sqlite3_stmt *q =
		vd_sql(s, is_of_modules ? counts_of_modules_sql : counts_of_devices_sql, "t", id);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_targeted = sqlite3_column_int64(q, 0);
	*ret_applied = sqlite3_column_int64(q, 1);
	vd_sql_done(q);
	return 0;
}

int vd_store_configuration_targets(struct vd_store *s, const char *id, vd_name_fn fn,
				   void *argument)
{
	sqlite3_stmt *q = vd_sql(s, targets_sql, "t", id);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_name name;

		vd_sql_copy(q, 0, name.device, sizeof name.device);
		vd_sql_copy(q, 1, name.module, sizeof name.module);
		r = fn(&name, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

static bool add_status(cJSON *statuses, const char *id, bool is_applied)
{
	cJSON *status = cJSON_AddObjectToObject(statuses, id);

	return status && vd_json_add_string(status, "status", is_applied ? "Applied" : "Targeted");
}

int vd_store_statuses_get(struct vd_store *s, const struct vd_name *name, cJSON **ret_statuses)
{
	VD_CLEANUP(vd_json_free) cJSON *statuses = cJSON_CreateObject();
	sqlite3_stmt *q = vd_sql(s, statuses_sql, "tt", name->device, name->module);
	int r = -ENOMEM;

	while (statuses && (r = vd_sql_step(s, q)) > 0) {
		if (!add_status(statuses, (const char *)sqlite3_column_text(q, 0),
				sqlite3_column_int(q, 1) != 0)) {
			vd_sql_done(q);
			return -ENOMEM;
		}
	}
	if (r == 0)
		*ret_statuses = VD_TAKE(statuses);
	return r;
}

int vd_store_statuses_put(struct vd_store *s, const struct vd_name *name, const cJSON *statuses)
{
	const cJSON *status;
	int r = vd_sql_run(s, vd_sql(s, statuses_clear_sql, "tt", name->device, name->module));

	r = r == VD_STORE_NONE ? 0 : r;
	cJSON_ArrayForEach(status, statuses)
	{
		bool is_applied = strcmp(vd_json_string(status, "status", ""), "Applied") == 0;

		if (r == 0)
			r = vd_sql_run(s, vd_sql(s, statuses_add_sql, "ttti", status->string,
						 name->device, name->module, (int64_t)is_applied));
	}
	return r;
}

int vd_store_settings_get(struct vd_store *s, const struct vd_name *name, cJSON **ret_settings,
			  bool *ret_stays)
{
	sqlite3_stmt *q = vd_sql(s, settings_get_sql, "tt", name->device, name->module);
	cJSON *settings;
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	settings = column_json(q, 0);
	*ret_stays = sqlite3_column_int(q, 1) != 0;
	vd_sql_done(q);
	if (!settings)
		return -ENOMEM;
	*ret_settings = settings;
	return 0;
}

int vd_store_settings_put(struct vd_store *s, const struct vd_name *name, const cJSON *settings,
			  bool stays)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(settings);
	int r;

	if (!text)
		return -ENOMEM;
	if (settings->child)
		return vd_sql_run(s, vd_sql(s, settings_put_sql, "ttti", name->device, name->module,
					    text, (int64_t)stays));
	r = vd_sql_run(s, vd_sql(s, settings_delete_sql, "tt", name->device, name->module));
	return r == VD_STORE_NONE ? 0 : r;
}

int vd_store_device_ids(struct vd_store *s, bool only_set, const char *after, size_t count,
			char (*ids)[VD_PART_BYTES], size_t *ret_count)
{
	sqlite3_stmt *q =
		vd_sql(s, only_set ? set_ids_sql : device_ids_sql, "ti", after, (int64_t)count);
	size_t i = 0;
	int r;

	while ((r = vd_sql_step(s, q)) > 0)
		vd_sql_copy(q, 0, ids[i++], VD_PART_BYTES);
	*ret_count = i;
	return r;
}
