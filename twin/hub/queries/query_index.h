/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/loop.h"
#include "twin/hub/config.h"
#include "twin/hub/store/store.h"

/*
 * The index of queries as the configuration wants it: given to the store at the start, and built a
 * slice at a time if the store has none like it. Until that is done, queries look everywhere.
 */
struct vd_query_index;

/*
 * Paths of the configuration as queries spell them, which must lie below properties.desired or
 * properties.reported. 400 in fault and -EINVAL; -ENOMEM.
 */
VD_MUST int vd_query_index_check(const struct vd_config *config, struct vd_fault *fault);

/* store is borrowed. loop NULL: only the paths are set. */
VD_MUST int vd_query_index_new(struct vd_loop *loop, struct vd_store *store,
			       const struct vd_config *config, struct vd_query_index **ret_index,
			       struct vd_fault *fault);
struct vd_query_index *vd_query_index_free(struct vd_query_index *index);
VD_DEFINE_CLEANUP(struct vd_query_index, vd_query_index_free)
