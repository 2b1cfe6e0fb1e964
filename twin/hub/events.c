/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "twin/hub/http.h"

enum {
	CLIENTS_MAX = 64,
	PAGE = 100,
	BACKLOG_PAUSE_BYTES = 256 * 1024, /* no more records until some are taken */
	BACKLOG_MAX_BYTES = 1 << 20,
	COMMENT_MS = 15000,
	FILTER_BYTES = 130,
};

struct client {
	LIST_ENTRY(client) link;
	struct vd_events *events;
	struct vd_exchange *exchange;
	int64_t after;  /* the last record given */
	bool is_closed; /* freed at the next turn, never under somebody's feet */
	char device[FILTER_BYTES], class_name[FILTER_BYTES], module[FILTER_BYTES],
		verdict[FILTER_BYTES], serial[FILTER_BYTES], type[FILTER_BYTES];
};

struct vd_events {
	LIST_HEAD(, client) clients;
	struct vd_store *store;
	struct vd_source *timer; /* comments that keep connections alive */
	struct vd_source *reaper;
	int count;
};

/* The stored text is an object with members (batch.c), so that ours can go before them. */
int vd_record_text(const struct vd_record_row *row, struct vd_buf *out)
{
	char time[VD_TIME_TEXT];

	return vd_buf_printf(out, "{\"id\":%" PRId64 ",\"receivedTime\":\"%s\",%s", row->id,
			     vd_time_text(row->received_ms, time), row->text + 1);
}

static void client_free(struct client *client)
{
	LIST_REMOVE(client, link);
	client->events->count--;
	vd_exchange_end(client->exchange);
	free(client);
}

static void drop(struct client *client)
{
	client->is_closed = true;
	(void)!vd_timer_arm(client->events->reaper, 0);
}

static void reap(void *argument)
{
	struct vd_events *events = argument;
	struct client *next;

	for (struct client *c = LIST_FIRST(&events->clients); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->is_closed)
			client_free(c);
	}
}

static void on_closed(void *argument)
{
	drop(argument);
}

static void comment(void *argument)
{
	struct vd_events *events = argument;
	struct client *c;

	LIST_FOREACH(c, &events->clients, link)
	{
		if (!c->is_closed)
			vd_exchange_send(c->exchange, ":\n\n", 3);
	}
	(void)!vd_timer_arm(events->timer, COMMENT_MS);
}

int vd_events_new(struct vd_loop *loop, struct vd_store *store, struct vd_events **ret_events)
{
	VD_CLEANUP(vd_events_free) struct vd_events *events = calloc(1, sizeof *events);
	int r;

	if (!events)
		return -ENOMEM;
	events->store = store;
	LIST_INIT(&events->clients);
	r = vd_loop_timer(loop, comment, events, &events->timer);
	if (r == 0)
		r = vd_loop_timer(loop, reap, events, &events->reaper);
	if (r == 0)
		r = vd_timer_arm(events->timer, COMMENT_MS);
	if (r == 0)
		*ret_events = VD_TAKE(events);
	return r;
}

struct vd_events *vd_events_free(struct vd_events *events)
{
	if (events) {
		while (!LIST_EMPTY(&events->clients))
			client_free(LIST_FIRST(&events->clients));
		events->timer = vd_source_free(events->timer);
		events->reaper = vd_source_free(events->reaper);
		free(events);
	}
	return NULL;
}

/* Compact JSON has no line breaks, which would end the data. */
static void send_event(struct client *client, const char *type, int64_t id, const char *data)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = id ? vd_buf_printf(&text, "id: %" PRId64 "\n", id) : 0;

	if (r == 0)
		r = vd_buf_printf(&text, "event: %s\ndata: %s\n\n", type, data);
	if (r == 0)
		vd_exchange_send(client->exchange, text.data, text.len);
	if (r < 0 || vd_exchange_backlog(client->exchange) > BACKLOG_MAX_BYTES)
		drop(client);
}

static int send_record(const struct vd_record_row *row, void *argument)
{
	struct client *client = argument;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (vd_record_text(row, &text) < 0)
		return -ENOMEM;
	send_event(client, "record", row->id, text.data);
	client->after = row->id;
	if (client->is_closed)
		return VD_STORE_NONE;
	return vd_exchange_backlog(client->exchange) > BACKLOG_PAUSE_BYTES ? VD_STORE_NONE : 0;
}

static bool wants(const struct client *client, const char *type)
{
	return !client->is_closed && (!client->type[0] || strcmp(client->type, type) == 0);
}

static const char *or_any(const char *text)
{
	return text[0] ? text : NULL;
}

