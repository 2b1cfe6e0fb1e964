/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/camera/source.h"

/*
 * A camera that answers GET with a JPEG. Opening asks for one picture, which proves that the
 * camera is there; each capture asks for its own, after its trigger. No redirect is followed, no
 * proxy asked and no cookie kept.
 */
VD_MUST int vd_http_source_new(const struct vd_camera_settings *settings, const char *state_folder,
			       struct vd_camera_source **ret_source);
