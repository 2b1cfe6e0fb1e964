/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/call.h"

/*
 * HTTP/1.1 on a Unix socket, on evhttp. TLS, slow clients and rate limits are the front's;
 * here stand bounds on header (16 KiB), body (1 MiB) and idle time.
 */
struct vd_http;

/* Fill call->reply and return 0; or keep call->exchange and return 1: answered later. */
typedef int (*vd_http_fn)(struct vd_call *call, void *argument);

/* Makes the socket (mode 0660), in place of one that nobody listens on. -EADDRINUSE otherwise. */
VD_MUST int vd_http_new(struct vd_loop *loop, const char *path, vd_http_fn fn, void *argument,
			struct vd_http **ret_http, struct vd_fault *fault);
/* Every exchange must be finished before. */
struct vd_http *vd_http_free(struct vd_http *http);
VD_DEFINE_CLEANUP(struct vd_http, vd_http_free)

/*
 * An exchange that outlives its callback. It stays until vd_exchange_reply or _end, also when
 * the client is gone: on_closed tells (once, never from within a call below).
 */
void vd_exchange_on_closed(struct vd_exchange *exchange, vd_fn on_closed, void *argument);
/*
 * Has the client hung up? on_closed only hears of it when something is written: while a request is
 * being answered, evhttp does not read. Whoever works on a long answer asks now and then.
 */
bool vd_exchange_is_gone(const struct vd_exchange *exchange);
/* Under what it is counted when it is answered (metrics.h); both live for ever. */
void vd_exchange_set_route(struct vd_exchange *exchange, const char *method, const char *route);
void vd_exchange_reply(struct vd_exchange *exchange, struct vd_reply *reply);

/* A stream: start, send …, end. backlog is what the client has not taken yet. */
void vd_exchange_start(struct vd_exchange *exchange, const char *content_type, vd_fn on_drained);
void vd_exchange_send(struct vd_exchange *exchange, const void *data, size_t len);
size_t vd_exchange_backlog(const struct vd_exchange *exchange);
void vd_exchange_end(struct vd_exchange *exchange);
