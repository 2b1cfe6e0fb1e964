/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of the agent, on the box and from the cloud: one table for both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vedetted/agent.h"
#include "base/clock.h"
#include "base/version.h"

enum { ANSWER_BYTES = 60000, CALL_TIMEOUT_MS = 30000, LINES = 50, LINES_LIMIT = 200 };

/* A call to a module, until its answer or its deadline. */
struct vd_call {
	struct vd_call *next;
	struct vd_agent *agent;
	struct vd_source *timer;
	struct vd_reply reply;
	double id;
	char *instance;
};

/* Returns the status; the answer is an object to be filled. */
typedef int (*method_fn)(struct vd_agent *a, const cJSON *body, cJSON *answer,
			 struct vd_fault *fault);

static int memory(bool ok)
{
	return ok ? 200 : 500;
}

static int ping(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	(void)a;
	(void)body;
	(void)fault;
	return memory(vd_json_add_string(answer, "version", VD_VERSION));
}

static bool add_modules(struct vd_agent *a, cJSON *answer)
{
	cJSON *modules = cJSON_AddObjectToObject(answer, "modules");

	for (const struct vd_instance *i = a->instances; modules && i; i = i->next) {
		cJSON *module = vd_agent_module_json(a, i);
		struct vd_module_status s;

		if (module && vd_supervisor_status(a->supervisor, i->id, &s) == 0 &&
		    (!vd_json_add_number(module, "forMs",
					 (double)(vd_clock_mono_ms() - s.since_mono_ms)) ||
		     !vd_json_add_number(module, "work", (double)s.work) ||
		     !vd_json_add_number(module, "retryInMs", s.retry_in_ms)))
			module = vd_json_free(module);
		if (!vd_json_add_take(modules, i->id, &module))
			return false;
	}
	return modules != NULL;
}

static int modules(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	(void)body;
	(void)fault;
	return memory(add_modules(a, answer));
}

static int status(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	cJSON *link = vd_agent_link_json(a), *store = vd_agent_store_json(a), *desired;
	bool ok;

	(void)body;
	(void)fault;
	ok = vd_json_add_string(answer, "deviceId", a->config.device_id) &&
	     vd_json_add_string(answer, "version", VD_VERSION) &&
	     vd_json_add_string(answer, "bootId", a->boot_id) &&
	     vd_json_add_number(answer, "upMs",
				(double)(vd_clock_mono_ms() - a->started_mono_ms)) &&
	     vd_json_add_string(answer, "timeQuality", vd_time_quality());
	ok = vd_json_add_take(answer, "link", &link) && ok;
	ok = vd_json_add_take(answer, "store", &store) && ok;
	desired = cJSON_AddObjectToObject(answer, "desired");
	ok = ok && desired && vd_json_add_number(desired, "version", (double)a->outcome.version) &&
	     vd_json_add_number(desired, "code", a->outcome.code) &&
	     vd_json_add_string(desired, "pointer", a->outcome.pointer) &&
	     vd_json_add_string(desired, "text", a->outcome.text) &&
	     vd_json_add_number(desired, "inForce", a->set ? (double)a->set->version : -1) &&
	     vd_json_add_bool(desired, "isSettling", a->candidate != NULL);
	ok = ok && vd_json_add_number(answer, "droppedMessages", (double)a->dropped_messages) &&
	     vd_json_add_number(answer, "routedMessages", (double)a->routed_messages);
	return memory(ok && add_modules(a, answer));
}

static int outbox(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	cJSON *store = vd_agent_store_json(a), *link = vd_agent_link_json(a);
	bool ok = vd_json_add_take(answer, "store", &store);

	(void)body;
	(void)fault;
	ok = vd_json_add_take(answer, "link", &link) && ok;
	return memory(ok &&
		      vd_json_add_number(answer, "underWay", (double)vd_outbox_out(a->store)));
}

/* {"section":"desired"|"latest"|"reported"} */
static int twin(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	const char *section = vd_json_string(body, "section", "desired");
	cJSON *document = NULL;
	bool ok = true;

	if (!strcmp(section, "reported")) {
		document = vd_agent_reported_document(a);
	} else if (!strcmp(section, "latest")) {
		ok = vd_json_add_number(answer, "version", (double)a->latest_version);
		document = a->latest ? cJSON_Duplicate(a->latest, 1) : cJSON_CreateNull();
	} else if (!strcmp(section, "desired")) {
		ok = vd_json_add_number(answer, "version", a->set ? (double)a->set->version : -1);
		document = a->set ? cJSON_Duplicate(a->set->document, 1) : cJSON_CreateNull();
	} else {
		vd_fault_set(fault, 400, "/section", "%.40s is none of desired, latest, reported",
			     section);
		return 400;
	}
	return memory(vd_json_add_take(answer, "document", &document) && ok);
}

