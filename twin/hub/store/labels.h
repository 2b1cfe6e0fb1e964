/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/digest.h"
#include "twin/hub/store/store.h"

/* What people say of items and images; rows are added and never changed. As store.h. */
struct vd_label {
	int64_t id;
	const char *device, *item, *sha256; /* item or sha256 may be "" */
	int64_t created_ms;
	const char *author, *body; /* body: JSON */
};

VD_MUST int vd_store_label_add(struct vd_store *store, const struct vd_label *label,
			       int64_t *ret_id);

struct vd_label_filter {
	const char *device, *item, *sha256; /* NULL: any */
	int64_t after;
	int limit;
};
/* Oldest first; fn returns 0 to go on. */
typedef int (*vd_label_fn)(const struct vd_label *label, void *argument);
VD_MUST int vd_store_label_each(struct vd_store *store, const struct vd_label_filter *filter,
				vd_label_fn fn, void *argument);
