/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/methods.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "twin/broker/topics.h"
#include "twin/hub/http.h"
#include "twin/hub/refusal.h"

enum {
	PENDING_MAX = 1000,
	PAYLOAD_BYTES = 128 * 1024,
	METHOD_NAME_BYTES = 101,
	RID_BYTES = 20,
	RESPONSE_DEFAULT_S = 30,
	RESPONSE_MIN_S = 1, /* Azure's is 5; shorter ones serve line operators */
	WAIT_MAX_S = 300,
};

struct pending {
	TAILQ_ENTRY(pending) link;
	struct vd_methods *methods;
	struct vd_name name;
	char rid[RID_BYTES];
	char method[METHOD_NAME_BYTES];
	char *payload;
	int response_s;
	bool is_sent;                 /* else it waits for the device to connect */
	struct vd_exchange *exchange; /* NULL: done is told */
	vd_method_done_fn done;
	void *argument;
	struct vd_source *timer;
};

struct vd_methods {
	TAILQ_HEAD(, pending) list;
	struct vd_loop *loop;
	vd_method_send_fn send;
	void *argument;
	uint64_t next_rid;
	int count;
};

int vd_methods_new(struct vd_loop *loop, vd_method_send_fn send, void *argument,
		   struct vd_methods **ret_methods)
{
	struct vd_methods *m = calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	*m = (struct vd_methods){ .loop = loop, .send = send, .argument = argument };
	TAILQ_INIT(&m->list);
	*ret_methods = m;
	return 0;
}

static void pending_free(struct pending *p)
{
	TAILQ_REMOVE(&p->methods->list, p, link);
	p->methods->count--;
	p->timer = vd_source_free(p->timer);
	free(p->payload);
	free(p);
}

static void finish(struct pending *p, struct vd_reply *reply)
{
	struct vd_exchange *exchange = p->exchange;
	vd_method_done_fn done = p->done;
	void *argument = p->argument;

	pending_free(p);
	if (exchange)
		vd_exchange_reply(exchange, reply);
	else
		done(reply, argument);
	reply->body = vd_json_free(reply->body);
}

static void refuse(struct pending *p, int refusal, const char *text)
{
	struct vd_reply reply = { 0 };
	struct vd_fault fault = { 0 };

	vd_fault_set(&fault, vd_refusal_info(refusal)->status, "", "%s", text);
	vd_reply_refuse(&reply, refusal, &fault);
	finish(p, &reply);
}

struct vd_methods *vd_methods_free(struct vd_methods *m)
{
	if (m) {
		while (!TAILQ_EMPTY(&m->list))
			refuse(TAILQ_FIRST(&m->list), VD_REFUSED_TIMEOUT, "the hub is stopping");
		free(m);
	}
	return NULL;
}

static bool name_is_sendable(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= METHOD_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= ' ' || c >= 127 || strchr("/+#?", c))
			return false;
	}
	return true;
}

static int read_seconds(const cJSON *body, const char *key, int low, int fallback, int *ret_s,
			struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(body, key);
	double s = cJSON_IsNumber(value) ? value->valuedouble : fallback;

	if (value && !cJSON_IsNull(value) && !cJSON_IsNumber(value))
		s = -1;
	if (s < low || s > WAIT_MAX_S) {
		vd_fault_set(fault, 400, "", "is not from %d to %d seconds", low, WAIT_MAX_S);
		vd_fault_under(fault, key);
		return VD_REFUSED_ARGUMENT;
	}
	*ret_s = (int)s;
	return 0;
}

int vd_method_request_read(const cJSON *body, struct vd_method_request *ret_request,
			   struct vd_fault *fault)
{
	struct vd_method_request request = {
		.name = vd_json_string(body, "methodName", ""),
		.payload = vd_json_get(body, "payload"),
	};
	int r;

	if (!name_is_sendable(request.name)) {
		vd_fault_set(fault, 400, "/methodName",
			     "has to be 1 to 100 printable ASCII characters without / + # ?");
		return VD_REFUSED_ARGUMENT;
	}
	r = read_seconds(body, "responseTimeoutInSeconds", RESPONSE_MIN_S, RESPONSE_DEFAULT_S,
			 &request.response_s, fault);
	if (r == 0)
		r = read_seconds(body, "connectTimeoutInSeconds", 0, 0, &request.connect_s, fault);
	if (r == 0)
		*ret_request = request;
	return r;
}

static void on_timeout(void *argument)
{
	struct pending *p = argument;

	if (p->is_sent)
		refuse(p, VD_REFUSED_TIMEOUT, "the device did not answer in time");
	else
		refuse(p, VD_REFUSED_NOT_ONLINE, "the device did not connect in time");
}

static void on_closed(void *argument)
{
	struct pending *p = argument;

	refuse(p, VD_REFUSED_TIMEOUT, "the caller is gone");
}

/* May free p. */
static void send_now(struct pending *p)
{
	struct vd_methods *m = p->methods;

	if (!m->send(&p->name, p->method, p->rid, p->payload, m->argument)) {
		refuse(p, VD_REFUSED_NOT_ONLINE, "the broker is away");
		return;
	}
	p->is_sent = true;
	(void)!vd_timer_arm(p->timer, (uint64_t)p->response_s * 1000);
}

