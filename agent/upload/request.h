/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/*
 * One HTTPS request at a time, in whatever thread asks; another thread may end it. Nothing else of
 * the uploader includes curl. The connection stays open for the next request.
 */
struct vd_requester;

struct vd_requester_config { /* borrowed; must outlive the requester */
	const char *trust_file, *certificate_file, *key_file;
};

struct vd_request {
	const char *method;
	const char *host;
	uint16_t port;
	const char *address; /* behind the host */
	const char *const *headers;
	size_t header_count;
	const void *body;
	size_t len;
	uint64_t bytes_per_second; /* at most; 0: no limit */
	bool shows_certificate;    /* to the hub, never to a storage elsewhere */
};

VD_MUST int vd_requester_new(const struct vd_requester_config *config,
			     struct vd_requester **ret_requester);
struct vd_requester *vd_requester_free(struct vd_requester *requester);

/*
 * The status and the beginning of the answer's body. -EHOSTUNREACH: no answer, the reason is in
 * ret_body; -ECANCELED: vd_requester_cancel was called, now or before; -ENOMEM.
 */
VD_MUST int vd_request(struct vd_requester *requester, const struct vd_request *request,
		       long *ret_status, struct vd_buf *ret_body);

/* From any thread: ends the request under way, and refuses others from now on. */
void vd_requester_cancel(struct vd_requester *requester);
