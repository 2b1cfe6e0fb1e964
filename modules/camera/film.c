/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/film.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "modules/camera/still.h"

enum { FRAME_TEXT = 200, HEAD_TEXT = 4096, FILE_HEAD = 256 };

#define FILE_NAME "clip.avi"
#define ROOM_NAME "room"

struct vd_film {
	struct vd_archive *archive;
	struct vd_film_about about;
	char name[VD_ARCHIVE_NAME], camera[128];
	struct vd_archive_entry entry; /* .archive NULL: not begun */
	struct vd_avi avi;
	int fd;
	uint32_t frames;
	size_t set_aside; /* bytes of the entry that are for its index */
	cJSON *list;
	struct vd_fault fault; /* why it could not begin */
};

int vd_film_new(struct vd_archive *archive, const struct vd_film_about *about,
		struct vd_film **ret_film)
{
	VD_CLEANUP(vd_film_free) struct vd_film *film = calloc(1, sizeof *film);

	if (!film)
		return -ENOMEM;
	film->archive = archive;
	film->about = *about;
	film->fd = -1;
	(void)snprintf(film->name, sizeof film->name, "%s", about->name);
	(void)snprintf(film->camera, sizeof film->camera, "%s", about->camera);
	film->list = cJSON_CreateArray();
	if (!film->list)
		return -ENOMEM;
	*ret_film = VD_TAKE(film);
	return 0;
}

struct vd_film *vd_film_free(struct vd_film *film)
{
	if (!film)
		return NULL;
	vd_archive_discard(&film->entry);
	vd_close(&film->fd);
	vd_avi_fini(&film->avi);
	(void)vd_json_free(film->list);
	free(film);
	return NULL;
}

static int fail(struct vd_fault *fault, const char *name, int r)
{
	vd_fault_set(fault, r == -ENOSPC || r == -EDQUOT ? 507 : 500, NULL, "%s: %s", name,
		     strerror(-r));
	return r;
}

/*
 * What is set aside is taken from the disk as well, as a file that makes way at the end: then the
 * film can end even on a disk that others have filled.
 */
static int hold_room(struct vd_film *film)
{
	VD_CLEANUP(vd_close)
	int fd = openat(film->entry.folder_fd, ROOM_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0640);

	return fd < 0 ? -errno : -posix_fallocate(fd, 0, (off_t)film->set_aside);
}

static int begin(struct vd_film *film, const struct vd_camera_frame *frame, struct vd_fault *fault)
{
	int r = vd_archive_begin(film->archive, film->name, &film->entry, fault);

	if (r < 0)
		return r;
	film->set_aside = HEAD_TEXT + FRAME_TEXT * (size_t)film->about.most_places;
	r = vd_archive_room(&film->entry, film->set_aside + FILE_HEAD, fault);
	if (r < 0)
		return r;
	r = hold_room(film);
	if (r < 0)
		return fail(fault, film->name, r);
	film->fd = openat(film->entry.folder_fd, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			  0640);
	r = film->fd < 0 ? -errno
			 : vd_avi_begin(&film->avi, film->fd, frame->width, frame->height,
					film->about.period_us);
	return r < 0 ? fail(fault, film->name, r) : 0;
}

static int note(struct vd_film *film, const struct vd_shot *shot, uint32_t place)
{
	cJSON *object = cJSON_CreateObject();
	char wall[VD_TIME_TEXT];

	if (!object || !cJSON_AddItemToArray(film->list, object)) {
		(void)vd_json_free(object);
		return -ENOMEM;
	}
	return vd_json_add_number(object, "place", place) &&
			       vd_json_add_number(object, "tMono", (double)shot->frame.t_mono_ms) &&
			       vd_json_add_string(object, "tWall",
						  vd_time_text(shot->frame.t_wall_ms, wall)) &&
			       vd_json_add_number(object, "bytes", (double)shot->frame.bytes.len) &&
			       (shot->seq == 0 ||
				vd_json_add_number(object, "seq", (double)shot->seq))
		       ? 0
		       : -ENOMEM;
}

/* Room for a frame and for the empty places before it, or VD_FILM_FULL. */
static int find_room(struct vd_film *film, size_t len, uint32_t place, struct vd_fault *fault)
{
	size_t empty = place > film->avi.places ? place - film->avi.places : 0;
	size_t cost = vd_avi_cost(len) + empty * vd_avi_cost(0);

	if (film->avi.bytes + film->avi.index.len + cost > film->about.most_bytes)
		return VD_FILM_FULL;
	return vd_archive_room(&film->entry, cost, fault);
}

