/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"

/*
 * Twin requests that went to the hub and have no answer yet. Node's SDK waits for ever for an
 * answer, so when the hub goes away the plugin gives one itself. Bounded: the oldest of an
 * identity is forgotten beyond VD_REQUESTS_EACH.
 */
enum { VD_REQUESTS_EACH = 16, VD_REQUEST_RID = 64 };

struct vd_requests;
VD_MUST int vd_requests_new(struct vd_requests **ret_requests);
struct vd_requests *vd_requests_free(struct vd_requests *requests);
VD_DEFINE_CLEANUP(struct vd_requests, vd_requests_free)

/* -ENOMEM, -EMSGSIZE: rid is longer than VD_REQUEST_RID. */
VD_MUST int vd_requests_add(struct vd_requests *requests, const char *identity, const char *rid,
			    size_t rid_len);

/* Answered. Unknown ones are no harm. */
void vd_requests_remove(struct vd_requests *requests, const char *identity, const char *rid,
			size_t rid_len);

/* The device is gone; with it whoever waited. */
void vd_requests_forget(struct vd_requests *requests, const char *identity);

/* Calls fn for each and forgets all. */
typedef void (*vd_request_fn)(const char *identity, const char *rid, size_t rid_len,
			      void *argument);
void vd_requests_drain(struct vd_requests *requests, vd_request_fn fn, void *argument);
