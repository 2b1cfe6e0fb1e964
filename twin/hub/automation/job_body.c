/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/automation/job_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "twin/hub/methods.h"
#include "twin/hub/refusal.h"

enum { SECONDS_DEFAULT = 3600, SECONDS_MAX = 172800 };

/* --- reading --- */

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return VD_REFUSED_ARGUMENT;
}

int vd_job_condition(const cJSON *request, struct vd_query **ret_query, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	const cJSON *value = vd_json_get(request, "queryCondition");
	const char *where = cJSON_IsString(value) ? value->valuestring : "";
	int r;

	if (value && !cJSON_IsNull(value) && !cJSON_IsString(value))
		return refuse(fault, "/queryCondition", "is not a text");
	r = !where[0] || strcmp(where, "*") == 0
		    ? vd_buf_printf(&text, "SELECT * FROM devices")
		    : vd_buf_printf(&text, "SELECT * FROM devices WHERE %s", where);
	if (r == 0)
		r = vd_query_parse(text.data, text.len, ret_query, fault);
	if (r == -EINVAL) {
		vd_fault_under(fault, "queryCondition");
		return VD_REFUSED_ARGUMENT;
	}
	return r;
}

static int check_method(const cJSON *request, struct vd_fault *fault)
{
	const cJSON *method = vd_json_object(request, "cloudToDeviceMethod");
	struct vd_method_request unused;
	int r;

	if (!method)
		return refuse(fault, "/cloudToDeviceMethod", "is not an object");
	r = vd_method_request_read(method, &unused, fault);
	if (r != 0)
		vd_fault_under(fault, "cloudToDeviceMethod");
	return r;
}

static int read_times(const cJSON *body, int64_t now_ms, struct vd_job *job, struct vd_fault *fault)
{
	const cJSON *start = vd_json_get(body, "startTime");
	const cJSON *seconds = vd_json_get(body, "maxExecutionTimeInSeconds");
	double s = cJSON_IsNumber(seconds) ? seconds->valuedouble : SECONDS_DEFAULT;

	job->created_ms = job->start_ms = now_ms;
	if (start && !cJSON_IsNull(start) &&
	    (!cJSON_IsString(start) || vd_time_parse(start->valuestring, &job->start_ms) < 0))
		return refuse(fault, "/startTime", "is no RFC 3339 time");
	if ((seconds && !cJSON_IsNull(seconds) && !cJSON_IsNumber(seconds)) || s < 1 ||
	    s > SECONDS_MAX)
		return refuse(fault, "/maxExecutionTimeInSeconds", "is not from 1 to 172800");
	if (job->start_ms < now_ms)
		job->start_ms = now_ms;
	job->deadline_ms = job->start_ms + (int64_t)s * 1000;
	return 0;
}

int vd_job_read(const char *id, const cJSON *body, int64_t now_ms, struct vd_job *job,
		struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_free) struct vd_query *condition = NULL;
	const char *type = vd_json_string(body, "type", "");
	struct vd_name name;
	int r = 0;

	if (vd_name_make(id, NULL, &name) < 0 || strcmp(vd_json_string(body, "jobId", id), id) != 0)
		return refuse(fault, "/jobId", "is no id, or not the one of the path");
	if (strcmp(type, VD_JOB_METHOD) == 0)
		r = check_method(body, fault);
	else if (strcmp(type, VD_JOB_UPDATE) != 0)
		r = refuse(fault, "/type",
			   "is neither scheduleUpdateTwin nor scheduleDeviceMethod");
	else if (!vd_json_object(body, "updateTwin"))
		r = refuse(fault, "/updateTwin", "is not an object");
	if (r == 0)
		r = vd_job_condition(body, &condition, fault);
	if (r == 0)
		r = read_times(body, now_ms, job, fault);
	if (r != 0)
		return r;
	(void)snprintf(job->id, sizeof job->id, "%s", id);
	(void)snprintf(job->type, sizeof job->type, "%s", type);
	(void)snprintf(job->status, sizeof job->status, "%s",
		       job->start_ms > now_ms ? "scheduled" : "queued");
	job->request = cJSON_Duplicate(body, true);
	return job->request ? 0 : -ENOMEM;
}

/* --- showing --- */

static bool add_time(cJSON *json, const char *key, int64_t time_ms)
{
	char text[VD_TIME_TEXT];

	return time_ms == 0 || vd_json_add_string(json, key, vd_time_text(time_ms, text));
}

static bool add_if_given(cJSON *json, const char *key, const cJSON *request)
{
	const cJSON *value = vd_json_get(request, key);

	return !value || cJSON_IsNull(value) || vd_json_add_copy(json, key, value);
}

static bool add_statistics(cJSON *json, const struct vd_job_counts *counts)
{
	cJSON *statistics = cJSON_AddObjectToObject(json, "deviceJobStatistics");

	return statistics && vd_json_add_number(statistics, "deviceCount", (double)counts->total) &&
	       vd_json_add_number(statistics, "failedCount", (double)counts->failed) &&
	       vd_json_add_number(statistics, "succeededCount", (double)counts->succeeded) &&
	       vd_json_add_number(statistics, "runningCount", (double)counts->running) &&
	       vd_json_add_number(statistics, "pendingCount", (double)counts->pending);
}

int vd_job_json(struct vd_store *store, const struct vd_job *job, cJSON **ret_json)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	double seconds = (double)(job->deadline_ms - job->start_ms) / 1000;
	struct vd_job_counts counts;
	int r = vd_store_job_counts(store, job->id, &counts);

	if (r < 0)
		return r;
	if (!json || !vd_json_add_string(json, "jobId", job->id) ||
	    !vd_json_add_string(json, "type", job->type) ||
	    !vd_json_add_string(json, "status", job->status) ||
	    !add_if_given(json, "queryCondition", job->request) ||
	    !add_if_given(json, "cloudToDeviceMethod", job->request) ||
	    !add_if_given(json, "updateTwin", job->request) ||
	    !add_time(json, "createdTime", job->created_ms) ||
	    !add_time(json, "startTime", job->start_ms) ||
	    !add_time(json, "endTime", job->ended_ms) ||
	    !vd_json_add_number(json, "maxExecutionTimeInSeconds", seconds) ||
	    (job->reason[0] && !vd_json_add_string(json, "failureReason", job->reason)) ||
	    !add_statistics(json, &counts))
		return -ENOMEM;
	*ret_json = VD_TAKE(json);
	return 0;
}

cJSON *vd_job_device_json(const struct vd_job_device *d, const char *type)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *outcome = cJSON_Parse(d->outcome);
	bool is_error = strcmp(d->status, "failed") == 0;

	if (!json || !outcome || !vd_json_add_string(json, "deviceId", d->device) ||
	    !vd_json_add_string(json, "jobId", d->job) ||
	    !vd_json_add_string(json, "jobType", type) ||
	    !vd_json_add_string(json, "status", d->status) ||
	    !add_time(json, "startTimeUtc", d->started_ms) ||
	    !add_time(json, "endTimeUtc", d->ended_ms) ||
	    !add_time(json, "lastUpdatedDateTimeUtc", d->updated_ms) ||
	    (outcome->child && !vd_json_add_take(json, is_error ? "error" : "outcome", &outcome)))
		return NULL;
	return VD_TAKE(json);
}