static int skip_to(struct vd_film *film, uint32_t place)
{
	int r = 0;

	while (r == 0 && film->avi.places < place)
		r = vd_avi_add(&film->avi, NULL, 0);
	return r;
}

static int add(struct vd_film *film, const struct vd_shot *shot, uint32_t place, const void *jpeg,
	       size_t len, struct vd_fault *fault)
{
	int r = find_room(film, len, place, fault);

	if (r != 0)
		return r;
	r = skip_to(film, place);
	if (r == 0)
		r = vd_avi_add(&film->avi, jpeg, len);
	if (r == 0)
		r = note(film, shot, place);
	if (r == -EFBIG)
		return VD_FILM_FULL;
	if (r < 0)
		return fail(fault, film->name, r);
	film->frames++;
	return 0;
}

int vd_film_add(struct vd_film *film, const struct vd_shot *shot, uint32_t place,
		struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf encoded = { 0 };
	const struct vd_camera_frame *frame = &shot->frame;
	int r = film->entry.archive ? 0 : begin(film, frame, fault);

	if (r < 0) {
		film->fault = *fault;
		return r;
	}
	if (frame->width != film->avi.width || frame->height != film->avi.height)
		return VD_FILM_OTHER_SIZE;
	if (frame->format == VD_FRAME_JPEG)
		return add(film, shot, place, frame->bytes.data, frame->bytes.len, fault);
	r = vd_still_whole(frame, &encoded);
	if (r < 0)
		return fail(fault, film->name, r);
	return add(film, shot, place, encoded.data, encoded.len, fault);
}

/* The room for it was set aside, so that a film without any more room can still end. */
static int put_index(struct vd_film *film, const char *text, struct vd_fault *fault)
{
	size_t len = strlen(text);

	if (len > film->set_aside)
		return vd_archive_write(&film->entry, "index.json", text, len, fault);
	vd_archive_give_back(&film->entry, film->set_aside - len);
	return vd_archive_put(&film->entry, "index.json", text, len, fault);
}

static int write_index(struct vd_film *film, const char *cut_short, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *index = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;

	if (index && vd_json_add_string(index, "kind", "clip") &&
	    vd_json_add_string(index, "name", film->name) &&
	    vd_json_add_string(index, "camera", film->camera) &&
	    vd_json_add_number(index, "periodUs", film->avi.period_us) &&
	    vd_json_add_number(index, "places", film->avi.places) &&
	    (!cut_short || vd_json_add_string(index, "cutShort", cut_short)) &&
	    vd_json_add_take(index, "frames", &film->list))
		text = vd_json_text(index);
	return text ? put_index(film, text, fault) : fail(fault, film->name, -ENOMEM);
}

static int finish(struct vd_film *film, struct vd_film_result *result, const char *cut_short,
		  struct vd_fault *fault)
{
	int r = unlinkat(film->entry.folder_fd, ROOM_NAME, 0) < 0 ? -errno : 0;

	if (r == 0)
		r = vd_avi_end(&film->avi);
	if (r == 0)
		r = vd_archive_digest(film->fd, result->sha256);
	if (r < 0)
		return fail(fault, film->name, r);
	r = write_index(film, cut_short, fault);
	return r < 0 ? r : vd_archive_commit(&film->entry, fault);
}

int vd_film_end(struct vd_film *film, uint32_t places, const char *cut_short,
		struct vd_film_result *ret_result, struct vd_fault *fault)
{
	struct vd_film_result result = { .fd = -1 };
	int r;

	if (film->frames == 0) {
		*fault = film->fault;
		if (!fault->code)
			vd_fault_set(fault, 503, NULL, "no frame came");
		return -ENODATA;
	}
	/* Without room for that it ends with its last frame. */
	if (find_room(film, 0, places, fault) == 0)
		(void)!skip_to(film, places);
	*fault = (struct vd_fault){ 0 };
	r = finish(film, &result, cut_short, fault);
	if (r < 0)
		return r;
	result.frames = film->frames;
	result.places = film->avi.places;
	result.width = film->avi.width;
	result.height = film->avi.height;
	result.bytes = film->avi.bytes + 8 + film->avi.index.len;
	result.fd = film->fd;
	film->fd = -1;
	*ret_result = result;
	return 0;
}

uint64_t vd_film_bytes(const struct vd_film *film)
{
	return film->avi.bytes + film->avi.index.len;
}
