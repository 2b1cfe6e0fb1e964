/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "twin/hub/automation/configuration_list.h"
#include "twin/hub/store/store.h"

/*
 * Automatic device management: configurations, and the twins that follow them. A twin is looked at
 * when something changes that a target condition reads, when it is created, when somebody
 * changes what configurations have set there, and when a configuration that targets it, or will,
 * changes; all twins at the start and every five minutes. That goes on beside everything else, a
 * slice at a time.
 *
 * Calls return 0, an enum vd_refusal with its text in fault, or -errno.
 */
enum { VD_CONFIGURATIONS_EVERY_MS = 300000 };

struct vd_devices;
struct vd_twins;
struct vd_configurations;

/* What is given is borrowed for its life. loop NULL: nothing happens before vd_configurations_run. */
VD_MUST int vd_configurations_new(struct vd_loop *loop, struct vd_store *store,
				  struct vd_devices *devices, struct vd_twins *twins,
				  struct vd_configurations **ret_configurations);
struct vd_configurations *vd_configurations_free(struct vd_configurations *configurations);
VD_DEFINE_CLEANUP(struct vd_configurations, vd_configurations_free)

/* As the events of devices.h and twins.h. */
void vd_configurations_identity_changed(struct vd_configurations *configurations,
					const struct vd_name *name, const char *operation);
void vd_configurations_twin_changed(struct vd_configurations *configurations,
				    const struct vd_name *name, const char *operation,
				    const cJSON *body);

/* Does what is due for up to budget_ms; true: there is more. For tests and benchmarks. */
bool vd_configurations_run(struct vd_configurations *configurations, uint64_t budget_ms,
			   int64_t now_ms);

/* Azure's PUT: without if_match it creates, with it updates. */
VD_MUST int vd_configurations_put(struct vd_configurations *configurations, const char *id,
				  const char *if_match, const cJSON *body, int64_t now_ms,
				  cJSON **ret_json, struct vd_fault *fault);
VD_MUST int vd_configurations_get(struct vd_configurations *configurations, const char *id,
				  cJSON **ret_json, struct vd_fault *fault);
VD_MUST int vd_configurations_list(struct vd_configurations *configurations, int limit,
				   cJSON **ret_list);
VD_MUST int vd_configurations_delete(struct vd_configurations *configurations, const char *id,
				     const char *if_match, struct vd_fault *fault);

/* Puts a content in force for one device, once. Modules that it names are made. */
VD_MUST int vd_configurations_apply(struct vd_configurations *configurations, const char *device,
				    const cJSON *content, const char *author, int64_t now_ms,
				    struct vd_fault *fault);