/* Called when records came in and when the client took what it was given. */
static void pump(void *argument)
{
	struct client *client = argument;
	struct vd_record_filter filter = {
		.device = or_any(client->device),
		.class_name = or_any(client->class_name),
		.module = or_any(client->module),
		.verdict = or_any(client->verdict),
		.serial = or_any(client->serial),
		.limit = PAGE,
	};
	int64_t before;

	if (!wants(client, "record"))
		return;
	do {
		before = filter.after = client->after;
		if (vd_exchange_backlog(client->exchange) > BACKLOG_PAUSE_BYTES)
			return;
		if (vd_store_record_each(client->events->store, &filter, send_record, client) < 0)
			drop(client);
	} while (client->after > before && !client->is_closed);
}

void vd_events_records(struct vd_events *events)
{
	struct client *c;

	LIST_FOREACH(c, &events->clients, link)
	{
		pump(c);
	}
}

static int read_argument(const struct vd_call *call, const char *name,
			 char out[static FILTER_BYTES], struct vd_fault *fault)
{
	const char *value = vd_call_argument(call, name);

	if (!value)
		return 0;
	if (strlen(value) >= FILTER_BYTES) {
		vd_fault_set(fault, 400, "", "%s is too long", name);
		return VD_REFUSED_ARGUMENT;
	}
	(void)snprintf(out, FILTER_BYTES, "%s", value);
	return 0;
}

/* After the id that the client has seen, or from now on. */
static int read_start(struct vd_events *events, const struct vd_call *call, int64_t *ret_after,
		      struct vd_fault *fault)
{
	char *end = NULL;
	long long after;

	if (!call->last_event_id)
		return vd_store_record_last_id(events->store, ret_after);
	after = strtoll(call->last_event_id, &end, 10);
	if (end == call->last_event_id || *end || after < 0) {
		vd_fault_set(fault, 400, "", "Last-Event-ID is not a number");
		return VD_REFUSED_ARGUMENT;
	}
	*ret_after = after;
	return 0;
}

static int read_client(struct vd_events *events, const struct vd_call *call, struct client *client,
		       struct vd_fault *fault)
{
	int r = read_argument(call, "deviceId", client->device, fault);

	if (r == 0)
		r = read_argument(call, "class", client->class_name, fault);
	if (r == 0)
		r = read_argument(call, "module", client->module, fault);
	if (r == 0)
		r = read_argument(call, "verdict", client->verdict, fault);
	if (r == 0)
		r = read_argument(call, "serial", client->serial, fault);
	if (r == 0)
		r = read_argument(call, "type", client->type, fault);
	return r == 0 ? read_start(events, call, &client->after, fault) : r;
}

int vd_events_add_client(struct vd_events *events, struct vd_call *call, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) struct client *client = calloc(1, sizeof *client);
	int r = client ? read_client(events, call, client, fault) : -ENOMEM;

	if (r == 0 && events->count >= CLIENTS_MAX) {
		vd_fault_set(fault, 429, "", "%d clients are listening already", events->count);
		r = VD_REFUSED_TOO_MANY;
	}
	if (r != 0)
		return r;
	client->events = events;
	client->exchange = call->exchange;
	vd_exchange_on_closed(client->exchange, on_closed, client);
	vd_exchange_start(client->exchange, "text/event-stream", pump);
	vd_exchange_send(client->exchange, ":\n\n", 3);
	LIST_INSERT_HEAD(&events->clients, client, link);
	events->count++;
	pump(client);
	client = NULL;
	return 0;
}

static cJSON *event_json(const char *type, const char *operation, const struct vd_name *name,
			 const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "type", type) ||
	    !vd_json_add_string(json, "operation", operation) ||
	    !vd_json_add_string(json, "deviceId", name->device) ||
	    (name->module[0] && !vd_json_add_string(json, "moduleId", name->module)) ||
	    !vd_json_add_string(json, "time", vd_time_text(vd_clock_wall_ms(), time)) ||
	    (body && !vd_json_add_copy(json, "body", body)))
		return NULL;
	return VD_TAKE(json);
}

void vd_events_publish(struct vd_events *events, const char *type, const char *operation,
		       const struct vd_name *name, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;
	struct client *c;

	if (LIST_EMPTY(&events->clients))
		return;
	json = event_json(type, operation, name, body);
	text = json ? vd_json_text(json) : NULL;
	if (!text)
		return;
	LIST_FOREACH(c, &events->clients, link)
	{
		if (wants(c, type) && (!c->device[0] || strcmp(c->device, name->device) == 0))
			send_event(c, type, 0, text);
	}
}
