/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/automation/configuration.h"
#include "twin/hub/store/store.h"

/* The configurations of the store, read and compiled, the strongest last. */
enum { VD_CONFIGURATIONS_MAX = 100 };

struct vd_configuration_list {
	struct vd_configuration *items;
	size_t count;
	int64_t (*found)[VD_CONFIGURATION_QUERIES]; /* by those who count, a row an item */
};
void vd_configuration_list_fini(struct vd_configuration_list *list);

/* Again from the store; found is zero. After a failure the list is incomplete. 0 or -errno. */
VD_MUST int vd_configuration_list_load(struct vd_configuration_list *list, struct vd_store *store);

/* NULL: there is none. */
struct vd_configuration *vd_configuration_list_find(const struct vd_configuration_list *list,
						    const char *id);

/* What the metrics of a configuration have found becomes its results, also in the store. */
void vd_configuration_set_results(struct vd_store *store, struct vd_configuration *configuration,
				  const int64_t found[static VD_CONFIGURATION_QUERIES]);
