/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   STOPPED --start--> CONNECTING --CONNACK--> SUBSCRIBING --SUBACK--> UP
 *                        ^    |                    |                    |
 *                  pause |    | failed, timed out  | failed, timed out  | lost
 *                        |    v                    v                    |
 *                      WAITING <--------------------------------------- +
 * A renewed credential goes from UP to CONNECTING without a pause; stop goes from anywhere to
 * STOPPED.
 */
#include "agent/cloud/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cloud/backoff.h"
#include "agent/cloud/topic.h"
#include "agent/cloud/wire.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sas.h"
#include "base/version.h"

#define SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"
#define API_VERSION  "2021-04-12"

enum {
	DEFAULT_PORT = 8883,
	DEFAULT_KEEPALIVE_S = 240,
	MAX_KEEPALIVE_S = 1177, /* Azure's */
	DEFAULT_CONNECT_MS = 20000,
	DEFAULT_REQUEST_MS = 30000,
	DEFAULT_TOKEN_S = 3600,
	DEFAULT_FIRST_MS = 500,
	DEFAULT_CEILING_MS = 60000,
	PAYLOAD_BYTES = 256 << 10, /* Azure's largest message */
};

/* A reported patch that was sent, or the GET of the twin. */
struct request {
	struct request *next;
	uint64_t rid;
	uint64_t id;
	uint64_t deadline_ms;
	bool is_get;
};

struct vd_link {
	struct vd_link_handlers handlers;
	void *argument;
	struct vd_wire *wire;
	struct vd_source *timer;         /* connect time-out, pause, or renewal: by state */
	struct vd_source *request_timer; /* the earliest deadline */
	struct vd_backoff backoff;
	enum vd_link_state state;
	uint64_t since_ms, timer_ms; /* when the timer fires */
	char *host, *device_id, *module_id, *key, *certificate_file, *key_file, *trust_file;
	uint16_t port;
	uint32_t keepalive_s, connect_timeout_ms, request_timeout_ms, token_lifetime_s;
	char *client_id, *user_name, *resource, *events;
	char *filters[VD_WIRE_FILTERS];
	bool session_present, is_nodelay;
	char last_error[256];
	uint64_t connects;
	int64_t credential_expires_s;
	uint64_t next_rid;
	struct request *requests; /* by deadline */
};

const char *vd_link_state_name(enum vd_link_state state)
{
	static const char *const names[] = {
		[VD_LINK_STOPPED] = "stopped",         [VD_LINK_CONNECTING] = "connecting",
		[VD_LINK_SUBSCRIBING] = "subscribing", [VD_LINK_UP] = "up",
		[VD_LINK_WAITING] = "waiting",
	};

	return names[state];
}

static void set_state(struct vd_link *link, enum vd_link_state state)
{
	if (link->state == state)
		return;
	vd_log(VD_INFO, "link.state", "from=%s to=%s", vd_link_state_name(link->state),
	       vd_link_state_name(state));
	link->state = state;
	link->since_ms = vd_clock_mono_ms();
}

static void arm(struct vd_link *link, uint64_t delay_ms)
{
	link->timer_ms = vd_clock_mono_ms() + delay_ms;
	if (vd_timer_arm(link->timer, delay_ms) < 0)
		vd_log(VD_ERROR, "link.timer", "delayMs=%" PRIu64, delay_ms);
}

/* --- requests: twin GET and PATCH --- */

static void arm_requests(struct vd_link *link)
{
	uint64_t now_ms = vd_clock_mono_ms();
	uint64_t deadline_ms = link->requests ? link->requests->deadline_ms : 0;

	vd_timer_disarm(link->request_timer);
	if (link->requests &&
	    vd_timer_arm(link->request_timer, deadline_ms > now_ms ? deadline_ms - now_ms : 0) < 0)
		vd_log(VD_ERROR, "link.timer", "deadlineMs=%" PRIu64, deadline_ms);
}

static struct request *take_request(struct vd_link *link, uint64_t rid)
{
	for (struct request **at = &link->requests; *at; at = &(*at)->next) {
		struct request *request = *at;

		if (request->rid != rid)
			continue;
		*at = request->next;
		arm_requests(link);
		return request;
	}
	return NULL;
}

static void drop_requests(struct vd_link *link)
{
	while (link->requests) {
		struct request *next = link->requests->next;

		free(link->requests);
		link->requests = next;
	}
	vd_timer_disarm(link->request_timer);
}

