/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What modules say, and how they end. A publication goes two ways at once: to the modules that
 * routes name, so that a reject gate never waits for a disk, and into the outbox, whose commit
 * is what `stored` tells the module.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vedetted/agent.h"
#include "base/file.h"
#include "twin/document/limits.h"
#include "twin/document/merge.h"

enum { REPORT_BYTES = 4096 };

/* A publication that waits for the store, and is answered unless its process has gone. */
struct vd_publication {
	struct vd_publication *next;
	uint64_t token;
	double id;
	uint32_t starts; /* of the process that published it */
	char instance[];
};

static uint32_t starts_of(struct vd_agent *a, const char *instance)
{
	struct vd_module_status status;

	return vd_supervisor_status(a->supervisor, instance, &status) == 0 ? status.starts : 0;
}

static void answer_publication(struct vd_agent *a, const char *instance, double id, uint64_t seq,
			       const char *refusal)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();
	bool ok = packet && vd_json_add_string(packet, "type", refusal ? "rejected" : "stored") &&
		  vd_json_add_number(packet, "id", id);

	if (ok && refusal)
		ok = vd_json_add_string(packet, "text", refusal);
	else if (ok && seq)
		ok = vd_json_add_number(packet, "seq", (double)seq);
	if (!ok || vd_supervisor_send(a->supervisor, instance, packet, NULL, 0) != 0)
		vd_log(VD_WARN, "publish.unanswered", "module=%s id=%.0f", instance, id);
}

void vd_agent_stored(struct vd_agent *a, uint64_t token, uint64_t seq,
		     const struct vd_fault *refusal)
{
	struct vd_publication **p = &a->publications, *found;

	while (*p && (*p)->token != token)
		p = &(*p)->next;
	if (!*p)
		return;
	found = *p;
	*p = found->next;
	vd_log(VD_DEBUG, refusal ? "publish.refused" : "publish.stored",
	       "module=%s id=%.0f seq=%llu", found->instance, found->id, (unsigned long long)seq);
	if (starts_of(a, found->instance) == found->starts)
		answer_publication(a, found->instance, found->id, seq,
				   refusal ? refusal->text : NULL);
	free(found);
}

void vd_agent_drop_publications(struct vd_agent *a)
{
	while (a->publications) {
		struct vd_publication *gone = a->publications;

		a->publications = gone->next;
		free(gone);
	}
}

/* Appended at the end would cost a walk; the store answers about in order, so the newest stands first. */
static struct vd_publication *remember(struct vd_agent *a, const char *instance, const cJSON *id)
{
	size_t len = strlen(instance) + 1;
	struct vd_publication *p = calloc(1, sizeof *p + len);

	if (!p)
		return NULL;
	p->token = ++a->next_token;
	p->id = id->valuedouble;
	p->starts = starts_of(a, instance);
	memcpy(p->instance, instance, len);
	p->next = a->publications;
	a->publications = p;
	return p;
}

static size_t read_attachments(struct vd_packet *packet, struct vd_attachment *list)
{
	const cJSON *array = vd_json_array(packet->json, "attachments"), *item;
	size_t n = 0;

	cJSON_ArrayForEach(item, array)
	{
		if (n == VD_ATTACHMENTS || n >= packet->fd_count)
			break;
		list[n] = (struct vd_attachment){
			.name = vd_json_string(item, "name", ""),
			.media_type = vd_json_string(item, "type", ""),
			.sha256 = vd_json_string(item, "sha256", ""),
			.bytes = (uint64_t)vd_json_int(item, "bytes", 0),
			.fd = packet->fds[n],
		};
		n++;
	}
	return n;
}

/* The class: the route's, else the packet's, else telemetry. */
static enum vd_class class_of(const struct vd_route *route, const cJSON *packet)
{
	enum vd_class class = VD_TELEMETRY;
	const char *name = route->class ? route->class : vd_json_string(packet, "class", NULL);

	if (name && vd_class_parse(name, &class) < 0)
		vd_log(VD_DEBUG, "publish.class", "class=%s is unknown, telemetry taken", name);
	return class;
}

