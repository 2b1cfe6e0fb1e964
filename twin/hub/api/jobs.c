/* SPDX-License-Identifier: Apache-2.0 */
/* /jobs/v2 */
#include "twin/hub/api/api.h"

#include <string.h>

#include "twin/hub/automation/jobs.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

int vd_api_job_get(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_jobs_get(api->jobs, call->segments[2], &json, fault);

	if (r == 0)
		vd_reply_json(&call->reply, 200, &json);
	return r;
}

int vd_api_job_put(struct vd_api *api, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = vd_jobs_create(api->jobs, call->segments[2], body, call->author, now_ms, &json,
				   fault);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &json);
	return r;
}

int vd_api_job_cancel(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_jobs_cancel(api->jobs, call->segments[2], now_ms, &json, fault);

	if (r == 0)
		vd_reply_json(&call->reply, 200, &json);
	return r;
}

int vd_api_jobs_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	const char *after = call->continuation ? call->continuation : "";
	int limit = 0;
	int r = vd_call_page_size(call, PAGE_MAX, PAGE_DEFAULT, &limit, fault);

	if (r == 0)
		r = vd_jobs_list(api->jobs, after, vd_call_argument(call, "jobType"),
				 vd_call_argument(call, "jobStatus"), limit, &list,
				 &call->reply.continuation);
	if (r != 0)
		return r;
	call->reply.item_type = "jobResponse";
	vd_reply_json(&call->reply, 200, &list);
	return 0;
}
