/* SPDX-License-Identifier: Apache-2.0 */
/* /twins/{id}[/modules/{id}], its history (ours) and its methods */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/devices.h"
#include "twin/hub/methods.h"
#include "twin/hub/twins.h"

enum { HISTORY_DEFAULT = 20, COMMENT_MAX = 256 };

static void reply_twin(struct vd_call *call, cJSON **twin)
{
	(void)snprintf(call->reply.etag, sizeof call->reply.etag, "\"%s\"",
		       vd_json_string(*twin, "etag", ""));
	vd_reply_json(&call->reply, 200, twin);
}

int vd_api_twin_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	if (r == 0)
		r = vd_twins_get(api->twins, &name, &twin, fault);
	if (r == 0)
		reply_twin(call, &twin);
	return r;
}

static int update(struct vd_api *api, struct vd_call *call, bool is_replace, int64_t now_ms,
		  struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	const char *comment = vd_call_argument(call, "comment");
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	if (r == 0)
		r = vd_call_object(call, &body, fault);
	if (r == 0 && comment && strlen(comment) > COMMENT_MAX) {
		vd_fault_set(fault, 400, "", "a comment has at most %d bytes", COMMENT_MAX);
		return VD_REFUSED_ARGUMENT;
	}
	if (r == 0) {
		const struct vd_twin_update change = {
			.body = body,
			.is_replace = is_replace,
			.if_match = call->if_match,
			.author = call->author,
			.comment = comment,
			.now_ms = now_ms,
		};

		r = vd_twins_update(api->twins, &name, &change, &twin, fault);
	}
	if (r == 0)
		reply_twin(call, &twin);
	return r;
}

int vd_api_twin_patch(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	return update(api, call, false, now_ms, fault);
}

int vd_api_twin_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		    struct vd_fault *fault)
{
	return update(api, call, true, now_ms, fault);
}

static int add_entry(const struct vd_history *entry, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_number(json, "version", (double)entry->version) ||
	    !vd_json_add_string(json, "changedTime", vd_time_text(entry->changed_ms, time)) ||
	    !vd_json_add_string(json, "author", entry->author) ||
	    !vd_json_add_string(json, "operation", entry->operation) ||
	    (entry->comment[0] && !vd_json_add_string(json, "comment", entry->comment)) ||
	    !cJSON_AddItemToArray(argument, json))
		return -ENOMEM;
	json = NULL;
	return 0;
}

int vd_api_history_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	struct vd_device device;
	struct vd_name name;
	int64_t limit = 0;
	int r = list ? vd_api_name(call, &name, fault) : -ENOMEM;

	if (r == 0)
		r = vd_call_number(call, "limit", 1, VD_HISTORY_KEPT, HISTORY_DEFAULT, &limit,
				   fault);
	if (r == 0)
		r = vd_devices_get(api->devices, &name, &device, fault);
	if (r == 0)
		r = vd_store_history_each(api->store, &name, (int)limit, add_entry, list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

int vd_api_history_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *document = NULL;
	const char *text = call->segments[call->segment_count - 1];
	char *end = NULL;
	long long version = strtoll(text, &end, 10);
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	if (r == 0 && (end == text || *end)) {
		vd_fault_set(fault, 400, "", "the version is not a number");
		return VD_REFUSED_ARGUMENT;
	}
	if (r == 0)
		r = vd_store_history_get(api->store, &name, version, &document);
	if (r == VD_STORE_NONE) {
		vd_fault_set(fault, 404, "", "no desired document of version %lld is kept",
			     version);
		return VD_REFUSED_NO_SUCH;
	}
	if (r == 0)
		vd_reply_json(&call->reply, 200, &document);
	return r;
}

int vd_api_method_post(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_device device;
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = vd_api_named(api, call, &device, fault);
	if (r == 0)
		r = vd_methods_invoke(api->methods, &device, body, call->exchange, fault);
	return r == 0 ? VD_API_KEPT : r;
}
