/* SPDX-License-Identifier: Apache-2.0 */
/* /configurations and applyConfigurationContent */
#include "twin/hub/api/api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/hub/automation/configurations.h"

static void reply_configuration(struct vd_call *call, cJSON **json)
{
	(void)snprintf(call->reply.etag, sizeof call->reply.etag, "\"%s\"",
		       vd_json_string(*json, "etag", ""));
	vd_reply_json(&call->reply, 200, json);
}

int vd_api_configurations_list(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	int64_t top = 0;
	int r = vd_call_number(call, "top", 1, VD_CONFIGURATIONS_MAX, VD_CONFIGURATIONS_MAX, &top,
			       fault);

	if (r == 0)
		r = vd_configurations_list(api->configurations, (int)top, &list);
	if (r == 0)
		vd_reply_json(&call->reply, 200, &list);
	return r;
}

int vd_api_configuration_get(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			     struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_configurations_get(api->configurations, call->segments[1], &json, fault);

	if (r == 0)
		reply_configuration(call, &json);
	return r;
}

int vd_api_configuration_put(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			     struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_call_object(call, &body, fault);

	if (r == 0)
		r = vd_configurations_put(api->configurations, call->segments[1], call->if_match,
					  body, now_ms, &json, fault);
	if (r == 0)
		reply_configuration(call, &json);
	return r;
}

int vd_api_configuration_delete(struct vd_api *api, struct vd_call *call, int64_t now_ms,
				struct vd_fault *fault)
{
	int r = vd_configurations_delete(api->configurations, call->segments[1], call->if_match,
					 fault);

	if (r == 0)
		call->reply.status = 204;
	return r;
}

/* The error's text goes into the answer; only a lack of memory ends it. */
static int test_metric(const cJSON *metric, cJSON *errors)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	struct vd_fault fault = { 0 };
	const char *text = cJSON_IsString(metric) ? metric->valuestring : "";
	int r = vd_metric_parse(text, &query, &fault);

	if (r <= 0)
		return r;
	return vd_json_add_string(errors, metric->string, fault.text) ? 0 : -ENOMEM;
}

static int test_target(const cJSON *body, cJSON *answer)
{
	VD_CLEANUP(vd_query_free) struct vd_query *target = NULL;
	const char *text = vd_json_string(body, "targetCondition", "");
	struct vd_fault fault = { 0 };
	int r = text[0] ? vd_condition_parse(text, strlen(text), &target, &fault) : 0;

	if (r == -ENOMEM)
		return r;
	return vd_json_add_string(answer, "targetConditionError", r < 0 ? fault.text : NULL)
		       ? 0
		       : -ENOMEM;
}

int vd_api_configurations_test(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *errors = cJSON_CreateObject();
	const cJSON *metric;
	int r = answer && errors ? vd_call_object(call, &body, fault) : -ENOMEM;

	if (r == 0)
		r = test_target(body, answer);
	cJSON_ArrayForEach(metric, vd_json_object(body, "customMetricQueries"))
	{
		if (r == 0)
			r = test_metric(metric, errors);
	}
	if (r == 0 && !vd_json_add_take(answer, "customMetricQueryErrors", &errors))
		r = -ENOMEM;
	if (r == 0)
		vd_reply_json(&call->reply, 200, &answer);
	return r;
}

int vd_api_content_apply(struct vd_api *api, struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *content = NULL;
	int r = vd_call_object(call, &content, fault);

	if (r == 0)
		r = vd_configurations_apply(api->configurations, call->segments[1], content,
					    call->author, now_ms, fault);
	if (r == 0)
		call->reply.status = 204;
	return r;
}
