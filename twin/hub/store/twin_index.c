/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How entries come and go. What a stored twin has in the index follows from its row, so that a
 * change is the difference between the row's texts before and after, and nothing has to be found by
 * twin: one b-tree serves all. While the index is being built, changes are written all the same:
 * what the building comes to later is whole already or is made whole then.
 */
#include "twin/hub/store/twin_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "twin/hub/store/sql.h"
#include "twin/hub/store/twin_index_value.h"
#include "twin/query/values.h"

static const char state_sql[] = "SELECT paths, built FROM index_state";
static const char set_paths_sql[] = "UPDATE index_state SET paths = ?, built = 0";
static const char set_built_sql[] = "UPDATE index_state SET built = ?";
static const char empty_values_sql[] = "DELETE FROM index_values";
static const char empty_paths_sql[] = "DELETE FROM index_paths";
static const char path_add_sql[] =
	"INSERT INTO index_paths (of_modules, path) VALUES (?, ?) RETURNING id";
static const char entry_add_sql[] = "INSERT OR IGNORE INTO index_values VALUES (?, ?, ?, ?)";
static const char entry_remove_sql[] =
	"DELETE FROM index_values"
	" WHERE path_id = ? AND value = ? AND device_id = ? AND module_id = ?";
static const char entry_has_sql[] =
	"SELECT 1 FROM index_values"
	" WHERE path_id = ? AND value = ? AND device_id = ? AND module_id = ?";
static const char entries_sql[] = "SELECT count(*) FROM index_values";
static const char row_sql[] = "SELECT tags, CASE WHEN ? THEN desired END,"
			      " CASE WHEN ? THEN reported END FROM twins"
			      " WHERE device_id = ? AND module_id = ?";
static const char begin_sql[] = "BEGIN", end_sql[] = "ROLLBACK";
static const char modules_sql[] = "SELECT module_id FROM twins WHERE device_id = ?";

/* --- which paths --- */

/* Is path one of the lines of paths, or below it? */
static bool is_indexed(const char *paths, const char *path)
{
	while (*paths) {
		size_t len = strcspn(paths, "\n");

		if (strncmp(path, paths, len) == 0 && (path[len] == '.' || !path[len]))
			return true;
		paths += len + (paths[len] == '\n');
	}
	return false;
}

/* Is anything at or below this section indexed? */
static bool has_section(const char *paths, const char *section)
{
	for (const char *at = paths; (at = strstr(at, section)); at++) {
		if (at == paths || at[-1] == '\n')
			return true;
	}
	return false;
}

bool vd_twin_index_has_path(struct vd_store *s, const char *path)
{
	const struct vd_twin_index *index = vd_sql_twin_index(s);

	return index->is_built && is_indexed(index->paths, path);
}

static unsigned indexed_parts(const char *paths)
{
	return (has_section(paths, "tags") ? VD_TWIN_TAGS : 0) |
	       (has_section(paths, "properties.desired") ? VD_TWIN_DESIRED : 0) |
	       (has_section(paths, "properties.reported") ? VD_TWIN_REPORTED : 0);
}

int vd_twin_index_load(struct vd_store *s)
{
	struct vd_twin_index *index = vd_sql_twin_index(s);
	sqlite3_stmt *q = vd_sql(s, state_sql, "");
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	index->paths = strdup((const char *)sqlite3_column_text(q, 0));
	index->is_built = sqlite3_column_int(q, 1) != 0;
	vd_sql_done(q);
	return index->paths ? 0 : -ENOMEM;
}

static int ignore_none(int r)
{
	return r == VD_STORE_NONE ? 0 : r;
}

static int empty(struct vd_store *s, const char *paths)
{
	int r = ignore_none(vd_sql_run(s, vd_sql(s, empty_values_sql, "")));

	if (r == 0)
		r = ignore_none(vd_sql_run(s, vd_sql(s, empty_paths_sql, "")));
	return r == 0 ? vd_sql_run(s, vd_sql(s, set_paths_sql, "t", paths)) : r;
}

static int empty_for(struct vd_store *s, char **paths)
{
	struct vd_twin_index *index = vd_sql_twin_index(s);
	int r = vd_store_begin(s);

	if (r < 0)
		return r;
	r = empty(s, *paths);
	if (r != 0) {
		vd_store_rollback(s);
		return r < 0 ? r : -EIO;
	}
	r = vd_store_commit(s);
	if (r < 0)
		return r;
	free(index->paths);
	*index = (struct vd_twin_index){ .paths = VD_TAKE(*paths) };
	return 0;
}

