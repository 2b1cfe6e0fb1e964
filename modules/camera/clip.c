/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/clip.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/camera/film.h"

enum {
	QUEUE = 8, /* frames that wait for the disk; more are left out, and counted */
	REPORT_MS = 2000,
};

struct vd_clip {
	const struct vd_backroom *room;
	struct vd_source *timer;
	enum vd_clip_state state;
	struct vd_clip_wish wish;
	struct vd_film *film; /* the sideline's while recording and finishing */
	char name[VD_ARCHIVE_NAME];
	uint64_t begun_ms, until_ms;
	uint64_t first_ms;   /* of the first frame; 0: none yet */
	uint32_t next_place; /* on the time line */
	unsigned queued;
	uint32_t frames, dropped; /* written; left out because the disk was slow */
	uint64_t bytes;
	const char *cut_short; /* NULL: the time was up */
};

/* One frame, or with shot NULL the end. */
struct step {
	struct vd_job job;
	struct vd_clip *clip; /* on the loop only */
	struct vd_film *film; /* of the end: owned */
	struct vd_shot *shot;
	uint32_t place;
	const char *cut_short;
	int outcome;
	struct vd_fault fault;
	uint64_t bytes;
	struct vd_film_result result;
};

static const char *const state_names[] = {
	[VD_CLIP_IDLE] = "idle",
	[VD_CLIP_RECORDING] = "recording",
	[VD_CLIP_FINISHING] = "finishing",
};

static const enum vd_clip_state followers[] = {
	[VD_CLIP_IDLE] = VD_CLIP_RECORDING,
	[VD_CLIP_RECORDING] = VD_CLIP_FINISHING,
	[VD_CLIP_FINISHING] = VD_CLIP_IDLE,
};

static void set_state(struct vd_clip *clip, enum vd_clip_state state)
{
	assert(followers[clip->state] == state);
	vd_log(VD_NOTICE, "camera.clip", "name=%s from=%s to=%s", clip->name,
	       state_names[clip->state], state_names[state]);
	clip->state = state;
}

static struct step *step_of(struct vd_job *job)
{
	return VD_CONTAINER(job, struct step, job);
}

static void step_drop(struct vd_job *job)
{
	struct step *step = step_of(job);

	vd_close(&step->result.fd);
	(void)vd_film_free(step->film);
	(void)vd_shot_free(step->shot);
	free(step);
}

/* --- Reported state --- */

static bool add_progress(cJSON *part, const struct vd_clip *clip, const char *state,
			 const char *text)
{
	return vd_json_add_string(part, "state", state) &&
	       vd_json_add_string(part, "name", clip->name) &&
	       vd_json_add_number(part, "frames", clip->frames) &&
	       vd_json_add_number(part, "dropped", clip->dropped) &&
	       vd_json_add_number(part, "bytes", (double)clip->bytes) &&
	       vd_json_add_number(part, "seconds",
				  (double)((vd_clock_mono_ms() - clip->begun_ms) / 100) / 10) &&
	       vd_json_add_string(part, "text", text);
}

static void report(const struct vd_clip *clip, const char *state, const char *text)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *part = cJSON_CreateObject();
	int r = -ENOMEM;

	if (body && part && add_progress(part, clip, state, text) &&
	    vd_json_add_take(body, "clip", &part))
		r = vd_module_report(clip->room->module, body);
	if (r != 0)
		vd_log(VD_WARN, "camera.clip_unreported", "error=%d", r);
}

/* --- The end --- */

static bool add_film(cJSON *body, const struct vd_clip *clip, const struct vd_film_result *film)
{
	return vd_json_add_string(body, "file", "clip.avi") &&
	       vd_json_add_string(body, "type", "video/x-msvideo") &&
	       vd_json_add_string(body, "sha256", film->sha256) &&
	       vd_json_add_number(body, "bytes", (double)film->bytes) &&
	       vd_json_add_number(body, "frames", film->frames) &&
	       vd_json_add_number(body, "dropped", clip->dropped) &&
	       vd_json_add_number(body, "width", film->width) &&
	       vd_json_add_number(body, "height", film->height) &&
	       vd_json_add_number(body, "fps", 1e6 / clip->wish.period_us) &&
	       vd_json_add_number(body, "seconds",
				  (double)film->places * clip->wish.period_us / 1e6) &&
	       vd_json_add_bool(body, "attached", film->bytes <= VD_ATTACHED_BYTES) &&
	       (!clip->cut_short || vd_json_add_string(body, "cutShort", clip->cut_short));
}

