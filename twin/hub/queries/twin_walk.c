/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	scan    all twins, STEP_ROWS at a time
 *	stream  one value of the index, whose entries are in the order of names, STEP_ROWS at a time
 *	list    several values, or a range: read at once and sorted, if they are LIST_ROWS at most
 */
#include "twin/hub/queries/twin_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/store/twin_index.h"
#include "twin/hub/twins.h"
#include "twin/query/matcher.h"

enum { STEP_ROWS = 256, LIST_ROWS = 20000, ENOUGH = 500, PARTS_MAX = 4 };
enum { STORE_PARTS = VD_TWIN_TAGS | VD_TWIN_DESIRED | VD_TWIN_REPORTED | VD_TWIN_STATE };

enum { HEAD_PARTS = VD_PART_NAME | VD_PART_HEAD | VD_TWIN_STATE };

enum mode { SCAN, STREAM, LIST, NOTHING };

struct vd_twin_walk {
	struct vd_store *store;
	const struct vd_query *query;
	struct vd_matcher *matcher;
	unsigned where, parts;
	bool of_modules;
	enum mode mode;
	const struct vd_query_hint *hint; /* of stream and list */
	struct vd_name from, at;
	char last[VD_PART_BYTES]; /* device, behind which nothing matches; "" none */
	bool is_from_read;        /* the one of `from` is done with */
	struct vd_buf texts;      /* candidates: device, NUL, module, NUL */
	const char **names;       /* into texts, in order */
	size_t count, next;
	uint64_t until_ms;
	vd_twin_fn fn;
	void *argument;
};

struct vd_twin_walk *vd_twin_walk_free(struct vd_twin_walk *walk)
{
	if (walk) {
		walk->matcher = vd_matcher_free(walk->matcher);
		vd_buf_fini(&walk->texts);
		free(walk->names);
		free(walk);
	}
	return NULL;
}

const struct vd_name *vd_twin_walk_at(const struct vd_twin_walk *walk)
{
	return &walk->at;
}

/* --- parts --- */

static bool is_below(const char *path, const char *below)
{
	size_t len = strlen(below);

	return strncmp(path, below, len) == 0 && (path[len] == '.' || path[len] == '\0');
}

static bool is_one_of(const char *path, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(path, names[i]) == 0)
			return true;
	}
	return false;
}

unsigned vd_twin_part_of(const char *path)
{
	static const char *const names[] = { "deviceId", "moduleId" };
	static const char *const states[] = { "status", "connectionState", "authenticationType",
					      "version" };

	if (!path[0])
		return 0;
	if (is_below(path, "tags"))
		return VD_TWIN_TAGS;
	if (is_below(path, "properties.desired"))
		return VD_TWIN_DESIRED;
	if (is_below(path, "properties.reported"))
		return VD_TWIN_REPORTED;
	if (is_below(path, "properties"))
		return VD_TWIN_DESIRED | VD_TWIN_REPORTED;
	if (is_one_of(path, names, VD_COUNT(names)))
		return VD_PART_NAME;
	return is_one_of(path, states, VD_COUNT(states)) ? VD_TWIN_STATE : VD_PART_HEAD;
}

/* Ids have neither quotes nor backslashes. */
static int open_head(const struct vd_name *name, struct vd_buf *out)
{
	if (name->module[0])
		return vd_buf_printf(out, "{\"deviceId\":\"%s\",\"moduleId\":\"%s\"", name->device,
				     name->module);
	return vd_buf_printf(out, "{\"deviceId\":\"%s\"", name->device);
}

static int name_text(const struct vd_name *name, struct vd_buf *out)
{
	int r = open_head(name, out);

	return r == 0 ? vd_buf_append(out, "}", 1) : r;
}

static int whole_text(struct vd_store *store, const struct vd_twin_row *row, struct vd_buf *out)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;
	int r = vd_twins_head(store, &row->name, row->version, row->etag, &json, NULL);

	if (r != 0)
		return r < 0 ? r : -EIO; /* no twin without an identity */
	text = vd_json_text(json);
	return text ? vd_buf_append(out, text, strlen(text)) : -ENOMEM;
}

static int state_text(const struct vd_twin_row *row, struct vd_buf *out)
{
	int r = open_head(&row->name, out);

	return r == 0 ? vd_buf_printf(out,
				      ",\"status\":\"%s\",\"connectionState\":\"%s\","
				      "\"authenticationType\":\"%s\",\"version\":%lld}",
				      row->is_enabled ? "enabled" : "disabled",
				      row->is_connected ? "Connected" : "Disconnected",
				      row->authentication, (long long)row->version)
		      : r;
}