int vd_twin_index_set(struct vd_store *s, const char *const *paths, size_t count)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_buf_append(&text, "", 0);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = vd_buf_printf(&text, "%s%s", i ? "\n" : "", paths[i]);
	if (r < 0 || strcmp(text.data, vd_sql_twin_index(s)->paths) == 0)
		return r;
	return empty_for(s, &text.data);
}

int vd_twin_index_empty(struct vd_store *s)
{
	VD_CLEANUP(vd_free) char *paths = strdup(vd_sql_twin_index(s)->paths);

	return paths ? empty_for(s, &paths) : -ENOMEM;
}

/* --- the entries of a twin --- */

struct entry {
	char *path;
	struct vd_query_value value; /* borrows from trees */
};

/* Of one state of a twin. */
struct entries {
	const char *paths;
	cJSON *trees[3];
	struct entry *list;
	size_t count, room;
};

static void entries_fini_p(struct entries *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->list[i].path);
	free(e->list);
	for (size_t i = 0; i < VD_COUNT(e->trees); i++)
		e->trees[i] = vd_json_free(e->trees[i]);
}

static int note_entry(const char *path, const struct vd_query_value *value, void *argument)
{
	struct entries *e = argument;

	if (!is_indexed(e->paths, path))
		return 0;
	if (e->count == e->room) {
		size_t room = e->room ? 2 * e->room : 16;
		struct entry *list = reallocarray(e->list, room, sizeof list[0]);

		if (!list)
			return -ENOMEM;
		e->list = list;
		e->room = room;
	}
	e->list[e->count] = (struct entry){ strdup(path), *value };
	return e->list[e->count].path ? (e->count++, 0) : -ENOMEM;
}

/* What we wrote ourselves: its depth was checked then. */
static int read_section(struct entries *e, int number, const char *text)
{
	static const char *const sections[] = { "tags", "desired", "reported" };
	VD_CLEANUP(vd_json_free) cJSON *properties = NULL;
	VD_CLEANUP(vd_json_free) cJSON *section = cJSON_Parse(text);
	cJSON *twin = cJSON_CreateObject();

	e->trees[number] = twin;
	if (!section || !twin)
		return section ? -ENOMEM : -EIO;
	if (number > 0) {
		properties = cJSON_CreateObject();
		if (!properties || !vd_json_add_take(properties, sections[number], &section) ||
		    !vd_json_add_take(twin, "properties", &properties))
			return -ENOMEM;
	} else if (!vd_json_add_take(twin, sections[number], &section)) {
		return -ENOMEM;
	}
	return vd_values_each(twin, note_entry, e);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : vd_query_value_compare(&x->value, &y->value);
}

static void sort(struct entries *e)
{
	if (e->count > 0)
		qsort(e->list, e->count, sizeof e->list[0], compare_entries);
}

/* --- written --- */

