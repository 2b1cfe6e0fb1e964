/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/queries/query_page.h"

/* The queries that are being answered, in slices (slices.h). */
enum { VD_QUERIES_MAX = 32 };

struct vd_queries;

/* What is given is borrowed for its life. */
VD_MUST int vd_queries_new(struct vd_loop *loop, struct vd_store *store,
			   struct vd_queries **ret_queries);
/* Answers what is under way with 503. */
struct vd_queries *vd_queries_free(struct vd_queries *queries);
VD_DEFINE_CLEANUP(struct vd_queries, vd_queries_free)

/* Results as vd_slices_run. */
VD_MUST int vd_queries_ask(struct vd_queries *queries, struct vd_call *call,
			   const struct vd_query_request *request, struct vd_fault *fault);