/* What is no string is as bad as an empty one: the store refuses it. */
static const char *key_of(const cJSON *packet)
{
	return vd_json_get(packet, "key") ? vd_json_string(packet, "key", "") : NULL;
}

static void store(struct vd_agent *a, const struct vd_set *set, struct vd_instance *instance,
		  const struct vd_route *route, struct vd_packet *packet)
{
	VD_CLEANUP(vd_free) char *body = vd_json_text(vd_json_get(packet->json, "body"));
	const cJSON *id = vd_json_get(packet->json, "id");
	struct vd_attachment attachments[VD_ATTACHMENTS];
	struct vd_publication *publication = NULL;
	struct vd_module_status status = { .version = "" };
	struct vd_fault fault = { 0 };
	int r = body ? 0 : -ENOMEM;

	if (r == 0 && cJSON_IsNumber(id)) {
		publication = remember(a, instance->id, id);
		r = publication ? 0 : -ENOMEM;
	}
	if (vd_supervisor_status(a->supervisor, instance->id, &status) < 0)
		status.version = "";
	if (r == 0) {
		struct vd_record record = {
			.class = class_of(route, packet->json),
			.module = instance->id,
			.output = route->source_output,
			.module_version = *status.version ? status.version : NULL,
			.desired_version = set->version,
			.body = body,
			.body_len = strlen(body),
			.attachments = attachments,
			.attachment_count = read_attachments(packet, attachments),
			.key = key_of(packet->json),
		};

		r = vd_outbox_put(a->store, &record, publication ? publication->token : 0, &fault);
	}
	if (r == 0)
		return;
	instance->rejected++;
	vd_log(VD_WARN, "publish.rejected", "module=%s output=%s error=%s %s", instance->id,
	       route->source_output, strerror(-r), fault.text);
	if (!fault.code)
		vd_fault_set(&fault, 500, "", "%s", strerror(-r));
	if (publication)
		vd_agent_stored(a, publication->token, 0, &fault);
}

/* What a module did not take is counted, and told of in reported state. */
static void pass_on(struct vd_agent *a, const struct vd_instance *from,
		    const struct vd_route *route, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *message = cJSON_CreateObject();
	struct vd_instance *to = vd_instance_find(a->instances, route->sink_module);
	char source[300];
	int r = -ENOMEM;

	(void)snprintf(source, sizeof source, "%s/%s", from->id, route->source_output);
	if (message && vd_json_add_string(message, "type", "message") &&
	    vd_json_add_string(message, "input", route->sink_input) &&
	    vd_json_add_string(message, "from", source) && vd_json_add_copy(message, "body", body))
		r = vd_supervisor_send(a->supervisor, route->sink_module, message, NULL, 0);
	if (r == 0) {
		a->routed_messages++;
		return;
	}
	a->dropped_messages++;
	if (to && to->dropped_messages++ % 100 == 0)
		vd_log(VD_WARN, "route.dropped", "route=%s sink=%s cause=%s count=%llu",
		       route->name, route->sink_module,
		       r == VD_SUPERVISOR_FULL ? "it does not read" : "it is down",
		       (unsigned long long)to->dropped_messages);
	vd_agent_report(a, VD_REPORT_LAZILY);
}

/* The set whose routes hold for an instance: the one in force, or the one that brings it. */
static const struct vd_set *routing_set(const struct vd_agent *a, const char *instance)
{
	if (a->candidate && (!a->set || vd_set_find(a->set, instance) < 0))
		return a->candidate;
	return a->set;
}

