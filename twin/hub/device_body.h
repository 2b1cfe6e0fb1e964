/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/json.h"
#include "twin/hub/store/store.h"

/*
 * Takes over what the body of PUT /devices/{id} says into device: identity, status and
 * authentication. Absent members stay as they are; empty keys are left for the caller to make.
 * VD_REFUSED_ARGUMENT with the pointer in fault.
 */
VD_MUST int vd_device_body_read(const cJSON *body, struct vd_device *device,
				struct vd_fault *fault);
