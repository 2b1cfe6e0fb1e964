/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/jobs.h"
#include "twin/query/query.h"

/* Jobs as Azure's JSON: what is asked for, and what is shown. */
#define VD_JOB_UPDATE "scheduleUpdateTwin"
#define VD_JOB_METHOD "scheduleDeviceMethod"

/* The queryCondition of a request; "*" and none select all devices. VD_REFUSED_ARGUMENT; -ENOMEM. */
VD_MUST int vd_job_condition(const cJSON *request, struct vd_query **ret_query,
			     struct vd_fault *fault);

/* *job is filled but for its author. Refusals as above. */
VD_MUST int vd_job_read(const char *id, const cJSON *body, int64_t now_ms, struct vd_job *job,
			struct vd_fault *fault);

/* With the counts of its devices. 0 or -errno. */
VD_MUST int vd_job_json(struct vd_store *store, const struct vd_job *job, cJSON **ret_json);

/* What FROM devices.jobs selects from. NULL: no memory. */
cJSON *vd_job_device_json(const struct vd_job_device *device, const char *type);
