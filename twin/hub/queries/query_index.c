/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/queries/query_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "twin/hub/store/twin_index.h"
#include "twin/query/query.h"

enum { SLICE_TWINS = 200, PAUSE_MS = 1, RETRY_MS = 1000 };

struct vd_query_index {
	struct vd_store *store;
	struct vd_source *timer;
	uint64_t begin_ms;
};

/* Spelled as in queries, by letting one read it. */
static int spell(const char *text, char **ret_path, struct vd_fault *fault)
{
	static const char *const below[] = { "properties.desired", "properties.reported" };
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf select = { 0 };
	const char *const *paths = NULL;
	int r = vd_buf_printf(&select, "SELECT * FROM devices WHERE IS_DEFINED(%s)", text);

	if (r == 0)
		r = vd_query_parse(select.data, select.len, &query, fault);
	if (r == 0 && vd_query_paths(query, &paths) == 1) {
		for (size_t i = 0; i < VD_COUNT(below); i++) {
			if (strncmp(paths[0], below[i], strlen(below[i])) == 0) {
				*ret_path = strdup(paths[0]);
				return *ret_path ? 0 : -ENOMEM;
			}
		}
	}
	if (r == -ENOMEM)
		return r;
	vd_fault_set(fault, 400, "",
		     "\"%.100s\" is no path below properties.desired or properties.reported", text);
	return -EINVAL;
}

struct paths {
	const char *list[VD_INDEX_PATHS + 1];
	char *owned[VD_INDEX_PATHS];
	size_t count;
};

static void paths_fini_p(struct paths *paths)
{
	for (size_t i = 0; i < VD_COUNT(paths->owned); i++)
		free(paths->owned[i]);
}

/* None at all without an index. */
static int read_paths(const struct vd_config *config, struct paths *paths, struct vd_fault *fault)
{
	const cJSON *path;
	size_t owned = 0;

	if (config->has_query_index)
		paths->list[paths->count++] = "tags";
	cJSON_ArrayForEach(path, config->query_index_paths)
	{
		int r = owned == VD_INDEX_PATHS
				? -E2BIG
				: spell(path->valuestring, &paths->owned[owned], fault);

		if (r < 0) {
			vd_fault_under(fault, "queryIndexPaths");
			return r;
		}
		if (config->has_query_index)
			paths->list[paths->count++] = paths->owned[owned];
		owned++;
	}
	return 0;
}

int vd_query_index_check(const struct vd_config *config, struct vd_fault *fault)
{
	VD_CLEANUP(paths_fini) struct paths paths = { 0 };

	return read_paths(config, &paths, fault);
}

/* One sync a slice. */
static void build(void *argument)
{
	struct vd_query_index *index = argument;
	bool is_done = false;
	int r = vd_twin_index_build(index->store, SLICE_TWINS, &is_done);

	if (r < 0)
		vd_log(VD_ERROR, "index.failed", "reason=\"%s\"", strerror(-r));
	if (!is_done)
		(void)!vd_timer_arm(index->timer, r < 0 ? RETRY_MS : PAUSE_MS);
	else
		vd_log(VD_NOTICE, "index.built", "ms=%llu",
		       (unsigned long long)(vd_clock_mono_ms() - index->begin_ms));
}

static int start(struct vd_query_index *index, struct vd_loop *loop)
{
	bool is_done = false;
	int r = vd_twin_index_build(index->store, SLICE_TWINS, &is_done);

	if (r < 0 || is_done)
		return r;
	r = vd_loop_timer(loop, build, index, &index->timer);
	return r == 0 ? vd_timer_arm(index->timer, PAUSE_MS) : r;
}

int vd_query_index_new(struct vd_loop *loop, struct vd_store *store, const struct vd_config *config,
		       struct vd_query_index **ret_index, struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_index_free) struct vd_query_index *index = calloc(1, sizeof *index);
	VD_CLEANUP(paths_fini) struct paths paths = { 0 };
	int r;

	if (!index)
		return -ENOMEM;
	index->store = store;
	index->begin_ms = vd_clock_mono_ms();
	r = read_paths(config, &paths, fault);
	if (r == 0)
		r = vd_twin_index_set(store, paths.list, paths.count);
	if (r == 0 && loop)
		r = start(index, loop);
	if (r == 0)
		*ret_index = VD_TAKE(index);
	return r;
}

struct vd_query_index *vd_query_index_free(struct vd_query_index *index)
{
	if (index) {
		index->timer = vd_source_free(index->timer);
		free(index);
	}
	return NULL;
}