static int make_pending(struct vd_methods *m, const struct vd_method_request *request,
			struct pending **ret_pending)
{
	struct pending *p = calloc(1, sizeof *p);
	int r = -ENOMEM;

	if (!p)
		return r;
	p->methods = m;
	p->payload = request->payload ? vd_json_text(request->payload) : strdup("null");
	if (p->payload)
		r = vd_loop_timer(m->loop, on_timeout, p, &p->timer);
	if (r < 0) {
		free(p->payload);
		free(p);
		return r;
	}
	p->response_s = request->response_s;
	(void)snprintf(p->rid, sizeof p->rid, "%" PRIx64, ++m->next_rid);
	(void)snprintf(p->method, sizeof p->method, "%s", request->name);
	TAILQ_INSERT_TAIL(&m->list, p, link);
	m->count++;
	*ret_pending = p;
	return 0;
}

static int check_state(const struct vd_methods *m, const struct vd_method_request *request,
		       bool is_online, struct vd_fault *fault)
{
	if (!is_online && request->connect_s == 0) {
		vd_fault_set(fault, 404, "", "the device is not connected or takes no methods");
		return VD_REFUSED_NOT_ONLINE;
	}
	if (m->count >= PENDING_MAX) {
		vd_fault_set(fault, 429, "", "%d methods are waiting for answers", m->count);
		return VD_REFUSED_TOO_MANY;
	}
	return 0;
}

/* A request that waits, not yet sent. */
static int admit(struct vd_methods *m, const struct vd_device *device, const cJSON *body,
		 bool is_online, struct pending **ret_pending, int *ret_connect_s,
		 struct vd_fault *fault)
{
	struct vd_method_request request;
	struct pending *p = NULL;
	int r = vd_method_request_read(body, &request, fault);

	if (r == 0)
		r = check_state(m, &request, is_online, fault);
	if (r == 0)
		r = make_pending(m, &request, &p);
	if (r != 0)
		return r;
	if (strlen(p->payload) > PAYLOAD_BYTES) {
		pending_free(p);
		vd_fault_set(fault, 413, "/payload", "is larger than %d bytes", PAYLOAD_BYTES);
		return VD_REFUSED_TOO_LARGE;
	}
	p->name = device->name;
	*ret_connect_s = request.connect_s;
	*ret_pending = p;
	return 0;
}

/* May free p. */
static void begin(struct pending *p, bool is_online, int connect_s)
{
	if (is_online)
		send_now(p);
	else
		(void)!vd_timer_arm(p->timer, (uint64_t)connect_s * 1000);
}

static bool can_take(const struct vd_device *device)
{
	return device->connected && device->subscriptions & VD_FLAG_METHODS;
}

int vd_methods_invoke(struct vd_methods *m, const struct vd_device *device, const cJSON *body,
		      struct vd_exchange *exchange, struct vd_fault *fault)
{
	struct pending *p = NULL;
	int connect_s = 0;
	int r = admit(m, device, body, can_take(device), &p, &connect_s, fault);

	if (r != 0)
		return r;
	p->exchange = exchange;
	vd_exchange_on_closed(exchange, on_closed, p);
	begin(p, can_take(device), connect_s);
	return 0;
}

int vd_methods_call(struct vd_methods *m, const struct vd_device *device, const cJSON *body,
		    vd_method_done_fn done, void *argument, struct vd_fault *fault)
{
	struct pending *p = NULL;
	int connect_s = 0;
	int r = admit(m, device, body, can_take(device), &p, &connect_s, fault);

	if (r != 0)
		return r;
	p->done = done;
	p->argument = argument;
	begin(p, can_take(device), connect_s);
	return 0;
}

static bool is_for(const struct pending *p, const struct vd_name *name)
{
	return strcmp(p->name.device, name->device) == 0 &&
	       strcmp(p->name.module, name->module) == 0;
}

void vd_methods_online(struct vd_methods *m, const struct vd_name *name)
{
	struct pending *next;

	for (struct pending *p = TAILQ_FIRST(&m->list); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (!p->is_sent && is_for(p, name))
			send_now(p);
	}
}

static void answer(struct pending *p, int status, const char *payload, size_t len)
{
	struct vd_reply reply = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *value = NULL;
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (len > 0 && vd_json_parse(payload, len, &value, NULL) < 0) {
		refuse(p, VD_REFUSED_BAD_RESPONSE, "the device's answer is not JSON");
		return;
	}
	if (!value)
		value = cJSON_CreateNull();
	if (!body || !vd_json_add_number(body, "status", status) ||
	    !vd_json_add_take(body, "payload", &value))
		body = vd_json_free(body);
	vd_reply_json(&reply, 200, &body);
	finish(p, &reply);
}

void vd_methods_answer(struct vd_methods *m, const struct vd_name *name, const char *rid,
		       int status, const char *payload, size_t len)
{
	struct pending *p;

	TAILQ_FOREACH(p, &m->list, link)
	{
		if (p->is_sent && strcmp(p->rid, rid) == 0 && is_for(p, name)) {
			answer(p, status, payload, len);
			return;
		}
	}
	vd_log(VD_INFO, "method.lateAnswer", "id=%s rid=%s", name->device, rid);
}
