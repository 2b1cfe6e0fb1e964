/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/source.h"

/*
 * A folder of JPEG files that stands for a camera. Each capture is one file, bit for bit; a file
 * that is missing, empty, too large or no JPEG is a failed capture with its name and cause, and
 * the next capture is the next file. With `resume` the position is kept in
 * STATE/position.json once a frame was handed over.
 */
VD_MUST int vd_folder_source_new(const struct vd_camera_settings *settings,
				 const char *state_folder, struct vd_camera_source **ret_source);
