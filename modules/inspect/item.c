/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/item.h"

#include <errno.h>
#include <stdlib.h>

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
