/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/sdk/module.h"

/* The module's life on the loop: frames in, items to the worker, verdicts out, reports. */
struct vd_station;

VD_MUST int vd_station_new(struct vd_module *module, const cJSON *parameters,
			   struct vd_station **ret_station, struct vd_fault *fault);
struct vd_station *vd_station_free(struct vd_station *station);

/* For the items that are triggered from now on. -EINVAL with fault: the old set stays. */
VD_MUST int vd_station_configure(struct vd_station *station, const cJSON *parameters,
				 struct vd_fault *fault);

void vd_station_message(struct vd_station *station, const char *input, const char *from,
			const cJSON *body);
void vd_station_call(struct vd_station *station, int64_t id, const char *method, const cJSON *body);

/* true: nothing is in hand. Else vd_module_exit follows when the last verdict is out. */
bool vd_station_stop(struct vd_station *station);
