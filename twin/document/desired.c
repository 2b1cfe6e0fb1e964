/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In three steps, each of which may assume the one before: the limits of a twin (keys, sizes),
 * the schema (shapes, bounds, defaults), and what no schema says: names that become file names,
 * and routes whose ends must exist. Reading then cannot fail but for memory.
 */
#include "twin/document/desired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"
#include "twin/document/limits.h"

extern const char vd_desired_schema_json[];
extern const size_t vd_desired_schema_json_len;

struct document {
	struct vd_desired desired; /* what the caller sees */
	cJSON *json;               /* filled copy, into which everything points */
	struct vd_desired_module *modules;
	struct vd_desired_env *env; /* of all modules, one after another */
	struct vd_route *routes;
};

static struct document *document_free(struct document *document)
{
	if (document) {
		vd_json_free(document->json);
		free(document->modules);
		free(document->env);
		free(document->routes);
		free(document);
	}
	return NULL;
}
VD_DEFINE_CLEANUP(struct document, document_free)

struct vd_desired *vd_desired_free(struct vd_desired *desired)
{
	if (desired)
		document_free(VD_CONTAINER(desired, struct document, desired));
	return NULL;
}

/* The embedded text is JSON (a test sees to that), so only memory can be missing. */
int vd_desired_schema(cJSON **ret_schema)
{
	return vd_json_parse(vd_desired_schema_json, vd_desired_schema_json_len, ret_schema, NULL) <
			       0
		       ? -ENOMEM
		       : 0;
}

static int refuse(struct vd_fault *fault, const char *key, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	vd_fault_under(fault, key);
	return -EINVAL;
}

static int check_schema_version(const cJSON *json, struct vd_fault *fault)
{
	const char *version = vd_json_string(json, "schemaVersion", "1.0");

	if (!json->child) {
		vd_fault_set(fault, 417, "",
			     "the document is empty: nothing is desired of this device yet");
		return -EINVAL;
	}
	if (!strcmp(version, "1.0"))
		return 0;
	vd_fault_set(fault, 412, "/schemaVersion", "\"%.40s\" is not known here, 1.0 is", version);
	return -EINVAL;
}

static int check_and_fill(cJSON *json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	int r = vd_desired_schema(&schema);

	if (r == 0)
		r = vd_schema_check(schema, json, fault);
	return r == 0 ? vd_schema_fill(schema, json) : r;
}

/* A name that becomes a folder: of a package, of a version. */
static bool is_file_name(const char *text)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";

	return *text && *text != '.' && *text != '-' && !text[strspn(text, allowed)];
}

static int check_sha256(const cJSON *module, struct vd_fault *fault)
{
	const char *text = vd_json_string(module, "sha256", "");

	if (text[strspn(text, "0123456789abcdef")])
		return refuse(fault, "sha256", "must be 64 hexadecimal digits in lower case");
	return 0;
}

static int check_environment(const cJSON *module, struct vd_fault *fault)
{
	const cJSON *variable;

	cJSON_ArrayForEach(variable, vd_json_object(module, "env"))
	{
		if (variable->string[0] && !strchr(variable->string, '='))
			continue;
		(void)refuse(fault, variable->string, "not a name of an environment variable");
		vd_fault_under(fault, "env");
		return -EINVAL;
	}
	return 0;
}

static int check_module(const cJSON *module, struct vd_fault *fault)
{
	const char *version = vd_json_string(module, "version", "");
	int r;

	if (!is_file_name(vd_json_string(module, "package", "")))
		return refuse(fault, "package",
			      "must be letters, digits and . _ + ~ -, not '.' or '-' first");
	if (!strcasecmp(version, "latest"))
		return refuse(fault, "version",
			      "must be an exact version: \"latest\" changes under one's feet");
	if (!is_file_name(version))
		return refuse(fault, "version",
			      "must be letters, digits and . _ + ~ -, not '.' or '-' first");
	r = check_sha256(module, fault);
	return r == 0 ? check_environment(module, fault) : r;
}

