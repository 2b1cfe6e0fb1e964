/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/inspect/item.h"
#include "modules/inspect/recipe/rules.h"

/*
 * Data gathering: copies of items' frames under a class label, in FOLDER/LABEL/, apart from
 * production: ITEM-CAMERA.jpg (bit for bit) or .pgm, and last ITEM.json, without which an item
 * is not complete. Ends at a time, a count or a size, whichever comes first; what lies there
 * already counts.
 */
struct vd_gather {
	char *folder;                 /* "": nothing is gathered */
	struct vd_gather_order order; /* in force; label "": none */
	bool is_by_call;              /* ordered by a method; else by the parameters */
	int items;                    /* there already */
	int64_t bytes;
	char text[96]; /* why it ended; "" while it goes on */
};

/* folder: NULL or "": gathers nothing. -ENOMEM. */
VD_MUST int vd_gather_init(struct vd_gather *gather, const char *folder);
void vd_gather_fini(struct vd_gather *gather);

/* By a method: stands above the parameters' order until it ends. A label "" ends it. */
void vd_gather_begin(struct vd_gather *gather, const struct vd_gather_order *order,
		     int64_t now_wall_ms);

/* parameters: their order. */
bool vd_gather_wants(const struct vd_gather *gather, const struct vd_gather_order *parameters,
		     int64_t now_wall_ms);
void vd_gather_put(struct vd_gather *gather, const struct vd_gather_order *parameters,
		   const struct vd_item *item, enum vd_verdict verdict, int64_t now_wall_ms);

/* Adds "gather", null if there is none. false: no memory. */
bool vd_gather_add(const struct vd_gather *gather, cJSON *json);
