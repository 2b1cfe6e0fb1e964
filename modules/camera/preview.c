/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/preview.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/camera/still.h"

struct vd_preview {
	const struct vd_backroom *room;
	struct vd_source *timer;
	struct vd_preview_wish wish;
	uint64_t until_ms; /* 0: none is on */
	uint64_t next_us;
	bool is_making, is_publishing;
	uint64_t number, frames, skipped, failed, bytes;
	const char *text; /* why it ended; NULL: the time was up */
	cJSON *newest;
};

struct picture {
	struct vd_job job;
	struct vd_preview *preview; /* on the loop only */
	struct vd_shot *shot;
	int width;
	uint64_t number;
	struct vd_buf bytes;
	cJSON *body; /* NULL: it failed */
};

static struct picture *picture_of(struct vd_job *job)
{
	return VD_CONTAINER(job, struct picture, job);
}

static void drop(struct vd_job *job)
{
	struct picture *p = picture_of(job);

	(void)vd_shot_free(p->shot);
	(void)vd_json_free(p->body);
	vd_buf_fini(&p->bytes);
	free(p);
}

/* --- In the sideline --- */

static cJSON *make_body(const struct picture *p, const struct vd_still_size *size)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	char wall[VD_TIME_TEXT];
	cJSON *body = cJSON_CreateObject();

	if (body && vd_base64_encode(p->bytes.data, p->bytes.len, &text) == 0 &&
	    vd_json_add_number(body, "n", (double)p->number) &&
	    vd_json_add_number(body, "tMono", (double)p->shot->frame.t_mono_ms) &&
	    vd_json_add_string(body, "tWall", vd_time_text(p->shot->frame.t_wall_ms, wall)) &&
	    vd_json_add_number(body, "width", size->width) &&
	    vd_json_add_number(body, "height", size->height) &&
	    vd_json_add_bool(body, "damaged", size->is_damaged) &&
	    vd_json_add_string(body, "type", "image/jpeg") &&
	    vd_json_add_number(body, "bytes", (double)p->bytes.len) &&
	    vd_json_add_string(body, "data", text.data))
		return body;
	return vd_json_free(body);
}

static void run(struct vd_job *job)
{
	struct picture *p = picture_of(job);
	struct vd_still_size size;

	if (vd_still_small(&p->shot->frame, p->width, VD_PREVIEW_BYTES, &p->bytes, &size) == 0)
		p->body = make_body(p, &size);
}

/* --- On the loop --- */

cJSON *vd_preview_status(const struct vd_preview *preview)
{
	cJSON *status = cJSON_CreateObject();
	uint64_t now_ms = vd_clock_mono_ms();
	double left_s =
		preview->until_ms > now_ms ? (double)(preview->until_ms - now_ms) / 1000 : 0;

	if (status && vd_json_add_string(status, "state", preview->until_ms ? "on" : "off") &&
	    vd_json_add_number(status, "secondsLeft", left_s) &&
	    vd_json_add_number(status, "fps",
			       preview->until_ms ? 1e6 / preview->wish.period_us : 0) &&
	    vd_json_add_number(status, "width", preview->wish.width) &&
	    vd_json_add_number(status, "frames", (double)preview->frames) &&
	    vd_json_add_number(status, "skipped", (double)preview->skipped) &&
	    vd_json_add_number(status, "failed", (double)preview->failed) &&
	    vd_json_add_number(status, "bytes", (double)preview->bytes) &&
	    vd_json_add_string(status, "text", preview->text))
		return status;
	return vd_json_free(status);
}

static void report(const struct vd_preview *preview)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *status = vd_preview_status(preview);
	int r = -ENOMEM;

	if (body && status && vd_json_add_take(body, "preview", &status))
		r = vd_module_report(preview->room->module, body);
	if (r != 0)
		vd_log(VD_WARN, "camera.preview_unreported", "error=%d", r);
}

static void end(struct vd_preview *preview, const char *text)
{
	if (!preview->until_ms)
		return;
	vd_timer_disarm(preview->timer);
	preview->until_ms = 0;
	preview->text = text;
	preview->newest = vd_json_free(preview->newest);
	vd_log(VD_INFO, "camera.preview_end", "frames=%llu skipped=%llu text=\"%s\"",
	       (unsigned long long)preview->frames, (unsigned long long)preview->skipped,
	       text ? text : "");
	report(preview);
}

