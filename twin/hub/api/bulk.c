/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /devices: up to 100 changes of the registry in one call. Each is done or refused by itself;
 * what was refused is listed, and makes the whole a 400, as Azure has it.
 */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "twin/hub/devices.h"
#include "twin/hub/twins.h"

enum { BULK_MAX = 100 };

/* One element of the call. */
struct change {
	struct vd_api *api;
	const cJSON *body;
	struct vd_name name;
	const char *author;
	int64_t now_ms;
};

static int update_twin(const struct change *change, const char *if_match, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	const struct vd_twin_update update = {
		.body = change->body,
		.if_match = if_match,
		.author = change->author,
		.now_ms = change->now_ms,
	};

	return vd_twins_update(change->api->twins, &change->name, &update, &twin, fault);
}

static int put(const struct change *change, const char *if_match, struct vd_fault *fault)
{
	struct vd_device device;

	return vd_devices_put(change->api->devices, &change->name, if_match, change->body,
			      change->now_ms, &device, fault);
}

static bool is_given(const cJSON *body, const char *key)
{
	const cJSON *value = vd_json_get(body, key);

	return value && !cJSON_IsNull(value);
}

static int create(const struct change *change, struct vd_fault *fault)
{
	int r = put(change, NULL, fault);

	if (r == 0 && (is_given(change->body, "tags") || is_given(change->body, "properties")))
		r = update_twin(change, NULL, fault);
	return r;
}

static int update(const struct change *change, struct vd_fault *fault)
{
	return put(change, "*", fault);
}

static int update_if_match(const struct change *change, struct vd_fault *fault)
{
	return put(change, vd_json_string(change->body, "eTag", ""), fault);
}

static int delete (const struct change *change, struct vd_fault *fault)
{
	return vd_devices_delete(change->api->devices, &change->name, NULL, fault);
}

static int delete_if_match(const struct change *change, struct vd_fault *fault)
{
	return vd_devices_delete(change->api->devices, &change->name,
				 vd_json_string(change->body, "eTag", ""), fault);
}

static int update_twin_always(const struct change *change, struct vd_fault *fault)
{
	return update_twin(change, NULL, fault);
}

static int update_twin_if_match(const struct change *change, struct vd_fault *fault)
{
	return update_twin(change, vd_json_string(change->body, "twinETag", ""), fault);
}

/* Azure's SDKs write them with a capital or without. */
static const struct {
	const char *name;
	int (*fn)(const struct change *change, struct vd_fault *fault);
} modes[] = {
	{ "create", create },
	{ "update", update },
	{ "updateIfMatchETag", update_if_match },
	{ "delete", delete },
	{ "deleteIfMatchETag", delete_if_match },
	{ "updateTwin", update_twin_always },
	{ "updateTwinIfMatchETag", update_twin_if_match },
};

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return VD_REFUSED_ARGUMENT;
}

static int do_one(struct change *change, struct vd_fault *fault)
{
	const char *mode = vd_json_string(change->body, "importMode", "create");

	if (!cJSON_IsObject(change->body))
		return refuse(fault, "", "is not an object");
	if (vd_name_make(vd_json_string(change->body, "id", ""),
			 vd_json_string(change->body, "moduleId", NULL), &change->name) < 0)
		return refuse(fault, "/id", "is no id");
	for (size_t i = 0; i < VD_COUNT(modes); i++) {
		if (strcasecmp(mode, modes[i].name) == 0)
			return modes[i].fn(change, fault);
	}
	return refuse(fault, "/importMode", "is none that this hub knows");
}

static int add_error(cJSON *errors, const struct change *change, int refusal,
		     const struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *error = cJSON_CreateObject();
	const char *module = vd_json_string(change->body, "moduleId", NULL);

	if (!error ||
	    !vd_json_add_string(error, "deviceId", vd_json_string(change->body, "id", "")) ||
	    (module && !vd_json_add_string(error, "moduleId", module)) ||
	    !vd_json_add_string(error, "errorCode", vd_refusal_info(refusal)->name) ||
	    !vd_json_add_string(error, "errorStatus", fault->text) ||
	    !vd_json_add_string(error, "operation",
				vd_json_string(change->body, "importMode", "create")) ||
	    !cJSON_AddItemToArray(errors, error))
		return -ENOMEM;
	error = NULL;
	return 0;
}

static int do_all(struct change *change, const cJSON *list, cJSON *errors)
{
	cJSON_ArrayForEach(change->body, list)
	{
		struct vd_fault fault = { 0 };
		int r = do_one(change, &fault);

		if (r != 0)
			r = add_error(errors, change, r, &fault);
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_list(const struct vd_call *call, cJSON **ret_list, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	int r = vd_json_parse(call->body, call->body_len, &list, fault);

	if (r < 0)
		return r == -EINVAL ? VD_REFUSED_ARGUMENT : r;
	if (!cJSON_IsArray(list) || !list->child || cJSON_GetArraySize(list) > BULK_MAX)
		return refuse(fault, "", "the body is not an array of 1 to 100 devices");
	*ret_list = VD_TAKE(list);
	return 0;
}

int vd_api_devices_bulk(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	VD_CLEANUP(vd_json_free) cJSON *errors = cJSON_CreateArray();
	VD_CLEANUP(vd_json_free) cJSON *answer = cJSON_CreateObject();
	struct change change = { .api = api, .author = call->author, .now_ms = now_ms };
	bool is_good;
	int r = errors && answer ? read_list(call, &list, fault) : -ENOMEM;

	if (r == 0)
		r = do_all(&change, list, errors);
	if (r != 0)
		return r;
	is_good = !errors->child;
	if (!vd_json_add_bool(answer, "isSuccessful", is_good) ||
	    !vd_json_add_take(answer, "errors", &errors) ||
	    !cJSON_AddArrayToObject(answer, "warnings"))
		return -ENOMEM;
	vd_reply_json(&call->reply, is_good ? 200 : 400, &answer);
	return 0;
}
