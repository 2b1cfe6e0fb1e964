/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/folder.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "modules/camera/folder_list.h"
#include "modules/image/jpeg.h"

enum { POSITION_BYTES = 4096 };

struct folder {
	struct vd_camera_source source;
	char position_path[PATH_MAX]; /* "": nothing is remembered */
	struct vd_folder_list list;
	size_t next;       /* index into list */
	uint64_t round;    /* 0 is the first */
	char last[256];    /* the file captured last, "" before the first */
	uint64_t captures; /* for the injected faults */
	regex_t serial;
	bool has_serial;
};

static struct folder *folder_of(struct vd_camera_source *source)
{
	return VD_CONTAINER(source, struct folder, source);
}

static int read_list(struct folder *f, struct vd_fault *fault)
{
	const struct vd_camera_settings *s = f->source.settings;
	int r = vd_folder_list_read(&f->list, f->source.settings->path, s->pattern);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		vd_fault_set(fault, 503, NULL, "folder %s: %s", f->source.settings->path,
			     strerror(-r));
		return VD_SOURCE_LOST;
	}
	if (f->list.count == 0) {
		vd_fault_set(fault, 503, NULL, "folder %s: no file matches %s",
			     f->source.settings->path, s->pattern);
		return VD_SOURCE_LOST;
	}
	if (s->is_random)
		vd_folder_list_shuffle(&f->list, s->seed, f->round);
	return 0;
}

/* Where the next run, or the next open, goes on. */
static void load_position(struct folder *f)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *position = NULL;
	struct vd_fault fault = { 0 };
	int r;

	if (!f->position_path[0])
		return;
	r = vd_file_read(f->position_path, POSITION_BYTES, &text, &fault);
	if (r == 0)
		r = vd_json_parse(text.data ? text.data : "", text.len, &position, &fault);
	if (r == -ENOENT)
		return;
	if (r < 0) {
		vd_log(VD_WARN, "camera.position_unread", "text=\"%s\"", fault.text);
		return;
	}
	if (strcmp(vd_json_string(position, "folder", ""), f->source.settings->path) != 0)
		return;
	f->round = (uint64_t)vd_json_int(position, "round", 0);
	(void)snprintf(f->last, sizeof f->last, "%s", vd_json_string(position, "last", ""));
}

static void save_position(struct folder *f, const char *name, uint64_t round)
{
	VD_CLEANUP(vd_json_free) cJSON *position = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;
	int r = -ENOMEM;

	if (position && vd_json_add_string(position, "folder", f->source.settings->path) &&
	    vd_json_add_number(position, "round", (double)round) &&
	    vd_json_add_string(position, "last", name))
		text = vd_json_text(position);
	if (text)
		r = vd_file_write(f->position_path, text, strlen(text), 0600);
	if (r < 0)
		vd_log(VD_WARN, "camera.position_unsaved", "path=%s text=\"%s\"", f->position_path,
		       strerror(-r));
}

static void handed_over(struct vd_camera_source *source, const char *name, uint64_t round)
{
	struct folder *f = folder_of(source);

	if (f->position_path[0] && name[0])
		save_position(f, name, round);
}

static void seek(struct folder *f)
{
	const char *after = f->last[0] ? f->last : f->source.settings->start_after;

	f->next = 0;
	if (after && f->source.settings->is_random)
		f->next = vd_folder_list_after_shuffled(&f->list, after);
	else if (after)
		f->next = vd_folder_list_after_sorted(&f->list, after);
}

static int folder_open(struct vd_camera_source *source, struct vd_fault *fault)
{
	struct folder *f = folder_of(source);
	int r = read_list(f, fault);

	if (r != 0)
		return r;
	seek(f);
	return 0;
}

/* The name of the next file; behind the last one a new round begins, or the end is reached. */
static int step(struct folder *f, struct vd_fault *fault)
{
	if (f->next >= f->list.count) {
		int r;

		if (!f->source.settings->is_looping) {
			vd_fault_set(fault, 410, NULL, "folder %s is exhausted",
				     f->source.settings->path);
			return VD_SOURCE_EXHAUSTED;
		}
		f->round++;
		r = read_list(f, fault); /* files may have come or gone */
		if (r != 0) {
			f->round--;
			return r;
		}
		f->next = 0;
	}
	(void)snprintf(f->last, sizeof f->last, "%s", f->list.names[f->next++]);
	f->captures++;
	return 0;
}

static bool is_turn(uint64_t every, uint64_t n)
{
	return every > 0 && n % every == 0;
}

static int read_image(struct folder *f, struct vd_camera_frame *frame, struct vd_fault *fault)
{
	const struct vd_camera_settings *s = f->source.settings;
	const struct vd_jpeg_limits limits = { .pixels = s->max_pixels };
	struct vd_jpeg_info info;
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", f->source.settings->path, f->last) >=
	    sizeof path) {
		vd_fault_set(fault, 500, NULL, "the path is too long");
		return VD_SOURCE_FAILED;
	}
	r = vd_file_read(path, s->max_bytes, &frame->bytes, fault);
	if (r < 0)
		return r == -ENOMEM ? r : VD_SOURCE_FAILED;
	r = vd_jpeg_head(frame->bytes.data, frame->bytes.len, &limits, &info, fault);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		vd_fault_prefix(fault, "%s", f->last);
		return VD_SOURCE_FAILED;
	}
	frame->width = (uint32_t)info.width;
	frame->height = (uint32_t)info.height;
	return 0;
}