static int check_modules(const cJSON *modules, struct vd_fault *fault)
{
	const cJSON *module;

	cJSON_ArrayForEach(module, modules)
	{
		int r = check_module(module, fault);

		if (!vd_route_is_name(module->string)) {
			vd_fault_set(fault, 400, "",
				     "a module's id is 1 to 128 letters, digits, '_' and '-', not "
				     "'-' first");
			r = -EINVAL;
		}
		if (r < 0) {
			vd_fault_under(fault, module->string);
			return r;
		}
	}
	return 0;
}

static int compare_modules(const void *a, const void *b)
{
	const struct vd_desired_module *left = a, *right = b;

	if (left->startup_order != right->startup_order)
		return left->startup_order < right->startup_order ? -1 : 1;
	return strcmp(left->id, right->id);
}

static void read_limits(const cJSON *limits, struct vd_desired_module *module)
{
	module->limits.memory_bytes = (uint64_t)vd_json_int(limits, "memoryBytes", 0);
	module->limits.cpu_percent = vd_json_number(limits, "cpuPercent", 0);
	module->limits.processes = (uint32_t)vd_json_int(limits, "processes", 0);
}

static size_t read_environment(const cJSON *json, struct vd_desired_env *env)
{
	const cJSON *variable;
	size_t n = 0;

	cJSON_ArrayForEach(variable, vd_json_object(json, "env"))
	{
		env[n++] = (struct vd_desired_env){ variable->string,
						    vd_json_string(variable, "value", "") };
	}
	return n;
}

/* The schema has filled in every member but sha256. */
static void read_module(const cJSON *json, struct vd_desired_env *env,
			struct vd_desired_module *module)
{
	*module = (struct vd_desired_module){
		.id = json->string,
		.package = vd_json_string(json, "package", ""),
		.version = vd_json_string(json, "version", ""),
		.sha256 = vd_json_string(json, "sha256", NULL),
		.is_running = !strcmp(vd_json_string(json, "status", ""), "running"),
		.restart_policy = vd_json_string(json, "restartPolicy", ""),
		.startup_order = (uint32_t)vd_json_int(json, "startupOrder", 0),
		.env = env,
		.env_count = read_environment(json, env),
		.ready_timeout_ms = (uint32_t)vd_json_int(json, "readyTimeoutMs", 0),
		.stop_timeout_ms = (uint32_t)vd_json_int(json, "stopTimeoutMs", 0),
		.heartbeat_ms = (uint32_t)vd_json_int(json, "heartbeatMs", 0),
		.work_deadline_ms = (uint32_t)vd_json_int(json, "workDeadlineMs", 0),
		.parameters = vd_json_object(json, "parameters"),
	};
	read_limits(vd_json_object(json, "limits"), module);
}

static size_t count_environment(const cJSON *modules)
{
	const cJSON *module;
	size_t count = 0;

	cJSON_ArrayForEach(module, modules) count +=
		(size_t)cJSON_GetArraySize(vd_json_object(module, "env"));
	return count;
}

static int read_modules(const cJSON *modules, struct document *document)
{
	struct vd_desired_env *env;
	const cJSON *module;
	size_t n = 0;

	document->modules =
		calloc((size_t)cJSON_GetArraySize(modules) + 1, sizeof *document->modules);
	document->env = calloc(count_environment(modules) + 1, sizeof *document->env);
	if (!document->modules || !document->env)
		return -ENOMEM;
	env = document->env;
	cJSON_ArrayForEach(module, modules)
	{
		read_module(module, env, &document->modules[n]);
		env += document->modules[n++].env_count;
	}
	qsort(document->modules, n, sizeof *document->modules, compare_modules);
	document->desired.modules = document->modules;
	document->desired.module_count = n;
	return 0;
}

const struct vd_desired_module *vd_desired_module(const struct vd_desired *desired, const char *id)
{
	for (size_t i = 0; i < desired->module_count; i++) {
		if (!strcmp(desired->modules[i].id, id))
			return &desired->modules[i];
	}
	return NULL;
}

static bool is_same_way(const struct vd_route *a, const struct vd_route *b)
{
	return !strcmp(a->source_module, b->source_module) &&
	       !strcmp(a->source_output, b->source_output) && a->is_upstream == b->is_upstream &&
	       !strcmp(a->sink_module, b->sink_module) && !strcmp(a->sink_input, b->sink_input);
}

static int check_route(const struct vd_desired *desired, const struct vd_route *route,
		       struct vd_fault *fault)
{
	const char *missing = NULL;

