/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images go to the hub behind the records: none begins while the link is down, and none while as
 * many batches are under way as may be, so that on a slow line a verdict is never behind a picture
 * for longer than a block takes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/vedetted/agent.h"

enum { SLOWEST = 8192 }; /* bytes/s: slower, and the hub's front takes the device for dead */

static bool may_upload(const struct vd_agent *a)
{
	struct vd_link_status status;

	if (!a->set || !a->set->desired->agent.uploads_images || a->is_stopping)
		return false;
	vd_link_status(a->link, &status);
	return status.state == VD_LINK_UP && vd_outbox_out(a->store) < (size_t)a->config.window;
}

static uint64_t bytes_per_second(const struct vd_agent *a)
{
	uint64_t wanted = a->set ? a->set->desired->agent.image_bytes_per_second : 0;

	return wanted && wanted < SLOWEST ? SLOWEST : wanted;
}

static void give(struct vd_agent *a, const struct vd_upload *upload)
{
	struct vd_uploader_file file = { .id = upload->id, .bytes = upload->bytes };

	(void)snprintf(file.path, sizeof file.path, "%s", upload->path);
	(void)snprintf(file.blob, sizeof file.blob, "%s", upload->blob);
	(void)snprintf(file.media_type, sizeof file.media_type, "%s", upload->media_type);
	(void)snprintf(file.sha256, sizeof file.sha256, "%s", upload->sha256);
	if (vd_uploader_give(a->uploader, &file) == 0)
		(void)snprintf(a->image, sizeof a->image, "%s", upload->blob);
}

void vd_agent_images(struct vd_agent *a)
{
	struct vd_upload upload;
	bool is_allowed;

	if (!a->uploader) /* not yet, or no more */
		return;
	is_allowed = may_upload(a);
	vd_uploader_allow(a->uploader, is_allowed, bytes_per_second(a));
	if (is_allowed && !*a->image && vd_upload_next(a->store, &upload) == 1)
		give(a, &upload);
}

static void on_ended(void *argument, int64_t id, const struct vd_fault *refusal)
{
	struct vd_agent *a = argument;

	if (refusal) {
		(void)snprintf(a->last_refusal, sizeof a->last_refusal, "%.150s: %.100s", a->image,
			       refusal->text);
		vd_log(VD_WARN, "image.refused", "blob=%s code=%d reason=\"%s\"", a->image,
		       refusal->code, refusal->text);
	} else {
		vd_log(VD_DEBUG, "image.uploaded", "blob=%s", a->image);
	}
	a->image[0] = '\0';
	vd_upload_ended(a->store, id, refusal ? VD_IMAGE_REFUSED : VD_IMAGE_UPLOADED);
	vd_agent_report(a, refusal ? VD_REPORT_SHORTLY : VD_REPORT_LAZILY);
	vd_agent_images(a);
}

const struct vd_uploader_handlers vd_agent_uploader_handlers = { .on_ended = on_ended };
