/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/upload.h"

#include <stdio.h>
#include <string.h>

#include "agent/store/private.h"
#include "base/clock.h"

/* --- the loop's side --- */

int vd_upload_next(struct vd_store *store, struct vd_upload *ret_upload)
{
	struct vd_uploads *u = &store->uploads;
	bool has;

	(void)pthread_mutex_lock(&store->lock);
	has = u->has_next;
	if (has) {
		*ret_upload = u->next;
		u->has_next = false;
	} else if (!u->is_sought) {
		u->is_sought = u->is_sought_anew = true;
		(void)pthread_cond_signal(&store->wake);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return has;
}

void vd_upload_ended(struct vd_store *store, int64_t id, enum vd_image_state state)
{
	struct vd_uploads *u = &store->uploads;
	uint64_t due_ms = vd_clock_mono_ms() + VD_GATHER_MS;

	(void)pthread_mutex_lock(&store->lock);
	/* No room: the disk has been sick for long. It is uploaded once more, and is the same. */
	if (u->endings.count < VD_ENDINGS)
		u->endings.list[u->endings.count++] = (struct vd_ending){ id, state };
	if (due_ms < store->due_ms) {
		store->due_ms = due_ms;
		(void)pthread_cond_signal(&store->wake);
	}
	(void)pthread_mutex_unlock(&store->lock);
}

/* --- the writer's side --- */

void vd_upload_take(struct vd_store *store)
{
	struct vd_endings *held = &store->writer.endings, *told = &store->uploads.endings;

	if (held->count)
		return; /* their transaction failed: they come first */
	*held = *told;
	told->count = 0;
}

static int end_one(struct vd_writer *w, const struct vd_ending *ending)
{
	struct vd_image_count *counts = w->ledger.images;
	uint64_t bytes = 0;
	int r = vd_db_image_end(w->db, ending->id, ending->state, &bytes);

	if (r != 1)
		return r;
	counts[VD_IMAGE_WAITING].count--;
	counts[VD_IMAGE_WAITING].bytes -= bytes;
	counts[ending->state].count++;
	counts[ending->state].bytes += bytes;
	return vd_db_image_total(w->db, ending->state, bytes);
}

int vd_upload_end_all(struct vd_store *store)
{
	struct vd_endings *held = &store->writer.endings;
	int r = 0;

	for (size_t i = 0; r == 0 && i < held->count; i++)
		r = end_one(&store->writer, &held->list[i]);
	return r;
}

static bool has_ended(const struct vd_endings *endings, int64_t id)
{
	for (size_t i = 0; i < endings->count; i++)
		if (endings->list[i].id == id)
			return true;
	return false;
}

/* What was told is not on the disk yet: those are passed over, and there is a bound to them. */
static int find_next(struct vd_store *store, const struct vd_endings *told, struct vd_image *image)
{
	int r = 1;

	if (told->count == VD_ENDINGS)
		return 0;
	for (unsigned skip = 0; skip <= 2 * VD_ENDINGS; skip++) {
		r = vd_db_image_next(store->writer.db, skip, image);
		if (r != 1 ||
		    (!has_ended(told, image->id) && !has_ended(&store->writer.endings, image->id)))
			return r;
	}
	return 0;
}

static void describe(const struct vd_store *store, const struct vd_image *image,
		     struct vd_upload *ret_upload)
{
	ret_upload->id = image->id;
	ret_upload->bytes = image->bytes;
	(void)snprintf(ret_upload->sha256, sizeof ret_upload->sha256, "%.64s", image->file);
	(void)snprintf(ret_upload->media_type, sizeof ret_upload->media_type, "%s",
		       vd_image_media_type(image->file));
	if (*image->blob)
		memcpy(ret_upload->blob, image->blob, sizeof image->blob);
	else /* its record is not known any more */
		(void)snprintf(ret_upload->blob, sizeof ret_upload->blob, "adopted/%s",
			       image->file);
	(void)snprintf(ret_upload->path, sizeof ret_upload->path, "%s/%s", store->images,
		       image->file);
}

int vd_upload_look(struct vd_store *store)
{
	struct vd_uploads *u = &store->uploads;
	struct vd_image image = { 0 };
	struct vd_endings told;
	bool is_sought;
	int r;

	(void)pthread_mutex_lock(&store->lock);
	is_sought = u->is_sought;
	told = u->endings;
	(void)pthread_mutex_unlock(&store->lock);
	r = is_sought ? find_next(store, &told, &image) : 0;
	if (r != 1)
		return r;
	(void)pthread_mutex_lock(&store->lock);
	describe(store, &image, &u->next);
	u->is_sought = false;
	u->has_next = u->is_new = true;
	vd_store_news(store);
	(void)pthread_mutex_unlock(&store->lock);
	return 0;
}
