/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/shelf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules/camera/reply.h"

struct errand {
	struct vd_job job;
	struct vd_shelf *shelf; /* on the loop only */
	const struct vd_backroom *room;
	int64_t call;
	size_t limit;
	char name[VD_ARCHIVE_NAME];
	char files[VD_ATTACHMENTS][VD_ARCHIVE_FILE];
	unsigned count;
	struct vd_attachment attachments[VD_ATTACHMENTS];
	char sha256[VD_ATTACHMENTS][VD_SHA256_TEXT];
	cJSON *body;
	struct vd_fault fault;
};

static struct errand *errand_of(struct vd_job *job)
{
	return VD_CONTAINER(job, struct errand, job);
}

static void drop(struct vd_job *job)
{
	struct errand *e = errand_of(job);

	for (unsigned i = 0; i < VD_ATTACHMENTS; i++)
		vd_close(&e->attachments[i].fd);
	(void)vd_json_free(e->body);
	free(e);
}

static void answer_list(struct errand *e)
{
	VD_CLEANUP(vd_json_free) cJSON *ring = vd_keep_status(e->shelf->keep);

	if (ring && vd_json_add_take(e->body, "ring", &ring))
		vd_reply(e->room->module, e->call, 200, e->body);
	else
		vd_reply(e->room->module, e->call, 500, NULL);
}

static void done(struct vd_job *job)
{
	struct errand *e = errand_of(job);
	struct vd_publication publication = { .output = "kept",
					      .record_class = "event",
					      .body = e->body,
					      .attachments = e->attachments,
					      .attachment_count = e->count };

	e->shelf->taken--;
	if (e->fault.code)
		vd_reply_text(e->room->module, e->call, e->fault.code, e->fault.text);
	else if (!e->body)
		vd_reply(e->room->module, e->call, 500, NULL);
	else if (e->count > 0)
		vd_receipts_publish(e->shelf->receipts, e->room->module, e->call, &publication);
	else
		answer_list(e);
	drop(job);
}

/* --- In the sideline --- */

static void run_list(struct vd_job *job)
{
	struct errand *e = errand_of(job);
	VD_CLEANUP(vd_json_free) cJSON *entries = vd_archive_list(e->room->archive, e->limit);
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_archive_counts counts;

	vd_archive_counts(e->room->archive, &counts);
	if (entries && body && vd_json_add_take(body, "entries", &entries) &&
	    vd_json_add_number(body, "count", (double)counts.entries) &&
	    vd_json_add_number(body, "bytes", (double)counts.bytes) &&
	    vd_json_add_number(body, "evicted", (double)counts.evicted))
		e->body = VD_TAKE(body);
}

static const char *type_of(const char *file)
{
	static const struct {
		const char *ending, *type;
	} known[] = {
		{ ".jpg", "image/jpeg" },
		{ ".pgm", "image/x-portable-graymap" },
		{ ".avi", "video/x-msvideo" },
		{ ".json", "application/json" },
	};
	const char *ending = strrchr(file, '.');

	for (size_t i = 0; ending && i < VD_COUNT(known); i++) {
		if (strcmp(ending, known[i].ending) == 0)
			return known[i].type;
	}
	return "application/octet-stream";
}

static int fetch_one(struct errand *e, unsigned i)
{
	struct vd_attachment *a = &e->attachments[i];
	int r = vd_archive_read(e->room->archive, e->name, e->files[i], &a->fd, &a->bytes);

	if (r < 0) {
		vd_fault_set(&e->fault, r == -ENOENT ? 404 : 500, NULL, "%s/%s: %s", e->name,
			     e->files[i], strerror(-r));
		return r;
	}
	if (a->bytes > VD_ATTACHED_BYTES) {
		vd_fault_set(&e->fault, 413, NULL, "%s/%s: %zu bytes are more than %d", e->name,
			     e->files[i], a->bytes, VD_ATTACHED_BYTES);
		return -EFBIG;
	}
	a->name = e->files[i];
	a->type = type_of(e->files[i]);
	a->sha256 = e->sha256[i];
	return vd_archive_digest(a->fd, e->sha256[i]);
}

static bool add_file(cJSON *list, const struct vd_attachment *a)
{
	cJSON *object = cJSON_CreateObject();

	if (!object || !cJSON_AddItemToArray(list, object)) {
		(void)vd_json_free(object);
		return false;
	}
	return vd_json_add_string(object, "file", a->name) &&
	       vd_json_add_string(object, "type", a->type) &&
	       vd_json_add_number(object, "bytes", (double)a->bytes) &&
	       vd_json_add_string(object, "sha256", a->sha256);
}

static cJSON *make_body(const struct errand *e)
{
	const struct vd_fault none = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = vd_kept_body("fetch", e->name, &none);
	VD_CLEANUP(vd_json_free) cJSON *files = cJSON_CreateArray();
	bool ok = body && files;

	for (unsigned i = 0; ok && i < e->count; i++)
		ok = add_file(files, &e->attachments[i]);
	return ok && vd_json_add_take(body, "files", &files) ? VD_TAKE(body) : NULL;
}

static void run_fetch(struct vd_job *job)
{
	struct errand *e = errand_of(job);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < e->count; i++)
		r = fetch_one(e, i);
	if (r == 0)
		e->body = make_body(e);
}

/* --- On the loop --- */

/* NULL: the call was answered. */
static struct errand *errand_new(struct vd_shelf *shelf, int64_t call)
{
	struct vd_module *module = shelf->room->module;
	struct errand *e;

	if (!shelf->room->archive) {
		vd_reply_text(module, call, 507, shelf->room->archive_text);
		return NULL;
	}
	if (shelf->taken == VD_SHELF_JOBS) {
		vd_reply_text(module, call, 429, "too many ask at once");
		return NULL;
	}
	e = calloc(1, sizeof *e);
	if (!e) {
		vd_reply(module, call, 500, NULL);
		return NULL;
	}
	shelf->taken++;
	e->shelf = shelf;
	e->room = shelf->room;
	e->call = call;
	for (unsigned i = 0; i < VD_ATTACHMENTS; i++)
		e->attachments[i].fd = -1;
	return e;
}

void vd_shelf_list(struct vd_shelf *shelf, int64_t call, size_t limit)
{
	struct errand *e = errand_new(shelf, call);

	if (!e)
		return;
	e->limit = limit;
	e->job = (struct vd_job){ .run = run_list, .done = done, .drop = drop };
	vd_sideline_put(shelf->room->disk, &e->job);
}

void vd_shelf_fetch(struct vd_shelf *shelf, int64_t call, const char *name, const cJSON *files)
{
	struct errand *e = errand_new(shelf, call);
	const cJSON *file;

	if (!e)
		return;
	(void)snprintf(e->name, sizeof e->name, "%s", name);
	cJSON_ArrayForEach(file, files)
	{
		if (e->count < VD_ATTACHMENTS && cJSON_IsString(file))
			(void)snprintf(e->files[e->count++], VD_ARCHIVE_FILE, "%s",
				       file->valuestring);
	}
	e->job = (struct vd_job){ .run = run_fetch, .done = done, .drop = drop };
	vd_sideline_put(shelf->room->disk, &e->job);
}
