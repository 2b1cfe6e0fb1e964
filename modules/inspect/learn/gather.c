/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/learn/gather.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "modules/inspect/privacy.h"

enum { PATH_BYTES = 4096, FILE_BYTES = 256 };

int vd_gather_init(struct vd_gather *gather, const char *folder)
{
	*gather = (struct vd_gather){ .folder = strdup(folder ? folder : "") };
	return gather->folder ? 0 : -ENOMEM;
}

void vd_gather_fini(struct vd_gather *gather)
{
	free(gather->folder);
	gather->folder = NULL;
}

static void count_file(struct vd_gather *gather, const char *folder, const char *name)
{
	char path[PATH_BYTES];
	struct stat status;
	const size_t n = strlen(name);

	if (name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_BYTES ||
	    stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return;
	if (n > 5 && strcmp(name + n - 5, ".json") == 0)
		gather->items++;
	else
		gather->bytes += status.st_size;
}

/* An order that was interrupted goes on where it was. */
static void count_files(struct vd_gather *gather)
{
	char folder[PATH_BYTES];
	struct dirent *entry;
	DIR *dir;

	gather->items = 0;
	gather->bytes = 0;
	if (snprintf(folder, sizeof folder, "%s/%s", gather->folder, gather->order.label) >=
	    PATH_BYTES)
		return;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		count_file(gather, folder, entry->d_name);
	if (dir)
		(void)closedir(dir);
}

static void begin(struct vd_gather *gather, const struct vd_gather_order *order, bool by_call)
{
	gather->order = *order;
	gather->is_by_call = by_call && order->label[0];
	gather->text[0] = '\0';
	if (order->label[0])
		count_files(gather);
}

static bool is_over(const struct vd_gather *gather, int64_t now_wall_ms)
{
	const struct vd_gather_order *order = &gather->order;

	return !order->label[0] || gather->text[0] || now_wall_ms >= order->until_wall_ms ||
	       gather->items >= order->count || gather->bytes >= order->bytes_most;
}

static void end_if_over(struct vd_gather *gather, int64_t now_wall_ms)
{
	const struct vd_gather_order *order = &gather->order;

	if (!order->label[0] || gather->text[0] || !is_over(gather, now_wall_ms))
		return;
	(void)snprintf(gather->text, sizeof gather->text, "%s",
		       gather->items >= order->count        ? "all items are there"
		       : gather->bytes >= order->bytes_most ? "the bytes are used up"
							    : "the time is over");
	vd_log(VD_NOTICE, "gather.ended", "label=%s items=%d text=\"%s\"", order->label,
	       gather->items, gather->text);
}

void vd_gather_begin(struct vd_gather *gather, const struct vd_gather_order *order,
		     int64_t now_wall_ms)
{
	begin(gather, order, true);
	end_if_over(gather, now_wall_ms);
}

static bool is_same(const struct vd_gather_order *a, const struct vd_gather_order *b)
{
	return strcmp(a->label, b->label) == 0 && a->until_wall_ms == b->until_wall_ms &&
	       a->count == b->count && a->bytes_most == b->bytes_most;
}

static bool is_of_parameters(const struct vd_gather *gather,
			     const struct vd_gather_order *parameters, int64_t now_wall_ms)
{
	return (!gather->is_by_call || is_over(gather, now_wall_ms)) &&
	       !is_same(&gather->order, parameters);
}

bool vd_gather_wants(const struct vd_gather *gather, const struct vd_gather_order *parameters,
		     int64_t now_wall_ms)
{
	if (!gather->folder[0])
		return false;
	if (is_of_parameters(gather, parameters, now_wall_ms))
		return parameters->label[0] && now_wall_ms < parameters->until_wall_ms;
	return !is_over(gather, now_wall_ms);
}

/* ---- files ---- */

static int write_file(const struct vd_gather *gather, const char *name, const struct vd_buf *bytes)
{
	char path[PATH_BYTES];
	const int n =
		snprintf(path, sizeof path, "%s/%s/%s", gather->folder, gather->order.label, name);

	return n >= PATH_BYTES ? -ENAMETOOLONG : vd_file_write(path, bytes->data, bytes->len, 0640);
}

static int write_shot(struct vd_gather *gather, const struct vd_item *item, int camera,
		      cJSON *files)
{
	const struct vd_shot *shot = &item->shots[camera];
	const char *of = item->recipe->cameras[camera];
	const bool is_veiled = item->recipe->veils[camera].is_set;
	VD_CLEANUP(vd_buf_fini) struct vd_buf pgm = { 0 };
	VD_CLEANUP(vd_veiled_fini) struct vd_veiled veiled = { 0 };
	char name[FILE_BYTES];
	int r = 0;

	(void)snprintf(name, sizeof name, "%s-%s.%s", item->id, of,
		       shot->is_jpeg || is_veiled ? "jpg" : "pgm");
	for (char *p = name; *p; p++)
		*p = *p == '/' ? '_' : *p;
	if (is_veiled)
		vd_veil(&item->recipe->veils[camera], shot, &veiled);
	else if (!shot->is_jpeg)
		r = vd_shot_pgm(shot, &pgm);
	if (is_veiled && !veiled.sha256[0])
		return 0; /* what cannot be blurred is not stored */
	if (r == 0)
		r = write_file(gather, name,
			       is_veiled       ? &veiled.jpeg
			       : shot->is_jpeg ? &shot->bytes
					       : &pgm);
	if (r == 0 && !vd_json_add_string(files, of, name))
		r = -ENOMEM;
	gather->bytes += (int64_t)shot->bytes.len;
	return r;
}

static int write_label(struct vd_gather *gather, const struct vd_item *item, cJSON *json)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_free) char *line = vd_json_text(json);
	char name[FILE_BYTES];
	int r = line ? vd_buf_printf(&text, "%s\n", line) : -ENOMEM;

	(void)snprintf(name, sizeof name, "%s.json", item->id);
	return r < 0 ? r : write_file(gather, name, &text);
}