static void answer_request(struct vd_link *link, const struct request *request, int status,
			   int64_t version, const cJSON *body)
{
	if (request->is_get && link->handlers.on_twin)
		link->handlers.on_twin(link->argument, status, body);
	if (!request->is_get && link->handlers.on_reported)
		link->handlers.on_reported(link->argument, request->id, status, version);
}

/* They all have the same patience, so the first of the list is the next to lose it. */
static void on_request_timeout(void *argument)
{
	struct vd_link *link = argument;

	while (link->requests && link->requests->deadline_ms <= vd_clock_mono_ms()) {
		struct request *request = link->requests;

		link->requests = request->next;
		vd_log(VD_WARN, "link.no-answer", "request=%s",
		       request->is_get ? "twin" : "reported");
		answer_request(link, request, 408, -1, NULL);
		free(request);
	}
	arm_requests(link);
}

static int add_request(struct vd_link *link, bool is_get, uint64_t id, uint64_t *ret_rid)
{
	struct request *request = calloc(1, sizeof *request), **end = &link->requests;

	if (!request)
		return -ENOMEM;
	*request = (struct request){ .rid = ++link->next_rid,
				     .id = id,
				     .deadline_ms = vd_clock_mono_ms() + link->request_timeout_ms,
				     .is_get = is_get };
	while (*end)
		end = &(*end)->next;
	*end = request;
	arm_requests(link);
	*ret_rid = request->rid;
	return 0;
}

static int send_request(struct vd_link *link, const char *path, bool is_get, uint64_t id,
			const char *payload, size_t len)
{
	char topic[128];
	uint64_t rid = 0;
	int r = add_request(link, is_get, id, &rid);

	if (r < 0)
		return r;
	(void)snprintf(topic, sizeof topic, "$iothub/twin/%s/?$rid=%" PRIu64, path, rid);
	r = vd_wire_publish(link->wire, topic, payload, len, 0, 0);
	if (r < 0)
		free(take_request(link, rid));
	return r;
}

int vd_link_get_twin(struct vd_link *link)
{
	if (link->state != VD_LINK_UP)
		return -ENOTCONN;
	for (const struct request *q = link->requests; q; q = q->next)
		if (q->is_get)
			return 0;
	return send_request(link, "GET", true, 0, " ", 1);
}

int vd_link_report(struct vd_link *link, uint64_t id, const char *json, size_t len)
{
	if (link->state != VD_LINK_UP)
		return -ENOTCONN;
	return send_request(link, "PATCH/properties/reported", false, id, json, len);
}

int vd_link_publish(struct vd_link *link, uint64_t id, const char *bag, const void *payload,
		    size_t len)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };
	int r;

	if (link->state != VD_LINK_UP)
		return -ENOTCONN;
	if (len > PAYLOAD_BYTES)
		return -E2BIG;
	r = vd_buf_printf(&topic, "%s%s", link->events, bag);
	return r < 0 ? r : vd_wire_publish(link->wire, topic.data, payload, len, 1, id);
}

int vd_link_answer(struct vd_link *link, const char *rid, int status, const char *json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf topic = { 0 };
	int r;

	if (link->state != VD_LINK_UP)
		return -ENOTCONN;
	r = vd_buf_printf(&topic, "$iothub/methods/res/%d/?$rid=", status);
	if (r == 0)
		r = vd_topic_encode(rid, &topic);
	if (r < 0)
		return r;
	return vd_wire_publish(link->wire, topic.data, json ? json : "", json ? strlen(json) : 0, 0,
			       0);
}

/* --- what arrives --- */

static void on_twin_answer(struct vd_link *link, const struct vd_topic *topic, cJSON *body)
{
	struct request *request = take_request(link, strtoull(topic->rid, NULL, 10));
	int status = topic->status;

	if (!request)
		return; /* too late, or another one's */
	if (request->is_get && status == 200 && !cJSON_IsObject(body))
		status = 502;
	answer_request(link, request, status, topic->version, body);
	free(request);
}

static void on_desired(struct vd_link *link, const struct vd_topic *topic, cJSON *patch)
{
	int64_t version = vd_json_int(patch, "$version", topic->version);

	if (!cJSON_IsObject(patch)) {
		vd_log(VD_WARN, "link.bad-desired", "reason=\"not a JSON object\"");
		return;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(patch, "$version");
	if (link->handlers.on_desired)
		link->handlers.on_desired(link->argument, version, patch);
}

static void on_message(struct vd_link *link, const struct vd_topic *topic,
		       const struct vd_wire_event *event)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bag = { 0 };

	if (link->handlers.on_message && vd_buf_append(&bag, topic->bag, topic->bag_len) == 0)
		link->handlers.on_message(link->argument, bag.data ? bag.data : "", event->payload,
					  event->len);
}

