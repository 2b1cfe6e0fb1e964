/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/query/query.h"

/*
 * Where a page ended, as an opaque text for x-ms-continuation. Rows come in the order of device and
 * module id, and the next page begins behind the last one of the page before: twins that come or
 * go meanwhile neither repeat nor hide others. A cursor belongs to its query and is refused with
 * another one. It holds no secret and needs none: whoever makes one up sees rows that the query gives
 * anyway.
 */
enum { VD_QUERY_ID_BYTES = 129 };

struct vd_query_cursor {
	int64_t given; /* rows so far: toward TOP, or into the rows of an aggregate */
	char device[VD_QUERY_ID_BYTES]; /* the last one read, a match or not; "" at the start */
	char module[VD_QUERY_ID_BYTES];
};

/* Appends the text. The ids have no white space. -ENOMEM, or -E2BIG at out's limit. */
VD_MUST int vd_query_cursor_write(const struct vd_query *query,
				  const struct vd_query_cursor *cursor, struct vd_buf *out);

/* 400 in fault and -EINVAL: not a cursor, or of another query. -ENOMEM. */
VD_MUST int vd_query_cursor_read(const struct vd_query *query, const char *text, size_t len,
				 struct vd_query_cursor *ret_cursor, struct vd_fault *fault);
