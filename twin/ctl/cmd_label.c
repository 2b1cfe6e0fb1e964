/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl label … */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

static bool add_text(cJSON *body, const char *key, const char *text)
{
	return !text || vd_json_add_string(body, key, text);
}

static int read_boxes(const char *text, cJSON **ret_boxes)
{
	struct vd_fault fault = { 0 };

	if (!text)
		return VD_EXIT_OK;
	if (vd_json_parse(text, strlen(text), ret_boxes, &fault) < 0)
		return vd_say_error(VD_EXIT_USAGE, "--boxes: %s", fault.text);
	return VD_EXIT_OK;
}

int vd_cmd_label_add(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *boxes = NULL;
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	const struct vd_request request = { .method = "POST", .path = "/labels", .body = body };
	int r;

	if (!ctl->device || (!ctl->item && !ctl->sha256))
		return vd_say_error(VD_EXIT_USAGE, "--device and --item or --sha256 are needed");
	r = read_boxes(ctl->boxes, &boxes);
	if (r != VD_EXIT_OK)
		return r;
	if (!body || !vd_json_add_string(body, "deviceId", ctl->device) ||
	    !vd_json_add_string(body, "label", ctl->arguments[0]) ||
	    !add_text(body, "itemId", ctl->item) || !add_text(body, "sha256", ctl->sha256) ||
	    !add_text(body, "by", getenv("USER")) || !add_text(body, "note", ctl->comment) ||
	    (boxes && !vd_json_add_take(body, "boxes", &boxes)))
		return VD_EXIT_FAILED;
	r = vd_client_call(ctl->client, &request, &answer);
	if (r == VD_EXIT_OK && ctl->is_json)
		return vd_say_json(answer);
	if (r == VD_EXIT_OK)
		(void)printf("label %lld\n", (long long)vd_json_int(answer, "id", 0));
	return r;
}

int vd_cmd_label_list(struct vd_ctl *ctl)
{
	static const char *const headings[] = { "ID",    "TIME", "DEVICE", "ITEM",
						"LABEL", "BY",   "NOTE",   NULL };
	static const char *const keys[] = { "id",    "createdTime", "deviceId", "itemId",
					    "label", "by",          "note",     NULL };
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *page = NULL;
	struct vd_request request = { .method = "GET" };
	int limit = ctl->limit >= 0 ? ctl->limit : LIMIT_DEFAULT, r;

	if (limit < 1 || limit > LIMIT_MAX)
		return vd_say_error(VD_EXIT_USAGE, "--limit has to be 1 to %d", LIMIT_MAX);
	if (vd_buf_printf(&path, "/labels?limit=%d", limit) < 0 ||
	    vd_say_filter(ctl, "deviceId", ctl->device, &path) < 0 ||
	    vd_say_filter(ctl, "itemId", ctl->item, &path) < 0 ||
	    vd_say_filter(ctl, "sha256", ctl->sha256, &path) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &page);
	return r == VD_EXIT_OK ? vd_say_list(ctl, vd_json_array(page, "items"), headings, keys) : r;
}
