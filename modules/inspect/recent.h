/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "modules/inspect/item.h"
#include "modules/inspect/recipe/rules.h"

/*
 * The last verdicts, so that a person can be asked to overrule one. What stands in a record is
 * never written again: an override is a record of its own that says what it supersedes.
 */
enum { VD_RECENT = 1024 };

struct vd_recent_item {
	char id[VD_UUID_TEXT];
	char serial[VD_SERIAL_BYTES];
	char recipe[VD_NAME_BYTES];
	int rev;
	enum vd_verdict verdict;
	int64_t seq; /* of its record; 0: not durable yet */
};

struct vd_recent {
	struct vd_recent_item items[VD_RECENT]; /* a ring */
	uint64_t count;
};

void vd_recent_put(struct vd_recent *recent, const struct vd_item *item, enum vd_verdict verdict);
void vd_recent_stored(struct vd_recent *recent, const char *id, int64_t seq);
const struct vd_recent_item *vd_recent_find(const struct vd_recent *recent, const char *id);

/*
 * The record of an override. call: {"itemId","verdict","by","reason"}, from outside. An item that
 * is no longer known is overruled too, from null. NULL: fault says why (400), or no memory (500).
 * The later of two overrides of an item stands; the item's own entry takes the new verdict.
 */
cJSON *vd_override_body(struct vd_recent *recent, const cJSON *call, const char *station,
			int64_t now_wall_ms, struct vd_fault *fault);
