/* SPDX-License-Identifier: Apache-2.0 */
/* /packages, their archives, and /channels: all of them ours */
#include "twin/hub/files/packages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/manifest.h"
#include "twin/hub/api/api.h"
#include "twin/hub/enrol.h"
#include "twin/hub/files/package_gc.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, DAYS_MAX = 3650, DAY_MS = 86400000 };

/* From the path, segments first on. What is no name is found nowhere. */
static int read_id(const struct vd_call *call, int first, struct vd_package_id *ret_id,
		   struct vd_fault *fault)
{
	const char *name = call->segments[first], *version = call->segments[first + 1];
	const char *arch = call->segments[first + 2];

	if (!vd_manifest_is_name(name) || !vd_manifest_is_name(version) ||
	    !vd_manifest_is_name(arch) || strlen(arch) >= sizeof ret_id->arch) {
		vd_fault_set(fault, 400, "", "the path is not NAME/VERSION/ARCH of a package");
		return VD_REFUSED_ARGUMENT;
	}
	(void)snprintf(ret_id->name, sizeof ret_id->name, "%s", name);
	(void)snprintf(ret_id->version, sizeof ret_id->version, "%s", version);
	(void)snprintf(ret_id->arch, sizeof ret_id->arch, "%s", arch);
	return 0;
}

/* --- packages --- */

struct page {
	cJSON *items;
	struct vd_package_id last;
};

static int add_package(const struct vd_package_row *row, void *argument)
{
	struct page *page = argument;
	cJSON *json = vd_package_json(row, false);

	if (!json || !cJSON_AddItemToArray(page->items, json)) {
		(void)vd_json_free(json);
		return -ENOMEM;
	}
	page->last = row->id;
	return 0;
}

/* "name/version/arch" of the page before. */
static int read_after(const struct vd_call *call, struct vd_package_id *after,
		      struct vd_fault *fault)
{
	const char *text = vd_call_argument(call, "after");
	char arch[VD_PACKAGE_ARCH_BYTES];

	if (!text || sscanf(text, "%64[^/]/%64[^/]/%16s", after->name, after->version, arch) == 3) {
		(void)snprintf(after->arch, sizeof after->arch, "%s", text ? arch : "");
		return 0;
	}
	vd_fault_set(fault, 400, "", "after is not the continuation of a page");
	return VD_REFUSED_ARGUMENT;
}

static int end_page(struct vd_call *call, const struct page *page, int64_t limit, cJSON **body)
{
	char next[200];

	(void)snprintf(next, sizeof next, "%s/%s/%s", page->last.name, page->last.version,
		       page->last.arch);
	if (cJSON_GetArraySize(page->items) == limit &&
	    !vd_json_add_string(*body, "continuation", next))
		return -ENOMEM;
	vd_reply_json(&call->reply, 200, body);
	return 0;
}

int vd_api_packages_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const char *name = call->segment_count > 1 ? call->segments[1] : NULL;
	struct page page = { .items = body ? cJSON_AddArrayToObject(body, "items") : NULL };
	struct vd_package_id after = { 0 };
	int64_t limit = 0;
	int r = page.items ? read_after(call, &after, fault) : -ENOMEM;

	if (r == 0)
		r = vd_call_number(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, fault);
	if (r == 0)
		r = vd_store_package_each(api->store, name, &after, (int)limit, add_package, &page);
	return r == 0 ? end_page(call, &page, limit, &body) : r;
}

static int give_whole(const struct vd_package_row *row, void *argument)
{
	struct vd_call *call = argument;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;

	if (row->deleted_ms || !row->stored_ms)
		return VD_STORE_NONE;
	json = vd_package_json(row, true);
	vd_reply_json(&call->reply, 200, &json);
	return 0;
}

