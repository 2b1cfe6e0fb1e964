/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/queries/query_page.h"

/*
 * The queries that are being answered. Each one works for a few milliseconds at a time, in turn with
 * the others and with all else that the loop does.
 */
enum { VD_QUERIES_SLICE_MS = 2, VD_QUERIES_MAX = 32 };

struct vd_queries;

/* What is given is borrowed for its life. */
VD_MUST int vd_queries_new(struct vd_loop *loop, struct vd_store *store,
			   struct vd_queries **ret_queries);
/* Answers what is under way with 503. */
struct vd_queries *vd_queries_free(struct vd_queries *queries);
VD_DEFINE_CLEANUP(struct vd_queries, vd_queries_free)

/*
 * 0: call->reply is filled in; VD_QUERIES_LATER: the call's exchange was kept; else an enum
 * vd_refusal with its text in fault, or -errno. A call without an exchange is answered at once.
 */
enum { VD_QUERIES_LATER = 1000 };
VD_MUST int vd_queries_ask(struct vd_queries *queries, struct vd_call *call,
			   const struct vd_query_request *request, struct vd_fault *fault);
