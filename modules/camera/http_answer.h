/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/digest.h"
#include "base/fault.h"

/*
 * What a camera's web server says about its picture, and whether the picture can be the one that
 * was asked for. Pure: bytes in, judgement out.
 */
struct vd_http_answer {
	char type[64], etag[128], modified[64]; /* "": not said; longer ones are cut */
	int64_t date_ms;                        /* wall clock of the server; -1: not said */
	uint64_t age_s;                         /* in caches on the way */
	size_t header_bytes;
};

enum { VD_HTTP_HEADER_BYTES = 65536 };

/* What the last picture was. is_known false: there was none. */
struct vd_http_picture {
	bool is_known;
	uint8_t digest[VD_SHA256_BYTES];
	char etag[128], modified[64];
};

void vd_http_answer_begin(struct vd_http_answer *answer);

/* One header line, with or without its end. -E2BIG: more than VD_HTTP_HEADER_BYTES in all. */
VD_MUST int vd_http_answer_header(struct vd_http_answer *answer, const char *line, size_t len);

/* A Content-Type that is none of a JPEG, or no end of a JPEG in the body: -EBADMSG with fault. */
VD_MUST int vd_http_answer_check(const struct vd_http_answer *answer, const void *body, size_t len,
				 struct vd_fault *fault);

/*
 * Is the picture older than its trigger? It is when a cache says so; and when its bytes are those
 * of the last one, unless its ETag or Last-Modified is another one or, where the server says
 * neither, its Date is not before the trigger: two exposures of one scene never agree in every
 * bit. ret_picture is then the last picture for the next one. -ESTALE with fault, -errno.
 */
VD_MUST int vd_http_answer_fresh(const struct vd_http_answer *answer, const void *body, size_t len,
				 const struct vd_http_picture *last, int64_t trigger_wall_ms,
				 struct vd_http_picture *ret_picture, struct vd_fault *fault);
