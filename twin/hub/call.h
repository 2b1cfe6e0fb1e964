/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/refusal.h"

/*
 * One REST call as the resources see it, with no HTTP library in sight: tests and the fuzzer
 * make their own.
 */
enum vd_verb {
	VD_VERB_GET = 1,
	VD_VERB_PUT = 2,
	VD_VERB_POST = 4,
	VD_VERB_PATCH = 8,
	VD_VERB_DELETE = 16
};
enum { VD_CALL_SEGMENTS = 8, VD_CALL_ARGUMENTS = 16, VD_CALL_ETAG_BYTES = 48 };

struct vd_reply {
	int status;
	cJSON *body; /* NULL: none */
	char etag[VD_CALL_ETAG_BYTES];
	const char *error_name; /* NULL, or Azure's name for the header */
	const char *item_type;  /* x-ms-item-type; NULL: none */
	char *continuation;     /* x-ms-continuation, owned; NULL: the last page */
	char file[96];          /* X-Accel-Redirect: what the front sends instead; "" none */
	char content_type[65];  /* of that file */
	char *text;             /* instead of body, owned, of text_type; NULL: none */
	const char *text_type;
};

struct vd_exchange; /* http.h */

struct vd_call {
	enum vd_verb verb;
	const char *authorization, *if_match, *last_event_id; /* headers; NULL: absent */
	const char *max_item_count, *continuation;            /* x-ms-… */
	const char *content_type; /* x-ms-blob-content-type, or Content-Type */
	const char *sha256;       /* x-ms-meta-sha256: what the file is to be; NULL */
	const char *body_file;    /* where the front has put the body; NULL */
	const char *
		client_certificate; /* PEM, percent-encoded: from the front, which checked the key */
	const char *body;
	size_t body_len;
	/* From vd_call_set_target. */
	char *target, *arguments_text;
	const char *segments[VD_CALL_SEGMENTS];
	int segment_count;
	struct {
		const char *name, *value;
	} arguments[VD_CALL_ARGUMENTS];
	int argument_count;
	char author[65];              /* the policy that signed the call */
	struct vd_exchange *exchange; /* NULL in tests: nothing can be answered later */
	struct vd_reply reply;
};

const char *vd_verb_name(enum vd_verb verb); /* "GET" … */

/* "/devices/d%201?top=3" -> segments and arguments, decoded. 400 in fault and -EINVAL, -ENOMEM. */
VD_MUST int vd_call_set_target(struct vd_call *call, const char *target, struct vd_fault *fault);
void vd_call_fini(struct vd_call *call);
VD_UNUSED static inline void vd_call_fini_p(struct vd_call *call)
{
	vd_call_fini(call);
}

const char *vd_call_argument(const struct vd_call *call, const char *name); /* NULL: absent */

/* An integer argument in [low, high]; fallback if absent. 400 in fault and VD_REFUSED_ARGUMENT. */
VD_MUST int vd_call_number(const struct vd_call *call, const char *name, int64_t low, int64_t high,
			   int64_t fallback, int64_t *ret_number, struct vd_fault *fault);

/* x-ms-max-item-count, from 1 to high; fallback if absent. 400 in fault and VD_REFUSED_ARGUMENT. */
VD_MUST int vd_call_page_size(const struct vd_call *call, int high, int fallback, int *ret_size,
			      struct vd_fault *fault);

/* The body as one JSON object. VD_REFUSED_ARGUMENT, 400 in fault. */
VD_MUST int vd_call_object(const struct vd_call *call, cJSON **ret_object, struct vd_fault *fault);

/* Answers: an owned body (taken; NULL with a status that needs one is 500), or an error. */
void vd_reply_json(struct vd_reply *reply, int status, cJSON **body);
void vd_reply_refuse(struct vd_reply *reply, int refusal, const struct vd_fault *fault);
