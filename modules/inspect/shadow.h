/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "modules/inspect/item.h"
#include "modules/inspect/recipe/rules.h"

/*
 * What a recipe that decides nothing would have said, against the one that does. Counts for
 * reported state; an event for a disagreement, at most one every VD_SHADOW_EVENT_MS. Starts as { 0 }.
 */
enum { VD_SHADOW_EVENT_MS = 10000 };

struct vd_shadow {
	char recipe[VD_NAME_BYTES]; /* "": none looked at anything yet */
	int rev;
	uint64_t items, agreed, stricter, laxer, undecided;
	uint64_t next_event_ms, suppressed;
};

/*
 * item: as the shadow saw it (its recipe). decides: the recipe whose verdict is out. judges: the
 * shadow has what it needs; else the item counts as undecided. OK and WARN pass a part, NG and
 * NO_DECISION do not: agreement is about that.
 */
void vd_shadow_put(struct vd_shadow *shadow, const struct vd_item *item,
		   const struct vd_recipe *decides, enum vd_verdict verdict,
		   enum vd_verdict shadow_verdict, bool judges, const char *const *reasons,
		   int reason_count, uint64_t now_ms, cJSON **notices);

/* Adds "shadow", null if there is none. false: no memory. */
bool vd_shadow_add(const struct vd_shadow *shadow, cJSON *json);
