/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedettectl images export: what trains a model, as files. Each image once, under its digest, by
 * which it is checked; what lies there already is not fetched again. Drawings on images, and images
 * that steps made, are left out. Boxes are those of the newest label of the image or its item, else
 * those of the verdict.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "modules/image/jpeg.h"
#include "twin/ctl/client.h"
#include "twin/ctl/coco.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"

enum { PAGE = 1000, FILE_BYTES = 64 << 20 };

struct export
{
	struct vd_ctl *ctl;
	const char *folder;
	int64_t since_ms;
	cJSON *labels;
	struct vd_coco *coco;
	unsigned fetched, kept, missing, unreadable;
};

/* What an image is of; any may be NULL. */
struct subject {
	const cJSON *record, *body, *label;
	const char *attachment;
};

static int no_memory(void)
{
	return vd_say_error(VD_EXIT_FAILED, "%s", strerror(ENOMEM));
}

/* --- files --- */

static bool is_whole(const struct vd_buf *bytes, const char *sha256)
{
	char digest[VD_SHA256_TEXT];

	return vd_sha256_text(bytes->data ? bytes->data : "", bytes->len, digest) == 0 &&
	       strcmp(digest, sha256) == 0;
}

static int fetch(struct export *e, const char *sha256, const char *path, struct vd_buf *bytes)
{
	char address[VD_SHA256_TEXT + 16];
	int r;

	(void)snprintf(address, sizeof address, "/images/%s", sha256);
	vd_buf_clear(bytes);
	r = vd_client_get_bytes(e->ctl->client, address, bytes);
	if (r != VD_EXIT_OK)
		return r;
	if (!is_whole(bytes, sha256))
		return vd_say_error(VD_EXIT_FAILED, "%s: the hub gave something else", sha256);
	r = vd_file_write(path, bytes->data, bytes->len, 0644);
	if (r < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s", path, strerror(-r));
	e->fetched++;
	return VD_EXIT_OK;
}

/* NOT_FOUND: the hub has not got it, or no more. */
static int get_file(struct export *e, const char *sha256, struct vd_buf *bytes)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };

	if (vd_buf_printf(&path, "%s/images/%s.jpg", e->folder, sha256) < 0)
		return no_memory();
	if (vd_file_read(path.data, FILE_BYTES, bytes, NULL) == 0 && is_whole(bytes, sha256)) {
		e->kept++;
		return VD_EXIT_OK;
	}
	return fetch(e, sha256, path.data, bytes);
}

/* --- boxes --- */

static bool is_of(const cJSON *label, const char *sha256, const char *item)
{
	const char *labelled = vd_json_string(label, "sha256", NULL);

	if (labelled)
		return strcmp(labelled, sha256) == 0;
	return item && strcmp(vd_json_string(label, "itemId", ""), item) == 0;
}

/* The newest: they come oldest first. */
static const cJSON *find_label(const struct export *e, const char *sha256, const char *item)
{
	const cJSON *label, *newest = NULL;

	cJSON_ArrayForEach(label, e->labels)
	{
		if (is_of(label, sha256, item))
			newest = label;
	}
	return newest;
}

static int add_boxes(struct export *e, const cJSON *boxes, const char *category, const char *source)
{
	const cJSON *box;

	cJSON_ArrayForEach(box, boxes)
	{
		if (vd_coco_add_box(e->coco, box, category, source) < 0)
			return no_memory();
	}
	return VD_EXIT_OK;
}

/*
 * Boxes of a step are in the picture of its camera. Where there are several cameras, only a step that
 * names its own can be told to belong to the image.
 */
static bool is_step_of(const struct subject *s, const cJSON *step)
{
	const char *camera = vd_json_string(step, "camera", NULL);

	if (cJSON_GetArraySize(vd_json_object(s->body, "cameras")) <= 1)
		return true;
	return camera && strstr(s->attachment, camera);
}

