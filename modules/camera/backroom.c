/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/backroom.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

bool vd_shot_describe(const struct vd_shot *shot, cJSON *object)
{
	const struct vd_camera_frame *frame = &shot->frame;
	char wall[VD_TIME_TEXT];

	return (shot->seq == 0 || vd_json_add_number(object, "seq", (double)shot->seq)) &&
	       vd_json_add_number(object, "tMono", (double)frame->t_mono_ms) &&
	       vd_json_add_string(object, "tWall", vd_time_text(frame->t_wall_ms, wall)) &&
	       vd_json_add_string(object, "format",
				  frame->format == VD_FRAME_GREY ? "grey" : "jpeg") &&
	       vd_json_add_number(object, "width", frame->width) &&
	       vd_json_add_number(object, "height", frame->height) &&
	       (!shot->serial[0] || vd_json_add_string(object, "serial", shot->serial)) &&
	       vd_json_add_string(object, "trigger", shot->trigger);
}

cJSON *vd_kept_body(const char *kind, const char *name, const struct vd_fault *fault)
{
	cJSON *body = cJSON_CreateObject();

	if (body && vd_json_add_string(body, "kind", kind) &&
	    vd_json_add_string(body, "name", name) &&
	    vd_json_add_string(body, "state", fault->code ? "failed" : "ok") &&
	    (!fault->code || vd_json_add_string(body, "text", fault->text)))
		return body;
	return vd_json_free(body);
}

void vd_kept_publish(struct vd_module *module, const cJSON *body,
		     const struct vd_attachment *attachment)
{
	const struct vd_publication publication = {
		.output = "kept",
		.record_class = "event",
		.body = body,
		.attachments = attachment,
		.attachment_count = attachment ? 1 : 0,
	};
	int r = body ? vd_module_publish(module, &publication, NULL) : -ENOMEM;

	if (r != 0)
		vd_log(VD_ERROR, "camera.kept_untold", "name=%s error=%d",
		       vd_json_string(body, "name", ""), r);
}