int vd_twin_head_text(struct vd_store *store, const struct vd_twin_row *row, unsigned parts,
		      struct vd_buf *out)
{
	if (parts & VD_PART_HEAD)
		return whole_text(store, row, out);
	return parts & VD_TWIN_STATE ? state_text(row, out) : name_text(&row->name, out);
}

/* --- one twin --- */

static int ask_where(struct vd_twin_walk *walk, const struct vd_twin_row *row, bool *ret_matches)
{
	const struct {
		unsigned part;
		const char *below;
		const struct vd_twin_text *text;
	} sections[] = {
		{ VD_TWIN_TAGS, "tags", &row->tags },
		{ VD_TWIN_DESIRED, "properties.desired", &row->desired },
		{ VD_TWIN_REPORTED, "properties.reported", &row->reported },
	};
	VD_CLEANUP(vd_buf_fini) struct vd_buf head = { 0 };
	struct vd_query_part parts[PARTS_MAX];
	size_t count = 0;
	int r = walk->where & HEAD_PARTS ? vd_twin_head_text(walk->store, row, walk->where, &head)
					 : 0;

	if (head.len)
		parts[count++] = (struct vd_query_part){ "", head.data, head.len };
	for (size_t i = 0; i < VD_COUNT(sections); i++) {
		if (walk->where & sections[i].part)
			parts[count++] =
				(struct vd_query_part){ sections[i].below, sections[i].text->text,
							sections[i].text->len };
	}
	if (r == 0)
		r = vd_matcher_ask(walk->matcher, parts, count, ret_matches);
	return r == -EINVAL ? -EIO : r;
}

static bool is_same(const struct vd_name *a, const struct vd_name *b)
{
	return strcmp(a->device, b->device) == 0 && strcmp(a->module, b->module) == 0;
}

static int see(const struct vd_twin_row *row, void *argument)
{
	struct vd_twin_walk *walk = argument;
	bool matches = false;
	int r;

	if (walk->is_from_read && is_same(&row->name, &walk->from))
		return 0;
	if (walk->last[0] && strcmp(row->name.device, walk->last) > 0)
		return VD_WALK_END;
	r = ask_where(walk, row, &matches);
	if (r == 0 && matches)
		r = walk->fn(row, walk->argument);
	if (r != 0 && r != VD_WALK_LAST)
		return r;
	walk->at = walk->from = row->name;
	walk->is_from_read = true;
	if (r == 0 && vd_clock_mono_ms() >= walk->until_ms)
		r = VD_WALK_TIME;
	return r;
}

/* --- candidates --- */

static void clear_list(struct vd_twin_walk *walk)
{
	vd_buf_clear(&walk->texts);
	walk->count = walk->next = 0;
}

static int add_candidate(const struct vd_name *name, void *argument)
{
	struct vd_twin_walk *walk = argument;
	int r = vd_buf_append(&walk->texts, name->device, strlen(name->device) + 1);

	if (r == 0)
		r = vd_buf_append(&walk->texts, name->module, strlen(name->module) + 1);
	walk->count += r == 0;
	return r;
}

static const char *module_of(const char *name)
{
	return name + strlen(name) + 1;
}

