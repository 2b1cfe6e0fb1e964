/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl enrolment … and certificate … */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"

/* "90", "90s", "30m", "12h", "7d" -> seconds, 0 if it is none of these. */
static long read_span(const char *text)
{
	static const struct {
		const char *suffix;
		long seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	char *end = NULL;
	long number = strtol(text, &end, 10);

	for (size_t i = 0; end != text && number > 0 && number < 100000000 && i < VD_COUNT(units);
	     i++) {
		if (strcmp(end, units[i].suffix) == 0)
			return number * units[i].seconds;
	}
	return 0;
}

static int add_tags(const struct vd_ctl *ctl, cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *tags = NULL;
	struct vd_fault fault = { 0 };

	if (!ctl->tags)
		return VD_EXIT_OK;
	if (vd_json_parse(ctl->tags, strlen(ctl->tags), &tags, &fault) < 0 || !cJSON_IsObject(tags))
		return vd_say_error(VD_EXIT_USAGE, "--tags: no JSON object: %s", fault.text);
	return vd_json_add_take(body, "tags", &tags) ? VD_EXIT_OK : VD_EXIT_FAILED;
}

static int make_wishes(const struct vd_ctl *ctl, cJSON *body)
{
	long seconds = ctl->expires ? read_span(ctl->expires) : 0;

	if (!ctl->device == !ctl->is_any)
		return vd_say_error(VD_EXIT_USAGE, "give either --device ID or --any");
	if (ctl->expires && seconds == 0)
		return vd_say_error(VD_EXIT_USAGE,
				    "--expires: \"%s\" is no time such as 90s, 12h, 7d",
				    ctl->expires);
	if ((ctl->device && !vd_json_add_string(body, "deviceId", ctl->device)) ||
	    (seconds && !vd_json_add_number(body, "expiresInS", (double)seconds)))
		return VD_EXIT_FAILED;
	return add_tags(ctl, body);
}

int vd_cmd_enrolment_create(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *made = NULL;
	struct vd_request request = { .method = "POST", .path = "/enrolments", .body = body };
	int r = body ? make_wishes(ctl, body) : VD_EXIT_FAILED;

	if (r == VD_EXIT_OK)
		r = vd_client_call(ctl->client, &request, &made);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		return vd_say_json(made);
	return puts(vd_json_string(made, "token", "")) >= 0 ? VD_EXIT_OK : VD_EXIT_FAILED;
}

int vd_cmd_enrolment_list(struct vd_ctl *ctl)
{
	static const char *const headings[] = {
		"ID", "DEVICE", "STATUS", "EXPIRES", "USED BY", NULL
	};
	static const char *const keys[] = { "id",          "deviceId", "status",
					    "expiresTime", "usedBy",   NULL };
	const struct vd_request request = { .method = "GET", .path = "/enrolments?limit=1000" };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	int r = vd_client_call(ctl->client, &request, &list);

	return r == VD_EXIT_OK ? vd_say_list(ctl, list, headings, keys) : r;
}

int vd_cmd_enrolment_delete(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	struct vd_request request = { .method = "DELETE" };
	int r;

	if (vd_buf_printf(&path, "/enrolments/") < 0 ||
	    vd_client_escape(ctl->client, ctl->arguments[0], &path) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, NULL);
	if (r == VD_EXIT_OK && !ctl->is_json)
		(void)printf("%s deleted\n", ctl->arguments[0]);
	return r;
}

int vd_cmd_certificate_list(struct vd_ctl *ctl)
{
	static const char *const headings[] = { "SERIAL", "DEVICE", "STATUS", "ENDS", NULL };
	static const char *const keys[] = { "serial", "deviceId", "status", "notAfter", NULL };
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	struct vd_request request = { .method = "GET" };
	int r;

	if (vd_buf_printf(&path, "/certificates?limit=1000%s", ctl->device ? "&deviceId=" : "") <
		    0 ||
	    (ctl->device && vd_client_escape(ctl->client, ctl->device, &path) < 0))
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &list);
	return r == VD_EXIT_OK ? vd_say_list(ctl, list, headings, keys) : r;
}

int vd_cmd_certificate_revoke(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_request request = { .method = "POST", .body = body };
	int r;

	if (!ctl->serial == !ctl->is_all)
		return vd_say_error(VD_EXIT_USAGE, "give either --serial HEX or --all");
	if (!body || (ctl->serial && !vd_json_add_string(body, "serial", ctl->serial)) ||
	    (ctl->reason && !vd_json_add_string(body, "reason", ctl->reason)))
		return VD_EXIT_FAILED;
	r = vd_say_path(ctl, "/devices", ctl->arguments[0], &path);
	if (r < 0)
		return r == -EINVAL ? VD_EXIT_USAGE : VD_EXIT_FAILED;
	if (vd_buf_printf(&path, "/certificates/revoke") < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, NULL);
	if (r == VD_EXIT_OK && !ctl->is_json)
		(void)printf("%s: %s revoked\n", ctl->arguments[0],
			     ctl->serial ? ctl->serial : "all certificates");
	return r;
}
