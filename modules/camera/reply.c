/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/reply.h"

#include "base/log.h"

void vd_reply(struct vd_module *module, int64_t id, int status, const cJSON *body)
{
	int r = vd_module_answer(module, id, status, body);

	if (r != 0)
		vd_log(VD_WARN, "camera.answer", "id=%lld error=%d", (long long)id, r);
}

void vd_reply_text(struct vd_module *module, int64_t id, int status, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	if (body && vd_json_add_string(body, "text", text))
		vd_reply(module, id, status, body);
	else
		vd_reply(module, id, 500, NULL);
}
