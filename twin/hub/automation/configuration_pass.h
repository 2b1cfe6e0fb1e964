/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/automation/configuration_reach.h"

/*
 * Whom a change of one configuration concerns: those that it has targeted, and those that its
 * condition selects now; nobody else is looked at. Then its metrics are counted. A pass goes on a
 * slice at a time, with a copy of the configuration as it was when it began.
 */
struct vd_configuration_pass;

/*
 * Before the change is stored: changed NULL is a deletion, former NULL a creation. VD_STORE_NONE: it
 * concerns nobody.
 */
VD_MUST int vd_configuration_pass_new(struct vd_store *store, const struct vd_configuration *former,
				      const struct vd_configuration *changed,
				      struct vd_configuration_pass **ret_pass);
struct vd_configuration_pass *vd_configuration_pass_free(struct vd_configuration_pass *pass);
VD_DEFINE_CLEANUP(struct vd_configuration_pass, vd_configuration_pass_free)

/*
 * Calls look for each device until until_ms (monotonic). *ret_is_done: nothing is left, and the
 * metrics are in the list. A failure ends the pass.
 */
typedef void (*vd_device_look_fn)(const char *device, void *argument);
VD_MUST int vd_configuration_pass_run(struct vd_configuration_pass *pass,
				      struct vd_configuration_list *list, uint64_t until_ms,
				      vd_device_look_fn look, void *argument, bool *ret_is_done);
