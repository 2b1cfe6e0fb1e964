/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "twin/query/parser.h"

/*
 * Names at the top of a twin or a job, which Azure's clients write in any case: "LastActivityTime".
 * Below, case matters.
 */
static const char *const roots[] = {
	"deviceId",     "moduleId",
	"etag",         "deviceEtag",
	"version",      "status",
	"statusReason", "statusUpdateTime",
	"tags",         "connectionState",
	"properties",   "lastActivityTime",
	"modelId",      "cloudToDeviceMessageCount",
	"capabilities", "authenticationType",
	"deviceScope",  "x509Thumbprint",
	"parentScopes", "configurations",
	"jobId",        "jobType",
	"startTimeUtc", "endTimeUtc",
	"outcome",      "createdTimeUtc",
	"error",        "lastUpdatedDateTimeUtc",
};

/* The words with which a path may begin although they are not part of it. */
static size_t prefix_length(const struct vd_query *query, const struct vd_path *path)
{
	static const char *const collections[] = { NULL, "modules", "jobs" };
	const char *const *names = query->segments + path->first;
	const char *collection = collections[query->source];
	size_t n = 0;

	if (path->is_first_quoted)
		return 0;
	if (query->alias && !strcmp(names[0], query->alias))
		return 1;
	if (!strcasecmp(names[0], "devices"))
		n = 1;
	if (collection && n < path->count && !strcasecmp(names[n], collection))
		n++;
	return n;
}

static int strip_prefix(struct vd_query *query, struct vd_path *path, const char *source,
			struct vd_fault *fault)
{
	size_t n = prefix_length(query, path);

	if (n == path->count) {
		vd_fault_set(fault, 400, "",
			     "position %zu: '%.40s' is what FROM names, expected a property of it",
			     vd_lexer_position(source, path->position),
			     query->segments[path->first]);
		return -EINVAL;
	}
	path->first += n;
	path->count -= n;
	for (size_t i = 0; i < VD_COUNT(roots); i++) {
		if (!strcasecmp(query->segments[path->first], roots[i]))
			query->segments[path->first] = roots[i];
	}
	return 0;
}

/* A first name that would be read as something else: a keyword, or the collection. */
static bool must_be_quoted(const char *name)
{
	return vd_parse_is_reserved(name) || !strcasecmp(name, "devices") ||
	       !strcasecmp(name, "modules") || !strcasecmp(name, "jobs");
}

int vd_path_append(struct vd_buf *out, const char *segment, bool is_first)
{
	bool is_plain = vd_lexer_is_plain_name(segment) && !(is_first && must_be_quoted(segment));
	const char *dot = is_first ? "" : ".";

	return is_plain ? vd_buf_printf(out, "%s%s", dot, segment)
			: vd_buf_printf(out, "%s[[%s]]", dot, segment);
}

static int spell(const struct vd_query *query, struct vd_path *path)
{
	struct vd_buf text = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < path->count; i++)
		r = vd_path_append(&text, query->segments[path->first + i], i == 0);
	path->text = text.data;
	return r;
}

int vd_paths_resolve(struct vd_query *query, const char *source, struct vd_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < query->path_count; i++) {
		r = strip_prefix(query, &query->paths[i], source, fault);
		if (r == 0)
			r = spell(query, &query->paths[i]);
	}
	return r;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Tells each path of WHERE its slot: the place of its spelling in the list. */
static void number_paths(struct vd_query *query)
{
	for (size_t i = 0; i < query->node_count; i++) {
		struct vd_path *path;
		const char **found;

		if (query->nodes[i].path < 0)
			continue;
		path = &query->paths[query->nodes[i].path];
		found = bsearch(&path->text, query->where_paths, query->where_path_count,
				sizeof *query->where_paths, compare_texts);
		path->slot = (size_t)(found - query->where_paths);
		query->where_path_of[path->slot] = query->nodes[i].path;
	}
}

int vd_paths_collect(struct vd_query *query)
{
	const char **texts = malloc((query->path_count + 1) * sizeof *texts);
	size_t n = 0, kept = 0;

	query->where_paths = texts;
	query->where_path_of = malloc((query->path_count + 1) * sizeof *query->where_path_of);
	if (!texts || !query->where_path_of)
		return -ENOMEM;
	for (size_t i = 0; i < query->node_count; i++) {
		if (query->nodes[i].path >= 0)
			texts[n++] = query->paths[query->nodes[i].path].text;
	}
	qsort(texts, n, sizeof *texts, compare_texts);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || strcmp(texts[i], texts[kept - 1]) != 0)
			texts[kept++] = texts[i];
	}
	query->where_path_count = kept;
	number_paths(query);
	return 0;
}

size_t vd_query_paths(const struct vd_query *query, const char *const **ret_paths)
{
	*ret_paths = query->where_paths;
	return query->where_path_count;
}

const char *vd_query_row_path(const struct vd_query *query, size_t index)
{
	int path;

	if (index >= query->column_count + query->group_count)
		return NULL;
	path = index < query->column_count ? query->columns[index].path
					   : query->groups[index - query->column_count];
	return path < 0 ? "" : query->paths[path].text;
}

const cJSON *vd_path_find(const struct vd_query *query, int path, const cJSON *twin)
{
	const struct vd_path *p = &query->paths[path];

	for (size_t i = 0; twin && i < p->count; i++) {
		const char *name = query->segments[p->first + i];
		const cJSON *child = cJSON_IsObject(twin) ? twin->child : NULL;

		while (child && strcmp(child->string, name) != 0)
			child = child->next;
		twin = child;
	}
	return twin;
}

/*
 * A patch that stops above the path at anything but an object takes away what the path led to; one
 * that does not name it leaves it alone.
 */
static bool path_is_touched(const struct vd_query *query, const struct vd_path *path,
			    const cJSON *patch)
{
	for (size_t i = 0; i < path->count; i++) {
		if (!cJSON_IsObject(patch))
			return true;
		patch = vd_json_get(patch, query->segments[path->first + i]);
		if (!patch)
			return false;
	}
	return true;
}

bool vd_query_is_touched_by(const struct vd_query *query, const cJSON *patch)
{
	for (size_t i = 0; i < query->node_count; i++) {
		int path = query->nodes[i].path;

		if (path >= 0 && path_is_touched(query, &query->paths[path], patch))
			return true;
	}
	return false;
}
