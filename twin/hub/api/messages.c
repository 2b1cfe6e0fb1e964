/* SPDX-License-Identifier: Apache-2.0 */
/* /devices/{id}/messages/deviceBound (ours: Azure's service sends over AMQP) and /commands */
#include "twin/hub/api/api.h"

#include <errno.h>

#include "twin/hub/c2d.h"
#include "twin/hub/devices.h"

int vd_api_message_post(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *sent = NULL;
	struct vd_device device;
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = vd_api_named(api, call, &device, fault);
	if (r == 0)
		r = vd_c2d_send(api->c2d, &device, body, now_ms, &sent, fault);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &sent);
	return r;
}

int vd_api_messages_purge(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_device device;
	int count = 0;
	int r = vd_api_named(api, call, &device, fault);

	if (r == 0)
		r = vd_c2d_purge(api->c2d, &device.name, &count);
	if (r != 0)
		return r;
	if (!body || !vd_json_add_number(body, "totalMessagesPurged", count) ||
	    !vd_json_add_string(body, "deviceId", device.name.device) ||
	    !vd_json_add_string(body, "moduleId", NULL))
		return -ENOMEM;
	vd_reply_json(&call->reply, 200, &body);
	return 0;
}
