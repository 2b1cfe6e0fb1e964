/* SPDX-License-Identifier: Apache-2.0 */
/* /telemetry and /events: ours, since Azure's way to read telemetry is AMQP. */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <string.h>

#include "twin/hub/events.h"
#include "twin/hub/store/store.h"

enum { PAGE_MAX = 1000, PAGE_DEFAULT = 100, PAGE_BYTES = 8 << 20 };

struct page {
	cJSON *items;
	int64_t last_id;
	size_t bytes;
};

/* A page also ends when it grows large. */
static int add_item(const struct vd_record_row *row, void *argument)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct page *page = argument;
	cJSON *item = vd_record_text(row, &text) == 0 ? cJSON_CreateRaw(text.data) : NULL;

	if (!item || !cJSON_AddItemToArray(page->items, item)) {
		(void)vd_json_free(item);
		return -ENOMEM;
	}
	page->last_id = row->id;
	page->bytes += text.len;
	return page->bytes > PAGE_BYTES ? VD_STORE_NONE : 0;
}

static int read_filter(struct vd_call *call, struct vd_record_filter *filter,
		       struct vd_fault *fault)
{
	const char *order = vd_call_argument(call, "order");
	int64_t limit = 0;
	int r = vd_call_number(call, "after", 0, INT64_MAX, 0, &filter->after, fault);

	if (r == 0)
		r = vd_call_number(call, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit, fault);
	if (r == 0 && order && strcmp(order, "newest") != 0 && strcmp(order, "oldest") != 0) {
		vd_fault_set(fault, 400, "", "order is neither oldest nor newest");
		r = VD_REFUSED_ARGUMENT;
	}
	filter->limit = (int)limit;
	filter->newest = order && strcmp(order, "newest") == 0;
	filter->device = vd_call_argument(call, "deviceId");
	filter->class_name = vd_call_argument(call, "class");
	filter->module = vd_call_argument(call, "module");
	filter->verdict = vd_call_argument(call, "verdict");
	filter->serial = vd_call_argument(call, "serial");
	return r;
}

int vd_api_telemetry_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_record_filter filter = { 0 };
	struct page page = { 0 };
	int r = body ? read_filter(call, &filter, fault) : -ENOMEM;

	if (r != 0)
		return r;
	page.items = cJSON_AddArrayToObject(body, "items");
	page.last_id = filter.after;
	r = page.items ? vd_store_record_each(api->store, &filter, add_item, &page) : -ENOMEM;
	if (r < 0 || !vd_json_add_number(body, "continuation", (double)page.last_id))
		return r < 0 ? r : -ENOMEM;
	vd_reply_json(&call->reply, 200, &body);
	return 0;
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