static void publish(const struct vd_clip *clip, const struct step *step)
{
	VD_CLEANUP(vd_json_free) cJSON *body = vd_kept_body("clip", clip->name, &step->fault);
	const struct vd_attachment attachment = { .name = "clip.avi",
						  .type = "video/x-msvideo",
						  .fd = step->result.fd,
						  .bytes = step->result.bytes,
						  .sha256 = step->result.sha256 };
	bool is_attached = step->outcome == 0 && step->result.bytes <= VD_ATTACHED_BYTES;

	if (body && (step->outcome != 0 || add_film(body, clip, &step->result)))
		vd_kept_publish(clip->room->module, body, is_attached ? &attachment : NULL);
}

static void run_end(struct vd_job *job)
{
	struct step *step = step_of(job);

	step->outcome =
		vd_film_end(step->film, step->place, step->cut_short, &step->result, &step->fault);
	step->film = vd_film_free(step->film);
	if (step->outcome < 0 && !step->fault.code)
		vd_fault_set(&step->fault, 500, NULL, "%s", strerror(-step->outcome));
}

static void done_end(struct vd_job *job)
{
	struct step *step = step_of(job);
	struct vd_clip *clip = step->clip;

	if (step->outcome == 0) {
		clip->frames = step->result.frames;
		clip->bytes = step->result.bytes;
	}
	publish(clip, step);
	report(clip, step->outcome == 0 ? "done" : "failed",
	       step->outcome == 0 ? clip->cut_short : step->fault.text);
	set_state(clip, VD_CLIP_IDLE);
	step_drop(job);
}

/* How many places the time line has when the film ends now. */
static uint32_t places_now(const struct vd_clip *clip)
{
	uint64_t now_ms = vd_clock_mono_ms();

	if (now_ms > clip->until_ms)
		now_ms = clip->until_ms;
	if (!clip->first_ms || now_ms < clip->first_ms)
		return 0;
	return (uint32_t)((now_ms - clip->first_ms) * 1000 / clip->wish.period_us);
}

static struct step *step_new(struct vd_clip *clip)
{
	struct step *step = calloc(1, sizeof *step);

	if (!step)
		return NULL;
	step->clip = clip;
	step->film = clip->film;
	step->result.fd = -1;
	return step;
}

void vd_clip_end(struct vd_clip *clip, const char *text)
{
	struct step *step;

	if (clip->state != VD_CLIP_RECORDING)
		return;
	step = step_new(clip);
	if (!step) { /* once more: the film must end */
		(void)!vd_timer_arm(clip->timer, REPORT_MS);
		return;
	}
	vd_timer_disarm(clip->timer);
	clip->cut_short = text;
	step->cut_short = text;
	step->place = places_now(clip);
	step->job = (struct vd_job){ .run = run_end, .done = done_end, .drop = step_drop };
	clip->film = NULL;
	set_state(clip, VD_CLIP_FINISHING);
	vd_sideline_put(clip->room->disk, &step->job);
}

static void on_timer(void *argument)
{
	struct vd_clip *clip = argument;
	uint64_t now_ms = vd_clock_mono_ms(), left_ms;

	if (clip->state != VD_CLIP_RECORDING)
		return;
	if (now_ms >= clip->until_ms) {
		vd_clip_end(clip, NULL);
		return;
	}
	report(clip, "recording", NULL);
	left_ms = clip->until_ms - now_ms;
	if (vd_timer_arm(clip->timer, left_ms < REPORT_MS ? left_ms : REPORT_MS) < 0)
		vd_clip_end(clip, "no memory");
}

/* --- Frames --- */

static void run_shot(struct vd_job *job)
{
	struct step *step = step_of(job);

	step->outcome = vd_film_add(step->film, step->shot, step->place, &step->fault);
	step->bytes = vd_film_bytes(step->film);
}

static void drop_shot(struct vd_job *job)
{
	struct step *step = step_of(job);

	step->film = NULL; /* the end owns it */
	step_drop(job);
}

