/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"

/* What devices say of their desired documents, as store.h. */
struct vd_drift_row {
	struct vd_name name;
	int64_t desired_version;
	int64_t in_force; /* as the device reports; -1: it says nothing */
	int64_t code;     /* of its answer to the last one it looked at; 0: none */
	int64_t since_ms; /* when the first document came that it has not in force; 0: unknown */
	bool is_behind;
};
typedef int (*vd_drift_fn)(const struct vd_drift_row *row, void *argument);

/* The twins of devices behind `after`, in the order of names: all of them, behind or not. */
VD_MUST int vd_store_drift_each(struct vd_store *store, const char *after, int limit,
				vd_drift_fn fn, void *argument);
