/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/json.h"
#include "modules/camera/v4l2_io.h"

/*
 * What the open device can do: [{"pixelFormat":"MJPG","sizes":[{"width","height","fps":[30,15]}]}];
 * a size that is a range has widthMost and heightMost too, and one of which the driver does not
 * name rates no fps. Bounded, whatever the driver enumerates. NULL: no memory.
 */
cJSON *vd_v4l2_modes(const struct vd_v4l2_io *io, int fd);
