/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a value: by entries, or by the columns of the registry. */
#include "twin/hub/store/twin_index.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "twin/hub/store/sql.h"
#include "twin/hub/store/twin_index_value.h"

/* Each has the parameters of its kind, then the name, whether of modules, and a limit. */
#define NAMES     "SELECT device_id, module_id FROM "
#define FROM_HERE " AND (device_id, module_id) >= (?, ?)"
#define OF_KIND   " AND (module_id > '') = ?"
#define IN_ORDER  " ORDER BY device_id, module_id LIMIT ?"

static const char path_sql[] = "SELECT id FROM index_paths WHERE of_modules = ? AND path = ?";
static const char value_names_sql[] =
	NAMES "index_values WHERE path_id = ? AND value = ?" FROM_HERE OF_KIND IN_ORDER;
static const char range_names_sql[] = NAMES
	"index_values WHERE path_id = ? AND value >= ? AND value <= ?" FROM_HERE OF_KIND " LIMIT ?";
static const char connection_names_sql[] =
	NAMES "identities INDEXED BY identities_by_connection WHERE connected = ?" FROM_HERE OF_KIND
		IN_ORDER;
static const char disabled_names_sql[] = NAMES
	"identities INDEXED BY identities_disabled WHERE enabled = 0" FROM_HERE OF_KIND IN_ORDER;
static const char configuration_names_sql[] =
	NAMES "configuration_targets WHERE configuration_id = ? AND applied = ?" FROM_HERE OF_KIND
		IN_ORDER;

enum kind { NOT_SERVED, BY_ENTRY, BY_CONNECTION, BY_DISABLED, BY_CONFIGURATION };

static int bind_text(sqlite3_stmt *q, int parameter, const char *text)
{
	size_t len = strnlen(text, VD_INDEX_TEXT_BYTES);

	return sqlite3_bind_text(q, parameter, text, (int)len, SQLITE_STATIC);
}

/* Whole numbers take less room; both kinds are in one order. */
static int bind_number(sqlite3_stmt *q, int parameter, double number)
{
	enum { EXACT_BITS = 53 };

	if (fabs(number) < ldexp(1, EXACT_BITS) && number == trunc(number))
		return sqlite3_bind_int64(q, parameter, (int64_t)number);
	return sqlite3_bind_double(q, parameter, number);
}

int vd_index_bind(sqlite3_stmt *q, int parameter, const struct vd_query_value *value)
{
	int code;

	if (value->type == VD_QUERY_STRING)
		code = bind_text(q, parameter, value->string);
	else if (value->type == VD_QUERY_NUMBER)
		code = bind_number(q, parameter, value->number);
	else if (value->type == VD_QUERY_BOOL)
		code = sqlite3_bind_blob(q, parameter, value->boolean ? "\1" : "\0", 1,
					 SQLITE_STATIC);
	else
		code = sqlite3_bind_blob(q, parameter, "", 0, SQLITE_STATIC);
	return code == SQLITE_OK ? 0 : -EIO;
}