static int add_verdict_boxes(struct export *e, const struct subject *s)
{
	const cJSON *step;
	int r = VD_EXIT_OK;

	cJSON_ArrayForEach(step, vd_json_object(s->body, "steps"))
	{
		if (!is_step_of(s, step))
			continue;
		r = add_boxes(e, vd_json_array(step, "defects"), step->string, "verdict");
		if (r == VD_EXIT_OK)
			r = add_boxes(e, vd_json_array(step, "objects"), step->string, "verdict");
		if (r != VD_EXIT_OK)
			return r;
	}
	return r;
}

/* --- one image --- */

static int describe(struct export *e, const char *sha256, const struct vd_buf *bytes,
		    const struct subject *s)
{
	char file[VD_SHA256_TEXT + 16];
	struct vd_jpeg_info info = { 0 };
	struct vd_coco_image image = { .sha256 = sha256,
				       .file = file,
				       .device = vd_json_string(s->record, "deviceId", NULL),
				       .item = vd_json_string(s->body, "itemId", NULL),
				       .verdict = vd_json_string(s->body, "verdict", NULL),
				       .label = vd_json_string(s->label, "label", NULL),
				       .time = vd_json_string(s->record, "tWall", NULL) };

	if (vd_jpeg_head(bytes->data, bytes->len, NULL, &info, NULL) < 0) {
		e->unreadable++;
		return VD_EXIT_OK;
	}
	(void)snprintf(file, sizeof file, "images/%s.jpg", sha256);
	image.width = info.width;
	image.height = info.height;
	if (vd_coco_add_image(e->coco, &image) < 0)
		return no_memory();
	if (s->label)
		return add_boxes(e, vd_json_array(s->label, "boxes"),
				 vd_json_string(s->label, "label", ""), "label");
	return add_verdict_boxes(e, s);
}

static int export_image(struct export *e, const char *sha256, struct subject *s)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { .limit = FILE_BYTES };
	int r;

	if (strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64 ||
	    vd_coco_has(e->coco, sha256))
		return VD_EXIT_OK;
	r = get_file(e, sha256, &bytes);
	if (r == VD_EXIT_NOT_FOUND) {
		e->missing++;
		return VD_EXIT_OK;
	}
	if (r != VD_EXIT_OK)
		return r;
	s->label = find_label(e, sha256, vd_json_string(s->body, "itemId", NULL));
	return describe(e, sha256, &bytes, s);
}

/* Not a drawing, nor what a step made of it: boxes are in the pixels of the frame. */
static bool is_photograph(const cJSON *attachment)
{
	const char *name = vd_json_string(attachment, "name", "");

	return strcmp(vd_json_string(attachment, "type", ""), "image/jpeg") == 0 &&
	       strncmp(name, "overlay", 7) != 0 && strncmp(name, "image-", 6) != 0;
}

static int export_record(struct export *e, const cJSON *record)
{
	struct subject s = { .record = record, .body = vd_json_object(record, "body") };
	const cJSON *attachment;
	int64_t wall_ms = 0;
	int r = VD_EXIT_OK;

	if (vd_time_parse(vd_json_string(record, "tWall", ""), &wall_ms) < 0 ||
	    wall_ms < e->since_ms)
		return VD_EXIT_OK;
	cJSON_ArrayForEach(attachment, vd_json_array(record, "attachments"))
	{
		if (!is_photograph(attachment))
			continue;
		s.attachment = vd_json_string(attachment, "name", "");
		r = export_image(e, vd_json_string(attachment, "sha256", ""), &s);
		if (r != VD_EXIT_OK)
			return r;
	}
	return r;
}

/* --- pages --- */

typedef int (*item_fn)(struct export *export, cJSON *item);

