/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl verdicts */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/follow.h"
#include "twin/ctl/say.h"
#include "twin/ctl/table.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 1000 };

/* Item, and serial if it has one. */
static const char *item_of(const cJSON *body)
{
	const char *serial = vd_json_string(body, "serial", "");

	return serial[0] ? serial : vd_json_string(body, "itemId", NULL);
}

static void reasons_of(const cJSON *body, char *out, size_t size)
{
	const cJSON *reason;
	size_t len = 0;

	out[0] = '\0';
	cJSON_ArrayForEach(reason, vd_json_array(body, "reasons"))
	{
		int n;

		if (!cJSON_IsString(reason) || len >= size)
			continue;
		n = snprintf(out + len, size - len, "%s%s", len ? ", " : "", reason->valuestring);
		len += n > 0 ? (size_t)n : 0;
	}
}

struct cells {
	char time[16], reasons[256];
	const char *list[6];
};

/* "2026-11-21T23:49:30.123Z" -> "23:49:30.123": the day stands in -o json. */
static void fill_cells(const cJSON *record, struct cells *cells)
{
	const cJSON *body = vd_json_get(record, "body");
	const char *wall = vd_json_string(record, "tWall", "");
	const char *clock = strchr(wall, 'T');

	(void)snprintf(cells->time, sizeof cells->time, "%.12s", clock ? clock + 1 : "-");
	reasons_of(body, cells->reasons, sizeof cells->reasons);
	cells->list[0] = cells->time;
	cells->list[1] = vd_json_string(record, "deviceId", NULL);
	cells->list[2] = vd_json_string(body, "station", vd_json_string(record, "module", NULL));
	cells->list[3] = item_of(body);
	cells->list[4] = vd_json_string(body, "verdict", NULL);
	cells->list[5] = cells->reasons;
}

static int print_page(struct vd_ctl *ctl, const cJSON *page)
{
	static const char *const headings[] = { "TIME",    "DEVICE",  "STATION", "ITEM",
						"VERDICT", "REASONS", NULL };
	VD_CLEANUP(vd_table_free) struct vd_table *table = NULL;
	const cJSON *record;

	if (vd_table_new(headings, &table) < 0)
		return VD_EXIT_FAILED;
	cJSON_ArrayForEach(record, vd_json_array(page, "items"))
	{
		struct cells cells;

		if (ctl->is_json) {
			(void)vd_say_json(record);
			continue;
		}
		fill_cells(record, &cells);
		if (vd_table_add(table, cells.list) < 0)
			return VD_EXIT_FAILED;
	}
	if (!ctl->is_json)
		vd_table_print(table, stdout);
	return VD_EXIT_OK;
}

static int on_record(const char *type, const char *id, const char *data, void *argument)
{
	struct vd_ctl *ctl = argument;
	VD_CLEANUP(vd_json_free) cJSON *record = NULL;
	struct cells cells;

	if (strcmp(type, "record") != 0 || vd_json_parse(data, strlen(data), &record, NULL) < 0)
		return 0;
	if (ctl->is_json) {
		(void)puts(data);
	} else {
		fill_cells(record, &cells);
		(void)printf(
			"%-12s  %-14s %-12s %-14s %-10s  %s\n", cells.list[0],
			cells.list[1] ? cells.list[1] : "-", cells.list[2] ? cells.list[2] : "-",
			cells.list[3] ? cells.list[3] : "-", cells.list[4] ? cells.list[4] : "-",
			cells.reasons[0] ? cells.reasons : "-");
	}
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

static int make_path(struct vd_ctl *ctl, const char *start, struct vd_buf *path)
{
	int r = vd_buf_printf(path, "%sclass=verdict", start);

	if (r == 0)
		r = vd_say_filter(ctl, "deviceId", ctl->device, path);
	if (r == 0)
		r = vd_say_filter(ctl, "module", ctl->module, path);
	return r == 0 ? vd_say_filter(ctl, "verdict", ctl->verdict, path) : r;
}

/* What only those that are there already are chosen by. */
static int add_past(struct vd_ctl *ctl, struct vd_buf *path)
{
	const char *const filters[][2] = { { "from", ctl->from },
					   { "to", ctl->to },
					   { "where", ctl->where },
					   { "recipe", ctl->recipe } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < VD_COUNT(filters); i++)
		r = vd_say_filter(ctl, filters[i][0], filters[i][1], path);
	return r;
}

int vd_cmd_verdicts(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf stream = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *page = NULL;
	struct vd_request request = { .method = "GET" };
	int limit = ctl->limit >= 0 ? ctl->limit : LIMIT_DEFAULT;
	int r;

	if (limit < 1 || limit > LIMIT_MAX)
		return vd_say_error(VD_EXIT_USAGE, "--limit has to be 1 to %d", LIMIT_MAX);
	if (ctl->is_follow && (ctl->from || ctl->to || ctl->where || ctl->recipe))
		return vd_say_error(VD_EXIT_USAGE,
				    "--follow goes without --from, --to, --where and --recipe");
	if (make_path(ctl, "/telemetry?order=newest&", &path) < 0 || add_past(ctl, &path) < 0 ||
	    vd_buf_printf(&path, "&limit=%d", limit) < 0 ||
	    make_path(ctl, "/events?type=record&", &stream) < 0)
		return VD_EXIT_FAILED;
	request.path = path.data;
	r = vd_client_call(ctl->client, &request, &page);
	if (r == VD_EXIT_OK)
		r = print_page(ctl, page);
	if (r != VD_EXIT_OK || !ctl->is_follow)
		return r;
	(void)fflush(stdout);
	return vd_follow(ctl, stream.data, vd_json_int(page, "continuation", 0), on_record, ctl);
}
