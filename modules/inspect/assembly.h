/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "modules/inspect/item.h"

/*
 * Puts the frames of several cameras together to items. Frames belong to one item when they
 * carry the same trigger (source and number); without a trigger, the same frame number. The
 * parameters of an item are those in force when its first frame came. Pure: time is an argument.
 */
struct vd_assembly;

VD_MUST int vd_assembly_new(struct vd_assembly **ret_assembly);
struct vd_assembly *vd_assembly_free(struct vd_assembly *assembly);
VD_DEFINE_CLEANUP(struct vd_assembly, vd_assembly_free)

struct vd_arrival {
	const char *camera;
	struct vd_shot shot;  /* its bytes are taken */
	const cJSON *trigger; /* borrowed; NULL: none */
	uint64_t seq;         /* of the frame */
	const char *serial;   /* NULL: none */
};

enum vd_arrival_outcome {
	VD_ITEM_OPEN = 0,  /* other cameras are still awaited */
	VD_ITEM_COMPLETE,  /* ret_item is the caller's */
	VD_ITEM_LATE,      /* its item has had its verdict: nothing changes any more */
	VD_CAMERA_UNKNOWN, /* the recipe has no such camera */
};

/* set: the parameters in force. The shot's bytes are gone afterwards in any case. -ENOMEM. */
VD_MUST int vd_assembly_put(struct vd_assembly *assembly, struct vd_recipe_set *set,
			    struct vd_arrival *arrival, uint64_t now_us, struct vd_item **ret_item);

/* An item whose deadline has passed, cameras missing; NULL: none. The caller's. */
struct vd_item *vd_assembly_expired(struct vd_assembly *assembly, uint64_t now_us);

/* When the next open item expires; UINT64_MAX: none is open. */
uint64_t vd_assembly_deadline_us(const struct vd_assembly *assembly);
