/* SPDX-License-Identifier: Apache-2.0 */
/* /devices, /devices/{id}/modules and /statistics */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <stdio.h>

#include "twin/hub/devices.h"
#include "twin/hub/etag.h"

enum { LIST_MAX = 1000 };

static int add_to_list(const struct vd_device *device, void *argument)
{
	cJSON *json = vd_device_json(device);

	if (!json || !cJSON_AddItemToArray(argument, json)) {
		(void)vd_json_free(json);
		return -ENOMEM;
	}
	return 0;
}

int vd_api_devices_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int64_t top = 0;
	int r = list ? vd_call_number(call, "top", 1, LIST_MAX, LIST_MAX, &top, fault) : -ENOMEM;

	if (r == 0)
		r = vd_store_devices(api->store, (int)top, add_to_list, list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

int vd_api_modules_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	struct vd_device device;
	int r = list ? vd_api_named(api, call, &device, fault) : -ENOMEM;

	if (r == 0)
		r = vd_store_modules(api->store, device.name.device, add_to_list, list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

static void reply_device(struct vd_call *call, const struct vd_device *device)
{
	VD_CLEANUP(vd_json_free) cJSON *body = vd_device_json(device);
	char etag[VD_ETAG_BYTES];

	(void)snprintf(call->reply.etag, sizeof call->reply.etag, "\"%s\"",
		       vd_etag_text(device->etag, etag));
	vd_reply_json(&call->reply, 200, &body);
}

int vd_api_device_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	struct vd_device device;
	int r = vd_api_named(api, call, &device, fault);

	if (r == 0)
		reply_device(call, &device);
	return r;
}

int vd_api_device_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_device device;
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	if (r == 0)
		r = vd_call_object(call, &body, fault);
	if (r == 0)
		r = vd_devices_put(api->devices, &name, call->if_match, body, now_ms, &device,
				   fault);
	if (r == 0)
		reply_device(call, &device);
	return r;
}

int vd_api_device_delete(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	if (r == 0)
		r = vd_devices_delete(api->devices, &name, call->if_match, fault);
	if (r == 0)
		call->reply.status = 204;
	return r;
}

int vd_api_statistics_devices(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_device_counts counts;
	int r = vd_store_device_counts(api->store, &counts);

	if (r != 0)
		return r;
	if (!body || !vd_json_add_number(body, "totalDeviceCount", (double)counts.total) ||
	    !vd_json_add_number(body, "enabledDeviceCount", (double)counts.enabled) ||
	    !vd_json_add_number(body, "disabledDeviceCount", (double)counts.disabled))
		return -ENOMEM;
	vd_reply_json(&call->reply, 200, &body);
	return 0;
}

int vd_api_statistics_service(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_device_counts counts;
	int r = vd_store_device_counts(api->store, &counts);

	if (r != 0)
		return r;
	if (!body || !vd_json_add_number(body, "connectedDeviceCount", (double)counts.connected))
		return -ENOMEM;
	vd_reply_json(&call->reply, 200, &body);
	return 0;
}