static int packages(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	cJSON *list = vd_packages_list(a->config.package_folders);

	(void)body;
	(void)fault;
	return memory(vd_json_add_take(answer, "packages", &list));
}

static const char *module_of(struct vd_agent *a, const cJSON *body, struct vd_fault *fault)
{
	const char *id = vd_json_string(body, "module", NULL);

	if (!id)
		vd_fault_set(fault, 400, "/module", "is missing");
	else if (!vd_instance_find(a->instances, id))
		vd_fault_set(fault, 404, "/module", "there is no module %.60s", id);
	return fault->code ? NULL : id;
}

static int restart(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	const char *id = module_of(a, body, fault);
	int r;

	(void)answer;
	if (!id)
		return fault->code;
	r = vd_supervisor_restart(a->supervisor, id);
	if (r < 0)
		vd_fault_set(fault, 500, "", "%s", strerror(-r));
	vd_log(VD_NOTICE, "module.restart", "module=%s by=method", id);
	return r < 0 ? 500 : 200;
}

struct line_list {
	cJSON *array;
	bool ok;
};

static void add_line(int64_t wall_ms, const char *line, void *argument)
{
	struct line_list *list = argument;
	char time[VD_TIME_TEXT];
	cJSON *item = cJSON_CreateObject();

	list->ok =
		list->ok && item && vd_json_add_string(item, "at", vd_time_text(wall_ms, time)) &&
		vd_json_add_string(item, "line", line) && cJSON_AddItemToArray(list->array, item);
	if (!list->ok)
		vd_json_free(item);
}

/* {"module","lines"}: the newest lines, oldest first. */
static int logs(struct vd_agent *a, const cJSON *body, cJSON *answer, struct vd_fault *fault)
{
	const char *id = module_of(a, body, fault);
	int64_t wanted = vd_json_int(body, "lines", LINES);
	struct line_list list = { cJSON_AddArrayToObject(answer, "lines"), true };

	if (!id)
		return fault->code;
	if (wanted < 1 || wanted > LINES_LIMIT) {
		vd_fault_set(fault, 400, "/lines", "%lld is not within 1 to %d", (long long)wanted,
			     LINES_LIMIT);
		return 400;
	}
	if (!list.array || vd_supervisor_lines(a->supervisor, id, add_line, &list) < 0 || !list.ok)
		return 500;
	while (cJSON_GetArraySize(list.array) > (int)wanted)
		cJSON_DeleteItemFromArray(list.array, 0);
	return 200;
}

static const struct {
	const char *name;
	method_fn fn;
} table[] = {
	{ "ping", ping }, { "status", status },   { "modules", modules },
	{ "twin", twin }, { "outbox", outbox },   { "packages", packages },
	{ "logs", logs }, { "restart", restart },
};

static void send_fault(struct vd_agent *a, const struct vd_reply *reply, int code,
		       const struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_reply r = *reply;
	const char *text = fault->code ? fault->text : "the agent is out of memory";

	if (body && vd_json_add_string(body, "text", text) && *fault->pointer &&
	    !vd_json_add_string(body, "pointer", fault->pointer))
		body = vd_json_free(body);
	r.send(&r, a, code, body);
}

static void free_call(struct vd_call *call)
{
	vd_source_free(call->timer);
	free(call->instance);
	free(call);
}

static struct vd_call *take_call(struct vd_agent *a, double id, const char *instance)
{
	for (struct vd_call **p = &a->calls; *p; p = &(*p)->next) {
		struct vd_call *call = *p;

		if (call->id == id && (!instance || !strcmp(call->instance, instance))) {
			*p = call->next;
			return call;
		}
	}
	return NULL;
}

static void on_call_timeout(void *argument)
{
	struct vd_call *call = argument;
	struct vd_agent *a = call->agent;
	struct vd_fault fault;

	vd_fault_set(&fault, 504, "", "module %.60s did not answer in time", call->instance);
	if (take_call(a, call->id, NULL) == call) {
		send_fault(a, &call->reply, 504, &fault);
		free_call(call);
	}
}

