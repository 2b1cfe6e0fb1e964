/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl message send, message purge */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"

enum { FILE_BYTES = 65536 };

static int add_properties(const struct vd_ctl *ctl, cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *properties = cJSON_CreateObject();

	for (int i = 1; properties && i < ctl->argument_count; i++) {
		const char *pair = ctl->arguments[i], *equals = strchr(pair, '=');
		VD_CLEANUP(vd_free)
		char *key = equals ? strndup(pair, (size_t)(equals - pair)) : NULL;

		if (!equals || equals == pair)
			return vd_say_error(VD_EXIT_USAGE, "\"%s\" is not KEY=VALUE", pair);
		if (!key || !vd_json_add_string(properties, key, equals + 1))
			return VD_EXIT_FAILED;
	}
	return properties && vd_json_add_take(body, "properties", &properties) ? VD_EXIT_OK
									       : VD_EXIT_FAILED;
}

static int add_file(const struct vd_ctl *ctl, cJSON *body)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf data = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault fault = { 0 };

	if (ctl->payload)
		return vd_say_error(VD_EXIT_USAGE, "--payload and --file exclude each other");
	if (vd_file_read(ctl->file, FILE_BYTES, &data, &fault) < 0)
		return vd_say_error(VD_EXIT_USAGE, "--file: %s", fault.text);
	if (vd_base64_encode(data.data ? data.data : "", data.len, &text) < 0 ||
	    !vd_json_add_string(body, "bodyBase64", text.data ? text.data : ""))
		return VD_EXIT_FAILED;
	return VD_EXIT_OK;
}

static int make_body(const struct vd_ctl *ctl, cJSON **ret_body)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	char time[VD_TIME_TEXT];
	int r = body ? add_properties(ctl, body) : VD_EXIT_FAILED;

	if (r == VD_EXIT_OK && ctl->file)
		r = add_file(ctl, body);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->payload && !vd_json_add_string(body, "body", ctl->payload))
		return VD_EXIT_FAILED;
	if (ctl->timeout_s > 0 &&
	    !vd_json_add_string(body, "expiryTimeUtc",
				vd_time_text(vd_clock_wall_ms() + ctl->timeout_s * 1000LL, time)))
		return VD_EXIT_FAILED;
	*ret_body = VD_TAKE(body);
	return VD_EXIT_OK;
}

static int call(struct vd_ctl *ctl, const char *method, const char *what, const cJSON *body,
		cJSON **ret_answer)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = method, .body = body };
	int r = vd_say_path(ctl, "/devices", ctl->arguments[0], &path);

	if (r == 0)
		r = vd_buf_printf(&path, "/%s", what);
	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	request.path = path.data;
	return vd_client_call(ctl->client, &request, ret_answer);
}

int vd_cmd_message_send(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	int r = make_body(ctl, &body);

	if (r == VD_EXIT_OK)
		r = call(ctl, "POST", "messages/deviceBound", body, &answer);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		return vd_say_json(answer);
	(void)printf("%s until %s\n", vd_json_string(answer, "messageId", ""),
		     vd_json_string(answer, "expiryTimeUtc", ""));
	return VD_EXIT_OK;
}

int vd_cmd_message_purge(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	int r = call(ctl, "DELETE", "commands", NULL, &answer);

	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		return vd_say_json(answer);
	(void)printf("%lld thrown away\n",
		     (long long)vd_json_int(answer, "totalMessagesPurged", 0));
	return VD_EXIT_OK;
}
