/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"

/* Messages that could not be read, as store.h; adding and counting are there. */
typedef int (*vd_letter_fn)(int64_t id, const struct vd_dead_letter *letter, void *argument);

/* Ids above `after`; device NULL: any. fn must not write. */
VD_MUST int vd_store_letter_each(struct vd_store *store, const char *device, int64_t after,
				 int limit, vd_letter_fn fn, void *argument);
VD_MUST int vd_store_letter_get(struct vd_store *store, int64_t id, vd_letter_fn fn,
				void *argument);
VD_MUST int vd_store_letter_remove(struct vd_store *store, int64_t id);
