/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "base/json.h"
#include "modules/inspect/item.h"
#include "modules/inspect/look.h"
#include "modules/inspect/privacy.h"
#include "modules/inspect/tools/rig.h"
#include "modules/inspect/recipe/rules.h"

/* The body of a verdict: complete on its own, never larger than a packet takes. */
enum {
	VD_REASONS_MOST = 2 * VD_STEPS_MOST,
	VD_REASON_BYTES = 256,
	VD_BOXES_MOST = 200,
	VD_BODY_BYTES_MOST = 56 << 10
};

struct vd_reasons {
	char texts[VD_REASONS_MOST][VD_REASON_BYTES];
	const char *list[VD_REASONS_MOST];
	int count;
};

struct vd_record {
	const struct vd_item *item;
	const char *station;
	enum vd_verdict verdict;
	const struct vd_look *looks;          /* one a camera; NULL: nothing was looked at */
	const struct vd_step_result *results; /* one a step; NULL: nothing was run */
	const struct vd_reasons *reasons;
	const struct vd_veiled *veiled; /* one a camera; NULL: none */
	const struct vd_model *model;   /* NULL: none */
	double decode_ms, inspect_ms, total_ms;
};

/* Everything that speaks against OK: cameras first, then steps in the recipe's order. */
void vd_reasons_collect(struct vd_reasons *reasons, const struct vd_recipe *recipe,
			const struct vd_look *looks, const struct vd_step_result *results);
void vd_reasons_add(struct vd_reasons *reasons, const char *format, ...) VD_PRINTF(2, 3);

/* NULL: no memory. */
cJSON *vd_record_body(const struct vd_record *record);
