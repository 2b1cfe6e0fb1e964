/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * Two cameras of one make without serial numbers claim the same name below /dev/v4l/by-id, and it
 * belongs to whichever was plugged in last. Is there another camera that the name of this one,
 * /dev/v4l/by-id/NAME, would fit as well?
 *
 * sysfs: "/sys"; path: a link to /dev/videoN. 1 with the name of the other device; 0: none, or not
 * a camera on USB.
 */
VD_MUST int vd_v4l2_has_twin(const char *sysfs, const char *path, char *ret_other, size_t size);
