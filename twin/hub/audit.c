/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "twin/hub/api/api.h"

static const char *last_segment(const struct vd_call *call)
{
	return call->segments[call->segment_count - 1];
}

static bool is_method(const struct vd_call *call)
{
	return call->verb == VD_VERB_POST && strcmp(last_segment(call), "methods") == 0;
}

/* Azure asks some questions by POST. */
static bool may_change(const struct vd_call *call)
{
	if (call->verb == VD_VERB_GET || call->segment_count == 0)
		return false;
	return call->verb != VD_VERB_POST || (strcmp(last_segment(call), "query") != 0 &&
					      strcmp(last_segment(call), "testQueries") != 0);
}

static void name_target(const struct vd_call *call, char target[static VD_ID_BYTES])
{
	struct vd_name name;
	bool is_identity = strcmp(call->segments[0], "devices") == 0 ||
			   strcmp(call->segments[0], "twins") == 0;

	if (is_identity && call->segment_count > 1 && vd_api_name(call, &name, NULL) == 0)
		(void)vd_name_text(&name, target);
	else
		(void)snprintf(target, VD_ID_BYTES, "%s",
			       call->segment_count > 1 ? call->segments[1] : call->segments[0]);
}

/* Bodies may hold keys: only their digest is kept, and a method's name. */
static int describe(const struct vd_call *call, cJSON *details)
{
	char path[512] = "", digest[VD_SHA256_TEXT];
	int len = 0;

	for (int i = 0; i < call->segment_count && len >= 0 && (size_t)len < sizeof path; i++)
		len += snprintf(path + len, sizeof path - (size_t)len, "/%s", call->segments[i]);
	if (!vd_json_add_string(details, "path", path))
		return -ENOMEM;
	if (call->body_len == 0)
		return 0;
	if (vd_sha256_text(call->body, call->body_len, digest) < 0 ||
	    !vd_json_add_number(details, "bodyBytes", (double)call->body_len) ||
	    !vd_json_add_string(details, "bodySha256", digest))
		return -ENOMEM;
	return 0;
}

static int describe_method(const struct vd_call *call, cJSON *details)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	const char *name = "";

	if (vd_json_parse(call->body, call->body_len, &body, NULL) == 0)
		name = vd_json_string(body, "methodName", "");
	return strlen(name) > 256 || vd_json_add_string(details, "methodName", name) ? 0 : -ENOMEM;
}

static int fill_in(struct vd_audited *a, const struct vd_call *call, int64_t now_ms)
{
	int r;

	(void)snprintf(a->actor, sizeof a->actor, "policy:%s", call->author);
	if (is_method(call))
		(void)snprintf(a->action, sizeof a->action, "invokeMethod");
	else
		(void)snprintf(a->action, sizeof a->action, "%s %s", vd_verb_name(call->verb),
			       call->segments[0]);
	name_target(call, a->target);
	a->details = cJSON_CreateObject();
	r = a->details ? describe(call, a->details) : -ENOMEM;
	if (r == 0 && is_method(call))
		r = describe_method(call, a->details);
	a->entry = (struct vd_audit_entry){ .time_ms = now_ms,
					    .actor = a->actor,
					    .action = a->action,
					    .target = a->target,
					    .details = a->details };
	return r;
}

int vd_audited_begin(struct vd_audited *a, struct vd_store *store, const struct vd_call *call,
		     int64_t now_ms)
{
	int r;

	*a = (struct vd_audited){ .store = store };
	if (!may_change(call))
		return 0;
	r = fill_in(a, call, now_ms);
	if (r == 0 && is_method(call)) {
		r = vd_store_audit_add(store, &a->entry);
		(void)vd_store_audit_end(store);
	} else if (r == 0) {
		vd_store_audit_begin(store, &a->entry);
		a->is_open = true;
	}
	if (!a->is_open)
		a->details = vd_json_free(a->details);
	return r;
}

static int status_of(int result)
{
	if (result == 0)
		return 200;
	return result == VD_API_KEPT ? 202 : vd_refusal_info(result)->status;
}

void vd_audited_end(struct vd_audited *a, int result)
{
	if (!a->is_open)
		return;
	a->is_open = false;
	if (!vd_store_audit_end(a->store) &&
	    (!vd_json_add_number(a->details, "status", status_of(result)) ||
	     vd_store_audit_add(a->store, &a->entry) < 0))
		vd_log(VD_ERROR, "audit.unwritten", "actor=%s action=\"%s\" target=%s", a->actor,
		       a->action, a->target);
	a->details = vd_json_free(a->details);
}
