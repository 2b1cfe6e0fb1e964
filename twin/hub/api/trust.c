/* SPDX-License-Identifier: Apache-2.0 */
/* /enrol, /enrolments, certificates, /audit, /usage and /metrics: all of them ours */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "twin/hub/enrol.h"
#include "twin/hub/metrics.h"

enum {
	ENROL_BYTES = 16384, /* of a body */
	LIST_DEFAULT = 100,
	LIST_MAX = 1000,
	DAY_MS = 86400000,
	USAGE_DAYS = 30,
};

static int need_ca(const struct vd_api *api, struct vd_fault *fault)
{
	if (api->enrol)
		return 0;
	vd_fault_set(fault, 501, "", "this hub has no CA: its configuration lacks enrolment");
	return VD_REFUSED_NOT_BUILT;
}

static int read_body(const struct vd_api *api, const struct vd_call *call, cJSON **ret_body,
		     struct vd_fault *fault)
{
	int r = need_ca(api, fault);

	if (r != 0)
		return r;
	if (call->body_len > ENROL_BYTES) {
		vd_fault_set(fault, 413, "", "the body is larger than %d bytes", ENROL_BYTES);
		return VD_REFUSED_TOO_LARGE;
	}
	return vd_call_object(call, ret_body, fault);
}

/* --- devices --- */

int vd_api_enrol(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	int r = read_body(api, call, &body, fault);

	if (r == 0)
		r = vd_enrol_use(api->enrol, body, now_ms, &answer, fault);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &answer);
	return r;
}

int vd_api_renew(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	VD_CLEANUP(vd_free)
	char *certificate = strdup(call->client_certificate ? call->client_certificate : "");
	int r = certificate ? read_body(api, call, &body, fault) : -ENOMEM;

	if (r == 0 && vd_percent_decode(certificate) < 0)
		certificate[0] = '\0'; /* nothing that could be a certificate */
	if (r == 0)
		r = vd_enrol_renew(api->enrol, certificate, body, now_ms, &answer, fault);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &answer);
	return r;
}

/* --- operators --- */

int vd_api_enrolment_post(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			  struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	int r = read_body(api, call, &body, fault);

	if (r == 0)
		r = vd_enrol_create(api->enrol, body, call->author, now_ms, &answer, fault);
	if (r == 0)
		vd_reply_json(&call->reply, 201, &answer);
	return r;
}

/* A list as it grows, and what every row needs. */
struct page {
	cJSON *items;
	int64_t now_ms, last_id;
};

static int add_to(struct page *page, cJSON *json)
{
	if (json && cJSON_AddItemToArray(page->items, json))
		return 0;
	(void)vd_json_free(json);
	return -ENOMEM;
}

static int add_enrolment(const struct vd_enrolment *enrolment, void *argument)
{
	struct page *page = argument;

	return add_to(page, vd_enrolment_json(enrolment, page->now_ms));
}

static int add_certificate(const struct vd_certificate_row *row, void *argument)
{
	struct page *page = argument;

	return add_to(page, vd_certificate_json(row, page->now_ms));
}

static int start_page(const struct vd_call *call, struct page *page, int64_t *ret_limit,
		      struct vd_fault *fault)
{
	page->items = cJSON_CreateArray();
	return page->items
		       ? vd_call_number(call, "limit", 1, LIST_MAX, LIST_DEFAULT, ret_limit, fault)
		       : -ENOMEM;
}

static int end_page(struct vd_call *call, struct page *page, int r)
{
	VD_CLEANUP(vd_json_free) cJSON *items = VD_TAKE(page->items);

	if (r == 0)
		vd_reply_json(&call->reply, 200, &items);
	return r;
}

int vd_api_enrolments_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			   struct vd_fault *fault)
{
	struct page page = { .now_ms = now_ms };
	int64_t limit = 0;
	int r = start_page(call, &page, &limit, fault);

	if (r == 0)
		r = vd_store_enrolment_each(api->store, (int)limit, add_enrolment, &page);
	return end_page(call, &page, r);
}

int vd_api_enrolment_delete(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			    struct vd_fault *fault)
{
	int r = vd_store_enrolment_delete(api->store, call->segments[1]);

	if (r == VD_STORE_NONE) {
		vd_fault_set(fault, 404, "", "there is no such token");
		return VD_REFUSED_NO_SUCH;
	}
	if (r == 0)
		call->reply.status = 204;
	return r;
}