static void find_serial(const struct folder *f, struct vd_camera_frame *frame)
{
	regmatch_t match[2];

	frame->serial[0] = '\0';
	if (!f->has_serial || regexec(&f->serial, f->last, 2, match, 0) != 0 || match[1].rm_so < 0)
		return;
	(void)snprintf(frame->serial, sizeof frame->serial, "%.*s",
		       (int)(match[1].rm_eo - match[1].rm_so), f->last + match[1].rm_so);
}

static void stamp(const struct folder *f, struct vd_camera_frame *frame)
{
	frame->format = VD_FRAME_JPEG;
	frame->stride = 0;
	frame->t_mono_ms = vd_clock_mono_ms();
	frame->t_wall_ms = vd_clock_wall_ms();
	frame->sequence = f->captures;
	frame->round = f->round;
	(void)snprintf(frame->name, sizeof frame->name, "%s", f->last);
	find_serial(f, frame);
}

static void delay(uint64_t ms)
{
	if (ms > 0)
		(void)poll(NULL, 0, (int)ms);
}

static int folder_capture(struct vd_camera_source *source, const struct vd_camera_wish *wish,
			  struct vd_camera_frame *frame, struct vd_fault *fault)
{
	struct folder *f = folder_of(source);
	const struct vd_camera_settings *s = source->settings;
	int r;

	vd_buf_clear(&frame->bytes);
	delay(s->delay_ms);
	r = step(f, fault);
	if (r != 0)
		return r;
	stamp(f, frame);
	if (is_turn(s->fail_every, f->captures)) {
		vd_fault_set(fault, 500, NULL, "%s: failure injected by failEvery", f->last);
		return VD_SOURCE_FAILED;
	}
	r = read_image(f, frame, fault);
	if (r == 0 && is_turn(s->corrupt_every, f->captures))
		frame->bytes.len = frame->bytes.len * 2 / 3;
	if (r == 0 && vd_clock_mono_ms() > wish->deadline_ms) {
		vd_fault_set(fault, 504, NULL, "%s: took longer than timeoutMs", f->last);
		return VD_SOURCE_FAILED;
	}
	return r;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void inherit(struct vd_camera_source *source, const struct vd_camera_source *old)
{
	struct folder *f = folder_of(source);
	const struct folder *from = VD_CONTAINER(old, const struct folder, source);
	const struct vd_camera_settings *a = source->settings, *b = old->settings;

	if (old->type != source->type || strcmp(a->path, b->path) != 0 ||
	    a->is_random != b->is_random || a->seed != b->seed ||
	    !is_same_text(a->start_after, b->start_after))
		return;
	memcpy(f->last, from->last, sizeof f->last);
	f->round = from->round;
	f->captures = from->captures;
}

static cJSON *describe(const struct vd_camera_source *source)
{
	const struct folder *f = VD_CONTAINER(source, const struct folder, source);
	cJSON *object = cJSON_CreateObject();

	if (object && vd_json_add_string(object, "kind", "folder") &&
	    vd_json_add_string(object, "path", f->source.settings->path) &&
	    vd_json_add_number(object, "files", (double)f->list.count))
		return object;
	return vd_json_free(object);
}

static void folder_close(struct vd_camera_source *source)
{
	vd_folder_list_fini(&folder_of(source)->list);
}

static struct vd_camera_source *folder_free(struct vd_camera_source *source)
{
	struct folder *f = folder_of(source);

	folder_close(source);
	if (f->has_serial)
		regfree(&f->serial);
	free(f);
	return NULL;
}

static const struct vd_camera_source_type folder_type = {
	.open = folder_open,
	.capture = folder_capture,
	.handed_over = handed_over,
	.inherit = inherit,
	.describe = describe,
	.close = folder_close,
	.free = folder_free,
};

static int remember_in(struct folder *f, const char *state_folder)
{
	if (!f->source.settings->is_resuming || !state_folder[0])
		return 0;
	if ((size_t)snprintf(f->position_path, sizeof f->position_path, "%s/position.json",
			     state_folder) >= sizeof f->position_path)
		return -ENAMETOOLONG;
	load_position(f);
	return 0;
}

int vd_folder_source_new(const struct vd_camera_settings *settings, const char *state_folder,
			 struct vd_camera_source **ret_source)
{
	struct folder *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return -ENOMEM;
	f->source = (struct vd_camera_source){ .type = &folder_type, .settings = settings };
	r = remember_in(f, state_folder);
	if (r == 0 && settings->serial_pattern) {
		f->has_serial = regcomp(&f->serial, settings->serial_pattern, REG_EXTENDED) == 0;
		r = f->has_serial ? 0 : -EINVAL;
	}
	if (r < 0) {
		(void)folder_free(&f->source);
		return r;
	}
	*ret_source = &f->source;
	return 0;
}