static void on_timer(void *argument)
{
	end(argument, NULL);
}

static void on_stored(struct vd_module *module, uint64_t id, int64_t seq, const char *text,
		      void *argument)
{
	struct vd_preview *preview = argument;

	preview->is_publishing = false;
	if (text)
		preview->failed++;
}

static void publish(struct vd_preview *preview, const struct picture *p)
{
	const struct vd_publication publication = { .output = "preview",
						    .record_class = "raw",
						    .body = p->body,
						    .on_stored = on_stored,
						    .argument = preview };
	int r = vd_module_publish(preview->room->module, &publication, NULL);

	preview->is_publishing = r == 0;
	if (r == 0)
		preview->frames++;
	else
		preview->failed++;
	preview->bytes += p->bytes.len;
	if (preview->bytes >= VD_PREVIEW_BYTES_IN_ALL)
		end(preview, "its bytes are used up");
}

static void done(struct vd_job *job)
{
	struct picture *p = picture_of(job);
	struct vd_preview *preview = p->preview;

	preview->is_making = false;
	if (!p->body) {
		preview->failed++;
	} else if (preview->until_ms) {
		publish(preview, p);
		(void)vd_json_free(preview->newest);
		preview->newest = preview->until_ms ? VD_TAKE(p->body) : NULL;
	}
	drop(job);
}

bool vd_preview_wants(const struct vd_preview *preview, uint64_t now_us)
{
	return preview->until_ms && now_us >= preview->next_us;
}

void vd_preview_shot(struct vd_preview *preview, struct vd_shot *shot)
{
	uint64_t now_us = vd_clock_mono_us();
	struct picture *p;

	if (!vd_preview_wants(preview, now_us))
		return;
	preview->next_us += preview->wish.period_us;
	if (preview->next_us < now_us)
		preview->next_us = now_us + preview->wish.period_us;
	p = preview->is_making || preview->is_publishing ? NULL : calloc(1, sizeof *p);
	if (!p) {
		preview->skipped++;
		return;
	}
	preview->is_making = true;
	p->preview = preview;
	p->shot = vd_shot_share(shot);
	p->width = preview->wish.width;
	p->number = ++preview->number;
	p->job = (struct vd_job){ .run = run, .done = done, .drop = drop };
	vd_sideline_put(preview->room->pictures, &p->job);
}

int vd_preview_begin(struct vd_preview *preview, const struct vd_preview_wish *wish)
{
	int r;

	if (wish->duration_ms == 0) {
		end(preview, "it was ended");
		return 0;
	}
	r = vd_timer_arm(preview->timer, wish->duration_ms);
	if (r < 0)
		return r;
	preview->wish = *wish;
	preview->until_ms = vd_clock_mono_ms() + wish->duration_ms;
	preview->next_us = vd_clock_mono_us();
	preview->frames = preview->skipped = preview->failed = preview->bytes = 0;
	preview->text = NULL;
	report(preview);
	return 0;
}

uint32_t vd_preview_period_us(const struct vd_preview *preview)
{
	return preview->until_ms ? preview->wish.period_us : 0;
}

const cJSON *vd_preview_newest(const struct vd_preview *preview, uint64_t after)
{
	double n = vd_json_number(preview->newest, "n", 0);

	return n > (double)after ? preview->newest : NULL;
}

int vd_preview_new(const struct vd_backroom *room, struct vd_preview **ret_preview)
{
	struct vd_preview *preview = calloc(1, sizeof *preview);
	int r;

	if (!preview)
		return -ENOMEM;
	preview->room = room;
	r = vd_loop_timer(vd_module_loop(room->module), on_timer, preview, &preview->timer);
	if (r < 0) {
		free(preview);
		return r;
	}
	*ret_preview = preview;
	return 0;
}

struct vd_preview *vd_preview_free(struct vd_preview *preview)
{
	if (!preview)
		return NULL;
	preview->timer = vd_source_free(preview->timer);
	(void)vd_json_free(preview->newest);
	free(preview);
	return NULL;
}
