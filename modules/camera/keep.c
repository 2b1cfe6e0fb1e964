/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	LONGEST_MS = 60000, /* that later demands can draw a gathering out */
	DEMANDS = 16,       /* named in the index; further ones are counted */
	TEXT = 200,         /* bytes of what a demand says; longer ones are left out */
	SHOTS = 65536,
	LATE_MS = 100, /* a frame comes that much after it was taken */
};

/* The frames of one entry: gathered on the loop, then written by the sideline. */
struct gathering {
	struct vd_job job;
	const struct vd_backroom *room;
	struct vd_keep *keep; /* on the loop only: it may go before the writing ends */
	char name[VD_ARCHIVE_NAME];
	struct vd_shot **shots;
	size_t count, capacity, bytes;
	uint64_t begun_ms, until_ms;
	cJSON *demands;
	unsigned further_demands;
	const char *cut_short; /* NULL: all frames are there */
	struct vd_fault fault;
	uint64_t written; /* bytes */
};

struct vd_keep {
	const struct vd_backroom *room;
	const struct vd_ring *ring;
	struct vd_source *timer;
	struct gathering *gathering; /* NULL: none */
	bool is_writing;
	uint64_t refused;
};

static struct gathering *gathering_free(struct gathering *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < g->count; i++)
		(void)vd_shot_free(g->shots[i]);
	free(g->shots);
	(void)vd_json_free(g->demands);
	free(g);
	return NULL;
}
VD_DEFINE_CLEANUP(struct gathering, gathering_free)

static struct gathering *gathering_of(struct vd_job *job)
{
	return VD_CONTAINER(job, struct gathering, job);
}

/* --- Writing, in the sideline --- */

/* Luminance gets the head of a PGM file, and is otherwise as it was. */
static int write_grey(struct vd_archive_entry *entry, const char *file,
		      const struct vd_camera_frame *frame, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf pgm = { 0 };
	int r = vd_buf_printf(&pgm, "P5\n%u %u\n255\n", frame->width, frame->height);

	if (frame->stride < frame->width ||
	    frame->bytes.len < (size_t)frame->stride * (frame->height - 1) + frame->width)
		r = -EINVAL;
	for (uint32_t y = 0; r == 0 && y < frame->height; y++)
		r = vd_buf_append(&pgm, frame->bytes.data + (size_t)y * frame->stride,
				  frame->width);
	if (r < 0) {
		vd_fault_set(fault, 500, NULL, "%s: %s", file, strerror(-r));
		return r;
	}
	return vd_archive_write(entry, file, pgm.data, pgm.len, fault);
}

static int add_to_index(cJSON *frames, const struct vd_shot *shot, const char *file)
{
	char sha256[VD_SHA256_TEXT];
	cJSON *object = cJSON_CreateObject();

	if (!object || !cJSON_AddItemToArray(frames, object)) {
		(void)vd_json_free(object);
		return -ENOMEM;
	}
	(void)snprintf(sha256, sizeof sha256, "%s", shot->sha256);
	if (!sha256[0] && vd_sha256_text(shot->frame.bytes.data, shot->frame.bytes.len, sha256) < 0)
		return -ENOMEM;
	return vd_json_add_string(object, "file", file) && vd_shot_describe(shot, object) &&
			       vd_json_add_number(object, "bytes", (double)shot->frame.bytes.len) &&
			       vd_json_add_string(object, "sha256", sha256)
		       ? 0
		       : -ENOMEM;
}

static int write_shot(struct vd_archive_entry *entry, const struct vd_shot *shot, size_t number,
		      cJSON *frames, struct vd_fault *fault)
{
	bool is_grey = shot->frame.format == VD_FRAME_GREY;
	char file[VD_ARCHIVE_FILE];
	int r;

	(void)snprintf(file, sizeof file, "%04zu.%s", number, is_grey ? "pgm" : "jpg");
	r = is_grey ? write_grey(entry, file, &shot->frame, fault)
		    : vd_archive_write(entry, file, shot->frame.bytes.data, shot->frame.bytes.len,
				       fault);
	return r < 0 ? r : add_to_index(frames, shot, file);
}

static bool add_demands(cJSON *object, const struct gathering *g)
{
	return vd_json_add_copy(object, "demands", g->demands) &&
	       (g->further_demands == 0 ||
		vd_json_add_number(object, "furtherDemands", g->further_demands)) &&
	       (!g->cut_short || vd_json_add_string(object, "cutShort", g->cut_short));
}

static int write_index(struct vd_archive_entry *entry, const struct gathering *g, cJSON **frames,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *index = vd_kept_body("keep", g->name, &g->fault);
	VD_CLEANUP(vd_free) char *text = NULL;

	if (index && vd_json_add_string(index, "camera", g->room->instance) &&
	    add_demands(index, g) && vd_json_add_take(index, "frames", frames))
		text = vd_json_text(index);
	return text ? vd_archive_write(entry, "index.json", text, strlen(text), fault) : -ENOMEM;
}