static void on_arrived(struct vd_link *link, const struct vd_wire_event *event)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_fault fault = { 0 };
	struct vd_topic topic;

	if (vd_topic_parse(event->topic, event->topic_len, &topic) < 0) {
		vd_log(VD_WARN, "link.unknown-topic", "bytes=%zu", event->topic_len);
		return;
	}
	if (topic.kind == VD_TOPIC_MESSAGE) {
		on_message(link, &topic, event);
		return;
	}
	if (event->len && vd_json_parse(event->payload, event->len, &body, &fault) < 0)
		vd_log(VD_WARN, "link.bad-json", "pointer=\"%s\" reason=\"%s\"", fault.pointer,
		       fault.text);
	if (topic.kind == VD_TOPIC_TWIN_ANSWER)
		on_twin_answer(link, &topic, body);
	else if (topic.kind == VD_TOPIC_DESIRED)
		on_desired(link, &topic, body);
	else if (link->handlers.on_method)
		link->handlers.on_method(link->argument, topic.rid, topic.method, body);
}

/* --- the connection --- */

static int make_password(struct vd_link *link, struct vd_buf *out)
{
	if (!link->key)
		return 0;
	link->credential_expires_s = vd_clock_wall_ms() / 1000 + link->token_lifetime_s;
	return vd_sas_make(link->resource, link->key, NULL, link->credential_expires_s, out);
}

static void wait_for_next(struct vd_link *link)
{
	uint32_t random, pause_ms;

	vd_random(&random, sizeof random);
	pause_ms = vd_backoff_next(&link->backoff, random);
	set_state(link, VD_LINK_WAITING);
	arm(link, pause_ms);
}

static void connect_now(struct vd_link *link)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf password = { 0 };
	struct vd_wire_target target = { .host = link->host,
					 .port = link->port,
					 .client_id = link->client_id,
					 .user_name = link->user_name,
					 .trust_file = link->trust_file,
					 .certificate_file = link->certificate_file,
					 .key_file = link->key_file,
					 .keepalive_s = link->keepalive_s,
					 .timeout_s = (link->connect_timeout_ms + 999) / 1000 };
	int r = make_password(link, &password);

	target.password = password.data;
	if (r == 0)
		r = vd_wire_open(link->wire, &target);
	if (r < 0) {
		(void)snprintf(link->last_error, sizeof link->last_error, "connect: %s",
			       strerrordesc_np(-r));
		wait_for_next(link);
		return;
	}
	link->is_nodelay = false;
	set_state(link, VD_LINK_CONNECTING);
	arm(link, link->connect_timeout_ms);
}

static void say_down(struct vd_link *link, const char *reason)
{
	drop_requests(link);
	link->is_nodelay = false;
	if (link->handlers.on_down)
		link->handlers.on_down(link->argument, reason);
}

/* The connection, or the attempt, is over for a reason that nobody wished. */
static void fail(struct vd_link *link, const char *reason)
{
	bool was_up = link->state == VD_LINK_UP;

	(void)snprintf(link->last_error, sizeof link->last_error, "%s", reason);
	vd_log(VD_WARN, was_up ? "link.down" : "link.failed", "host=%s reason=\"%s\"", link->host,
	       link->last_error);
	vd_wire_close(link->wire);
	wait_for_next(link);
	if (was_up)
		say_down(link, link->last_error);
}

static void renew(struct vd_link *link)
{
	vd_log(VD_INFO, "link.renew", "host=%s", link->host);
	connect_now(link);
	say_down(link, "the credential is renewed");
}

static void on_timer(void *argument)
{
	struct vd_link *link = argument;

	if (link->state == VD_LINK_WAITING)
		connect_now(link);
	else if (link->state == VD_LINK_UP)
		renew(link);
	else if (link->state == VD_LINK_CONNECTING)
		fail(link, "connect: no answer in time");
	else if (link->state == VD_LINK_SUBSCRIBING)
		fail(link, "subscribe: no answer in time");
}

static void subscribe(struct vd_link *link, const struct vd_wire_event *event)
{
	static const int qos[VD_WIRE_FILTERS] = { 0, 0, 0, 1 };

	link->session_present = event->flag;
	link->is_nodelay = event->is_nodelay;
	set_state(link, VD_LINK_SUBSCRIBING); /* under the same time-out */
	if (vd_wire_subscribe(link->wire, link->filters, qos, VD_WIRE_FILTERS) < 0)
		fail(link, "subscribe: out of memory");
}

