/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/kept.h"

#include <errno.h>
#include <string.h>

static size_t bytes_of(const struct vd_item *item)
{
	size_t bytes = 0;

	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		bytes += item->shots[i].bytes.len;
	return bytes;
}

static void drop_oldest(struct vd_kept *kept)
{
	kept->bytes -= bytes_of(kept->items[0]);
	(void)vd_item_free(kept->items[0]);
	kept->count--;
	memmove(kept->items, kept->items + 1, (size_t)kept->count * sizeof *kept->items);
}

void vd_kept_put(struct vd_kept *kept, struct vd_item **item, int most)
{
	if (most > VD_KEPT_MOST)
		most = VD_KEPT_MOST;
	while (kept->count > 0 && kept->count >= most)
		drop_oldest(kept);
	if (most <= 0) {
		*item = vd_item_free(*item);
		return;
	}
	kept->bytes += bytes_of(*item);
	kept->items[kept->count++] = VD_TAKE(*item);
	while (kept->bytes > VD_KEPT_FRAME_BYTES)
		drop_oldest(kept);
}

const struct vd_item *vd_kept_find(const struct vd_kept *kept, const char *id)
{
	for (int i = 0; i < kept->count; i++) {
		if (strcmp(kept->items[i]->id, id) == 0)
			return kept->items[i];
	}
	return NULL;
}

void vd_kept_fini(struct vd_kept *kept)
{
	while (kept->count > 0)
		drop_oldest(kept);
}

/* A shot that failed has no bytes, and is evidence of that. */
static int copy_shot(const struct vd_item *old, const char *camera, struct vd_shot *copy,
		     struct vd_fault *fault)
{
	const int from = vd_recipe_camera(old->recipe, camera);

	if (from < 0) {
		vd_fault_set(fault, 409, NULL, "the item has no frame of camera \"%s\"", camera);
		return -EINVAL;
	}
	if (old->shots[from].state == VD_SHOT_TAKEN && old->shots[from].bytes.len == 0) {
		vd_fault_set(fault, 410, NULL, "its frames are no longer kept");
		return -EINVAL;
	}
	*copy = old->shots[from];
	copy->bytes = (struct vd_buf){ 0 };
	return vd_buf_append(&copy->bytes, old->shots[from].bytes.data, old->shots[from].bytes.len);
}

int vd_kept_again(const struct vd_item *old, struct vd_recipe_set *set, uint64_t now_us,
		  struct vd_item **ret_item, struct vd_fault *fault)
{
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	int r = vd_item_new(set, now_us, &item);

	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < item->recipe->camera_count; i++)
		r = copy_shot(old, item->recipe->cameras[i], &item->shots[i], fault);
	if (r < 0)
		return r;
	memcpy(item->serial, old->serial, sizeof item->serial);
	memcpy(item->supersedes, old->id, sizeof item->supersedes);
	*ret_item = VD_TAKE(item);
	return 0;
}
