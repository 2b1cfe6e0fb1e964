/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/fault.h"
#include "base/json.h"

/*
 * What configurations set in a twin: an object of paths and values,
 *   {"properties.desired.modules.cam-top.parameters.fps": 15}
 * where a path names a subtree of the desired properties that the value becomes;
 * "properties.desired" is all of them. No path of one such object lies below another. Pure.
 */

/*
 * Is this such an object? A value has no null anywhere, and is an object if the path is all. 400 or
 * 413 in fault and -EINVAL, the pointer is the path.
 */
VD_MUST int vd_settings_check(const cJSON *settings, struct vd_fault *fault);

struct vd_settings_layer {
	const cJSON *settings;
	bool is_in_force; /* out: some of it survived the layers above */
};

/*
 * The layers one over the other, lowest first: a path takes the place of what lower layers say of
 * it and of everything below it, and leaves the rest of theirs. -ENOMEM.
 */
VD_MUST int vd_settings_merge(struct vd_settings_layer *layers, size_t count, cJSON **ret_settings);

/*
 * The merge patch of a desired document that takes back the settings `before` and puts `after` in
 * force; {} if it says so already. What before set and somebody changed since goes, too;
 * objects that hold a setting stay when it goes, even empty. -ENOMEM.
 */
VD_MUST int vd_settings_patch(const cJSON *desired, const cJSON *before, const cJSON *after,
			      cJSON **ret_patch);
