/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/source.h"

#include "modules/camera/aravis.h"
#include "modules/camera/folder.h"
#include "modules/camera/http.h"
#include "modules/camera/v4l2.h"

int vd_camera_source_new(const struct vd_camera_settings *settings, const char *state_folder,
			 struct vd_camera_source **ret_source)
{
	if (settings->kind == VD_CAMERA_V4L2)
		return vd_v4l2_source_new(settings, &vd_v4l2_kernel, ret_source);
	if (settings->kind == VD_CAMERA_ARAVIS)
		return vd_aravis_source_new(settings, ret_source);
	if (settings->kind == VD_CAMERA_HTTP)
		return vd_http_source_new(settings, state_folder, ret_source);
	return vd_folder_source_new(settings, state_folder, ret_source);
}

struct vd_camera_source *vd_camera_source_free(struct vd_camera_source *source)
{
	return source ? source->type->free(source) : NULL;
}

void vd_camera_frame_fini(struct vd_camera_frame *frame)
{
	vd_buf_fini(&frame->bytes);
	*frame = (struct vd_camera_frame){ 0 };
}
