/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "twin/hub/store/store.h"

/* What given.h decides about, as a row for each device or module. */
struct vd_given {
	int64_t version;
	int64_t sure_version; /* -1: none */
	int64_t given_ms;     /* wall clock, when version was given */
};

/* VD_STORE_NONE: it was given nothing yet. Setting does not wait for the disk. */
VD_MUST int vd_store_given_get(struct vd_store *store, const struct vd_name *name,
			       struct vd_given *ret_given);
VD_MUST int vd_store_given_set(struct vd_store *store, const struct vd_name *name,
			       const struct vd_given *given);
