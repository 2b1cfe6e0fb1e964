/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/automation/configuration_list.h"
#include "twin/hub/devices.h"
#include "twin/hub/twins.h"

/* Brings devices to what configurations want of them. All is borrowed. */
struct vd_reach {
	struct vd_store *store;
	struct vd_devices *devices;
	struct vd_twins *twins;
	struct vd_configuration_list *list;
};

/* A device and its modules; one that is gone is done. is_sweep: counts in list->found. */
VD_MUST int vd_reach_device(const struct vd_reach *reach, const char *id, bool is_sweep,
			    int64_t now_ms);

/* Puts a content in force for one device, once. Modules that it names are made. */
VD_MUST int vd_reach_apply(const struct vd_reach *reach, const char *device, const cJSON *content,
			   const char *author, int64_t now_ms, struct vd_fault *fault);
