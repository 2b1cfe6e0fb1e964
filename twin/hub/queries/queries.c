/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/queries/queries.h"

#include <errno.h>
#include <stdlib.h>

#include "twin/hub/queries/slices.h"

struct vd_queries {
	struct vd_store *store;
	struct vd_slices *slices;
};

static int run(void *task, uint64_t until_ms, bool *ret_is_done, struct vd_fault *fault)
{
	return vd_query_page_run(task, until_ms, ret_is_done, fault);
}

static int reply(void *task, struct vd_reply *reply)
{
	return vd_query_page_reply(task, reply);
}

static void free_page(void *task)
{
	(void)vd_query_page_free(task);
}

static const struct vd_task page_task = { run, reply, free_page };

int vd_queries_new(struct vd_loop *loop, struct vd_store *store, struct vd_queries **ret_queries)
{
	VD_CLEANUP(vd_queries_free) struct vd_queries *queries = calloc(1, sizeof *queries);
	int r;

	if (!queries)
		return -ENOMEM;
	queries->store = store;
	r = vd_slices_new(loop, VD_QUERIES_MAX, &queries->slices);
	if (r == 0)
		*ret_queries = VD_TAKE(queries);
	return r;
}

struct vd_queries *vd_queries_free(struct vd_queries *queries)
{
	if (queries)
		queries->slices = vd_slices_free(queries->slices);
	free(queries);
	return NULL;
}

int vd_queries_ask(struct vd_queries *queries, struct vd_call *call,
		   const struct vd_query_request *request, struct vd_fault *fault)
{
	struct vd_query_page *page = NULL;
	int r = vd_query_page_new(queries->store, request, &page, fault);

	return r == 0 ? vd_slices_run(queries->slices, call, &page_task, page, fault) : r;
}
