/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, identities and what is known of their connections. */
#include "twin/hub/store/sql.h"

#include <errno.h>

#define IDENTITY_COLUMNS                                                                           \
	"device_id, module_id, generation_id, etag, enabled, status_reason, status_updated_ms,"    \
	" managed_by, authentication, primary_key, secondary_key, primary_thumbprint,"             \
	" secondary_thumbprint, connected, connection_updated_ms, last_activity_ms, "              \
	"subscriptions,"                                                                           \
	" message_count, iot_edge"

static const char policy_get_sql[] = "SELECT name, rights, primary_key, secondary_key"
				     " FROM policies WHERE name = ?";
static const char policy_add_sql[] = "INSERT OR IGNORE INTO policies VALUES (?, ?, ?, ?)";
static const char policies_sql[] = "SELECT name, rights, primary_key, secondary_key FROM policies";
static const char get_sql[] =
	"SELECT " IDENTITY_COLUMNS " FROM identities WHERE device_id = ? AND module_id = ?";
static const char put_sql[] =
	"INSERT INTO identities (device_id, module_id, generation_id, etag, enabled,"
	" status_reason, status_updated_ms, managed_by, authentication, primary_key,"
	" secondary_key, primary_thumbprint, secondary_thumbprint, iot_edge)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON CONFLICT DO UPDATE SET generation_id = excluded.generation_id, etag = excluded.etag,"
	" enabled = excluded.enabled, status_reason = excluded.status_reason,"
	" status_updated_ms = excluded.status_updated_ms, managed_by = excluded.managed_by,"
	" authentication = excluded.authentication, primary_key = excluded.primary_key,"
	" secondary_key = excluded.secondary_key,"
	" primary_thumbprint = excluded.primary_thumbprint,"
	" secondary_thumbprint = excluded.secondary_thumbprint, iot_edge = excluded.iot_edge";
static const char delete_device_sql[] = "DELETE FROM identities WHERE device_id = ?";
static const char delete_module_sql[] =
	"DELETE FROM identities WHERE device_id = ? AND module_id = ?";
static const char devices_sql[] =
	"SELECT " IDENTITY_COLUMNS
	" FROM identities WHERE module_id = '' ORDER BY device_id LIMIT ?";
static const char modules_sql[] =
	"SELECT " IDENTITY_COLUMNS
	" FROM identities WHERE device_id = ? AND module_id > '' ORDER BY module_id";
static const char identities_sql[] =
	"SELECT " IDENTITY_COLUMNS " FROM identities ORDER BY device_id, module_id";
static const char counts_sql[] =
	"SELECT count(*), coalesce(sum(enabled), 0), coalesce(sum(connected), 0)"
	" FROM identities WHERE module_id = ''";
static const char connected_sql[] =
	"UPDATE identities SET connected = ?, connection_updated_ms = ?, last_activity_ms = ?"
	" WHERE device_id = ? AND module_id = ?";
static const char subscriptions_sql[] =
	"UPDATE identities SET subscriptions = ? WHERE device_id = ? AND module_id = ?";
static const char touch_sql[] =
	"UPDATE identities SET last_activity_ms = ? WHERE device_id = ? AND module_id = ?";
static const char disconnect_all_sql[] =
	"UPDATE identities SET connected = 0, connection_updated_ms = ? WHERE connected";

static void read_policy(sqlite3_stmt *q, struct vd_policy_row *policy)
{
	vd_sql_copy(q, 0, policy->name, sizeof policy->name);
	policy->rights = (unsigned)sqlite3_column_int(q, 1);
	vd_sql_copy(q, 2, policy->key[0], sizeof policy->key[0]);
	vd_sql_copy(q, 3, policy->key[1], sizeof policy->key[1]);
}

int vd_store_policy_get(struct vd_store *s, const char *name, struct vd_policy_row *ret_policy)
{
	sqlite3_stmt *q = vd_sql(s, policy_get_sql, "t", name);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	read_policy(q, ret_policy);
	vd_sql_done(q);
	return 0;
}

int vd_store_policy_add(struct vd_store *s, const struct vd_policy_row *policy)
{
	int r = vd_sql_run(s, vd_sql(s, policy_add_sql, "titt", policy->name,
				     (int64_t)policy->rights, policy->key[0], policy->key[1]));

	return r == VD_STORE_NONE ? VD_STORE_DUPLICATE : r;
}