static void come_up(struct vd_link *link)
{
	vd_timer_disarm(link->timer);
	vd_backoff_reset(&link->backoff);
	link->connects++;
	set_state(link, VD_LINK_UP);
	vd_log(VD_NOTICE, "link.up", "host=%s port=%u sessionPresent=%d nodelay=%d", link->host,
	       link->port, link->session_present, link->is_nodelay);
	if (link->key)
		arm(link, (uint64_t)link->token_lifetime_s * 800);
	if (link->handlers.on_up)
		link->handlers.on_up(link->argument, link->session_present);
}

static void on_published(struct vd_link *link, uint64_t id, int result)
{
	if (link->handlers.on_published)
		link->handlers.on_published(link->argument, id, result);
}

static void on_event(void *argument, const struct vd_wire_event *event)
{
	struct vd_link *link = argument;

	switch (event->type) {
	case VD_WIRE_CONNECTED:
		if (link->state == VD_LINK_CONNECTING)
			subscribe(link, event);
		break;
	case VD_WIRE_SUBSCRIBED:
		if (link->state == VD_LINK_SUBSCRIBING)
			come_up(link);
		break;
	case VD_WIRE_LOST:
		fail(link, event->text);
		break;
	case VD_WIRE_ARRIVED:
		on_arrived(link, event);
		break;
	case VD_WIRE_SENT:
		on_published(link, event->id, 0);
		break;
	case VD_WIRE_NOT_SENT:
		on_published(link, event->id, -EIO);
		break;
	}
}

int vd_link_start(struct vd_link *link)
{
	if (link->state == VD_LINK_STOPPED)
		connect_now(link);
	return 0;
}

void vd_link_stop(struct vd_link *link)
{
	bool was_up = link->state == VD_LINK_UP;

	vd_timer_disarm(link->timer);
	vd_wire_close(link->wire);
	set_state(link, VD_LINK_STOPPED);
	if (was_up)
		say_down(link, "stopped");
}

/* --- new, free, status --- */

static int check_config(const struct vd_link_config *c, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };

	if (!c->host || !*c->host || strlen(c->host) > 253 || strpbrk(c->host, "/?#@ ")) {
		vd_fault_set(fault, 400, "/host", "is not a host name");
		return -EINVAL;
	}
	if (!c->device_id || !*c->device_id || strpbrk(c->device_id, "/+#")) {
		vd_fault_set(fault, 400, "/deviceId", "is missing, or has one of / + #");
		return -EINVAL;
	}
	if (!c->key == !c->certificate_file || !c->certificate_file != !c->key_file) {
		vd_fault_set(fault, 400, "", "either a key, or a certificate and its key file");
		return -EINVAL;
	}
	if (c->key && vd_sas_make("host", c->key, NULL, 1, &token) < 0) {
		vd_fault_set(fault, 400, "/key", "is not base64");
		return -EINVAL;
	}
	if (c->keepalive_s > MAX_KEEPALIVE_S) {
		vd_fault_set(fault, 400, "/keepaliveS", "%u is above %d", c->keepalive_s,
			     MAX_KEEPALIVE_S);
		return -EINVAL;
	}
	return 0;
}

