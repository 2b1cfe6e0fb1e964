/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/source.h"
#include "modules/camera/v4l2_io.h"

/*
 * A Video4Linux2 capture device, streaming through mapped buffers. Between captures the device is
 * kept drained, so that what a capture gets was taken for it, and so that a device that went or
 * stalls is found without one.
 */
VD_MUST int vd_v4l2_source_new(const struct vd_camera_settings *settings,
			       const struct vd_v4l2_io *io, struct vd_camera_source **ret_source);
