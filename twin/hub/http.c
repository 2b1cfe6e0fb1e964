/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/log.h"
#include "twin/hub/metrics.h"

enum { HEADER_BYTES = 16384, BODY_BYTES = 1 << 20, IDLE_S = 75, WRITE_S = 60, BACKLOG = 128 };

struct vd_http {
	struct evhttp *evhttp;
	vd_http_fn fn;
	void *argument;
	char path[sizeof((struct sockaddr_un){ 0 }.sun_path)];
};

struct vd_exchange {
	struct evhttp_request *request;
	vd_fn on_closed, on_drained;
	void *argument;
	const char *method, *route;
	bool is_kept, is_closed;
};

static void send_reply(struct evhttp_request *request, struct vd_reply *reply)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *out = evhttp_request_get_output_buffer(request);
	VD_CLEANUP(vd_free) char *json = reply->body ? vd_json_text(reply->body) : NULL;
	const char *text = reply->text ? reply->text : json;
	const char *type = reply->text ? reply->text_type : "application/json; charset=utf-8";
	int status = reply->status ? reply->status : 500;

	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	if (reply->etag[0])
		(void)evhttp_add_header(headers, "ETag", reply->etag);
	if (reply->error_name)
		(void)evhttp_add_header(headers, "iothub-errorcode", reply->error_name);
	if (reply->item_type)
		(void)evhttp_add_header(headers, "x-ms-item-type", reply->item_type);
	if (reply->continuation)
		(void)evhttp_add_header(headers, "x-ms-continuation", reply->continuation);
	if (reply->file[0]) {
		(void)evhttp_add_header(headers, "X-Accel-Redirect", reply->file);
		(void)evhttp_add_header(headers, "Content-Type", reply->content_type);
	} else if (status != 204) {
		(void)evhttp_add_header(headers, "Content-Type", type);
		if (text && evbuffer_add(out, text, strlen(text)) < 0)
			status = 500;
	}
	evhttp_send_reply(request, status, NULL, NULL);
}

static enum vd_verb verb_of(struct evhttp_request *request)
{
	switch (evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
		return VD_VERB_GET;
	case EVHTTP_REQ_PUT:
		return VD_VERB_PUT;
	case EVHTTP_REQ_POST:
		return VD_VERB_POST;
	case EVHTTP_REQ_PATCH:
		return VD_VERB_PATCH;
	case EVHTTP_REQ_DELETE:
		return VD_VERB_DELETE;
	default:
		return 0;
	}
}

static int run_call(struct vd_http *http, struct evhttp_request *request, struct vd_call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	struct evbuffer *in = evhttp_request_get_input_buffer(request);
	struct vd_fault fault = { 0 };
	int r;

	call->verb = verb_of(request);
	call->authorization = evhttp_find_header(headers, "Authorization");
	call->if_match = evhttp_find_header(headers, "If-Match");
	call->last_event_id = evhttp_find_header(headers, "Last-Event-ID");
	call->max_item_count = evhttp_find_header(headers, "x-ms-max-item-count");
	call->continuation = evhttp_find_header(headers, "x-ms-continuation");
	call->client_certificate = evhttp_find_header(headers, "X-Vedette-Client-Certificate");
	call->content_type = evhttp_find_header(headers, "x-ms-blob-content-type");
	if (!call->content_type)
		call->content_type = evhttp_find_header(headers, "Content-Type");
	call->sha256 = evhttp_find_header(headers, "x-ms-meta-sha256");
	call->body_file = evhttp_find_header(headers, "X-Vedette-Body");
	call->body_len = evbuffer_get_length(in);
	call->body = call->body_len ? (const char *)evbuffer_pullup(in, -1) : "";
	r = call->body ? vd_call_set_target(call, evhttp_request_get_uri(request), &fault)
		       : -ENOMEM;
	if (r < 0) {
		vd_reply_refuse(&call->reply, r == -EINVAL ? VD_REFUSED_ARGUMENT : r, &fault);
		return 0;
	}
	return http->fn(call, http->argument);
}

static void on_request(struct evhttp_request *request, void *argument)
{
	struct vd_http *http = argument;
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	struct vd_exchange *exchange = calloc(1, sizeof *exchange);

	if (!exchange) {
		evhttp_send_reply(request, 503, NULL, NULL);
		return;
	}
	exchange->request = request;
	call.exchange = exchange;
	if (run_call(http, request, &call) > 0)
		return;
	vd_metrics_request(exchange->method, exchange->route, call.reply.status);
	send_reply(request, &call.reply);
	free(exchange);
}

static void closed(struct evhttp_connection *connection, void *argument)
{
	struct vd_exchange *exchange = argument;
	vd_fn fn = exchange->on_closed;

	exchange->is_closed = true;
	exchange->on_closed = NULL;
	if (fn)
		fn(exchange->argument);
}

/* A late answer may take longer than an idle connection is kept; what is sent must be taken. */
void vd_exchange_on_closed(struct vd_exchange *exchange, vd_fn on_closed, void *argument)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(exchange->request);
	struct timeval write_timeout = { .tv_sec = WRITE_S };

	exchange->is_kept = true;
	exchange->on_closed = on_closed;
	exchange->argument = argument;
	evhttp_connection_set_closecb(connection, closed, exchange);
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), NULL,
				 &write_timeout);
}