int vd_api_certificates_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			     struct vd_fault *fault)
{
	const char *device =
		call->segment_count > 1 ? call->segments[1] : vd_call_argument(call, "deviceId");
	struct page page = { .now_ms = now_ms };
	int64_t limit = 0;
	int r = start_page(call, &page, &limit, fault);

	if (r == 0)
		r = vd_store_certificate_each(api->store, device, (int)limit, add_certificate,
					      &page);
	return end_page(call, &page, r);
}

int vd_api_certificate_revoke(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_name name;
	int r = vd_api_name(call, &name, fault);

	if (r == 0)
		r = read_body(api, call, &body, fault);
	if (r == 0)
		r = vd_enrol_revoke(api->enrol, &name, body, now_ms, fault);
	if (r == 0)
		call->reply.status = 204;
	return r;
}

static int add_audit(const struct vd_audit_entry *entry, void *argument)
{
	struct page *page = argument;

	page->last_id = entry->id;
	return add_to(page, vd_audit_json(entry));
}

static bool is_newest(const struct vd_call *call)
{
	const char *order = vd_call_argument(call, "order");

	return order && strcmp(order, "newest") == 0;
}

/* Where the chain begins, if what was before it went for its age. */
static bool add_anchor(cJSON *body, int64_t id, const char *hash)
{
	cJSON *anchor = id ? cJSON_AddObjectToObject(body, "anchor") : NULL;

	return !id || (anchor && vd_json_add_number(anchor, "id", (double)id) &&
		       vd_json_add_string(anchor, "hash", hash));
}

int vd_api_audit_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct page page = { .now_ms = now_ms };
	int64_t limit = 0, anchor = 0;
	char hash[VD_AUDIT_HASH_BYTES];
	struct vd_audit_filter filter = {
		.actor = vd_call_argument(call, "actor"),
		.action = vd_call_argument(call, "action"),
		.target = vd_call_argument(call, "target"),
		.newest = is_newest(call),
	};
	int r = vd_call_number(call, "after", 0, INT64_MAX, 0, &filter.after, fault);

	if (r == 0)
		r = start_page(call, &page, &limit, fault);
	filter.limit = (int)limit;
	page.last_id = filter.after;
	if (r == 0)
		r = vd_store_audit_each(api->store, &filter, add_audit, &page);
	if (r == 0)
		r = vd_store_audit_anchor(api->store, &anchor, hash);
	if (r == 0 && (!body || !vd_json_add_take(body, "items", &page.items) ||
		       !add_anchor(body, anchor, hash) ||
		       !vd_json_add_number(body, "continuation", (double)page.last_id)))
		r = -ENOMEM;
	page.items = vd_json_free(page.items);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &body);
	return r;
}

static int add_usage(const struct vd_usage_row *row, void *argument)
{
	struct page *page = argument;
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char day[VD_TIME_TEXT];

	(void)vd_time_text(row->day * DAY_MS, day);
	day[10] = '\0'; /* the date alone */
	if (!json || !vd_json_add_string(json, "day", day) ||
	    !vd_json_add_string(json, "deviceId", row->device) ||
	    !vd_json_add_number(json, "messages", (double)row->messages) ||
	    !vd_json_add_number(json, "bytes", (double)row->bytes))
		return -ENOMEM;
	return add_to(page, VD_TAKE(json));
}

int vd_api_usage_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	struct page page = { .now_ms = now_ms };
	int64_t limit = 0, days = 0, today = now_ms / DAY_MS;
	int r = start_page(call, &page, &limit, fault);

	if (r == 0)
		r = vd_call_number(call, "days", 1, 400, USAGE_DAYS, &days, fault);
	if (r == 0)
		r = vd_store_usage_each(api->store, vd_call_argument(call, "deviceId"),
					today - days + 1, today, (int)limit, add_usage, &page);
	return end_page(call, &page, r);
}

/* --- Prometheus --- */

int vd_api_metrics(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	const char *devices = vd_call_argument(call, "devices");
	struct vd_metrics_view view = {
		.store = api->store,
		.now_ms = now_ms,
		.with_each_device = devices && strcmp(devices, "1") == 0,
	};
	int r;

	if (api->measure)
		api->measure(&view, api->argument);
	r = vd_metrics_write(&view, &text);
	if (r != 0)
		return r;
	call->reply.status = 200;
	call->reply.text = VD_TAKE(text.data);
	call->reply.text_type = "text/plain; version=0.0.4; charset=utf-8";
	text = (struct vd_buf){ 0 };
	return 0;
}