static void publish(struct vd_agent *a, struct vd_instance *instance, struct vd_packet *packet)
{
	const char *output = vd_json_string(packet->json, "output", "");
	const cJSON *body = vd_json_get(packet->json, "body"),
		    *id = vd_json_get(packet->json, "id");
	const struct vd_set *set = routing_set(a, instance->id);
	const struct vd_desired *desired = set ? set->desired : NULL;
	bool is_stored = false;

	instance->publications++;
	for (size_t i = 0; desired && body && i < desired->route_count; i++) {
		const struct vd_route *route = &desired->routes[i];

		if (strcmp(route->source_module, instance->id) ||
		    strcmp(route->source_output, output))
			continue;
		if (!route->is_upstream) {
			pass_on(a, instance, route, body);
		} else if (!is_stored) { /* twice upstream would be twice in the hub */
			is_stored = true;
			store(a, set, instance, route, packet);
		}
	}
	if (is_stored || !cJSON_IsNumber(id))
		return;
	/* No route upstream: there is nothing to keep, so nothing can be lost. */
	answer_publication(a, instance->id, id->valuedouble, 0,
			   body ? NULL : "publish without a body");
}

static void take_report(struct vd_agent *a, struct vd_instance *instance, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *report = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;
	struct vd_fault fault = { 0 };

	if (!cJSON_IsObject(body) || vd_merge_apply(instance->report, body, &report) < 0)
		return;
	text = vd_json_text(report);
	if (!text || strlen(text) > REPORT_BYTES)
		vd_fault_set(&fault, 413, "", "more than %d bytes", REPORT_BYTES);
	/* The hub would refuse the whole of reported state for one bad key in it. */
	if (fault.code || vd_limits_check(report, VD_LIMITS_SECTION_BYTES, &fault) < 0) {
		if (instance->refused_reports++ == 0)
			vd_log(VD_WARN, "module.report", "module=%s refused: %s %s", instance->id,
			       fault.pointer, fault.text);
		return;
	}
	vd_json_free(instance->report);
	instance->report = VD_TAKE(report);
	vd_agent_report(a, VD_REPORT_LAZILY);
}

static void take_applied(struct vd_agent *a, struct vd_instance *instance, const cJSON *packet)
{
	int64_t version = vd_json_int(packet, "version", -1);

	if (version != instance->sent_version) {
		vd_log(VD_DEBUG, "module.applied",
		       "module=%s version=%lld is not the last one sent", instance->id,
		       (long long)version);
		return;
	}
	/* An unchanged module keeps the parameters of an older document: they are the newest one's too. */
	if (a->set && version < a->set->version && !a->candidate)
		version = a->set->version;
	vd_instance_acknowledge(instance, version, 200, "", "");
	vd_log(VD_INFO, "module.applied", "module=%s version=%lld", instance->id,
	       (long long)version);
	vd_agent_module_answered(a, instance);
}

static void take_refused(struct vd_agent *a, struct vd_instance *instance, const cJSON *packet)
{
	struct vd_fault fault = { 0 };
	int64_t version = vd_json_int(packet, "version", -1);

	if (version != instance->sent_version)
		return;
	vd_fault_set(&fault, 400, vd_json_string(packet, "pointer", ""), "%s",
		     vd_json_string(packet, "text", "refused without a reason"));
	vd_fault_under(&fault, "parameters");
	vd_fault_under(&fault, instance->id);
	vd_fault_under(&fault, "modules");
	vd_instance_acknowledge(instance, version, 400, fault.pointer, fault.text);
	vd_log(VD_WARN, "module.refused", "module=%s version=%lld pointer=%s text=%s", instance->id,
	       (long long)version, fault.pointer, fault.text);
	vd_agent_module_answered(a, instance);
}

static void on_packet(const char *id, struct vd_packet *packet, void *argument)
{
	struct vd_agent *a = argument;
	struct vd_instance *instance = vd_instance_find(a->instances, id);
	const char *type = vd_packet_type(packet);

	if (!instance)
		return;
	if (!strcmp(type, "publish"))
		publish(a, instance, packet);
	else if (!strcmp(type, "report"))
		take_report(a, instance, vd_json_get(packet->json, "body"));
	else if (!strcmp(type, "applied"))
		take_applied(a, instance, packet->json);
	else if (!strcmp(type, "refused"))
		take_refused(a, instance, packet->json);
	else if (!strcmp(type, "answer"))
		vd_agent_answered(a, id, packet->json);
}