static int each_page(struct export *e, const char *start, item_fn fn)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	int64_t after = 0;

	for (;;) {
		VD_CLEANUP(vd_json_free) cJSON *page = NULL;
		struct vd_request request = { .method = "GET" };
		cJSON *item, *next;
		int r;

		vd_buf_clear(&path);
		if (vd_buf_printf(&path, "%s&limit=%d&after=%lld&deviceId=", start, PAGE,
				  (long long)after) < 0 ||
		    vd_client_escape(e->ctl->client, e->ctl->device, &path) < 0)
			return no_memory();
		request.path = path.data;
		r = vd_client_call(e->ctl->client, &request, &page);
		if (r != VD_EXIT_OK || cJSON_GetArraySize(vd_json_array(page, "items")) == 0)
			return r;
		after = vd_json_int(page, "continuation", after);
		for (item = vd_json_array(page, "items")->child; item; item = next) {
			next = item->next;
			r = fn(e, item);
			if (r != VD_EXIT_OK)
				return r;
		}
	}
}

static int keep_label(struct export *e, cJSON *item)
{
	cJSON *copy = cJSON_Duplicate(item, 1);

	if (copy && cJSON_AddItemToArray(e->labels, copy))
		return VD_EXIT_OK;
	vd_json_free(copy);
	return no_memory();
}

static int keep_record(struct export *e, cJSON *item)
{
	return export_record(e, item);
}

/* Labelled images of which no record told. */
static int export_labelled(struct export *e)
{
	const cJSON *label;
	int r = VD_EXIT_OK;

	cJSON_ArrayForEach(label, e->labels)
	{
		struct subject s = { .record = label };

		if (r == VD_EXIT_OK)
			r = export_image(e, vd_json_string(label, "sha256", ""), &s);
	}
	return r;
}

/* --- the command --- */

static int prepare(struct export *e)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf folder = { 0 };
	int r;

	if (!e->ctl->device || !e->folder)
		return vd_say_error(VD_EXIT_USAGE, "--device and --coco are needed");
	if (e->ctl->since && vd_time_parse(e->ctl->since, &e->since_ms) < 0)
		return vd_say_error(VD_EXIT_USAGE, "--since: %s is no time as 2026-11-22T04:00:00Z",
				    e->ctl->since);
	e->labels = cJSON_CreateArray();
	if (!e->labels || vd_coco_new(&e->coco) < 0 ||
	    vd_buf_printf(&folder, "%s/images", e->folder) < 0)
		return no_memory();
	r = vd_file_make_folders(folder.data, 0755);
	return r < 0 ? vd_say_error(VD_EXIT_FAILED, "%s: %s", folder.data, strerror(-r))
		     : VD_EXIT_OK;
}

static int finish(const struct export *e)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	VD_CLEANUP(vd_free) char *text = vd_json_text(vd_coco_json(e->coco));
	const cJSON *json = vd_coco_json(e->coco);
	int r;

	if (!text || vd_buf_printf(&path, "%s/annotations.json", e->folder) < 0)
		return no_memory();
	r = vd_file_write(path.data, text, strlen(text), 0644);
	if (r < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s", path.data, strerror(-r));
	(void)printf(
		"%d images (%u fetched, %u there already), %d boxes; %u not in the hub, %u not "
		"readable\n",
		cJSON_GetArraySize(vd_json_array(json, "images")), e->fetched, e->kept,
		cJSON_GetArraySize(vd_json_array(json, "annotations")), e->missing, e->unreadable);
	return VD_EXIT_OK;
}

int vd_cmd_images_export(struct vd_ctl *ctl)
{
	struct export e = { .ctl = ctl, .folder = ctl->coco };
	int r = prepare(&e);

	if (r == VD_EXIT_OK)
		r = each_page(&e, "/labels?", keep_label);
	if (r == VD_EXIT_OK)
		r = each_page(&e, "/telemetry?class=verdict", keep_record);
	if (r == VD_EXIT_OK)
		r = export_labelled(&e);
	if (r == VD_EXIT_OK)
		r = finish(&e);
	vd_json_free(e.labels);
	vd_coco_free(e.coco);
	return r;
}
