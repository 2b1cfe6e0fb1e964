/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/photo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules/camera/reply.h"
#include "modules/camera/still.h"

struct picture {
	struct vd_job job;
	struct vd_photos *photos; /* on the loop only */
	int64_t call;
	struct vd_shot *shot;
	struct vd_buf bytes;
	char sha256[VD_SHA256_TEXT];
	int outcome;
};

static struct picture *picture_of(struct vd_job *job)
{
	return VD_CONTAINER(job, struct picture, job);
}

static void run(struct vd_job *job)
{
	struct picture *p = picture_of(job);

	p->outcome = vd_still_whole(&p->shot->frame, &p->bytes);
	if (p->outcome == 0)
		p->outcome = vd_sha256_text(p->bytes.data, p->bytes.len, p->sha256);
}

static void drop(struct vd_job *job)
{
	struct picture *p = picture_of(job);

	(void)vd_shot_free(p->shot);
	vd_buf_fini(&p->bytes);
	free(p);
}

static bool describe(const struct picture *p, cJSON *body)
{
	return vd_json_add_string(body, "source", p->photos->room->instance) &&
	       vd_shot_describe(p->shot, body) && vd_json_add_string(body, "type", "image/jpeg") &&
	       vd_json_add_number(body, "bytes", (double)p->bytes.len) &&
	       vd_json_add_string(body, "sha256", p->sha256) &&
	       vd_json_add_bool(body, "asCaptured", strcmp(p->sha256, p->shot->sha256) == 0);
}

static void publish(const struct picture *p)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	const struct vd_attachment attachment = { .name = "photo.jpg",
						  .type = "image/jpeg",
						  .data = p->bytes.data,
						  .bytes = p->bytes.len,
						  .sha256 = p->sha256 };
	struct vd_publication publication = { .output = "photo",
					      .record_class = "event",
					      .body = body,
					      .attachments = &attachment,
					      .attachment_count = 1 };

	if (body && describe(p, body))
		vd_receipts_publish(p->photos->receipts, p->photos->room->module, p->call,
				    &publication);
	else
		vd_reply(p->photos->room->module, p->call, 500, NULL);
}

static void done(struct vd_job *job)
{
	struct picture *p = picture_of(job);

	p->photos->taken--;
	if (p->outcome == 0)
		publish(p);
	else
		vd_reply_text(p->photos->room->module, p->call, 500,
			      p->outcome == -EBADMSG ? "the frame is no whole JPEG"
						     : strerror(-p->outcome));
	drop(job);
}

void vd_photo_shot(struct vd_photos *photos, int64_t call, struct vd_shot *shot)
{
	struct picture *p;

	if (photos->taken == VD_PHOTOS) {
		vd_reply_text(photos->room->module, call, 429, "too many photos wait");
		return;
	}
	p = calloc(1, sizeof *p);
	if (!p) {
		vd_reply(photos->room->module, call, 500, NULL);
		return;
	}
	photos->taken++;
	p->photos = photos;
	p->call = call;
	p->shot = vd_shot_share(shot);
	p->job = (struct vd_job){ .run = run, .done = done, .drop = drop };
	vd_sideline_put(photos->room->pictures, &p->job);
}
