/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a desired document becomes the set that runs.
 *
 *	received -> checked whole -> given to the modules -> all answered -> durable -> in force
 *	               |                      |
 *	               refused                one refused: all get the old parameters back
 *
 * The old set stays "in force" (and is what a restart of the agent begins from) until the new
 * one is on disk. Modules that are taken out run until then, so that a refusal costs them
 * nothing. A module that is down cannot refuse, so it holds nobody up: it is given the new
 * parameters when it starts, and its own acknowledgement says how it went.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vedetted/agent.h"
#include "base/clock.h"
#include "twin/document/merge.h"

enum { ANSWER_TIMEOUT_MS = 15000 };

static void settle_latest(struct vd_agent *a);

const struct vd_set *vd_agent_target(const struct vd_agent *a)
{
	return a->candidate && !a->is_reverting ? a->candidate : a->set;
}

static void set_outcome(struct vd_agent *a, int64_t version, int code, const char *pointer,
			const char *text)
{
	struct vd_outcome *o = &a->outcome;

	o->version = version;
	o->code = code;
	(void)snprintf(o->pointer, sizeof o->pointer, "%s", pointer);
	(void)snprintf(o->text, sizeof o->text, "%s", text);
	vd_log(code == 200 ? VD_NOTICE : VD_WARN,
	       code == 200 ? "desired.applied" : "desired.refused",
	       "version=%lld code=%d pointer=%s text=%s", (long long)version, code, pointer, text);
	vd_agent_report(a, VD_REPORT_SOON);
}

/* The environment of a module: what the document names, and nothing of the agent's but a PATH. */
static char **make_environment(const struct vd_desired_module *m)
{
	static const char *const given[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8" };
	char **list = calloc(m->env_count + VD_COUNT(given) + 1, sizeof *list);
	size_t n = 0;

	for (size_t i = 0; list && i < VD_COUNT(given); i++) {
		list[n] = strdup(given[i]);
		n += list[n] != NULL;
	}
	for (size_t i = 0; list && i < m->env_count; i++) {
		if (asprintf(&list[n], "%s=%s", m->env[i].name, m->env[i].value) >= 0)
			n++;
	}
	return list;
}

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static char **make_arguments(const struct vd_package *package)
{
	const cJSON *array = vd_json_array(package->manifest, "arguments"), *item;
	char **list = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof *list);
	size_t n = 0;

	cJSON_ArrayForEach(item, array)
	{
		if (list && cJSON_IsString(item))
			list[n++] = strdup(item->valuestring);
	}
	return list;
}

/* Puts the spec of module i of set; restarts it if asked and it differs from what runs. */
static int put_spec(struct vd_agent *a, const struct vd_set *set, int i, bool replace)
{
	const struct vd_desired_module *m = &set->desired->modules[i];
	char **environment = make_environment(m), **arguments = make_arguments(set->packages[i]);
	enum vd_restart_policy policy = VD_RESTART_ALWAYS;
	struct vd_fault fault = { 0 };

	if (vd_restart_policy_parse(m->restart_policy, &policy) < 0)
		vd_log(VD_ERROR, "module.policy", "module=%s policy=%s", m->id, m->restart_policy);
	struct vd_module_spec spec = {
		.instance = m->id,
		.program = set->packages[i]->program,
		.arguments = (const char *const *)arguments,
		.environment = (const char *const *)environment,
		.folder = set->packages[i]->folder,
		.policy = policy,
		.startup_order = m->startup_order,
		.ready_timeout_ms = m->ready_timeout_ms,
		.stop_timeout_ms = m->stop_timeout_ms,
		.heartbeat_ms = m->heartbeat_ms,
		.work_deadline_ms = m->work_deadline_ms,
		.limits = { m->limits.memory_bytes, m->limits.processes },
	};
	int r = replace ? vd_supervisor_replace(a->supervisor, &spec, &fault)
			: vd_supervisor_put(a->supervisor, &spec, &fault);

	free_list(environment);
	free_list(arguments);
	if (r < 0)
		vd_log(VD_ERROR, "module.spec", "module=%s error=%s %s", m->id, strerror(-r),
		       fault.text);
	return r;
}

static int send_parameters(struct vd_agent *a, const struct vd_set *set, int i)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = cJSON_CreateObject();
	const struct vd_desired_module *m = &set->desired->modules[i];

	if (!packet || !vd_json_add_string(packet, "type", "parameters") ||
	    !vd_json_add_number(packet, "version", (double)set->version) ||
	    !vd_json_add_copy(packet, "parameters", m->parameters))
		return -ENOMEM;
	return vd_supervisor_send(a->supervisor, m->id, packet, NULL, 0);
}

