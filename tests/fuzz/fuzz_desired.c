/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "twin/document/desired.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the rest of the agent relies on without looking again. */
static void check_promises(const struct vd_desired *desired)
{
	for (size_t i = 0; i < desired->module_count; i++) {
		const struct vd_desired_module *m = &desired->modules[i];

		assert(vd_route_is_name(m->id) && !strchr(m->package, '/') && m->package[0] != '.');
		assert(*m->version && !strchr(m->version, '/') && m->version[0] != '.');
		assert(cJSON_IsObject(m->parameters) && m->heartbeat_ms > 0 &&
		       m->stop_timeout_ms > 0);
		assert(*m->restart_policy && vd_desired_module(desired, m->id) == m);
	}
	for (size_t i = 0; i < desired->route_count; i++) {
		const struct vd_route *route = &desired->routes[i];

		assert(vd_desired_module(desired, route->source_module));
		assert(route->is_upstream || vd_desired_module(desired, route->sink_module));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_desired_free) struct vd_desired *desired = NULL;
	struct vd_fault fault = { 0 };

	if (vd_json_parse((const char *)data, size, &json, NULL) < 0)
		return 0;
	if (vd_desired_parse(json, &desired, &fault) == 0)
		check_promises(desired);
	else
		assert(fault.code >= 400 && *fault.text && !desired);
	return 0;
}
