/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "twin/ctl/connection.h"

/* The hub's REST API from afar, on libcurl. What fails is said on stderr, with place and cause. */
struct vd_client;

struct vd_client_options {
	const struct vd_connection *connection; /* borrowed for the client's life */
	const char *ca;                         /* PEM file; NULL: the system's */
	const char *connect_to; /* "ADDR:PORT" instead of what HostName resolves to; NULL */
	const char *socket;     /* plain HTTP on the hub's own Unix socket; NULL */
};

VD_MUST int vd_client_new(const struct vd_client_options *options, struct vd_client **ret_client);
struct vd_client *vd_client_free(struct vd_client *client);
VD_DEFINE_CLEANUP(struct vd_client, vd_client_free)

/*
 * One call. Returns an enum vd_exit; on VD_EXIT_OK *ret_json (if wanted) is the answer, NULL for
 * none. body may be NULL; if_match too. timeout_s covers the whole call.
 */
struct vd_request {
	const char *method, *path;
	const cJSON *body;
	const char *if_match;
	int timeout_s; /* 0: 30 */
	bool is_quiet; /* NOT_FOUND is not said */
};
int vd_client_call(struct vd_client *client, const struct vd_request *request, cJSON **ret_json);

/* GET of bytes, appended up to out's limit; NOT_FOUND is not said. Returns an enum vd_exit. */
int vd_client_get_bytes(struct vd_client *client, const char *path, struct vd_buf *out);

/* PUT of a file's bytes, as they are; it may take an hour. Returns an enum vd_exit. */
int vd_client_put_file(struct vd_client *client, const char *path, const char *file);

/* Percent-encodes for a path or an argument; appends. */
VD_MUST int vd_client_escape(struct vd_client *client, const char *text, struct vd_buf *out);

/*
 * GET of server-sent events until the stream ends, on_event says so (not 0), or it fails.
 * Returns an enum vd_exit; OK: it ended. *is_open: something came.
 */
typedef int (*vd_event_fn)(const char *type, const char *id, const char *data, void *argument);
int vd_client_stream(struct vd_client *client, const char *path, const char *last_event_id,
		     vd_event_fn on_event, void *argument, bool *ret_is_open);
