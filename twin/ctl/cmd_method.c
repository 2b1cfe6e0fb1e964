/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl method invoke */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"

enum { TIMEOUT_DEFAULT_S = 30, MARGIN_S = 10, REFUSED_FROM = 400 };

static int make_body(const struct vd_ctl *ctl, int timeout_s, cJSON **ret_body)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *payload = NULL;
	struct vd_fault fault = { 0 };

	if (ctl->payload && vd_json_parse(ctl->payload, strlen(ctl->payload), &payload, &fault) < 0)
		return vd_say_error(VD_EXIT_USAGE, "--payload: %s", fault.text);
	if (!body || !vd_json_add_string(body, "methodName", ctl->arguments[1]) ||
	    !vd_json_add_number(body, "responseTimeoutInSeconds", timeout_s) ||
	    !vd_json_add_number(body, "connectTimeoutInSeconds",
				ctl->connect_timeout_s > 0 ? ctl->connect_timeout_s : 0) ||
	    (payload && !vd_json_add_take(body, "payload", &payload)))
		return VD_EXIT_FAILED;
	*ret_body = VD_TAKE(body);
	return VD_EXIT_OK;
}

static int say_answer(const struct vd_ctl *ctl, const cJSON *answer)
{
	int64_t status = vd_json_int(answer, "status", 0);
	const cJSON *payload = vd_json_get(answer, "payload");

	if (ctl->is_json) {
		(void)vd_say_json(answer);
	} else {
		(void)printf("status %lld\n", (long long)status);
		if (payload && !cJSON_IsNull(payload))
			(void)vd_say_pretty(payload);
	}
	return status >= REFUSED_FROM ? VD_EXIT_FAILED : VD_EXIT_OK;
}

int vd_cmd_method_invoke(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	int timeout_s = ctl->timeout_s > 0 ? ctl->timeout_s : TIMEOUT_DEFAULT_S;
	struct vd_request request = { .method = "POST" };
	int r = make_body(ctl, timeout_s, &body);

	if (r != VD_EXIT_OK)
		return r;
	r = vd_say_path(ctl, "/twins", ctl->arguments[0], &path);
	if (r == 0)
		r = vd_buf_printf(&path, "/methods");
	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	request.body = body;
	request.timeout_s =
		timeout_s + MARGIN_S + (ctl->connect_timeout_s > 0 ? ctl->connect_timeout_s : 0);
	r = vd_client_call(ctl->client, &request, &answer);
	return r == VD_EXIT_OK ? say_answer(ctl, answer) : r;
}
