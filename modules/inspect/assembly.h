/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/inspect/item.h"

/*
 * Puts the frames of several cameras together to items. A frame that answers a station's trigger
 * carries its id, and joins that item or none. Others belong to one item when they carry the same
 * trigger (source and number); without a trigger, the same frame number. The parameters of an item
 * are those in force when it was triggered or its first frame came. Pure: time is an argument.
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
	uint64_t t_mono_ms;   /* of the capture; 0: not said */
	const char *serial;   /* NULL: none */
};

enum vd_arrival_outcome {
	VD_ITEM_OPEN = 0,  /* other cameras are still awaited */
	VD_ITEM_COMPLETE,  /* ret_item is the caller's */
	VD_ITEM_LATE,      /* its item has had its verdict: nothing changes any more */
	VD_CAMERA_UNKNOWN, /* the recipe has no such camera */
	VD_FRAME_OLD,      /* older than the trigger that it answers: a newer one may come */
};

/*
 * Takes *item, before any of its frames: they carry its id. like: they come as this arrival does
 * instead, which is put next; NULL: none. It expires deadline_ms after now. -ENOBUFS: too many are
 * open; the item stays the caller's.
 */
VD_MUST int vd_assembly_open(struct vd_assembly *assembly, struct vd_item **item,
			     const struct vd_arrival *like, uint64_t now_us);

/* Would this arrival begin an item? */
bool vd_assembly_begins(const struct vd_assembly *assembly, const struct vd_recipe_set *set,
			const struct vd_arrival *arrival);

/* It shall not: others of the same trigger are late. */
void vd_assembly_pass_over(struct vd_assembly *assembly, const struct vd_arrival *arrival);

size_t vd_assembly_count(const struct vd_assembly *assembly); /* open items */

/* set: the parameters in force. The shot's bytes are gone afterwards in any case. -ENOMEM. */
VD_MUST int vd_assembly_put(struct vd_assembly *assembly, struct vd_recipe_set *set,
			    struct vd_arrival *arrival, uint64_t now_us, struct vd_item **ret_item);

/* An item whose deadline has passed, cameras missing; NULL: none. The caller's. */
struct vd_item *vd_assembly_expired(struct vd_assembly *assembly, uint64_t now_us);

/* When the next open item expires; UINT64_MAX: none is open. */
uint64_t vd_assembly_deadline_us(const struct vd_assembly *assembly);