static int send_call(struct vd_agent *a, const struct vd_call *call, const char *method,
		     const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();
	const cJSON empty = { .type = cJSON_Object };

	if (!packet || !vd_json_add_string(packet, "type", "call") ||
	    !vd_json_add_number(packet, "id", call->id) ||
	    !vd_json_add_string(packet, "method", method) ||
	    !vd_json_add_copy(packet, "body", body ? body : &empty))
		return -ENOMEM;
	return vd_supervisor_send(a->supervisor, call->instance, packet, NULL, 0);
}

/* {"module","method","body","timeoutMs"}: passed on to the module; the reply follows its answer. */
static void call_module(struct vd_agent *a, const cJSON *body, const struct vd_reply *reply)
{
	struct vd_fault fault = { 0 };
	const char *id = module_of(a, body, &fault), *method = vd_json_string(body, "method", NULL);
	int64_t timeout_ms = vd_json_int(body, "timeoutMs", CALL_TIMEOUT_MS);
	struct vd_call *call;
	int r;

	if (id && !method)
		vd_fault_set(&fault, 400, "/method", "is missing");
	if (id && method && (timeout_ms < 1 || timeout_ms > 300000))
		vd_fault_set(&fault, 400, "/timeoutMs", "is not within 1 to 300000");
	call = fault.code ? NULL : calloc(1, sizeof *call);
	if (!call) {
		send_fault(a, reply, fault.code ? fault.code : 500, &fault);
		return;
	}
	*call = (struct vd_call){
		.agent = a, .reply = *reply, .id = (double)++a->next_token, .instance = strdup(id)
	};
	r = call->instance ? vd_loop_timer(a->loop, on_call_timeout, call, &call->timer) : -ENOMEM;
	if (r == 0)
		r = vd_timer_arm(call->timer, (uint64_t)timeout_ms);
	if (r == 0)
		r = send_call(a, call, method, vd_json_get(body, "body"));
	if (r != 0) {
		vd_fault_set(&fault, 503, "", "module %.60s cannot be asked: %s", id,
			     r == VD_SUPERVISOR_DOWN   ? "it is down"
			     : r == VD_SUPERVISOR_FULL ? "it does not read"
						       : strerror(-r));
		send_fault(a, reply, 503, &fault);
		free_call(call);
		return;
	}
	call->next = a->calls;
	a->calls = call;
}

void vd_agent_answered(struct vd_agent *a, const char *instance, const cJSON *packet)
{
	struct vd_call *call = take_call(a, vd_json_number(packet, "id", -1), instance);

	if (!call) {
		vd_log(VD_INFO, "method.late", "module=%s", instance);
		return;
	}
	call->reply.send(&call->reply, a, (int)vd_json_int(packet, "status", 500),
			 vd_json_get(packet, "body"));
	free_call(call);
}

void vd_agent_forget_client(struct vd_agent *a, const struct vd_local_client *client)
{
	for (struct vd_call **p = &a->calls; *p;) {
		struct vd_call *call = *p;

		if (call->reply.client != client) {
			p = &call->next;
			continue;
		}
		*p = call->next;
		free_call(call);
	}
}

void vd_agent_drop_calls(struct vd_agent *a)
{
	while (a->calls) {
		struct vd_call *gone = a->calls;

		a->calls = gone->next;
		free_call(gone);
	}
}

static void run(struct vd_agent *a, method_fn fn, const cJSON *body, const struct vd_reply *reply)
{
	VD_CLEANUP(vd_json_free) cJSON *answer = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;
	struct vd_fault fault = { 0 };
	struct vd_reply r = *reply;
	int code = answer ? fn(a, body, answer, &fault) : 500;

	text = code == 200 ? vd_json_text(answer) : NULL;
	if (text && strlen(text) > ANSWER_BYTES) {
		code = 413;
		vd_fault_set(&fault, 413, "", "the answer has %zu bytes, %d go into a packet",
			     strlen(text), ANSWER_BYTES);
	}
	if (code == 200)
		r.send(&r, a, code, answer);
	else
		send_fault(a, reply, code, &fault);
}

void vd_agent_call(struct vd_agent *a, const char *method, const cJSON *body,
		   const struct vd_reply *reply)
{
	struct vd_fault fault = { 0 };

	if (!strcmp(method, "call")) {
		call_module(a, body, reply);
		return;
	}
	for (size_t i = 0; i < VD_COUNT(table); i++) {
		if (!strcmp(method, table[i].name)) {
			run(a, table[i].fn, body, reply);
			return;
		}
	}
	vd_fault_set(&fault, 404, "", "there is no method %.60s", method);
	send_fault(a, reply, 404, &fault);
}