static int write_entry(struct gathering *g, struct vd_archive_entry *entry)
{
	VD_CLEANUP(vd_json_free) cJSON *frames = cJSON_CreateArray();
	int r = frames ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < g->count; i++)
		r = write_shot(entry, g->shots[i], i + 1, frames, &g->fault);
	if (r == 0)
		r = write_index(entry, g, &frames, &g->fault);
	if (r < 0) {
		vd_archive_discard(entry);
		return r;
	}
	g->written = entry->bytes;
	return vd_archive_commit(entry, &g->fault);
}

static void run(struct vd_job *job)
{
	struct gathering *g = gathering_of(job);
	struct vd_archive_entry entry;
	int r = vd_archive_begin(g->room->archive, g->name, &entry, &g->fault);

	if (r == 0)
		r = write_entry(g, &entry);
	if (r < 0 && !g->fault.code)
		vd_fault_set(&g->fault, 500, NULL, "%s", strerror(-r));
}

static void drop(struct vd_job *job)
{
	(void)gathering_free(gathering_of(job));
}

/* --- On the loop --- */

static bool add_extent(cJSON *body, const struct gathering *g)
{
	char first[VD_TIME_TEXT], last[VD_TIME_TEXT];

	return vd_json_add_number(body, "frames", (double)g->count) &&
	       vd_json_add_number(body, "bytes", (double)g->written) &&
	       (g->count == 0 ||
		(vd_json_add_string(body, "from",
				    vd_time_text(g->shots[0]->frame.t_wall_ms, first)) &&
		 vd_json_add_string(body, "to",
				    vd_time_text(g->shots[g->count - 1]->frame.t_wall_ms, last))));
}

static void tell(struct vd_module *module, const struct gathering *g)
{
	VD_CLEANUP(vd_json_free) cJSON *body = vd_kept_body("keep", g->name, &g->fault);

	vd_log(g->fault.code ? VD_ERROR : VD_NOTICE, "camera.kept",
	       "name=%s frames=%zu text=\"%s\"", g->name, g->count, g->fault.text);
	if (body && add_extent(body, g) && add_demands(body, g))
		vd_kept_publish(module, body, NULL);
}

static void done(struct vd_job *job);

/* While the one before is still being written this one gathers no more, and waits for its end. */
static void close_gathering(struct vd_keep *keep)
{
	struct gathering *g = keep->gathering;

	if (!g)
		return;
	vd_timer_disarm(keep->timer);
	if (keep->is_writing) {
		g->until_ms = 0;
		return;
	}
	keep->gathering = NULL;
	keep->is_writing = true;
	g->job = (struct vd_job){ .run = run, .done = done, .drop = drop };
	vd_sideline_put(keep->room->disk, &g->job);
}

static void done(struct vd_job *job)
{
	struct gathering *g = gathering_of(job);
	struct vd_keep *keep = g->keep;

	keep->is_writing = false;
	tell(g->room->module, g);
	(void)gathering_free(g);
	if (keep->gathering && keep->gathering->until_ms == 0)
		close_gathering(keep);
}

static void on_timer(void *argument)
{
	close_gathering(argument);
}

static int gather(struct gathering *g, struct vd_shot *shot)
{
	if (g->count == g->capacity) {
		size_t capacity = g->capacity ? 2 * g->capacity : 64;
		struct vd_shot **shots = reallocarray(g->shots, capacity, sizeof *shots);

		if (!shots)
			return -ENOMEM;
		g->shots = shots;
		g->capacity = capacity;
	}
	g->shots[g->count++] = vd_shot_share(shot);
	g->bytes += vd_shot_bytes(shot);
	return 0;
}

static void cut(struct vd_keep *keep, const char *why)
{
	keep->gathering->cut_short = why;
	close_gathering(keep);
}

void vd_keep_shot(struct vd_keep *keep, struct vd_shot *shot)
{
	struct gathering *g = keep->gathering;

	if (!g || g->until_ms == 0)
		return;
	if (shot->frame.t_mono_ms > g->until_ms)
		close_gathering(keep);
	else if (g->bytes + vd_shot_bytes(shot) > 2 * keep->ring->limits.bytes || g->count == SHOTS)
		cut(keep, "twice ring.maxBytes");
	else if (gather(g, shot) < 0)
		cut(keep, "no memory");
}

/* Texts of other modules, which must all find room in one record. */
static bool add_text(cJSON *object, const char *key, const char *text)
{
	return !text || strlen(text) > TEXT || vd_json_add_string(object, key, text);
}