static int copy(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

static int copy_texts(struct vd_link *link, const struct vd_link_config *c)
{
	int r = copy(c->host, &link->host);

	if (r == 0)
		r = copy(c->device_id, &link->device_id);
	if (r == 0)
		r = copy(c->module_id, &link->module_id);
	if (r == 0)
		r = copy(c->key, &link->key);
	if (r == 0)
		r = copy(c->certificate_file, &link->certificate_file);
	if (r == 0)
		r = copy(c->key_file, &link->key_file);
	return r < 0 ? r : copy(c->trust_file ? c->trust_file : SYSTEM_TRUST, &link->trust_file);
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static void copy_numbers(struct vd_link *link, const struct vd_link_config *c)
{
	link->port = c->port ? c->port : DEFAULT_PORT;
	link->keepalive_s = or_default(c->keepalive_s, DEFAULT_KEEPALIVE_S);
	link->connect_timeout_ms = or_default(c->connect_timeout_ms, DEFAULT_CONNECT_MS);
	link->request_timeout_ms = or_default(c->request_timeout_ms, DEFAULT_REQUEST_MS);
	link->token_lifetime_s = or_default(c->token_lifetime_s, DEFAULT_TOKEN_S);
	link->backoff.first_ms = or_default(c->backoff_first_ms, DEFAULT_FIRST_MS);
	link->backoff.ceiling_ms = or_default(c->backoff_ceiling_ms, DEFAULT_CEILING_MS);
}

/* The part between "devices/{id}" and what follows: "" or "/modules/{m}". */
static int make_names(struct vd_link *link, const char *client_info)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf info = { 0 };
	const char *m = link->module_id ? link->module_id : "", *slash = link->module_id ? "/" : "";
	const char *modules = link->module_id ? "/modules/" : "";
	const char *d = link->device_id;

	if (vd_topic_encode(client_info ? client_info : "vedette/" VD_VERSION, &info) < 0 ||
	    asprintf(&link->client_id, "%s%s%s", d, slash, m) < 0 ||
	    asprintf(&link->user_name, "%s/%s%s%s/?api-version=" API_VERSION "&DeviceClientType=%s",
		     link->host, d, slash, m, info.data) < 0 ||
	    asprintf(&link->resource, "%s/devices/%s%s%s", link->host, d, modules, m) < 0 ||
	    asprintf(&link->events, "devices/%s%s%s/messages/events/", d, modules, m) < 0 ||
	    asprintf(&link->filters[3],
		     link->module_id ? "devices/%s%s%s/inputs/#"
				     : "devices/%s%s%s/messages/devicebound/#",
		     d, modules, m) < 0)
		return -ENOMEM;
	link->filters[0] = strdup("$iothub/twin/res/#");
	link->filters[1] = strdup("$iothub/twin/PATCH/properties/desired/#");
	link->filters[2] = strdup("$iothub/methods/POST/#");
	return link->filters[0] && link->filters[1] && link->filters[2] ? 0 : -ENOMEM;
}

static int make_parts(struct vd_link *link, struct vd_loop *loop, const struct vd_link_config *c)
{
	uint32_t random;
	int r = copy_texts(link, c);

	copy_numbers(link, c);
	/* Not what a predecessor used: its late answers are not ours. */
	vd_random(&random, sizeof random);
	link->next_rid = random;
	if (r == 0)
		r = make_names(link, c->client_info);
	if (r == 0)
		r = vd_loop_timer(loop, on_timer, link, &link->timer);
	if (r == 0)
		r = vd_loop_timer(loop, on_request_timeout, link, &link->request_timer);
	return r < 0 ? r : vd_wire_new(loop, on_event, link, &link->wire);
}

int vd_link_new(struct vd_loop *loop, const struct vd_link_config *config,
		const struct vd_link_handlers *handlers, void *argument, struct vd_link **ret_link,
		struct vd_fault *fault)
{
	VD_CLEANUP(vd_link_free) struct vd_link *link = NULL;
	int r = check_config(config, fault);

	if (r < 0)
		return r;
	link = calloc(1, sizeof *link);
	r = link ? make_parts(link, loop, config) : -ENOMEM;
	if (r < 0) {
		vd_fault_set(fault, 500, "", "%s", strerrordesc_np(-r));
		return r;
	}
	link->handlers = *handlers;
	link->argument = argument;
	link->since_ms = vd_clock_mono_ms();
	*ret_link = VD_TAKE(link);
	return 0;
}

struct vd_link *vd_link_free(struct vd_link *link)
{
	if (!link)
		return NULL;
	if (link->wire)
		link->wire = vd_wire_free(link->wire);
	if (link->request_timer)
		drop_requests(link);
	link->timer = vd_source_free(link->timer);
	link->request_timer = vd_source_free(link->request_timer);
	for (int i = 0; i < VD_WIRE_FILTERS; i++)
		free(link->filters[i]);
	free(link->client_id);
	free(link->user_name);
	free(link->resource);
	free(link->events);
	free(link->host);
	free(link->device_id);
	free(link->module_id);
	if (link->key)
		explicit_bzero(link->key, strlen(link->key));
	free(link->key);
	free(link->certificate_file);
	free(link->key_file);
	free(link->trust_file);
	free(link);
	return NULL;
}

void vd_link_status(const struct vd_link *link, struct vd_link_status *ret_status)
{
	uint64_t now_ms = vd_clock_mono_ms();
	struct vd_link_status s = { .state = link->state,
				    .since_ms = link->since_ms,
				    .port = link->port,
				    .connects = link->connects,
				    .failures = link->backoff.failures,
				    .credential_expires_s = link->credential_expires_s,
				    .is_nodelay = link->is_nodelay };

	(void)snprintf(s.host, sizeof s.host, "%s", link->host);
	(void)snprintf(s.last_error, sizeof s.last_error, "%s", link->last_error);
	if (link->state == VD_LINK_WAITING && link->timer_ms > now_ms)
		s.next_attempt_ms = link->timer_ms - now_ms;
	*ret_status = s;
}
