/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/item.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

enum { FILE_MOST = 64 << 20 };

static const char *const state_names[] = {
	[VD_ITEM_AWAITED] = "awaited", [VD_ITEM_QUEUED] = "queued", [VD_ITEM_JUDGED] = "judged",
	[VD_ITEM_STORED] = "stored",   [VD_ITEM_LOST] = "lost",
};

#define TO(state) (1U << (state))
static const unsigned transitions[] = {
	[VD_ITEM_AWAITED] = TO(VD_ITEM_QUEUED) | TO(VD_ITEM_JUDGED),
	[VD_ITEM_QUEUED] = TO(VD_ITEM_JUDGED),
	[VD_ITEM_JUDGED] = TO(VD_ITEM_STORED) | TO(VD_ITEM_LOST),
	[VD_ITEM_STORED] = 0,
	[VD_ITEM_LOST] = 0,
};

const char *vd_item_state_name(enum vd_item_state state)
{
	return state_names[state];
}

void vd_item_enter(struct vd_item *item, enum vd_item_state state)
{
	assert(transitions[item->state] & TO(state));
	vd_log(VD_DEBUG, "item.state", "itemId=%s from=%s to=%s", item->id,
	       state_names[item->state], state_names[state]);
	item->state = state;
}

int vd_item_new(struct vd_recipe_set *set, uint64_t now_us, struct vd_item **ret_item)
{
	struct vd_item *item = calloc(1, sizeof *item);

	if (!item)
		return -ENOMEM;
	(void)vd_uuid(item->id);
	item->set = vd_recipe_set_ref(set);
	item->recipe = &set->recipes[set->active];
	item->started_us = now_us;
	*ret_item = item;
	return 0;
}

void vd_item_drop_frames(struct vd_item *item)
{
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_buf_fini(&item->shots[i].bytes);
}

static int copy_shot(const struct vd_shot *shot, struct vd_shot *copy)
{
	*copy = *shot;
	copy->bytes = (struct vd_buf){ 0 };
	return vd_buf_append(&copy->bytes, shot->bytes.data, shot->bytes.len);
}

int vd_item_split(struct vd_item *item, bool takes_frames, struct vd_item **ret_item)
{
	VD_CLEANUP(vd_item_free) struct vd_item *copy = calloc(1, sizeof *copy);
	int r = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy->id, item->id, sizeof copy->id);
	memcpy(copy->serial, item->serial, sizeof copy->serial);
	copy->trigger = item->trigger ? cJSON_Duplicate(item->trigger, true) : NULL;
	copy->set = vd_recipe_set_ref(item->set);
	copy->recipe = item->recipe;
	copy->started_us = item->started_us;
	for (int i = 0; r == 0 && i < item->recipe->camera_count; i++) {
		if (!takes_frames)
			r = copy_shot(&item->shots[i], &copy->shots[i]);
		else
			copy->shots[i] = item->shots[i];
		if (takes_frames)
			item->shots[i].bytes = (struct vd_buf){ 0 };
	}
	if (r == 0)
		*ret_item = VD_TAKE(copy);
	return r;
}

void vd_shot_read(const char *path, struct vd_shot *ret_shot)
{
	struct vd_fault fault = { 0 };

	*ret_shot = (struct vd_shot){ .state = VD_SHOT_TAKEN, .is_jpeg = true };
	if (vd_file_read(path, FILE_MOST, &ret_shot->bytes, &fault) == 0)
		return;
	ret_shot->state = VD_SHOT_FAILED;
	(void)snprintf(ret_shot->text, sizeof ret_shot->text, "%.150s", fault.text);
}

int vd_shot_pgm(const struct vd_shot *shot, struct vd_buf *out)
{
	int r;

	if (shot->width < 1 || shot->height < 1 || shot->stride < shot->width ||
	    (size_t)shot->stride * (size_t)(shot->height - 1) + (size_t)shot->width >
		    shot->bytes.len)
		return -EINVAL;
	r = vd_buf_printf(out, "P5\n%d %d\n255\n", shot->width, shot->height);
	for (int y = 0; r == 0 && y < shot->height; y++)
		r = vd_buf_append(out, shot->bytes.data + (size_t)y * (size_t)shot->stride,
				  (size_t)shot->width);
	return r;
}

struct vd_item *vd_item_free(struct vd_item *item)
{
	if (!item)
		return NULL;
	vd_item_drop_frames(item);
	(void)vd_json_free(item->trigger);
	(void)vd_recipe_set_unref(item->set);
	free(item);
	return NULL;
}

bool vd_item_is_complete(const struct vd_item *item)
{
	for (int i = 0; i < item->recipe->camera_count; i++) {
		if (item->shots[i].state == VD_SHOT_AWAITED)
			return false;
	}
	return true;
}