bool vd_exchange_is_gone(const struct vd_exchange *exchange)
{
	struct evhttp_connection *connection =
		exchange->is_closed ? NULL : evhttp_request_get_connection(exchange->request);
	char byte;
	ssize_t n;

	if (!connection)
		return true;
	n = recv(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), &byte, 1,
		 MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* The connection may live on (keep-alive) and serve another request with its own exchange. */
static void leave_connection(struct vd_exchange *exchange)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(exchange->request);
	struct timeval idle = { .tv_sec = IDLE_S };

	exchange->on_closed = NULL;
	if (exchange->is_closed || !connection)
		return;
	evhttp_connection_set_closecb(connection, NULL, NULL);
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), &idle, &idle);
}

void vd_exchange_set_route(struct vd_exchange *exchange, const char *method, const char *route)
{
	exchange->method = method;
	exchange->route = route;
}

void vd_exchange_reply(struct vd_exchange *exchange, struct vd_reply *reply)
{
	leave_connection(exchange);
	vd_metrics_request(exchange->method, exchange->route, reply->status);
	send_reply(exchange->request, reply); /* frees the request if the client is gone */
	free(exchange);
}

static void drained(struct evhttp_connection *connection, void *argument)
{
	struct vd_exchange *exchange = argument;

	if (exchange->on_drained && !exchange->is_closed)
		exchange->on_drained(exchange->argument);
}

void vd_exchange_start(struct vd_exchange *exchange, const char *content_type, vd_fn on_drained)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(exchange->request);

	exchange->on_drained = on_drained;
	vd_metrics_request(exchange->method, exchange->route, 200);
	(void)evhttp_add_header(headers, "Content-Type", content_type);
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	(void)evhttp_add_header(headers, "X-Accel-Buffering", "no");
	evhttp_send_reply_start(exchange->request, 200, NULL);
}

void vd_exchange_send(struct vd_exchange *exchange, const void *data, size_t len)
{
	struct evbuffer *chunk = exchange->is_closed ? NULL : evbuffer_new();

	if (!chunk)
		return;
	if (evbuffer_add(chunk, data, len) == 0)
		evhttp_send_reply_chunk_with_cb(exchange->request, chunk, drained, exchange);
	evbuffer_free(chunk);
}

size_t vd_exchange_backlog(const struct vd_exchange *exchange)
{
	struct evhttp_connection *connection =
		exchange->is_closed ? NULL : evhttp_request_get_connection(exchange->request);

	if (!connection)
		return 0;
	return evbuffer_get_length(
		bufferevent_get_output(evhttp_connection_get_bufferevent(connection)));
}

void vd_exchange_end(struct vd_exchange *exchange)
{
	leave_connection(exchange);
	evhttp_send_reply_end(exchange->request); /* as above */
	free(exchange);
}

/* A socket file stays behind after kill -9: it may be replaced if nobody answers on it. */
static int remove_stale(const struct sockaddr_un *address)
{
	VD_CLEANUP(vd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return errno == ENOENT ? 0 : -errno;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int listen_on(struct vd_http *http, struct event_base *base)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	VD_CLEANUP(vd_close) int fd = -1;
	struct evconnlistener *listener;
	int r;

	(void)memcpy(address.sun_path, http->path, sizeof address.sun_path);
	r = remove_stale(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(http->path, 0660) < 0)
		return -errno;
	listener = evconnlistener_new(base, NULL, NULL,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!listener)
		return -ENOMEM;
	fd = -1; /* the listener's now */
	if (!evhttp_bind_listener(http->evhttp, listener)) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	return 0;
}

int vd_http_new(struct vd_loop *loop, const char *path, vd_http_fn fn, void *argument,
		struct vd_http **ret_http, struct vd_fault *fault)
{
	VD_CLEANUP(vd_http_free) struct vd_http *http = calloc(1, sizeof *http);
	int r;

	if (!http)
		return -ENOMEM;
	if (strlen(path) >= sizeof http->path) {
		vd_fault_set(fault, 400, "/socket", "a socket's path has at most %zu bytes",
			     sizeof http->path - 1);
		return -ENAMETOOLONG;
	}
	*http = (struct vd_http){ .fn = fn, .argument = argument };
	http->evhttp = evhttp_new(vd_loop_base(loop));
	if (!http->evhttp)
		return -ENOMEM;
	(void)snprintf(http->path, sizeof http->path, "%s", path);
	evhttp_set_max_headers_size(http->evhttp, HEADER_BYTES);
	evhttp_set_max_body_size(http->evhttp, BODY_BYTES);
	evhttp_set_timeout(http->evhttp, IDLE_S);
	evhttp_set_allowed_methods(http->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_PUT | EVHTTP_REQ_POST |
							 EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE);
	evhttp_set_gencb(http->evhttp, on_request, http);
	r = listen_on(http, vd_loop_base(loop));
	if (r < 0) {
		vd_fault_set(fault, 500, "/socket", "%s: %s", path, strerror(-r));
		return r;
	}
	*ret_http = VD_TAKE(http);
	return 0;
}

struct vd_http *vd_http_free(struct vd_http *http)
{
	if (http) {
		if (http->evhttp)
			evhttp_free(http->evhttp);
		free(http);
	}
	return NULL;
}
