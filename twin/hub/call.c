/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/store/name.h"

static int split_path(struct vd_call *call, char *path, struct vd_fault *fault)
{
	char *rest = path;

	for (char *part; (part = strsep(&rest, "/"));) {
		if (!part[0]) /* "/devices/" is "/devices" */
			continue;
		if (call->segment_count == VD_CALL_SEGMENTS || vd_percent_decode(part) < 0) {
			vd_fault_set(fault, 400, "", "the path is too deep or badly encoded");
			return -EINVAL;
		}
		call->segments[call->segment_count++] = part;
	}
	return 0;
}

static int split_arguments(struct vd_call *call, char *text, struct vd_fault *fault)
{
	char *rest = text;

	for (char *part; (part = strsep(&rest, "&"));) {
		char *value = strchr(part, '=');

		if (!part[0])
			continue;
		if (value)
			*value++ = '\0';
		if (call->argument_count == VD_CALL_ARGUMENTS || vd_percent_decode(part) < 0 ||
		    (value && vd_percent_decode(value) < 0)) {
			vd_fault_set(fault, 400, "", "too many query arguments, or badly encoded");
			return -EINVAL;
		}
		call->arguments[call->argument_count].name = part;
		call->arguments[call->argument_count++].value = value ? value : "";
	}
	return 0;
}

int vd_call_set_target(struct vd_call *call, const char *target, struct vd_fault *fault)
{
	size_t path_len = strcspn(target, "?");
	int r;

	call->target = strndup(target, path_len);
	call->arguments_text = strdup(target[path_len] ? target + path_len + 1 : "");
	if (!call->target || !call->arguments_text)
		return -ENOMEM;
	r = split_path(call, call->target, fault);
	if (r == 0)
		r = split_arguments(call, call->arguments_text, fault);
	return r;
}

void vd_call_fini(struct vd_call *call)
{
	free(call->target);
	free(call->arguments_text);
	call->target = call->arguments_text = NULL;
	call->reply.body = vd_json_free(call->reply.body);
	free(call->reply.continuation);
	call->reply.continuation = NULL;
	free(call->reply.text);
	call->reply.text = NULL;
}

const char *vd_call_argument(const struct vd_call *call, const char *name)
{
	for (int i = 0; i < call->argument_count; i++) {
		if (strcmp(call->arguments[i].name, name) == 0)
			return call->arguments[i].value;
	}
	return NULL;
}

static int read_number(const char *name, const char *text, int64_t low, int64_t high,
		       int64_t *ret_number, struct vd_fault *fault)
{
	char *end = NULL;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < low || number > high) {
		vd_fault_set(fault, 400, "", "%s is not a number from %lld to %lld", name,
			     (long long)low, (long long)high);
		return VD_REFUSED_ARGUMENT;
	}
	*ret_number = number;
	return 0;
}

int vd_call_number(const struct vd_call *call, const char *name, int64_t low, int64_t high,
		   int64_t fallback, int64_t *ret_number, struct vd_fault *fault)
{
	const char *text = vd_call_argument(call, name);

	*ret_number = fallback;
	return text ? read_number(name, text, low, high, ret_number, fault) : 0;
}

int vd_call_page_size(const struct vd_call *call, int high, int fallback, int *ret_size,
		      struct vd_fault *fault)
{
	int64_t size = fallback;
	int r = 0;

	if (call->max_item_count)
		r = read_number("x-ms-max-item-count", call->max_item_count, 1, high, &size, fault);
	*ret_size = (int)size;
	return r;
}

int vd_call_object(const struct vd_call *call, cJSON **ret_object, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = vd_json_parse(call->body, call->body_len, &json, fault);

	if (r < 0)
		return r == -EINVAL ? VD_REFUSED_ARGUMENT : r;
	if (!cJSON_IsObject(json)) {
		vd_fault_set(fault, 400, "", "the body is not a JSON object");
		return VD_REFUSED_ARGUMENT;
	}
	*ret_object = VD_TAKE(json);
	return 0;
}

void vd_reply_json(struct vd_reply *reply, int status, cJSON **body)
{
	if (!*body) {
		vd_reply_refuse(reply, -ENOMEM, NULL);
		return;
	}
	reply->status = status;
	reply->body = VD_TAKE(*body);
}

void vd_reply_refuse(struct vd_reply *reply, int refusal, const struct vd_fault *fault)
{
	const struct vd_refusal_info *info = vd_refusal_info(refusal);
	char text[600] = "the hub failed, see its log";

	if (fault && fault->code)
		(void)snprintf(text, sizeof text, "%s%s%s", fault->pointer,
			       fault->pointer[0] ? ": " : "", fault->text);
	reply->status = info->status;
	reply->error_name = info->name;
	reply->etag[0] = '\0';
	reply->body = vd_json_free(reply->body);
	reply->body = vd_refusal_rest_body(refusal, text);
}

const char *vd_verb_name(enum vd_verb verb)
{
	switch (verb) {
	case VD_VERB_GET:
		return "GET";
	case VD_VERB_PUT:
		return "PUT";
	case VD_VERB_POST:
		return "POST";
	case VD_VERB_PATCH:
		return "PATCH";
	case VD_VERB_DELETE:
		return "DELETE";
	}
	return "?";
}
