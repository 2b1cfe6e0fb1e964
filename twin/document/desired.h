/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/json.h"
#include "base/log.h"
#include "twin/document/route.h"

/*
 * What a device is asked to be: properties.desired of its twin, checked whole and taken apart.
 * vedette-twin(5) describes the document; desired.json is its schema. Module parameters are not
 * looked into: each module's own schema does that.
 */
struct vd_desired_env {
	const char *name, *value;
};

struct vd_desired_module {
	const char *id;      /* a legal twin key, file name and end of a route */
	const char *package; /* likewise a file name: no '/', no '.' in front */
	const char *version; /* likewise; never "latest" */
	const char
		*sha256; /* of the package, 64 hexadecimal digits in lower case; NULL: not given */
	bool is_running; /* status */
	const char *restart_policy; /* "never" "on-failure" "on-unhealthy" "always" */
	uint32_t startup_order;     /* lower first */
	struct {
		uint64_t memory_bytes; /* 0: none */
		double cpu_percent;    /* of one processor; 0: none */
		uint32_t processes;    /* 0: none */
	} limits;
	const struct vd_desired_env *env;
	size_t env_count;
	uint32_t ready_timeout_ms, stop_timeout_ms, heartbeat_ms, work_deadline_ms;
	const cJSON *parameters; /* an object, {} if the document has none */
};

struct vd_desired {
	int64_t version; /* $version; -1: the document has none */
	struct {
		enum vd_log_level log_level;
		uint32_t report_interval_ms;
		uint64_t outbox_max_bytes;
		uint64_t outbox_max_age_s; /* 0: no limit */
		bool uploads_images;
		uint64_t image_bytes_per_second; /* 0: no limit */
	} agent;
	const struct vd_desired_module *modules; /* by startup order, then id */
	size_t module_count;
	const struct vd_route *routes; /* by name; both ends are modules of this document */
	size_t route_count;
};

/*
 * Reads a desired document ($version and $metadata may stand in it). Everything in *ret_desired
 * belongs to it and lives until vd_desired_free; `desired` itself is not needed any more.
 *
 * -EINVAL, with the place and the reason in fault: 400 bad, 413 over a twin's limits, 412
 * schemaVersion of another time, 417 nothing in the document (nobody has configured this device
 * yet: keep what runs). -ENOMEM.
 */
VD_MUST int vd_desired_parse(const cJSON *desired, struct vd_desired **ret_desired,
			     struct vd_fault *fault);
struct vd_desired *vd_desired_free(struct vd_desired *desired); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_desired, vd_desired_free)

/* NULL: the document has no such module. */
const struct vd_desired_module *vd_desired_module(const struct vd_desired *desired, const char *id);

/* The schema of the document, parsed; free it with vd_json_free. -ENOMEM. */
VD_MUST int vd_desired_schema(cJSON **ret_schema);
