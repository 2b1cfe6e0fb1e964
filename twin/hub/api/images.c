/* SPDX-License-Identifier: Apache-2.0 */
/* /devices/{id}/files (Azure's), the address that it hands out, and /images (ours) */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/files/image_files.h"
#include "twin/hub/files/images.h"
#include "twin/hub/policies.h"
#include "twin/hub/files/thumbnails.h"

enum { LIST_MAX = 1000, LIST_DEFAULT = 100, WIDTH_MAX = 640 };

/* The device that the path names has to be the one that asks. */
static int device_body(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_name *ret_name, cJSON **ret_body, struct vd_fault *fault)
{
	int r = vd_api_from_device(api, call, now_ms, ret_name, fault);

	return r == 0 ? vd_call_object(call, ret_body, fault) : r;
}

int vd_api_file_offer(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *offer = NULL;
	struct vd_name name;
	int r = device_body(api, call, now_ms, &name, &body, fault);

	if (r == 0)
		r = vd_images_offer(api->images, name.device, vd_json_string(body, "blobName", ""),
				    now_ms, &offer, fault);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &offer);
	return r;
}

/* The correlation id is the path's last part, or in the body: Azure's SDKs do either. */
int vd_api_file_notify(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	const char *id = call->segment_count > 4 ? call->segments[4] : NULL;
	struct vd_name name;
	int r = device_body(api, call, now_ms, &name, &body, fault);

	if (r == 0)
		r = vd_images_notified(api->images, name.device,
				       id ? id : vd_json_string(body, "correlationId", ""), body,
				       fault);
	if (r == 0)
		call->reply.status = 204;
	return r;
}

/* The front asks with the PUT's address before it takes the body. */
int vd_api_file_check(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	struct vd_upload upload;
	int r = vd_images_check(api->images, call, now_ms, &upload, fault);

	if (r == 0)
		call->reply.status = 204;
	return r;
}

int vd_api_file_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		    struct vd_fault *fault)
{
	return vd_images_put(api->images, call, now_ms, fault);
}

static int add_image(const struct vd_image *image, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "deviceId", image->device) ||
	    !vd_json_add_string(json, "blobName", image->blob_name) ||
	    !vd_json_add_string(json, "sha256", image->digest) ||
	    !vd_json_add_number(json, "bytes", (double)image->bytes) ||
	    !vd_json_add_string(json, "contentType", image->content_type) ||
	    !vd_json_add_string(json, "storedTime", vd_time_text(image->stored_ms, time)) ||
	    !cJSON_AddItemToArray(argument, json))
		return -ENOMEM;
	json = NULL;
	return 0;
}

int vd_api_images_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int64_t limit = 0;
	int r = list ? vd_call_number(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, fault)
		     : -ENOMEM;

	if (r == 0)
		r = vd_store_image_each(api->store, vd_call_argument(call, "deviceId"),
					vd_call_argument(call, "sha256"), (int)limit, add_image,
					list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

int vd_api_image_link(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *link = NULL;
	int64_t valid_s = 0;
	int r = vd_call_number(call, "seconds", 1, VD_LINK_TTL_MAX_S, VD_LINK_TTL_S, &valid_s,
			       fault);

	if (r == 0)
		r = vd_images_link(api->images, call->segments[1], valid_s, now_ms, &link, fault);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &link);
	return r;
}

/* ?width= asks for a small copy. The front sends the file itself. */
static int send_image(struct vd_api *api, struct vd_call *call, struct vd_fault *fault)
{
	char place[VD_SHA256_TEXT + 3];
	struct vd_image image;
	int64_t width = 0;
	int r = vd_call_number(call, "width", 1, WIDTH_MAX, 0, &width, fault);

	if (r != 0)
		return r;
	r = vd_store_image_get(api->store, call->segments[1], &image);

	if (r == VD_STORE_NONE) {
		vd_fault_set(fault, 404, "", "there is no such image");
		return VD_REFUSED_NO_SUCH;
	}
	if (r != 0)
		return r;
	if (width)
		return vd_thumbnails_answer(api->thumbnails, image.digest,
					    vd_thumbnail_width(width), call, fault);
	call->reply.status = 200;
	(void)snprintf(call->reply.file, sizeof call->reply.file, "/.images/%s",
		       vd_image_files_place(image.digest, place));
	(void)snprintf(call->reply.content_type, sizeof call->reply.content_type, "%s",
		       image.content_type);
	return 0;
}

int vd_api_image_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		     struct vd_fault *fault)
{
	bool has_token = call->authorization && call->authorization[0];
	int r = has_token ? vd_policies_authorize(api->store, api->host_name, VD_RIGHT_SERVICE,
						  now_ms, call, fault)
			  : vd_images_check_link(api->images, call, now_ms, fault);

	return r == 0 ? send_image(api, call, fault) : r;
}
