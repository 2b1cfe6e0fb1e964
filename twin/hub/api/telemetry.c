/* SPDX-License-Identifier: Apache-2.0 */
/* /telemetry and /events: ours, since Azure's way to read telemetry is AMQP. */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/events.h"
#include "twin/hub/store/store.h"
#include "twin/hub/telemetry/telemetry.h"

enum { PAGE_DEFAULT = 100, POINTS_DEFAULT = 300, DAY_MS = 86400000 };

/* RFC 3339. */
static int read_time(const struct vd_call *call, const char *name, int64_t fallback_ms,
		     int64_t *ret_ms, struct vd_fault *fault)
{
	const char *text = vd_call_argument(call, name);

	*ret_ms = fallback_ms;
	if (!text || vd_time_parse(text, ret_ms) == 0)
		return 0;
	vd_fault_set(fault, 400, "", "%s is no time as 2026-01-31T12:00:00Z", name);
	return VD_REFUSED_ARGUMENT;
}

static void read_filter(const struct vd_call *call, struct vd_telemetry_request *request)
{
	request->device = vd_call_argument(call, "deviceId");
	request->class_name = vd_call_argument(call, "class");
	request->module = vd_call_argument(call, "module");
	request->verdict = vd_call_argument(call, "verdict");
	request->serial = vd_call_argument(call, "serial");
	request->recipe = vd_call_argument(call, "recipe");
	request->model = vd_call_argument(call, "model");
	request->where = vd_call_argument(call, "where");
}

static int read_page(const struct vd_call *call, struct vd_telemetry_request *request,
		     struct vd_fault *fault)
{
	const char *order = vd_call_argument(call, "order");
	int64_t limit = 0;
	int r = vd_call_number(call, "after", 0, INT64_MAX, 0, &request->after, fault);

	if (r == 0)
		r = vd_call_number(call, "before", 0, INT64_MAX, 0, &request->before, fault);
	if (r == 0)
		r = vd_call_number(call, "limit", 1, VD_TELEMETRY_PAGE_MAX, PAGE_DEFAULT, &limit,
				   fault);
	if (r == 0 && order && strcmp(order, "newest") != 0 && strcmp(order, "oldest") != 0) {
		vd_fault_set(fault, 400, "", "order is neither oldest nor newest");
		r = VD_REFUSED_ARGUMENT;
	}
	request->limit = (int)limit;
	request->newest = order && strcmp(order, "newest") == 0;
	return r;
}

int vd_api_telemetry_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault)
{
	struct vd_telemetry_request request = { 0 };
	int r = read_page(call, &request, fault);

	read_filter(call, &request);
	if (r == 0)
		r = read_time(call, "from", 0, &request.from_ms, fault);
	if (r == 0)
		r = read_time(call, "to", 0, &request.to_ms, fault);
	if (r == 0)
		r = vd_telemetry_page(api->slices, api->store, call, &request, fault);
	return r == VD_SLICES_LATER ? VD_API_KEPT : r;
}

int vd_api_telemetry_series(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			    struct vd_fault *fault)
{
	struct vd_telemetry_request request = { .path = vd_call_argument(call, "path") };
	int64_t points = 0;
	int r = vd_call_number(call, "points", 1, VD_TELEMETRY_POINTS_MAX, POINTS_DEFAULT, &points,
			       fault);

	read_filter(call, &request);
	request.points = (int)points;
	if (r == 0)
		r = read_time(call, "to", now_ms, &request.to_ms, fault);
	if (r == 0)
		r = read_time(call, "from", request.to_ms - DAY_MS, &request.from_ms, fault);
	if (r != 0)
		return r;
	if (!request.path || request.path[0] != '/' || request.from_ms >= request.to_ms) {
		vd_fault_set(fault, 400, "",
			     request.path && request.path[0] == '/'
				     ? "from is not before to"
				     : "path is no JSON pointer as /body/temperature");
		return VD_REFUSED_ARGUMENT;
	}
	r = vd_telemetry_series(api->slices, api->store, call, &request, fault);
	return r == VD_SLICES_LATER ? VD_API_KEPT : r;
}

/* {"classes":{"verdict":{"total":3,"verdicts":{"OK":2,"NG":1}}},…} */
static int add_count(const char *class_name, const char *verdict, int64_t count, void *argument)
{
	cJSON *classes = argument;
	cJSON *entry = cJSON_GetObjectItemCaseSensitive(classes, class_name);
	cJSON *verdicts, *total;

	if (!entry) {
		entry = cJSON_AddObjectToObject(classes, class_name);
		if (!entry || !cJSON_AddNumberToObject(entry, "total", 0) ||
		    !cJSON_AddObjectToObject(entry, "verdicts"))
			return -ENOMEM;
	}
	total = cJSON_GetObjectItemCaseSensitive(entry, "total");
	verdicts = cJSON_GetObjectItemCaseSensitive(entry, "verdicts");
	(void)cJSON_SetNumberValue(total, total->valuedouble + (double)count);
	if (verdict && !cJSON_AddNumberToObject(verdicts, verdict, (double)count))
		return -ENOMEM;
	return 0;
}

int vd_api_telemetry_statistics(struct vd_api *api, struct vd_call *call, int64_t now_ms,
				struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	cJSON *classes = body ? cJSON_AddObjectToObject(body, "classes") : NULL;
	int64_t letters = 0;
	int r = classes ? vd_store_record_counts(api->store, vd_call_argument(call, "deviceId"),
						 add_count, classes)
			: -ENOMEM;

	if (r == 0)
		r = vd_store_dead_letter_count(api->store, &letters);
	if (r == 0 && !vd_json_add_number(body, "deadLetters", (double)letters))
		r = -ENOMEM;
	if (r == 0)
		vd_reply_json(&call->reply, 200, &body);
	return r;
}

int vd_api_events_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	int r = vd_events_add_client(api->events, call, fault);

	return r == 0 ? VD_API_KEPT : r;
}