static bool is_ready(struct vd_agent *a, const char *module)
{
	struct vd_module_status status;

	return vd_supervisor_status(a->supervisor, module, &status) == 0 &&
	       status.state == VD_STATE_READY;
}

/* Gives module i of set what change asks for; the instance is then awaited if it will answer. */
static int give(struct vd_agent *a, const struct vd_set *set, int i, enum vd_change change)
{
	const char *id = set->desired->modules[i].id;
	struct vd_instance *instance = vd_instance_add(&a->instances, id);
	int r;

	if (!instance)
		return -ENOMEM;
	if (change == VD_CHANGE_NONE)
		return 0;
	vd_log(VD_INFO, "module.change", "module=%s change=%s version=%lld", id,
	       vd_change_name(change), (long long)set->version);
	r = put_spec(a, set, i, change == VD_CHANGE_REPLACE);
	if (r < 0)
		return r;
	if (change == VD_CHANGE_STOP)
		return vd_supervisor_stop(a->supervisor, id);
	if (change == VD_CHANGE_START)
		r = vd_supervisor_start(a->supervisor, id);
	else if (change == VD_CHANGE_PARAMETERS && is_ready(a, id))
		r = send_parameters(a, set, i);
	else if (change == VD_CHANGE_PARAMETERS)
		change = VD_CHANGE_NONE; /* gets them when it starts */
	if (r < 0)
		return r;
	vd_instance_acknowledge(instance, set->version, 202, "", "");
	instance->is_awaited = change != VD_CHANGE_NONE;
	instance->sent_version = set->version;
	return 0;
}