	if (!vd_desired_module(desired, route->source_module))
		missing = route->source_module;
	else if (!route->is_upstream && !vd_desired_module(desired, route->sink_module))
		missing = route->sink_module;
	if (missing) {
		vd_fault_set(fault, 400, "", "the document has no module \"%s\"", missing);
		return -EINVAL;
	}
	for (size_t i = 0; i < desired->route_count; i++) {
		if (is_same_way(&desired->routes[i], route)) {
			vd_fault_set(fault, 400, "", "goes the same way as the route \"%.80s\"",
				     desired->routes[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

static int compare_routes(const void *a, const void *b)
{
	return strcmp(((const struct vd_route *)a)->name, ((const struct vd_route *)b)->name);
}

static int read_routes(const cJSON *routes, struct document *document, struct vd_fault *fault)
{
	struct vd_desired *desired = &document->desired;
	const cJSON *member;

	document->routes = calloc((size_t)cJSON_GetArraySize(routes) + 1, sizeof *document->routes);
	if (!document->routes)
		return -ENOMEM;
	desired->routes = document->routes;
	cJSON_ArrayForEach(member, routes)
	{
		struct vd_route *route = &document->routes[desired->route_count];
		int r = vd_route_read(member, route, fault);

		if (r == 0)
			r = check_route(desired, route, fault);
		if (r < 0) {
			vd_fault_under(fault, member->string);
			return r;
		}
		desired->route_count++;
	}
	qsort(document->routes, desired->route_count, sizeof *document->routes, compare_routes);
	return 0;
}

static int read_agent(const cJSON *agent, struct vd_desired *desired)
{
	const cJSON *outbox = vd_json_object(agent, "outbox");
	const cJSON *images = vd_json_object(agent, "images");

	desired->agent.report_interval_ms = (uint32_t)vd_json_int(agent, "reportIntervalMs", 0);
	desired->agent.outbox_max_bytes = (uint64_t)vd_json_int(outbox, "maxBytes", 0);
	desired->agent.outbox_max_age_s = (uint64_t)vd_json_int(outbox, "maxAgeS", 0);
	desired->agent.uploads_images = vd_json_bool(images, "upload", true);
	desired->agent.image_bytes_per_second = (uint64_t)vd_json_int(images, "bytesPerSecond", 0);
	return vd_log_level_parse(vd_json_string(agent, "logLevel", ""), &desired->agent.log_level);
}

static int read_document(struct document *document, struct vd_fault *fault)
{
	const cJSON *modules = vd_json_object(document->json, "modules");
	int r = check_modules(modules, fault);

	if (r == 0)
		r = read_modules(modules, document);
	if (r == -EINVAL)
		vd_fault_under(fault, "modules");
	if (r < 0)
		return r;
	r = read_routes(vd_json_object(document->json, "routes"), document, fault);
	if (r == -EINVAL)
		vd_fault_under(fault, "routes");
	return r == 0 ? read_agent(vd_json_object(document->json, "agent"), &document->desired) : r;
}

static int copy_document(const cJSON *desired, struct document **ret_document)
{
	VD_CLEANUP(document_free) struct document *document = calloc(1, sizeof *document);

	if (!document)
		return -ENOMEM;
	document->json = cJSON_Duplicate(desired, 1);
	if (!document->json)
		return -ENOMEM;
	document->desired.version = vd_json_int(desired, "$version", -1);
	cJSON_DeleteItemFromObjectCaseSensitive(document->json, "$version");
	cJSON_DeleteItemFromObjectCaseSensitive(document->json, "$metadata");
	*ret_document = VD_TAKE(document);
	return 0;
}

int vd_desired_parse(const cJSON *desired, struct vd_desired **ret_desired, struct vd_fault *fault)
{
	VD_CLEANUP(document_free) struct document *document = NULL;
	int r = vd_limits_check(desired, VD_LIMITS_SECTION_BYTES, fault);

	if (r == 0)
		r = copy_document(desired, &document);
	if (r == 0)
		r = check_schema_version(document->json, fault);
	if (r == 0)
		r = check_and_fill(document->json, fault);
	if (r == 0)
		r = read_document(document, fault);
	if (r < 0)
		return r;
	*ret_desired = &document->desired;
	document = NULL;
	return 0;
}