static bool add_state_folder(struct vd_agent *a, const char *id, cJSON *start)
{
	VD_CLEANUP(vd_free) char *folder = NULL;

	if (asprintf(&folder, "%s/modules/%s", a->config.state_folder, id) < 0) {
		folder = NULL;
		return false;
	}
	if (vd_file_make_folders(folder, 0750) < 0) {
		vd_log(VD_ERROR, "module.folder", "folder=%s error=%s", folder, strerror(errno));
		return false;
	}
	return vd_json_add_string(start, "stateFolder", folder);
}

static int on_hello(const char *id, const cJSON *hello, cJSON *start, void *argument)
{
	struct vd_agent *a = argument;
	const struct vd_set *set = vd_agent_target(a);
	struct vd_instance *instance = vd_instance_find(a->instances, id);
	int i = vd_set_find(set, id);

	(void)hello;
	if (i < 0 || !instance)
		return -ENOENT;
	if (!add_state_folder(a, id, start) ||
	    !vd_json_add_string(start, "deviceId", a->config.device_id) ||
	    !vd_json_add_number(start, "version", (double)set->version) ||
	    !vd_json_add_copy(start, "parameters", set->desired->modules[i].parameters))
		return -ENOMEM;
	instance->sent_version = set->version;
	if (!instance->is_awaited)
		vd_instance_acknowledge(instance, set->version, 202, "", "");
	return 0;
}

static void keep_evidence(struct vd_agent *a, struct vd_instance *instance,
			  const struct vd_evidence *evidence)
{
	cJSON *json = vd_evidence_json(evidence);
	VD_CLEANUP(vd_free) char *text = json ? vd_json_text(json) : NULL;
	char name[VD_DOCUMENT_NAME];

	if (!json)
		return;
	vd_json_free(instance->last_exit);
	instance->last_exit = json;
	if (text && snprintf(name, sizeof name, "evidence/%s", instance->id) < (int)sizeof name &&
	    vd_store_document_put(a->store, name, text, strlen(text), 0) < 0)
		vd_log(VD_WARN, "module.evidence", "module=%s is not stored", instance->id);
}

void vd_agent_load_evidence(struct vd_agent *a, struct vd_instance *instance)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	char name[VD_DOCUMENT_NAME];

	if (instance->last_exit ||
	    snprintf(name, sizeof name, "evidence/%s", instance->id) >= (int)sizeof name ||
	    vd_store_document_get(a->store, name, &text) < 0)
		return;
	if (vd_json_parse(text.data ? text.data : "", text.len, &instance->last_exit, NULL) < 0)
		vd_log(VD_WARN, "module.evidence", "module=%s cannot be read", instance->id);
}

/* A process that ends before it answered is not waited for: its acknowledgement says why. */
static void end_waiting(struct vd_agent *a, struct vd_instance *instance, const char *why)
{
	if (instance->acknowledgement.code == 202 || instance->is_awaited)
		vd_instance_acknowledge(instance, instance->acknowledgement.version, 504, "", why);
	if (instance->is_awaited)
		vd_agent_module_answered(a, instance);
}

static void on_state(const char *id, enum vd_state old, enum vd_state state,
		     const struct vd_evidence *evidence, void *argument)
{
	struct vd_agent *a = argument;
	struct vd_instance *instance = vd_instance_find(a->instances, id);

	(void)old;
	if (!instance || a->is_stopping)
		return;
	if (evidence && evidence->cause != VD_CAUSE_STOPPED) {
		keep_evidence(a, instance, evidence);
		end_waiting(a, instance, evidence->text);
	}
	if (state == VD_STATE_WAITING)
		end_waiting(a, instance, "waits for modules of a lower startup order");
	vd_agent_report(a, VD_REPORT_SOON);
}

const struct vd_supervisor_handlers vd_agent_supervisor_handlers = {
	.on_hello = on_hello,
	.on_state = on_state,
	.on_packet = on_packet,
};
