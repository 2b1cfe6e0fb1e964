/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl stats and usage */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"

enum { DAYS_DEFAULT = 7, LIMIT_MAX = 1000 };

/* Adds the members of what the hub answers to all. */
static int collect(struct vd_ctl *ctl, const char *path, cJSON *all)
{
	const struct vd_request request = { .method = "GET", .path = path };
	VD_CLEANUP(vd_json_free) cJSON *part = NULL;
	const cJSON *member;
	int r = vd_client_call(ctl->client, &request, &part);

	if (r != VD_EXIT_OK)
		return r;
	cJSON_ArrayForEach(member, part)
	{
		if (!vd_json_add_copy(all, member->string, member))
			return VD_EXIT_FAILED;
	}
	return VD_EXIT_OK;
}

static int add_row(struct vd_table *table, const char *what, const char *verdict, double count)
{
	char number[32];
	const char *const cells[] = { what, verdict, number };

	(void)snprintf(number, sizeof number, "%.0f", count);
	return vd_table_add(table, cells);
}

static int add_class(struct vd_table *table, const cJSON *entry)
{
	const cJSON *verdict;
	int r = add_row(table, entry->string, NULL, vd_json_number(entry, "total", 0));

	cJSON_ArrayForEach(verdict, vd_json_object(entry, "verdicts"))
	{
		if (r == 0)
			r = add_row(table, entry->string, verdict->string, verdict->valuedouble);
	}
	return r;
}

static int print_stats(const cJSON *all, bool with_devices)
{
	static const char *const headings[] = { "WHAT", "VERDICT", "COUNT", NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *entry;
	int r = vd_table_new(headings, &table);

	if (r == 0 && with_devices)
		r = add_row(table, "devices", NULL, vd_json_number(all, "totalDeviceCount", 0));
	if (r == 0 && with_devices)
		r = add_row(table, "enabled", NULL, vd_json_number(all, "enabledDeviceCount", 0));
	if (r == 0 && with_devices)
		r = add_row(table, "connected", NULL,
			    vd_json_number(all, "connectedDeviceCount", 0));
	cJSON_ArrayForEach(entry, vd_json_object(all, "classes"))
	{
		if (r == 0)
			r = add_class(table, entry);
	}
	if (r == 0)
		r = add_row(table, "unreadable", NULL, vd_json_number(all, "deadLetters", 0));
	if (r < 0)
		return VD_EXIT_FAILED;
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_stats(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_json_free) cJSON *all = cJSON_CreateObject();
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	int r = VD_EXIT_OK;

	if (!all ||
	    vd_buf_printf(&path, "/telemetry/statistics%s", ctl->device ? "?deviceId=" : "") < 0 ||
	    (ctl->device && vd_client_escape(ctl->client, ctl->device, &path) < 0))
		return VD_EXIT_FAILED;
	if (!ctl->device)
		r = collect(ctl, "/statistics/devices", all);
	if (r == VD_EXIT_OK && !ctl->device)
		r = collect(ctl, "/statistics/service", all);
	if (r == VD_EXIT_OK)
		r = collect(ctl, path.data, all);
	if (r != VD_EXIT_OK)
		return r;
	return ctl->is_json ? vd_say_json(all) : print_stats(all, !ctl->device);
}

static int print_usage_list(const cJSON *list)
{
	static const char *const headings[] = { "DAY", "DEVICE", "MESSAGES", "BYTES", NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *row;

	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(row, list)
	{
		char messages[32], bytes[32];
		const char *const cells[] = { vd_json_string(row, "day", NULL),
					      vd_json_string(row, "deviceId", NULL), messages,
					      bytes };

		(void)snprintf(messages, sizeof messages, "%.0f",
			       vd_json_number(row, "messages", 0));
		(void)snprintf(bytes, sizeof bytes, "%.0f", vd_json_number(row, "bytes", 0));
		if (vd_table_add(table, cells) < 0)
			return VD_EXIT_FAILED;
	}
	vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

int vd_cmd_usage(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	struct vd_request request = { .method = "GET" };
	int r;

	if (vd_buf_printf(
		    &path, "/usage?days=%d&limit=%d%s", ctl->days > 0 ? ctl->days : DAYS_DEFAULT,
		    ctl->limit > 0 ? ctl->limit : LIMIT_MAX, ctl->device ? "&deviceId=" : "") < 0 ||
	    (ctl->device && vd_client_escape(ctl->client, ctl->device, &path) < 0))
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &list);
	if (r != VD_EXIT_OK)
		return r;
	return ctl->is_json ? vd_say_json(list) : print_usage_list(list);
}
