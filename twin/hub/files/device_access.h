/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "twin/hub/call.h"
#include "twin/hub/store/store.h"

/*
 * May this call speak for the device? Its token is signed with one of the device's keys, or with a
 * policy that has DeviceConnect, for the device's resource, and it is enabled. VD_REFUSED_UNAUTHORIZED
 * otherwise.
 */
VD_MUST int vd_device_access(struct vd_store *store, const char *host_name, int64_t now_ms,
			     struct vd_call *call, const struct vd_name *name,
			     struct vd_fault *fault);