static int send_package(struct vd_api *api, struct vd_call *call, int first, struct vd_fault *fault)
{
	struct vd_package_id id;
	int r = read_id(call, first, &id, fault);

	if (r != 0)
		return r;
	r = vd_store_package_get(api->store, &id, give_whole, call);
	if (r == VD_STORE_NONE) {
		vd_fault_set(fault, 404, "", "there is no such package");
		return VD_REFUSED_NO_SUCH;
	}
	return r;
}

int vd_api_package_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	return send_package(api, call, 1, fault);
}

int vd_api_package_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_package_id id;
	bool is_new = false;
	int r = read_id(call, 1, &id, fault);

	if (r == 0)
		r = vd_call_object(call, &body, fault);
	if (r == 0)
		r = vd_packages_put(api->packages, &id, body, call->author, now_ms, &json, &is_new,
				    fault);
	if (r == 0)
		vd_reply_json(&call->reply, is_new ? 201 : 200, &json);
	return r;
}

int vd_api_packages_collect(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			    struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	int r = vd_call_object(call, &body, fault);
	int64_t days = body ? vd_json_int(body, "olderThanDays", api->package_days) : 0;

	if (r == 0 && (days < 0 || days > DAYS_MAX)) {
		vd_fault_set(fault, 400, "/olderThanDays", "is not from 0 to %d", DAYS_MAX);
		return VD_REFUSED_ARGUMENT;
	}
	return r == 0 ? vd_package_gc_run(api->package_gc, call, now_ms - days * DAY_MS,
					  vd_json_bool(body, "dryRun", false), fault)
		      : r;
}

/* --- archives --- */

/* The front asks with the PUT's address before it takes the body. */
int vd_api_archive_check(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	int r = vd_packages_check(api->packages, call->segments[1], fault);

	if (r == 0)
		call->reply.status = 204;
	return r;
}

int vd_api_archive_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	return vd_packages_put_archive(api->packages, call, now_ms, fault);
}

int vd_api_archive_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	return vd_packages_send(api->packages, call, call->segments[1], fault);
}

/* --- for devices --- */

static int check_device(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	struct vd_name name;

	return vd_api_from_device(api, call, now_ms, &name, fault);
}

int vd_api_device_package_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			      struct vd_fault *fault)
{
	int r = check_device(api, call, now_ms, fault);

	return r == 0 ? send_package(api, call, 3, fault) : r;
}

int vd_api_device_archive_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			      struct vd_fault *fault)
{
	int r = check_device(api, call, now_ms, fault);

	return r == 0 ? vd_packages_send(api->packages, call, call->segments[3], fault) : r;
}

/* --- channels --- */

static int add_channel_json(cJSON *list, cJSON *json)
{
	if (json && cJSON_AddItemToArray(list, json))
		return 0;
	(void)vd_json_free(json);
	return -ENOMEM;
}

static int add_channel(const struct vd_channel_row *row, void *argument)
{
	return add_channel_json(argument, vd_channel_json(row, false));
}

static int add_move(const struct vd_channel_row *row, void *argument)
{
	return add_channel_json(argument, vd_channel_json(row, true));
}

int vd_api_channels_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int r = list ? vd_store_channel_each(api->store, vd_call_argument(call, "name"), LIST_MAX,
					     add_channel, list)
		     : -ENOMEM;

	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

int vd_api_channel_history(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			   struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = cJSON_CreateArray();
	int64_t limit = 0;
	int r = list ? vd_call_number(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit, fault)
		     : -ENOMEM;

	if (r == 0)
		r = vd_store_channel_moves(api->store, call->segments[1], call->segments[2],
					   call->segments[3], (int)limit, add_move, list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

int vd_api_channel_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = vd_packages_move(api->packages, call->segments[1], call->segments[2],
				     call->segments[3], body, call->author, now_ms, fault);
	if (r == 0)
		call->reply.status = 204;
	return r;
}

int vd_api_channel_delete(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault)
{
	int r = vd_packages_move(api->packages, call->segments[1], call->segments[2],
				 call->segments[3], NULL, call->author, now_ms, fault);

	if (r == 0)
		call->reply.status = 204;
	return r;
}
