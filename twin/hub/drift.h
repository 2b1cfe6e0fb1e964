/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/queries/slices.h"
#include "twin/hub/store/store.h"

/*
 * The devices that do not run what they are asked to: the desired version is above the one that
 * they report in force, and has been since before before_ms. {"items":[{"deviceId","desiredVersion",
 * "inForce","code","since"}…],"continuation"?}, by id, behind `after`, at most limit. Results as
 * vd_slices_run; slices may be NULL.
 */
enum { VD_DRIFT_MAX = 1000 };
VD_MUST int vd_drift_list(struct vd_slices *slices, struct vd_store *store, struct vd_call *call,
			  int64_t before_ms, const char *after, int limit, struct vd_fault *fault);
