/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/name.h"
#include "twin/query/query.h"

/*
 * One configuration of Azure's automatic device management: what (content) shall stand in whose
 * twins (target condition), and what to count (metrics). Here it is read, checked and written as
 * JSON; configurations.h applies it.
 */
enum {
	VD_CONFIGURATION_METRICS = 5, /* of the user */
	VD_CONFIGURATION_QUERIES = 7, /* with the hub's own of an edge deployment */
	VD_CONFIGURATION_LABELS = 50,
};

struct vd_configuration {
	char id[VD_PART_BYTES];
	cJSON *content;    /* {"deviceContent":{…}} … */
	cJSON *labels;     /* an object of texts */
	char *target_text; /* "" targets nobody */
	cJSON *metrics;    /* the custom queries: {"name": "SELECT …"} */
	cJSON *results;    /* {"name": n}; of the hub's own metrics {"$name": n} */
	int64_t priority;  /* the highest wins, then the youngest */
	int64_t created_ms, updated_ms;
	int64_t etag;
	struct vd_query *target; /* NULL: targets nobody */
	/* In the order of metrics; then, of an edge deployment, those of vd_configuration_edge_metrics. */
	struct vd_query *queries[VD_CONFIGURATION_QUERIES];
};
void vd_configuration_fini(struct vd_configuration *configuration);
VD_UNUSED static inline void vd_configuration_fini_p(struct vd_configuration *configuration)
{
	vd_configuration_fini(configuration);
}

/* A copy that is compiled, too. Refusals as below; -ENOMEM. */
VD_MUST int vd_configuration_copy(const struct vd_configuration *configuration,
				  struct vd_configuration *ret_copy);

/* ≤128 of lower case, digits and what Azure allows beside them. VD_REFUSED_ARGUMENT. */
VD_MUST int vd_configuration_check_id(const char *id, struct vd_fault *fault);

/*
 * Azure's body -> *configuration, whose other members stay. What the body lacks is empty, but a
 * lacking content stays. VD_REFUSED_ARGUMENT with the pointer in fault; -ENOMEM.
 */
VD_MUST int vd_configuration_read(const cJSON *body, struct vd_configuration *configuration,
				  struct vd_fault *fault);

/* Parses target_text and metrics again after loading. Refusals and errors as above. */
VD_MUST int vd_configuration_compile(struct vd_configuration *configuration,
				     struct vd_fault *fault);

/* A content ({"deviceContent":…} …) as it stands in a configuration or is applied once. */
VD_MUST int vd_content_check(const cJSON *content, struct vd_fault *fault);

/*
 * Does it deploy to Azure IoT Edge: has it anything for $edgeAgent? Then the hub counts by itself in
 * how many devices that module says that it has done what it was told, and in how many it failed.
 */
bool vd_content_is_edge(const cJSON *content);
extern const char *const vd_configuration_edge_metrics[2]; /* names in results */

/* What the content has for a device's own twin, a module named so, or any targeted module. NULL. */
const cJSON *vd_content_device(const cJSON *content);
const cJSON *vd_content_module(const cJSON *content, const char *module);
const cJSON *vd_content_any_module(const cJSON *content);
/* All named modules: an object by name; NULL: none. */
const cJSON *vd_content_modules(const cJSON *content);

/* A metric's query: over twins, and no aggregate. VD_REFUSED_ARGUMENT; -ENOMEM. */
VD_MUST int vd_metric_parse(const char *text, struct vd_query **ret_query, struct vd_fault *fault);

/* Azure's shape; NULL: no memory. */
cJSON *vd_configuration_json(const struct vd_configuration *configuration, int64_t targeted,
			     int64_t applied);
