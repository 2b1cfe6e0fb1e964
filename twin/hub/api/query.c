/* SPDX-License-Identifier: Apache-2.0 */
/* POST /devices/query */
#include "twin/hub/api/api.h"

#include <string.h>

#include "base/clock.h"
#include "twin/hub/queries/queries.h"
#include "twin/hub/queries/slices.h"

enum { SIZE_DEFAULT = 1000, SIZE_MAX_ROWS = 10000 };

int vd_api_query_post(struct vd_api *api, struct vd_call *call, int64_t now_ms,
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_query_request request = { .continuation = call->continuation,
					    .mono_ms = vd_clock_mono_ms() };
	const cJSON *text;
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = vd_call_page_size(call, SIZE_MAX_ROWS, SIZE_DEFAULT, &request.size, fault);
	if (r != 0)
		return r;
	text = vd_json_get(body, "query");
	if (!cJSON_IsString(text)) {
		vd_fault_set(fault, 400, "/query", "is missing or not a text");
		return VD_REFUSED_ARGUMENT;
	}
	request.text = text->valuestring;
	request.len = strlen(text->valuestring);
	r = vd_queries_ask(api->queries, call, &request, fault);
	return r == VD_SLICES_LATER ? VD_API_KEPT : r;
}