/* When all are there: the buffer moves while it grows. */
static int point_to_names(struct vd_twin_walk *walk)
{
	const char **names = reallocarray(walk->names, walk->count + 1, sizeof names[0]);
	const char *at = walk->texts.data;

	if (!names)
		return -ENOMEM;
	walk->names = names;
	for (size_t i = 0; i < walk->count; i++) {
		names[i] = at;
		at = module_of(at);
		at += strlen(at) + 1;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int order = strcmp(x, y);

	return order ? order : strcmp(module_of(x), module_of(y));
}

/* Sorted and distinct. */
static void sort_names(struct vd_twin_walk *walk)
{
	size_t kept = 0;

	if (walk->count == 0)
		return;
	qsort(walk->names, walk->count, sizeof walk->names[0], compare_names);
	for (size_t i = 1; i < walk->count; i++) {
		if (compare_names(&walk->names[i], &walk->names[kept]) != 0)
			walk->names[++kept] = walk->names[i];
	}
	walk->count = kept + 1;
}

static struct vd_index_range range_of(const struct vd_twin_walk *walk,
				      const struct vd_query_hint *hint, size_t value)
{
	bool is_value = hint->value_count > 0;

	return (struct vd_index_range){
		.path = hint->path,
		.of_modules = walk->of_modules,
		.low = is_value ? hint->values[value] : hint->low,
		.high = is_value ? hint->values[value] : hint->high,
	};
}

static size_t range_count(const struct vd_query_hint *hint)
{
	return hint->value_count ? hint->value_count : 1;
}

/* All that the index knows of the hint, from here on. */
static int fill_list(struct vd_twin_walk *walk)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < range_count(walk->hint); i++) {
		const struct vd_index_range range = range_of(walk, walk->hint, i);

		r = vd_twin_index_names(walk->store, &range, &walk->from, LIST_ROWS, add_candidate,
					walk);
	}
	if (r == 0)
		r = point_to_names(walk);
	if (r == 0)
		sort_names(walk);
	return r;
}

static int fill_stream(struct vd_twin_walk *walk)
{
	const struct vd_index_range range = range_of(walk, walk->hint, 0);
	int r;

	clear_list(walk);
	r = vd_twin_index_names(walk->store, &range, &walk->from, STEP_ROWS, add_candidate, walk);
	return r == 0 ? point_to_names(walk) : r;
}

static int walk_list(struct vd_twin_walk *walk)
{
	int r = 0;

	while (r == 0 && walk->next < walk->count) {
		const char *text = walk->names[walk->next];
		struct vd_name name;

		(void)snprintf(name.device, sizeof name.device, "%s", text);
		(void)snprintf(name.module, sizeof name.module, "%s", module_of(text));
		r = vd_store_twin_row(walk->store, &name, walk->parts & STORE_PARTS, see, walk);
		if (r == 0 || r == VD_WALK_TIME || r == VD_WALK_LAST)
			walk->next++;
	}
	return r;
}

/* A stream's step is its last if it was not full. */
static int walk_stream(struct vd_twin_walk *walk)
{
	int r = walk->next < walk->count ? 0 : fill_stream(walk);
	bool is_full = walk->count == STEP_ROWS;

	if (r == 0 && is_full) {
		const char *last = walk->names[walk->count - 1];

		r = walk_list(walk);
		if (r == 0) { /* also if none of them has a twin any more */
			(void)snprintf(walk->from.device, sizeof walk->from.device, "%s", last);
			(void)snprintf(walk->from.module, sizeof walk->from.module, "%s",
				       module_of(last));
			walk->is_from_read = true;
		}
		return r;
	}
	if (r == 0)
		r = walk_list(walk);
	return r == 0 ? VD_WALK_END : r;
}

static int walk_all(struct vd_twin_walk *walk)
{
	const struct vd_name from = walk->from;
	bool was_read = walk->is_from_read;
	int r = vd_store_twins_each(walk->store, walk->of_modules, &from, walk->parts & STORE_PARTS,
				    STEP_ROWS, see, walk);

	if (r == 0 && was_read == walk->is_from_read && is_same(&from, &walk->from))
		return VD_WALK_END;
	return r;
}

/* --- where to look --- */

static bool is_served(const struct vd_twin_walk *walk, const struct vd_query_hint *hint)
{
	for (size_t i = 0; i < range_count(hint); i++) {
		const struct vd_index_range range = range_of(walk, hint, i);

		if (!vd_twin_index_serves(walk->store, &range))
			return false;
	}
	return true;
}

/* How many the index has for the hint, up to about limit. */
static int estimate(const struct vd_twin_walk *walk, const struct vd_query_hint *hint, int limit,
		    int64_t *ret_count)
{
	int64_t total = 0, count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < range_count(hint) && total < limit; i++) {
		const struct vd_index_range range = range_of(walk, hint, i);

		r = vd_twin_index_count(walk->store, &range, limit, &count);
		total += count;
	}
	*ret_count = total;
	return r;
}

/*
 * One value is always walked as it comes: whatever it selects, that is no more than all. Others
 * are, if they select few enough. The fewest win; few are not counted further.
 */