static int path_id(struct vd_store *s, const struct vd_name *name, const char *path,
		   int64_t *ret_id)
{
	sqlite3_stmt *q;
	int r = vd_twin_index_path_id(s, name->module[0] != '\0', path, ret_id);

	if (r != VD_STORE_NONE)
		return r;
	q = vd_sql(s, path_add_sql, "it", (int64_t)(name->module[0] != '\0'), path);
	r = vd_sql_step(s, q);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_id = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

/* A statement of path_id, value, device_id, module_id. */
static sqlite3_stmt *ask_entry(struct vd_store *s, const char *sql, const struct vd_name *name,
			       int64_t id, const struct vd_query_value *value)
{
	sqlite3_stmt *q = vd_sql(s, sql, "i", id);

	if (!q || vd_index_bind(q, 2, value) < 0 ||
	    sqlite3_bind_text(q, 3, name->device, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(q, 4, name->module, -1, SQLITE_STATIC) != SQLITE_OK)
		return NULL;
	return q;
}

static int write_entry(struct vd_store *s, const char *sql, const struct vd_name *name,
		       const struct entry *entry)
{
	int64_t id;
	int r = path_id(s, name, entry->path, &id);

	return r == 0 ? ignore_none(vd_sql_run(s, ask_entry(s, sql, name, id, &entry->value))) : r;
}

/*
 * Both sorted. What goes goes first: long texts that begin alike are one entry.
 */
static int write_difference(struct vd_store *s, const struct vd_name *name,
			    const struct entries *from, const struct entries *to, const char *sql)
{
	size_t other = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++) {
		int order = 1;

		while (other < to->count &&
		       (order = compare_entries(&to->list[other], &from->list[i])) < 0)
			other++;
		if (other == to->count || order != 0)
			r = write_entry(s, sql, name, &from->list[i]);
	}
	return r;
}

/* texts NULL: nothing of it is to be there. */
static int read_difference(struct vd_store *s, const struct vd_twin_texts *before,
			   const struct vd_twin_texts *after, struct entries *old,
			   struct entries *new)
{
	const char *paths = vd_sql_twin_index(s)->paths;
	const unsigned parts = indexed_parts(paths);
	int r = 0;

	old->paths = new->paths = paths;
	for (int i = 0; r == 0 && i < 3; i++) {
		const char *a = before ? (&before->tags)[i] : NULL;
		const char *b = after ? (&after->tags)[i] : NULL;

		if (!(parts & (1U << i)) || (a && b && strcmp(a, b) == 0))
			continue;
		if (a)
			r = read_section(old, i, a);
		if (r == 0 && b)
			r = read_section(new, i, b);
	}
	sort(old);
	sort(new);
	return r;
}

static int change(struct vd_store *s, const struct vd_name *name,
		  const struct vd_twin_texts *before, const struct vd_twin_texts *after)
{
	VD_CLEANUP(entries_fini) struct entries old = { 0 };
	VD_CLEANUP(entries_fini) struct entries new = { 0 };
	int r = read_difference(s, before, after, &old, &new);

	if (r == 0)
		r = write_difference(s, name, &old, &new, entry_remove_sql);
	return r == 0 ? write_difference(s, name, &new, &old, entry_add_sql) : r;
}

int vd_twin_index_put(struct vd_store *s, const struct vd_name *name,
		      const struct vd_twin_texts *texts)
{
	const unsigned parts = indexed_parts(vd_sql_twin_index(s)->paths);
	struct vd_twin_texts before;
	sqlite3_stmt *q;
	int r;

	if (parts == 0)
		return 0;
	q = vd_sql(s, row_sql, "iitt", (int64_t)((parts & VD_TWIN_DESIRED) != 0),
		   (int64_t)((parts & VD_TWIN_REPORTED) != 0), name->device, name->module);
	r = vd_sql_step(s, q);
	if (r <= 0)
		return r < 0 ? r : change(s, name, NULL, texts);
	before = (struct vd_twin_texts){ (const char *)sqlite3_column_text(q, 0),
					 (const char *)sqlite3_column_text(q, 1),
					 (const char *)sqlite3_column_text(q, 2) };
	r = change(s, name, &before, texts);
	vd_sql_done(q);
	return r;
}

int vd_twin_index_forget(struct vd_store *s, const struct vd_name *name)
{
	sqlite3_stmt *q;
	int r;

	if (name->module[0])
		return vd_twin_index_put(s, name, NULL);
	q = vd_sql(s, modules_sql, "t", name->device);
	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_name each = *name;

		vd_sql_copy(q, 0, each.module, sizeof each.module);
		r = vd_twin_index_put(s, &each, NULL);
		if (r < 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

/* --- all twins --- */

/* Texts of SQLite end with NUL. */
static int read_row(struct vd_store *s, const struct vd_twin_row *row, struct entries *ret_entries)
{
	const struct vd_twin_texts texts = { row->tags.text, row->desired.text,
					     row->reported.text };
	struct entries none = { 0 };

	return read_difference(s, NULL, &texts, &none, ret_entries);
}

struct build {
	struct vd_store *store;
	int count;
};

static int build_one(const struct vd_twin_row *row, void *argument)
{
	struct build *build = argument;
	VD_CLEANUP(entries_fini) struct entries entries = { 0 };
	int r = read_row(build->store, row, &entries);

	for (size_t i = 0; r == 0 && i < entries.count; i++)
		r = write_entry(build->store, entry_add_sql, &row->name, &entries.list[i]);
	vd_sql_twin_index(build->store)->built = row->name;
	build->count++;
	return r;
}

static int walk_both(struct vd_store *s, const struct vd_name *from, int limit, vd_twin_fn fn,
		     void *argument)
{
	const unsigned parts = indexed_parts(vd_sql_twin_index(s)->paths);
	int r = vd_store_twins_each(s, false, from, parts, limit, fn, argument);

	return r == 0 ? vd_store_twins_each(s, true, from, parts, limit, fn, argument) : r;
}

/*
 * Devices and modules are two walks from one name: the one that is further behind counts, so
 * that the next slice begins where both have been.
 */
static int build_slice(struct vd_store *s, int limit, bool *ret_is_done)
{
	struct vd_twin_index *index = vd_sql_twin_index(s);
	const unsigned parts = indexed_parts(index->paths);
	const struct vd_name from = index->built;
	struct vd_name reached;
	struct build devices = { .store = s }, modules = { .store = s };
	int r = vd_store_twins_each(s, false, &from, parts, limit, build_one, &devices);

	reached = index->built;
	if (r == 0)
		r = vd_store_twins_each(s, true, &from, parts, limit, build_one, &modules);
	if (r != 0)
		return r;
	*ret_is_done = devices.count < limit && modules.count < limit;
	if (devices.count == limit &&
	    (modules.count < limit || strcmp(reached.device, index->built.device) < 0))
		index->built = reached;
	return *ret_is_done ? vd_sql_run(s, vd_sql(s, set_built_sql, "i", (int64_t)1)) : 0;
}

int vd_twin_index_build(struct vd_store *s, int limit, bool *ret_is_done)
{
	struct vd_twin_index *index = vd_sql_twin_index(s);
	const struct vd_name from = index->built;
	bool is_done = index->is_built;
	int r = is_done ? 0 : vd_store_begin(s);

	*ret_is_done = is_done;
	if (r < 0 || is_done)
		return r;
	r = build_slice(s, limit, &is_done);
	if (r == 0)
		r = vd_store_commit(s);
	else
		vd_store_rollback(s);
	if (r != 0) {
		index->built = from;
		return r < 0 ? r : -EIO;
	}
	index->is_built = *ret_is_done = is_done;
	return 0;
}

struct check {
	struct vd_store *store;
	struct vd_twin_index_report report;
	int64_t found;
};

static int has_entry(struct vd_store *s, const struct vd_name *name, const struct entry *entry)
{
	sqlite3_stmt *q;
	int64_t id;
	int r = vd_twin_index_path_id(s, name->module[0] != '\0', entry->path, &id);

	if (r != 0)
		return r < 0 ? r : 0;
	q = ask_entry(s, entry_has_sql, name, id, &entry->value);
	r = vd_sql_step(s, q);
	if (r > 0)
		vd_sql_done(q);
	return r;
}

static int check_one(const struct vd_twin_row *row, void *argument)
{
	struct check *check = argument;
	VD_CLEANUP(entries_fini) struct entries entries = { 0 };
	int r = read_row(check->store, row, &entries);

	check->report.twins++;
	for (size_t i = 0; r >= 0 && i < entries.count; i++) {
		r = has_entry(check->store, &row->name, &entries.list[i]);
		check->found += r > 0;
		check->report.missing += r == 0;
	}
	return r < 0 ? r : 0;
}

static int check_all(struct vd_store *s, struct check *check)
{
	sqlite3_stmt *q;
	int r = walk_both(s, &(struct vd_name){ 0 }, INT32_MAX, check_one, check);

	if (r != 0)
		return r;
	q = vd_sql(s, entries_sql, "");
	r = vd_sql_step(s, q);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	check->report.entries = sqlite3_column_int64(q, 0);
	check->report.stale = check->report.entries - check->found;
	check->report.is_built = vd_sql_twin_index(s)->is_built;
	vd_sql_done(q);
	return 0;
}

int vd_twin_index_check(struct vd_store *s, struct vd_twin_index_report *ret_report)
{
	struct check check = { .store = s };
	int r = vd_sql_step(s, vd_sql(s, begin_sql, "")); /* one moment for all; holds nobody up */
	int ended;

	if (r < 0)
		return r;
	r = check_all(s, &check);
	ended = vd_sql_step(s, vd_sql(s, end_sql, ""));
	r = r == 0 ? ended : r;
	if (r == 0)
		*ret_report = check.report;
	return r;
}