static int write_item(struct vd_gather *gather, const struct vd_item *item, enum vd_verdict verdict)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	cJSON *files = json ? cJSON_AddObjectToObject(json, "files") : NULL;
	char folder[PATH_BYTES];
	int r;

	if (!files || !vd_json_add_string(json, "itemId", item->id) ||
	    !vd_json_add_string(json, "label", gather->order.label) ||
	    !vd_json_add_string(json, "serial", item->serial[0] ? item->serial : NULL) ||
	    !vd_json_add_string(json, "capturedAt", item->shots[0].captured_at) ||
	    !vd_json_add_string(json, "recipe", item->recipe->name) ||
	    !vd_json_add_number(json, "rev", item->recipe->rev) ||
	    !vd_json_add_string(json, "verdict", vd_verdict_name(verdict)))
		return -ENOMEM;
	(void)snprintf(folder, sizeof folder, "%s/%s", gather->folder, gather->order.label);
	r = vd_file_make_folders(folder, 0750);
	for (int i = 0; r == 0 && i < item->recipe->camera_count; i++) {
		if (item->shots[i].bytes.len > 0)
			r = write_shot(gather, item, i, files);
	}
	return r < 0 ? r : write_label(gather, item, json);
}

void vd_gather_put(struct vd_gather *gather, const struct vd_gather_order *parameters,
		   const struct vd_item *item, enum vd_verdict verdict, int64_t now_wall_ms)
{
	int r;

	if (!gather->folder[0])
		return;
	if (is_of_parameters(gather, parameters, now_wall_ms))
		begin(gather, parameters, false);
	end_if_over(gather, now_wall_ms);
	if (is_over(gather, now_wall_ms))
		return;
	r = write_item(gather, item, verdict);
	if (r == 0)
		gather->items++;
	else
		(void)snprintf(gather->text, sizeof gather->text, "a file was not written: %.40s",
			       strerror(-r));
	if (r < 0)
		vd_log(VD_ERROR, "gather.failed", "label=%s text=\"%s\"", gather->order.label,
		       strerror(-r));
	end_if_over(gather, now_wall_ms);
}

bool vd_gather_add(const struct vd_gather *gather, cJSON *json)
{
	const struct vd_gather_order *order = &gather->order;
	char until[VD_TIME_TEXT];
	cJSON *state;

	if (!order->label[0])
		return vd_json_add_string(json, "gather", NULL);
	state = cJSON_AddObjectToObject(json, "gather");
	return state && vd_json_add_string(state, "label", order->label) &&
	       vd_json_add_number(state, "items", gather->items) &&
	       vd_json_add_number(state, "wanted", order->count) &&
	       vd_json_add_number(state, "bytes", (double)gather->bytes) &&
	       vd_json_add_string(state, "until", vd_time_text(order->until_wall_ms, until)) &&
	       vd_json_add_string(state, "ended", gather->text[0] ? gather->text : NULL);
}
