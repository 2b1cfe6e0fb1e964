/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/fault.h"
#include "modules/inspect/item.h"

/*
 * The last items with their frames, so that one can be inspected once more. In memory: what is
 * older lies with its record. Starts as { 0 }.
 */
enum { VD_KEPT_MOST = 64, VD_KEPT_FRAME_BYTES = 64 << 20 };

struct vd_kept {
	struct vd_item *items[VD_KEPT_MOST]; /* oldest first */
	int count;
	size_t bytes; /* of frames */
};

/* Takes *item; the oldest go beyond most items or VD_KEPT_FRAME_BYTES. */
void vd_kept_put(struct vd_kept *kept, struct vd_item **item, int most);
const struct vd_item *vd_kept_find(const struct vd_kept *kept, const char *id); /* NULL: gone */
void vd_kept_fini(struct vd_kept *kept);

/*
 * An item with the frames of old, under set's active recipe, that supersedes it. 410 in fault: its
 * frames are gone; 409: the recipe has cameras that old has no frame of; -EINVAL. -ENOMEM.
 */
VD_MUST int vd_kept_again(const struct vd_item *old, struct vd_recipe_set *set, uint64_t now_us,
			  struct vd_item **ret_item, struct vd_fault *fault);