static int note_demand(struct gathering *g, const struct vd_keep_demand *demand)
{
	cJSON *object;

	if (cJSON_GetArraySize(g->demands) == DEMANDS) {
		g->further_demands++;
		return 0;
	}
	object = cJSON_CreateObject();
	if (!object || !cJSON_AddItemToArray(g->demands, object)) {
		(void)vd_json_free(object);
		return -ENOMEM;
	}
	return vd_json_add_number(object, "tMono", (double)demand->at_ms) &&
			       add_text(object, "by", demand->by) &&
			       add_text(object, "reason", demand->reason) &&
			       add_text(object, "itemId", demand->item_id) &&
			       add_text(object, "serial", demand->serial)
		       ? 0
		       : -ENOMEM;
}

static int begin(struct vd_keep *keep, const struct vd_keep_demand *demand)
{
	VD_CLEANUP(gathering_free) struct gathering *g = calloc(1, sizeof *g);
	uint64_t from_ms =
		demand->at_ms > demand->before_ms ? demand->at_ms - demand->before_ms : 0;

	if (!g)
		return -ENOMEM;
	g->keep = keep;
	g->room = keep->room;
	g->begun_ms = demand->at_ms;
	g->until_ms = demand->at_ms + demand->after_ms;
	g->demands = cJSON_CreateArray();
	if (!g->demands || note_demand(g, demand) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < keep->ring->count; i++) {
		struct vd_shot *shot = vd_ring_at(keep->ring, i);

		if (shot->frame.t_mono_ms < from_ms || shot->frame.t_mono_ms > g->until_ms)
			continue;
		if (gather(g, shot) < 0)
			return -ENOMEM;
	}
	vd_archive_name(keep->room->archive, "keep", g->name);
	keep->gathering = VD_TAKE(g);
	return 0;
}

static int join(struct gathering *g, const struct vd_keep_demand *demand)
{
	uint64_t until_ms = demand->at_ms + demand->after_ms, latest_ms = g->begun_ms + LONGEST_MS;

	if (until_ms > latest_ms)
		until_ms = latest_ms;
	if (until_ms > g->until_ms)
		g->until_ms = until_ms;
	return note_demand(g, demand);
}

static int refuse(struct vd_keep *keep, struct vd_fault *fault, int status, const char *text)
{
	keep->refused++;
	vd_fault_set(fault, status, NULL, "%s", text);
	return status;
}

int vd_keep_want(struct vd_keep *keep, const struct vd_keep_demand *demand,
		 char name[static VD_ARCHIVE_NAME], struct vd_fault *fault)
{
	uint64_t now_ms = vd_clock_mono_ms(), wait_ms;
	int r;

	if (keep->ring->limits.frames == 0)
		return refuse(keep, fault, 409, "there is no ring: ring.frames is 0");
	if (!keep->room->archive)
		return refuse(keep, fault, 507, keep->room->archive_text);
	if (keep->gathering && keep->gathering->until_ms == 0)
		return refuse(keep, fault, 429, "two are being kept already");
	r = keep->gathering ? join(keep->gathering, demand) : begin(keep, demand);
	if (r < 0)
		return refuse(keep, fault, 500, strerror(-r));
	(void)snprintf(name, VD_ARCHIVE_NAME, "%s", keep->gathering->name);
	wait_ms = keep->gathering->until_ms > now_ms ? keep->gathering->until_ms - now_ms : 0;
	if (vd_timer_arm(keep->timer, wait_ms + LATE_MS) < 0)
		close_gathering(keep);
	return 0;
}

cJSON *vd_keep_status(const struct vd_keep *keep)
{
	cJSON *status = cJSON_CreateObject();

	if (status && vd_json_add_number(status, "frames", (double)keep->ring->count) &&
	    vd_json_add_number(status, "seconds", (double)vd_ring_span_ms(keep->ring) / 1000) &&
	    vd_json_add_number(status, "bytes", (double)keep->ring->bytes) &&
	    vd_json_add_number(status, "tooLarge", (double)keep->ring->too_large) &&
	    vd_json_add_number(status, "refused", (double)keep->refused))
		return status;
	return vd_json_free(status);
}

int vd_keep_new(const struct vd_backroom *room, const struct vd_ring *ring,
		struct vd_keep **ret_keep)
{
	struct vd_keep *keep = calloc(1, sizeof *keep);
	int r = keep ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	keep->room = room;
	keep->ring = ring;
	r = vd_loop_timer(vd_module_loop(room->module), on_timer, keep, &keep->timer);
	if (r < 0) {
		free(keep);
		return r;
	}
	*ret_keep = keep;
	return 0;
}

struct vd_keep *vd_keep_free(struct vd_keep *keep)
{
	struct gathering *g = keep ? keep->gathering : NULL;

	if (!keep)
		return NULL;
	if (g) {
		g->cut_short = "the module stopped";
		g->job = (struct vd_job){ .run = run, .done = done, .drop = drop };
		vd_sideline_put(keep->room->disk, &g->job);
	}
	keep->timer = vd_source_free(keep->timer);
	free(keep);
	return NULL;
}