static int give_all(struct vd_agent *a, const struct vd_set *from, const struct vd_set *to)
{
	for (size_t i = 0; i < to->desired->module_count; i++) {
		const char *id = to->desired->modules[i].id;
		int r = give(a, to, (int)i, vd_set_change(from, to, id));

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_frames_route(const struct vd_set *set, const struct vd_route *route)
{
	int source = vd_set_find(set, route->source_module);

	return !route->is_upstream && source >= 0 &&
	       vd_package_output(set->packages[source], route->source_output) == VD_PORT_FRAMES;
}

static bool has_route(const struct vd_set *set, const struct vd_route *route)
{
	for (size_t i = 0; set && i < set->desired->route_count; i++) {
		const struct vd_route *r = &set->desired->routes[i];

		if (!r->is_upstream && !strcmp(r->source_module, route->source_module) &&
		    !strcmp(r->source_output, route->source_output) &&
		    !strcmp(r->sink_module, route->sink_module) &&
		    !strcmp(r->sink_input, route->sink_input))
			return true;
	}
	return false;
}

static void switch_frame_routes(struct vd_agent *a, const struct vd_set *from,
				const struct vd_set *to)
{
	for (size_t i = 0; from && i < from->desired->route_count; i++) {
		const struct vd_route *r = &from->desired->routes[i];

		if (is_frames_route(from, r) && !has_route(to, r))
			vd_supervisor_disconnect(a->supervisor, r->source_module, r->source_output,
						 r->sink_module, r->sink_input);
	}
	for (size_t i = 0; to && i < to->desired->route_count; i++) {
		const struct vd_route *r = &to->desired->routes[i];

		if (is_frames_route(to, r) &&
		    vd_supervisor_connect(a->supervisor, r->source_module, r->source_output,
					  r->sink_module, r->sink_input) < 0)
			vd_log(VD_ERROR, "route.connect", "route=%s", r->name);
	}
}

static void remove_absent(struct vd_agent *a, const struct vd_set *from, const struct vd_set *to)
{
	for (size_t i = 0; from && i < from->desired->module_count; i++) {
		const char *id = from->desired->modules[i].id;

		if (vd_set_find(to, id) >= 0)
			continue;
		if (vd_supervisor_remove(a->supervisor, id) < 0)
			vd_log(VD_ERROR, "module.remove", "module=%s", id);
		vd_instance_remove(&a->instances, id);
	}
}

/* Modules that nothing changed for have the new document applied by its being in force. */
static void acknowledge_unchanged(struct vd_agent *a)
{
	for (struct vd_instance *i = a->instances; i; i = i->next) {
		if (i->acknowledgement.version != a->set->version && i->acknowledgement.code != 202)
			i->acknowledgement.version = a->set->version;
	}
}

static void enter_force(struct vd_agent *a)
{
	remove_absent(a, a->set, a->candidate);
	switch_frame_routes(a, a->set, a->candidate);
	vd_set_free(a->set);
	a->set = VD_TAKE(a->candidate);
	if (vd_json_at(a->set->document, "/agent/logLevel"))
		vd_log_set_level(a->set->desired->agent.log_level);
	vd_store_set_bounds(a->store, a->set->desired->agent.outbox_max_bytes,
			    a->set->desired->agent.outbox_max_age_s * 1000);
	vd_agent_images(a);
	acknowledge_unchanged(a);
}

static int put_document(struct vd_agent *a)
{
	VD_CLEANUP(vd_json_free) cJSON *envelope = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;

	if (!envelope || !vd_json_add_number(envelope, "version", (double)a->candidate->version) ||
	    !vd_json_add_copy(envelope, "document", a->candidate->document))
		return -ENOMEM;
	text = vd_json_text(envelope);
	if (!text)
		return -ENOMEM;
	a->candidate_token = ++a->next_token;
	return vd_store_document_put(a->store, "desired", text, strlen(text), a->candidate_token);
}

static bool is_awaiting(const struct vd_agent *a)
{
	for (const struct vd_instance *i = a->instances; i; i = i->next) {
		if (i->is_awaited)
			return true;
	}
	return false;
}

/* Gives back what ran before; the modules' answers to it matter no more to the document. */
static void revert(struct vd_agent *a, const char *module, const struct vd_acknowledgement *refusal)
{
	struct vd_set *refused = a->candidate;
	char pointer[256];

	vd_timer_disarm(a->settle_timer);
	a->is_reverting = true;
	(void)snprintf(pointer, sizeof pointer, "%s", refusal->pointer);
	set_outcome(a, refused->version, refusal->code, pointer, refusal->text);
	for (struct vd_instance *i = a->instances; i; i = i->next)
		i->is_awaited = false;
	if (a->set && give_all(a, refused, a->set) < 0)
		vd_log(VD_ERROR, "desired.revert", "module=%s", module);
	for (struct vd_instance *i = a->instances; i; i = i->next)
		i->is_awaited = false;
	remove_absent(a, refused, a->set);
	vd_set_free(refused);
	a->candidate = NULL;
	a->is_reverting = false;
	if (a->has_newer)
		settle_latest(a);
}

static void continue_settling(struct vd_agent *a)
{
	int r;

	if (!a->candidate || a->candidate_token || is_awaiting(a))
		return;
	vd_timer_disarm(a->settle_timer);
	r = put_document(a);
	if (r < 0) {
		struct vd_acknowledgement failure = { .code = 500 };

		(void)snprintf(failure.text, sizeof failure.text,
			       "the document cannot be stored: %s", strerror(-r));
		revert(a, "", &failure);
	}
}

void vd_agent_module_answered(struct vd_agent *a, struct vd_instance *instance)
{
	bool was_awaited = instance->is_awaited;

	instance->is_awaited = false;
	if (!was_awaited || !a->candidate) {
		vd_agent_report(a, VD_REPORT_SOON);
		return;
	}
	if (instance->acknowledgement.code == 400)
		revert(a, instance->id, &instance->acknowledgement);
	else
		continue_settling(a);
}

/* Whoever has not answered by now holds the others up no longer; its acknowledgement says so. */
void vd_agent_settle_timeout(void *agent)
{
	struct vd_agent *a = agent;

	for (struct vd_instance *i = a->instances; i; i = i->next) {
		if (i->is_awaited) {
			i->is_awaited = false;
			vd_instance_acknowledge(i, i->acknowledgement.version, 504, "",
						"did not answer in time");
		}
	}
	continue_settling(a);
}

void vd_agent_document_stored(struct vd_agent *a, uint64_t token, const struct vd_fault *fault)
{
	int64_t version;

	if (!a->candidate || token != a->candidate_token)
		return;
	a->candidate_token = 0;
	if (fault)
		vd_log(VD_ERROR, "desired.store", "version=%lld %s",
		       (long long)a->candidate->version, fault->text);
	version = a->candidate->version;
	enter_force(a);
	if (fault)
		set_outcome(a, version, 507, "",
			    "applied, but not stored: a restart returns to the one before");
	else
		set_outcome(a, version, 200, "", "");
	if (a->has_newer)
		settle_latest(a);
}

static void settle_latest(struct vd_agent *a)
{
	VD_CLEANUP(vd_json_free) cJSON *document = NULL;
	struct vd_fault fault = { 0 };
	int r;

	a->has_newer = a->candidate != NULL;
	if (a->has_newer)
		return;
	document = cJSON_Duplicate(a->latest, 1);
	r = document ? vd_set_new(&document, a->latest_version, a->config.package_folders,
				  &a->candidate, &fault)
		     : -ENOMEM;
	if (r < 0) {
		set_outcome(a, a->latest_version, fault.code ? fault.code : 500, fault.pointer,
			    fault.code ? fault.text : strerror(-r));
		return;
	}
	r = give_all(a, a->set, a->candidate);
	if (r < 0) {
		struct vd_acknowledgement failure = { .code = 500 };

		(void)snprintf(failure.text, sizeof failure.text, "%s", strerror(-r));
		revert(a, "", &failure);
		return;
	}
	if (is_awaiting(a) && vd_timer_arm(a->settle_timer, ANSWER_TIMEOUT_MS) < 0)
		vd_agent_settle_timeout(a);
	/* The outcome mostly follows within milliseconds: one report tells of both. */
	vd_agent_report(a, VD_REPORT_SHORTLY);
	continue_settling(a);
}

static bool is_in_force(const struct vd_agent *a, const cJSON *document, int64_t version)
{
	return a->set && a->set->version == version && cJSON_Compare(a->set->document, document, 1);
}

void vd_agent_take_document(struct vd_agent *a, cJSON **document, int64_t version)
{
	cJSON_DeleteItemFromObjectCaseSensitive(*document, "$version");
	cJSON_DeleteItemFromObjectCaseSensitive(*document, "$metadata");
	/* A hub that was set up anew counts from the beginning: other content is news at any version. */
	bool is_known =
		a->latest && a->latest_version == version && cJSON_Compare(a->latest, *document, 1);

	vd_json_free(a->latest);
	a->latest = VD_TAKE(*document);
	a->latest_version = version;
	if (is_in_force(a, a->latest, version) && !a->candidate) {
		if (a->outcome.version != version)
			set_outcome(a, version, 200, "", "");
		return;
	}
	if (is_known && a->outcome.version == version)
		return; /* refused before, and still the same */
	if (!a->latest->child && !a->set)
		return; /* an empty twin: nobody has said anything yet */
	settle_latest(a);
}

void vd_agent_take_patch(struct vd_agent *a, int64_t version, const cJSON *patch)
{
	VD_CLEANUP(vd_json_free) cJSON *document = NULL;
	VD_CLEANUP(vd_json_free) cJSON *copy = NULL;

	if (version >= 0 && a->latest && version <= a->latest_version)
		return;
	copy = cJSON_Duplicate(patch, 1);
	if (!a->latest || version != a->latest_version + 1 || !copy) {
		if (vd_link_get_twin(a->link) < 0)
			vd_log(VD_INFO, "twin.gap", "have=%lld got=%lld",
			       (long long)a->latest_version, (long long)version);
		return;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "$version");
	if (vd_merge_apply(a->latest, copy, &document) < 0) {
		vd_log(VD_ERROR, "twin.patch", "version=%lld error=no memory", (long long)version);
		return;
	}
	vd_agent_take_document(a, &document, version);
}

int vd_agent_boot_document(struct vd_agent *a)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *envelope = NULL;
	VD_CLEANUP(vd_json_free) cJSON *document = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_store_document_get(a->store, "desired", &text);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = vd_json_parse(text.data ? text.data : "", text.len, &envelope, &fault);
	if (r == 0) {
		document = cJSON_Duplicate(vd_json_object(envelope, "document"), 1);
		r = document ? vd_set_new(&document, vd_json_int(envelope, "version", 0),
					  a->config.package_folders, &a->candidate, &fault)
			     : -EINVAL;
	}
	if (r < 0) {
		vd_log(VD_ERROR, "desired.boot", "error=%s pointer=%s text=%s", strerror(-r),
		       fault.pointer, fault.text);
		return 0; /* without modules, but there: the hub may send a better one */
	}
	a->latest = cJSON_Duplicate(a->candidate->document, 1);
	a->latest_version = a->candidate->version;
	for (size_t i = 0; i < a->candidate->desired->module_count; i++) {
		struct vd_instance *instance =
			vd_instance_add(&a->instances, a->candidate->desired->modules[i].id);

		if (instance)
			vd_agent_load_evidence(a, instance);
	}
	r = give_all(a, NULL, a->candidate);
	for (struct vd_instance *i = a->instances; i; i = i->next)
		i->is_awaited = false;
	enter_force(a);
	vd_log(VD_NOTICE, "desired.boot", "version=%lld modules=%zu", (long long)a->set->version,
	       a->set->desired->module_count);
	a->outcome = (struct vd_outcome){ .version = a->set->version, .code = 200 };
	return r;
}