static int choose(struct vd_twin_walk *walk, const struct vd_query_hint *hints, size_t count)
{
	int64_t best = LIST_ROWS;
	int r = 0;

	if (count == 1 && hints->value_count == 1 && is_served(walk, hints)) {
		walk->hint = hints;
		best = 0;
	}
	for (size_t i = 0; r == 0 && i < count && best > ENOUGH; i++) {
		int64_t found = LIST_ROWS;

		if (!is_served(walk, &hints[i]))
			continue;
		r = estimate(walk, &hints[i], (int)best, &found);
		if (found < best || (!walk->hint && hints[i].value_count == 1)) {
			walk->hint = &hints[i];
			best = found;
		}
	}
	if (r == 0 && walk->hint)
		walk->mode = walk->hint->value_count == 1 ? STREAM : LIST;
	return r == 0 && walk->mode == LIST ? fill_list(walk) : r;
}

static const char *text_of(const struct vd_query_value *value)
{
	return value->type == VD_QUERY_STRING && strlen(value->string) < VD_PART_BYTES
		       ? value->string
		       : NULL;
}

/* Names are in the order of their bytes, in the store as in queries. */
static void narrow(struct vd_twin_walk *walk, const struct vd_query_hint *hint)
{
	size_t count = hint->value_count;
	const char *low = text_of(count ? &hint->values[0] : &hint->low);
	const char *high = text_of(count ? &hint->values[count - 1] : &hint->high);

	if (low && strcmp(low, walk->from.device) > 0) {
		walk->from = (struct vd_name){ 0 };
		(void)snprintf(walk->from.device, sizeof walk->from.device, "%s", low);
		walk->is_from_read = false;
	}
	if (high)
		(void)snprintf(walk->last, sizeof walk->last, "%s", high);
}

/* deviceId IN […]: devices have no other names than these. */
static int list_ids(struct vd_twin_walk *walk, const struct vd_query_hint *hint)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < hint->value_count; i++) {
		const char *text = text_of(&hint->values[i]);
		struct vd_name name = { 0 };

		if (!text || strcmp(text, walk->from.device) < 0)
			continue;
		(void)snprintf(name.device, sizeof name.device, "%s", text);
		r = add_candidate(&name, walk);
	}
	walk->mode = LIST;
	return r == 0 ? point_to_names(walk) : r;
}

static int plan(struct vd_twin_walk *walk)
{
	const struct vd_query_hint *hints, *ids = NULL;
	size_t count = vd_query_hints(walk->query, &hints);

	for (size_t i = 0; i < count; i++) {
		if (hints[i].is_never) {
			walk->mode = NOTHING;
			return 0;
		}
		if (strcmp(hints[i].path, "deviceId") == 0) {
			narrow(walk, &hints[i]);
			ids = hints[i].value_count ? &hints[i] : ids;
		}
	}
	if (ids && !walk->of_modules)
		return list_ids(walk, ids);
	return ids ? 0 : choose(walk, hints, count);
}

int vd_twin_walk_new(struct vd_store *store, const struct vd_query *query, unsigned parts,
		     const struct vd_name *from, struct vd_twin_walk **ret_walk)
{
	VD_CLEANUP(vd_twin_walk_free) struct vd_twin_walk *walk = calloc(1, sizeof *walk);
	const char *const *paths;
	size_t count = vd_query_paths(query, &paths);
	int r;

	if (!walk)
		return -ENOMEM;
	walk->store = store;
	walk->query = query;
	walk->of_modules = vd_query_source(query) == VD_QUERY_MODULES;
	if (from && from->device[0]) {
		walk->from = walk->at = *from;
		walk->is_from_read = true;
	}
	for (size_t i = 0; i < count; i++)
		walk->where |= vd_twin_part_of(paths[i]);
	walk->parts = walk->where | parts;
	r = vd_matcher_new(query, &walk->matcher);
	if (r == 0)
		r = plan(walk);
	if (r == 0)
		*ret_walk = VD_TAKE(walk);
	return r;
}

int vd_twin_walk_run(struct vd_twin_walk *walk, uint64_t until_ms, vd_twin_fn fn, void *argument)
{
	int r = 0;

	walk->until_ms = until_ms;
	walk->fn = fn;
	walk->argument = argument;
	while (r == 0) {
		if (walk->mode == STREAM)
			r = walk_stream(walk);
		else if (walk->mode == SCAN)
			r = walk_all(walk);
		else
			r = walk->mode == LIST ? walk_list(walk) : VD_WALK_END;
		if (r == 0 && walk->mode == LIST)
			r = VD_WALK_END;
	}
	return r;
}
