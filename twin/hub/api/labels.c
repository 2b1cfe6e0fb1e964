/* SPDX-License-Identifier: Apache-2.0 */
/* /labels (ours): what people say of items and images. Nothing is changed: a later label counts. */
#include "twin/hub/store/labels.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/schema.h"
#include "twin/hub/api/api.h"
#include "twin/hub/store/images.h"

enum { PAGE_MAX = 1000, PAGE_DEFAULT = 100 };

extern const char vd_label_schema[];
extern const size_t vd_label_schema_len;

static int refuse(struct vd_fault *fault, int code, const char *pointer, const char *text)
{
	vd_fault_set(fault, code, pointer, "%s", text);
	return code == 404 ? VD_REFUSED_NO_SUCH : VD_REFUSED_ARGUMENT;
}

static int check_form(cJSON *body, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	int r = vd_json_parse(vd_label_schema, vd_label_schema_len, &schema, NULL);

	if (r == 0)
		r = vd_schema_check(schema, body, fault);
	if (r == -EINVAL)
		return VD_REFUSED_ARGUMENT;
	return r == 0 ? vd_schema_fill(schema, body) : r;
}

static int check_subject(struct vd_api *api, const struct vd_label *label, struct vd_fault *fault)
{
	struct vd_image image;
	struct vd_name name;
	int r;

	if (vd_name_make(label->device, NULL, &name) < 0)
		return refuse(fault, 400, "/deviceId", "is no id of a device");
	if (!label->item[0] && !label->sha256[0])
		return refuse(fault, 400, "", "either itemId or sha256 says what is meant");
	if (!label->sha256[0])
		return 0;
	if (strspn(label->sha256, "0123456789abcdef") != 64)
		return refuse(fault, 400, "/sha256", "is not 64 lower-case hexadecimal digits");
	r = vd_store_image_get(api->store, label->sha256, &image);
	return r == VD_STORE_NONE ? refuse(fault, 404, "/sha256", "there is no such image") : r;
}

static bool add_subject(cJSON *json, const struct vd_label *label)
{
	char time[VD_TIME_TEXT];

	return vd_json_add_number(json, "id", (double)label->id) &&
	       vd_json_add_string(json, "deviceId", label->device) &&
	       (!label->item[0] || vd_json_add_string(json, "itemId", label->item)) &&
	       (!label->sha256[0] || vd_json_add_string(json, "sha256", label->sha256)) &&
	       vd_json_add_string(json, "createdTime", vd_time_text(label->created_ms, time)) &&
	       vd_json_add_string(json, "author", label->author);
}

static bool add_saying(cJSON *json, const cJSON *body)
{
	static const char *const members[] = { "label", "boxes", "by", "note" };

	for (size_t i = 0; i < VD_COUNT(members); i++) {
		const cJSON *value = vd_json_get(body, members[i]);

		if (value && !vd_json_add_copy(json, members[i], value))
			return false;
	}
	return true;
}

static int store_label(struct vd_api *api, struct vd_label *label, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *saying = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;

	if (!saying || !add_saying(saying, body) || !(text = vd_json_text(saying)))
		return -ENOMEM;
	label->body = text;
	return vd_store_label_add(api->store, label, &label->id);
}

int vd_api_label_post(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = cJSON_CreateObject();
	struct vd_label label = { .created_ms = now_ms, .author = call->author };
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = check_form(body, fault);
	if (r != 0)
		return r;
	label.device = vd_json_string(body, "deviceId", "");
	label.item = vd_json_string(body, "itemId", "");
	label.sha256 = vd_json_string(body, "sha256", "");
	r = check_subject(api, &label, fault);
	if (r == 0)
		r = store_label(api, &label, body);
	if (r == 0 && (!answer || !add_subject(answer, &label) || !add_saying(answer, body)))
		r = -ENOMEM;
	if (r == 0)
		vd_reply_json(&call->reply, 201, &answer);
	return r;
}

struct page {
	cJSON *items;
	int64_t last_id;
};

static int add_item(const struct vd_label *label, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct page *page = argument;

	if (vd_json_parse(label->body, strlen(label->body), &body, NULL) < 0)
		return -EIO;
	if (!json || !add_subject(json, label) || !add_saying(json, body) ||
	    !cJSON_AddItemToArray(page->items, json))
		return -ENOMEM;
	json = NULL;
	page->last_id = label->id;
	return 0;
}

int vd_api_labels_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_label_filter filter = { .device = vd_call_argument(call, "deviceId"),
					  .item = vd_call_argument(call, "itemId"),
					  .sha256 = vd_call_argument(call, "sha256") };
	struct page page = { .items = cJSON_AddArrayToObject(body, "items") };
	int64_t limit = 0;
	int r = page.items ? vd_call_number(call, "after", 0, INT64_MAX, 0, &filter.after, fault)
			   : -ENOMEM;

	if (r == 0)
		r = vd_call_number(call, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit, fault);
	filter.limit = (int)limit;
	page.last_id = filter.after;
	if (r == 0)
		r = vd_store_label_each(api->store, &filter, add_item, &page);
	if (r == 0 && !vd_json_add_number(body, "continuation", (double)page.last_id))
		r = -ENOMEM;
	if (r == 0)
		vd_reply_json(&call->reply, 200, &body);
	return r;
}