int vd_store_policy_each(struct vd_store *s, vd_policy_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, policies_sql, "");
	struct vd_policy_row policy;
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		read_policy(q, &policy);
		r = fn(&policy, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

static void read_device(sqlite3_stmt *q, struct vd_device *d)
{
	char auth[32];

	vd_sql_copy(q, 0, d->name.device, sizeof d->name.device);
	vd_sql_copy(q, 1, d->name.module, sizeof d->name.module);
	vd_sql_copy(q, 2, d->generation, sizeof d->generation);
	d->etag = sqlite3_column_int64(q, 3);
	d->enabled = sqlite3_column_int(q, 4) != 0;
	vd_sql_copy(q, 5, d->status_reason, sizeof d->status_reason);
	d->status_updated_ms = sqlite3_column_int64(q, 6);
	vd_sql_copy(q, 7, d->managed_by, sizeof d->managed_by);
	vd_sql_copy(q, 8, auth, sizeof auth);
	if (vd_identity_auth_parse(auth, &d->auth) < 0)
		d->auth = VD_AUTH_NONE;
	for (int i = 0; i < 2; i++) {
		vd_sql_copy(q, 9 + i, d->key[i], sizeof d->key[i]);
		vd_sql_copy(q, 11 + i, d->thumbprint[i], sizeof d->thumbprint[i]);
	}
	d->connected = sqlite3_column_int(q, 13) != 0;
	d->connection_updated_ms = sqlite3_column_int64(q, 14);
	d->last_activity_ms = sqlite3_column_int64(q, 15);
	d->subscriptions = (unsigned)sqlite3_column_int(q, 16);
	d->message_count = sqlite3_column_int(q, 17);
	d->is_edge = sqlite3_column_int(q, 18) != 0;
}

int vd_store_device_get(struct vd_store *s, const struct vd_name *name,
			struct vd_device *ret_device)
{
	sqlite3_stmt *q = vd_sql(s, get_sql, "tt", name->device, name->module);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	read_device(q, ret_device);
	vd_sql_done(q);
	return 0;
}

int vd_store_device_put(struct vd_store *s, const struct vd_device *d)
{
	return vd_sql_run(s, vd_sql(s, put_sql, "tttiititttttti", d->name.device, d->name.module,
				    d->generation, d->etag, (int64_t)d->enabled, d->status_reason,
				    d->status_updated_ms, d->managed_by,
				    vd_identity_auth_name(d->auth), d->key[0], d->key[1],
				    d->thumbprint[0], d->thumbprint[1], (int64_t)d->is_edge));
}

int vd_store_device_delete(struct vd_store *s, const struct vd_name *name)
{
	int r = vd_twin_index_forget(s, name);

	if (r < 0)
		return r;
	if (name->module[0])
		return vd_sql_run(s,
				  vd_sql(s, delete_module_sql, "tt", name->device, name->module));
	return vd_sql_run(s, vd_sql(s, delete_device_sql, "t", name->device));
}

static int walk(struct vd_store *s, sqlite3_stmt *q, vd_device_fn fn, void *argument)
{
	struct vd_device device;
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		read_device(q, &device);
		r = fn(&device, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_devices(struct vd_store *s, int limit, vd_device_fn fn, void *argument)
{
	return walk(s, vd_sql(s, devices_sql, "i", (int64_t)limit), fn, argument);
}

int vd_store_modules(struct vd_store *s, const char *device, vd_device_fn fn, void *argument)
{
	return walk(s, vd_sql(s, modules_sql, "t", device), fn, argument);
}

int vd_store_identities(struct vd_store *s, vd_device_fn fn, void *argument)
{
	return walk(s, vd_sql(s, identities_sql, ""), fn, argument);
}

int vd_store_device_counts(struct vd_store *s, struct vd_device_counts *ret_counts)
{
	sqlite3_stmt *q = vd_sql(s, counts_sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	ret_counts->total = sqlite3_column_int64(q, 0);
	ret_counts->enabled = sqlite3_column_int64(q, 1);
	ret_counts->disabled = ret_counts->total - ret_counts->enabled;
	ret_counts->connected = sqlite3_column_int64(q, 2);
	vd_sql_done(q);
	return 0;
}

int vd_store_set_connected(struct vd_store *s, const struct vd_name *name, bool connected,
			   int64_t now_ms)
{
	return vd_sql_run_relaxed(s, vd_sql(s, connected_sql, "iiitt", (int64_t)connected, now_ms,
					    now_ms, name->device, name->module));
}

int vd_store_set_subscriptions(struct vd_store *s, const struct vd_name *name,
			       unsigned subscriptions)
{
	return vd_sql_run_relaxed(s, vd_sql(s, subscriptions_sql, "itt", (int64_t)subscriptions,
					    name->device, name->module));
}

int vd_store_touch(struct vd_store *s, const struct vd_name *name, int64_t now_ms)
{
	return vd_sql_run_relaxed(s,
				  vd_sql(s, touch_sql, "itt", now_ms, name->device, name->module));
}

int vd_store_disconnect_all(struct vd_store *s, int64_t now_ms)
{
	int r = vd_sql_run_relaxed(s, vd_sql(s, disconnect_all_sql, "i", now_ms));

	return r == VD_STORE_NONE ? 0 : r;
}
