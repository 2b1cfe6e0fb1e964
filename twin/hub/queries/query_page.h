/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "twin/hub/call.h"
#include "twin/hub/store/store.h"

/*
 * One page of a query (vedette-query(7)): a walk over twins, or over the devices of jobs, in the
 * order of their names, in as many steps as its owner likes. A page ends when it has as many rows
 * as were asked for, or VD_QUERY_PAGE_BYTES, or the walk took VD_QUERY_PAGE_MS: whatever comes then
 * is for the next one. An aggregate walks all for every page, since no row is known before.
 *
 * Calls return 0, an enum vd_refusal with its text in fault, or -errno.
 */
enum { VD_QUERY_PAGE_BYTES = 4 * 1024 * 1024, VD_QUERY_PAGE_MS = 10000 };

struct vd_query_page;

struct vd_query_request {
	const char *text;
	size_t len;
	const char *continuation; /* NULL: the first page */
	int size;                 /* rows at most */
	uint64_t mono_ms;         /* now */
};

/* store is borrowed for its life, the request for the call. */
VD_MUST int vd_query_page_new(struct vd_store *store, const struct vd_query_request *request,
			      struct vd_query_page **ret_page, struct vd_fault *fault);
struct vd_query_page *vd_query_page_free(struct vd_query_page *page);
VD_DEFINE_CLEANUP(struct vd_query_page, vd_query_page_free)

/* Goes on until the page is done or it is until_ms (monotonic). After a failure only _free is left. */
VD_MUST int vd_query_page_run(struct vd_query_page *page, uint64_t until_ms, bool *ret_is_done,
			      struct vd_fault *fault);

/* Of a page that is done; once. */
VD_MUST int vd_query_page_reply(struct vd_query_page *page, struct vd_reply *reply);