int vd_twin_index_path_id(struct vd_store *s, bool of_modules, const char *path, int64_t *ret_id)
{
	sqlite3_stmt *q = vd_sql(s, path_sql, "it", (int64_t)of_modules, path);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	*ret_id = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

/* --- ranges --- */

bool vd_index_range_is_one_value(const struct vd_index_range *range)
{
	return range->low.type != VD_QUERY_UNDEFINED &&
	       vd_query_value_compare(&range->low, &range->high) == 0;
}

/* configurations.ID.status or configurations.[[ID]].status */
static bool read_configuration(const char *path, char id[static VD_PART_BYTES])
{
	static const char head[] = "configurations.", tail[] = ".status";
	bool is_bracketed;
	size_t len;

	if (strncmp(path, head, strlen(head)) != 0)
		return false;
	path += strlen(head);
	is_bracketed = strncmp(path, "[[", 2) == 0;
	path += is_bracketed ? 2 : 0;
	len = is_bracketed ? strcspn(path, "]") : strcspn(path, ".");
	if (len >= VD_PART_BYTES || (is_bracketed && strncmp(path + len, "]]", 2) != 0) ||
	    strcmp(path + len + (is_bracketed ? 2 : 0), tail) != 0)
		return false;
	(void)snprintf(id, VD_PART_BYTES, "%.*s", (int)len, path);
	return true;
}

static bool is_text(const struct vd_query_value *value, const char *one, const char *other)
{
	return value->type == VD_QUERY_STRING &&
	       (strcmp(value->string, one) == 0 || (other && strcmp(value->string, other) == 0));
}

static enum kind kind_of(struct vd_store *s, const struct vd_index_range *range)
{
	char id[VD_PART_BYTES];

	if (!vd_sql_twin_index(s)->paths[0])
		return NOT_SERVED;
	if (vd_twin_index_has_path(s, range->path))
		return BY_ENTRY;
	if (!vd_index_range_is_one_value(range))
		return NOT_SERVED;
	if (strcmp(range->path, "connectionState") == 0 &&
	    is_text(&range->low, "Connected", "Disconnected"))
		return BY_CONNECTION;
	if (strcmp(range->path, "status") == 0 && is_text(&range->low, "disabled", NULL))
		return BY_DISABLED;
	if (read_configuration(range->path, id) && is_text(&range->low, "Applied", "Targeted"))
		return BY_CONFIGURATION;
	return NOT_SERVED;
}

bool vd_twin_index_serves(struct vd_store *s, const struct vd_index_range *range)
{
	return kind_of(s, range) != NOT_SERVED;
}

/* The ends of what has the type of value: numbers come before texts, and these before blobs. */
static int bind_low(sqlite3_stmt *q, int parameter, const struct vd_index_range *range)
{
	if (range->low.type != VD_QUERY_UNDEFINED)
		return vd_index_bind(q, parameter, &range->low);
	if (range->high.type == VD_QUERY_STRING)
		return sqlite3_bind_text(q, parameter, "", 0, SQLITE_STATIC) == SQLITE_OK ? 0
											  : -EIO;
	if (range->high.type == VD_QUERY_NUMBER)
		return sqlite3_bind_double(q, parameter, -HUGE_VAL) == SQLITE_OK ? 0 : -EIO;
	return sqlite3_bind_blob(q, parameter, "", 0, SQLITE_STATIC) == SQLITE_OK ? 0 : -EIO;
}

static int bind_high(sqlite3_stmt *q, int parameter, const struct vd_index_range *range)
{
	if (range->high.type != VD_QUERY_UNDEFINED)
		return vd_index_bind(q, parameter, &range->high);
	if (range->low.type == VD_QUERY_NUMBER)
		return sqlite3_bind_double(q, parameter, HUGE_VAL) == SQLITE_OK ? 0 : -EIO;
	if (range->low.type == VD_QUERY_STRING)
		return sqlite3_bind_blob(q, parameter, "", 0, SQLITE_STATIC) == SQLITE_OK ? 0
											  : -EIO;
	return sqlite3_bind_blob(q, parameter, "\377", 1, SQLITE_STATIC) == SQLITE_OK ? 0 : -EIO;
}

/* ret_next: the parameter of the name. 0, VD_STORE_NONE or -errno. */
static int ask_entries(struct vd_store *s, const struct vd_index_range *range, sqlite3_stmt **ret_q,
		       int *ret_next)
{
	bool is_one = vd_index_range_is_one_value(range);
	sqlite3_stmt *q;
	int64_t id;
	int r = vd_twin_index_path_id(s, range->of_modules, range->path, &id);

	if (r != 0)
		return r;
	q = vd_sql(s, is_one ? value_names_sql : range_names_sql, "i", id);
	if (!q)
		return -EIO;
	r = bind_low(q, 2, range);
	if (r == 0 && !is_one)
		r = bind_high(q, 3, range);
	*ret_q = q;
	*ret_next = is_one ? 3 : 4;
	return r;
}

static int ask(struct vd_store *s, const struct vd_index_range *range, char id[VD_PART_BYTES],
	       sqlite3_stmt **ret_q, int *ret_next)
{
	const enum kind kind = kind_of(s, range);

	if (kind == BY_ENTRY)
		return ask_entries(s, range, ret_q, ret_next);
	if (kind == BY_CONNECTION) {
		*ret_q = vd_sql(s, connection_names_sql, "i",
				(int64_t)is_text(&range->low, "Connected", NULL));
		*ret_next = 2;
	} else if (kind == BY_DISABLED) {
		*ret_q = vd_sql(s, disabled_names_sql, "");
		*ret_next = 1;
	} else if (kind == BY_CONFIGURATION && read_configuration(range->path, id)) {
		*ret_q = vd_sql(s, configuration_names_sql, "ti", id,
				(int64_t)is_text(&range->low, "Applied", NULL));
		*ret_next = 3;
	} else {
		return -EINVAL;
	}
	return *ret_q ? 0 : -EIO;
}

static int bind_rest(sqlite3_stmt *q, int next, const struct vd_name *from, bool of_modules,
		     int limit)
{
	return sqlite3_bind_text(q, next, from->device, -1, SQLITE_STATIC) == SQLITE_OK &&
			       sqlite3_bind_text(q, next + 1, from->module, -1, SQLITE_STATIC) ==
				       SQLITE_OK &&
			       sqlite3_bind_int(q, next + 2, of_modules) == SQLITE_OK &&
			       sqlite3_bind_int(q, next + 3, limit) == SQLITE_OK
		       ? 0
		       : -EIO;
}

int vd_twin_index_names(struct vd_store *s, const struct vd_index_range *range,
			const struct vd_name *from, int limit, vd_name_fn fn, void *argument)
{
	char id[VD_PART_BYTES];
	sqlite3_stmt *q = NULL;
	int next = 0, r = ask(s, range, id, &q, &next);

	if (r != 0)
		return r == VD_STORE_NONE ? 0 : r;
	r = bind_rest(q, next, from, range->of_modules, limit);
	while (r == 0 && (r = vd_sql_step(s, q)) > 0) {
		struct vd_name name;

		vd_sql_copy(q, 0, name.device, sizeof name.device);
		vd_sql_copy(q, 1, name.module, sizeof name.module);
		r = fn(&name, argument);
		if (r != 0)
			vd_sql_done(q);
	}
	return r;
}

static int count_name(const struct vd_name *name, void *argument)
{
	++*(int64_t *)argument;
	return 0;
}

int vd_twin_index_count(struct vd_store *s, const struct vd_index_range *range, int limit,
			int64_t *ret_count)
{
	int64_t count = 0;
	int r = vd_twin_index_names(s, range, &(struct vd_name){ 0 }, limit, count_name, &count);

	if (r == 0)
		*ret_count = count;
	return r;
}
