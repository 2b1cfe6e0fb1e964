/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/source.h"

/*
 * A GigE Vision or USB3 Vision camera, through Aravis. It runs freely, or its exposure is started
 * by each capture (deviceTrigger Software), or by an input of its own. An incomplete frame is a
 * failed capture.
 */
VD_MUST int vd_aravis_source_new(const struct vd_camera_settings *settings,
				 struct vd_camera_source **ret_source);
