/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store.h"

/* Twins as the store has them, for whoever looks at many. Texts are borrowed for the call. */
struct vd_twin_text {
	struct vd_name name;
	const char *tags, *desired, *reported;
	size_t tags_len, desired_len, reported_len;
};
typedef int (*vd_twin_text_fn)(const struct vd_twin_text *twin, void *argument);

/*
 * All twins of devices, or of modules, behind `after`, by device and module. fn may use the store;
 * not 0 ends the walk and is returned.
 */
VD_MUST int vd_store_twin_texts(struct vd_store *store, bool of_modules,
				const struct vd_name *after, vd_twin_text_fn fn, void *argument);
