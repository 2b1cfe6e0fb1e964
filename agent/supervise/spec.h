/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "agent/supervise/supervisor.h"

/*
 * A copy of a vd_module_spec that owns its strings and has every default filled in.
 */
VD_MUST int vd_spec_copy(const struct vd_module_spec *from, struct vd_module_spec **ret_spec);
struct vd_module_spec *vd_spec_free(struct vd_module_spec *spec); /* one of vd_spec_copy */

/* -EINVAL with 400 in fault: what of it cannot be. */
VD_MUST int vd_spec_check(const struct vd_module_spec *spec, struct vd_fault *fault);

/* Would a process started by one be the same as one started by the other? */
bool vd_spec_is_same_process(const struct vd_module_spec *a, const struct vd_module_spec *b);
