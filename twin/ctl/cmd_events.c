/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl events */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/follow.h"
#include "twin/ctl/say.h"

static void print_record(const cJSON *record)
{
	const cJSON *body = vd_json_get(record, "body");
	const char *verdict = vd_json_string(body, "verdict", "");
	VD_CLEANUP(vd_free) char *text = verdict[0] || !body ? NULL : vd_json_text(body);
	const char *plain = vd_json_string(record, "bodyText", verdict);

	(void)printf("%s  %s  %s %s %s\n", vd_json_string(record, "tWall", "-"),
		     vd_json_string(record, "deviceId", "-"),
		     vd_json_string(record, "class", "record"),
		     vd_json_string(record, "module", ""), text ? text : plain);
}

static void print_other(const char *type, const cJSON *event)
{
	const char *module = vd_json_string(event, "moduleId", "");
	VD_CLEANUP(vd_free) char *text = NULL;
	const cJSON *body = vd_json_get(event, "body");

	if (body)
		text = vd_json_text(body);
	(void)printf("%s  %s%s%s  %s %s %s\n", vd_json_string(event, "time", "-"),
		     vd_json_string(event, "deviceId", "-"), module[0] ? "/" : "", module, type,
		     vd_json_string(event, "operation", ""), text ? text : "");
}

static int on_event(const char *type, const char *id, const char *data, void *argument)
{
	struct vd_ctl *ctl = argument;
	VD_CLEANUP(vd_json_free) cJSON *event = NULL;

	if (ctl->is_json)
		(void)printf("{\"event\":\"%s\",\"data\":%s}\n", type, data);
	else if (vd_json_parse(data, strlen(data), &event, NULL) == 0 &&
		 strcmp(type, "record") == 0)
		print_record(event);
	else if (event)
		print_other(type, event);
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

int vd_cmd_events(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };

	if (vd_buf_printf(&path, "/events") < 0 ||
	    (ctl->device && (vd_buf_printf(&path, "?deviceId=") < 0 ||
			     vd_client_escape(ctl->client, ctl->device, &path) < 0)))
		return VD_EXIT_FAILED;
	return vd_follow(ctl, path.data, -1, on_event, ctl);
}
