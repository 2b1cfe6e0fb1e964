/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/automation/configuration.h"
#include "twin/hub/store/store.h"
#include "twin/hub/store/twin_index.h"

/* Configurations in the store, and what they did to twins. Results as in store.h. */
typedef int (*vd_configuration_fn)(struct vd_configuration *configuration, void *argument);

/* By priority, then age, then id: the strongest last. fn may take what it points at. Not compiled. */
VD_MUST int vd_store_configurations(struct vd_store *store, vd_configuration_fn fn, void *argument);
VD_MUST int vd_store_configuration_put(struct vd_store *store,
				       const struct vd_configuration *configuration);
VD_MUST int vd_store_configuration_delete(struct vd_store *store, const char *id);
VD_MUST int vd_store_configuration_set_results(struct vd_store *store, const char *id,
					       const cJSON *results);
/* Of devices, with all of their modules that it sets; or of modules, each for itself. */
VD_MUST int vd_store_configuration_counts(struct vd_store *store, const char *id,
					  bool is_of_modules, int64_t *ret_targeted,
					  int64_t *ret_applied);

/* Whom it targets, in the order of their names. fn as in twin_index.h. */
VD_MUST int vd_store_configuration_targets(struct vd_store *store, const char *id, vd_name_fn fn,
					   void *argument);

/* A twin's `configurations`: {"id": {"status": "Targeted"|"Applied"}}; {} if there are none. */
VD_MUST int vd_store_statuses_get(struct vd_store *store, const struct vd_name *name,
				  cJSON **ret_statuses);
/* Replaces them; in the caller's transaction. */
VD_MUST int vd_store_statuses_put(struct vd_store *store, const struct vd_name *name,
				  const cJSON *statuses);

/* What configurations have set in the twin. VD_STORE_NONE: nothing. */
VD_MUST int vd_store_settings_get(struct vd_store *store, const struct vd_name *name,
				  cJSON **ret_settings, bool *ret_stays);
/* {} deletes; in the caller's transaction. stays: it is not taken back when nothing follows. */
VD_MUST int vd_store_settings_put(struct vd_store *store, const struct vd_name *name,
				  const cJSON *settings, bool stays);

/*
 * Up to count ids of devices behind `after`, in their order; the number in ret_count. only_set: only
 * those in whose twins configurations have set something.
 */
VD_MUST int vd_store_device_ids(struct vd_store *store, bool only_set, const char *after,
				size_t count, char (*ids)[VD_PART_BYTES], size_t *ret_count);
