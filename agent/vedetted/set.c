/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema.h"
#include "twin/document/merge.h"

struct vd_set *vd_set_free(struct vd_set *set)
{
	if (!set)
		return NULL;
	for (size_t i = 0; set->packages && i < set->desired->module_count; i++)
		vd_package_free(set->packages[i]);
	free(set->packages);
	vd_desired_free(set->desired);
	vd_json_free(set->document);
	free(set);
	return NULL;
}

int vd_set_find(const struct vd_set *set, const char *module)
{
	for (size_t i = 0; set && i < set->desired->module_count; i++) {
		if (!strcmp(set->desired->modules[i].id, module))
			return (int)i;
	}
	return -1;
}

static int check_parameters(const struct vd_desired_module *m, const struct vd_package *package,
			    struct vd_fault *fault)
{
	int r = vd_schema_check(package->schema, m->parameters, fault);

	if (r < 0)
		vd_fault_under(fault, "parameters");
	return r;
}

static int check_module(struct vd_set *set, size_t i, const cJSON *package_folders,
			struct vd_fault *fault)
{
	const struct vd_desired_module *m = &set->desired->modules[i];
	int r = vd_package_load(package_folders, m->package, m->version, &set->packages[i], fault);

	if (r < 0)
		vd_fault_under(fault, "version");
	if (r == 0)
		r = check_parameters(m, set->packages[i], fault);
	if (r < 0) {
		vd_fault_under(fault, m->id);
		vd_fault_under(fault, "modules");
	}
	return r;
}

static int refuse_route(const struct vd_route *route, struct vd_fault *fault, const char *module,
			const char *what, const char *port)
{
	vd_fault_set(fault, 400, "", "module %.60s has no %s %.60s", module, what, port);
	vd_fault_under(fault, route->name);
	vd_fault_under(fault, "routes");
	return -EINVAL;
}

static int check_route(const struct vd_set *set, const struct vd_route *route,
		       struct vd_fault *fault)
{
	int source = vd_set_find(set, route->source_module);
	int sink = route->is_upstream ? -1 : vd_set_find(set, route->sink_module);
	enum vd_port_kind output, input = VD_PORT_MESSAGE;

	if (source < 0 || (sink < 0 && !route->is_upstream))
		return -EINVAL; /* vd_desired_parse has told of it */
	output = vd_package_output(set->packages[source], route->source_output);
	if (output == VD_PORT_UNKNOWN)
		return refuse_route(route, fault, route->source_module, "output",
				    route->source_output);
	if (!route->is_upstream)
		input = vd_package_input(set->packages[sink], route->sink_input);
	if (input == VD_PORT_UNKNOWN)
		return refuse_route(route, fault, route->sink_module, "input", route->sink_input);
	if (output != input) {
		vd_fault_set(fault, 400, "", "%s: one end carries frames, the other messages",
			     route->is_upstream ? "frames cannot go upstream"
						: "the ends do not fit");
		vd_fault_under(fault, route->name);
		vd_fault_under(fault, "routes");
		return -EINVAL;
	}
	return 0;
}

static int check(struct vd_set *set, const cJSON *package_folders, struct vd_fault *fault)
{
	int r = vd_desired_parse(set->document, &set->desired, fault);

	if (r < 0)
		return r;
	set->packages = calloc(set->desired->module_count + 1, sizeof *set->packages);
	if (!set->packages)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < set->desired->module_count; i++)
		r = check_module(set, i, package_folders, fault);
	for (size_t i = 0; r == 0 && i < set->desired->route_count; i++)
		r = check_route(set, &set->desired->routes[i], fault);
	return r;
}

int vd_set_new(cJSON **document, int64_t version, const cJSON *package_folders,
	       struct vd_set **ret_set, struct vd_fault *fault)
{
	struct vd_set *set = calloc(1, sizeof *set);
	int r;

	if (!set)
		return -ENOMEM;
	*set = (struct vd_set){ .version = version, .document = *document };
	r = check(set, package_folders, fault);
	if (r < 0) {
		set->document = NULL; /* stays the caller's */
		vd_set_free(set);
		return r;
	}
	*document = NULL;
	*ret_set = set;
	return 0;
}

static const cJSON *entry(const struct vd_set *set, int i)
{
	return vd_json_get(vd_json_object(set->document, "modules"), set->desired->modules[i].id);
}

/* Everything but parameters and status: what a process is started with. */
static bool is_same_process(const struct vd_set *from, int a, const struct vd_set *to, int b)
{
	VD_CLEANUP(vd_json_free) cJSON *x = cJSON_Duplicate(entry(from, a), 1);
	VD_CLEANUP(vd_json_free) cJSON *y = cJSON_Duplicate(entry(to, b), 1);

	cJSON_DeleteItemFromObjectCaseSensitive(x, "parameters");
	cJSON_DeleteItemFromObjectCaseSensitive(y, "parameters");
	cJSON_DeleteItemFromObjectCaseSensitive(x, "status");
	cJSON_DeleteItemFromObjectCaseSensitive(y, "status");
	return vd_merge_is_equal(x, y) &&
	       !strcmp(from->packages[a]->folder, to->packages[b]->folder);
}

enum vd_change vd_set_change(const struct vd_set *from, const struct vd_set *to, const char *module)
{
	int a = vd_set_find(from, module), b = vd_set_find(to, module);
	bool ran = a >= 0 && from->desired->modules[a].is_running;

	if (b < 0)
		return a < 0 ? VD_CHANGE_NONE : VD_CHANGE_REMOVE;
	if (!to->desired->modules[b].is_running)
		return ran || a < 0 ? VD_CHANGE_STOP : VD_CHANGE_NONE;
	if (!ran)
		return VD_CHANGE_START;
	if (!is_same_process(from, a, to, b))
		return VD_CHANGE_REPLACE;
	return vd_merge_is_equal(from->desired->modules[a].parameters,
				 to->desired->modules[b].parameters)
		       ? VD_CHANGE_NONE
		       : VD_CHANGE_PARAMETERS;
}

const char *vd_change_name(enum vd_change change)
{
	static const char *const names[] = {
		[VD_CHANGE_NONE] = "none",   [VD_CHANGE_PARAMETERS] = "parameters",
		[VD_CHANGE_START] = "start", [VD_CHANGE_REPLACE] = "replace",
		[VD_CHANGE_STOP] = "stop",   [VD_CHANGE_REMOVE] = "remove",
	};

	return names[change];
}
