/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/json.h"
#include "modules/camera/aravis_library.h"

/*
 * Sets each member of wanted, a GenICam feature by its name, in order, reads it back and adds
 * {wanted, actual, text} to report; text where it is not as wanted. How many deviate, or -ENOMEM.
 */
VD_MUST int vd_aravis_controls_apply(const struct vd_aravis *arv, struct _ArvCamera *camera,
				     const cJSON *wanted, cJSON *report);