static void done_shot(struct vd_job *job)
{
	struct step *step = step_of(job);
	struct vd_clip *clip = step->clip;

	clip->queued--;
	clip->bytes = step->bytes;
	if (step->outcome == 0)
		clip->frames++;
	else if (step->outcome == VD_FILM_FULL)
		vd_clip_end(clip, "its bytes are used up");
	else if (step->outcome == VD_FILM_OTHER_SIZE)
		vd_clip_end(clip, "the picture's size changed");
	else
		vd_clip_end(clip, step->fault.code == 507 ? "there is no room for more"
							  : "it could not be written on");
	if (step->fault.code)
		vd_log(VD_ERROR, "camera.clip_unwritten", "name=%s text=\"%s\"", clip->name,
		       step->fault.text);
	drop_shot(job);
}

void vd_clip_shot(struct vd_clip *clip, struct vd_shot *shot)
{
	struct step *step;
	uint64_t place;

	if (clip->state != VD_CLIP_RECORDING || shot->frame.t_mono_ms > clip->until_ms)
		return;
	if (!clip->first_ms)
		clip->first_ms = shot->frame.t_mono_ms;
	if (shot->frame.t_mono_ms < clip->first_ms)
		return;
	place = ((shot->frame.t_mono_ms - clip->first_ms) * 1000 + clip->wish.period_us / 2) /
		clip->wish.period_us;
	if (place < clip->next_place)
		return;
	step = clip->queued < QUEUE ? step_new(clip) : NULL;
	if (!step) {
		clip->dropped++;
		return;
	}
	clip->next_place = (uint32_t)place + 1;
	clip->queued++;
	step->place = (uint32_t)place;
	step->shot = vd_shot_share(shot);
	step->job = (struct vd_job){ .run = run_shot, .done = done_shot, .drop = drop_shot };
	vd_sideline_put(clip->room->disk, &step->job);
}

static int begin(struct vd_clip *clip, const struct vd_clip_wish *wish)
{
	struct vd_film_about about = { .name = clip->name,
				       .camera = clip->room->instance,
				       .period_us = wish->period_us,
				       .most_bytes = wish->most_bytes,
				       .most_places =
					       wish->duration_ms * 1000 / wish->period_us + 1 };
	int r;

	vd_archive_name(clip->room->archive, "clip", clip->name);
	r = vd_film_new(clip->room->archive, &about, &clip->film);
	if (r == 0)
		r = vd_timer_arm(clip->timer,
				 wish->duration_ms < REPORT_MS ? wish->duration_ms : REPORT_MS);
	if (r < 0)
		clip->film = vd_film_free(clip->film);
	return r;
}

int vd_clip_begin(struct vd_clip *clip, const struct vd_clip_wish *wish,
		  char name[static VD_ARCHIVE_NAME], struct vd_fault *fault)
{
	int r;

	if (clip->state != VD_CLIP_IDLE) {
		vd_fault_set(fault, 409, NULL, "%s is being made", clip->name);
		return 409;
	}
	if (!clip->room->archive) {
		vd_fault_set(fault, 507, NULL, "%s", clip->room->archive_text);
		return 507;
	}
	r = begin(clip, wish);
	if (r < 0) {
		vd_fault_set(fault, 500, NULL, "%s", strerror(-r));
		return 500;
	}
	clip->wish = *wish;
	clip->begun_ms = vd_clock_mono_ms();
	clip->until_ms = clip->begun_ms + wish->duration_ms;
	clip->first_ms = clip->bytes = 0;
	clip->next_place = clip->frames = clip->dropped = 0;
	clip->cut_short = NULL;
	set_state(clip, VD_CLIP_RECORDING);
	report(clip, "recording", NULL);
	(void)snprintf(name, VD_ARCHIVE_NAME, "%s", clip->name);
	return 0;
}

uint32_t vd_clip_period_us(const struct vd_clip *clip)
{
	return clip->state == VD_CLIP_RECORDING ? clip->wish.period_us : 0;
}

int vd_clip_new(const struct vd_backroom *room, struct vd_clip **ret_clip)
{
	struct vd_clip *clip = calloc(1, sizeof *clip);
	int r;

	if (!clip)
		return -ENOMEM;
	clip->room = room;
	r = vd_loop_timer(vd_module_loop(room->module), on_timer, clip, &clip->timer);
	if (r < 0) {
		free(clip);
		return r;
	}
	*ret_clip = clip;
	return 0;
}

struct vd_clip *vd_clip_free(struct vd_clip *clip)
{
	if (!clip)
		return NULL;
	vd_clip_end(clip, "the module stopped");
	clip->timer = vd_source_free(clip->timer);
	free(clip);
	return NULL;
}
