/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/json.h"
#include "modules/inspect/item.h"
#include "modules/inspect/rules.h"

/*
 * Inspects one item after the other: decode, learn or run the steps, judge, write the record.
 * Keeps what recipes have learnt (and their files) and set-up tools from item to item. Used by
 * one thread; every item gets a verdict, whatever goes wrong.
 */
struct vd_inspector;

struct vd_inspector_options {
	const char *station;      /* used where the parameters name none */
	const char *model_folder; /* "": models live only as long as the process */
	uint64_t (*now_us)(void); /* monotonic, for the timings in the record */
};

/* options' strings are copied. */
VD_MUST int vd_inspector_new(const struct vd_inspector_options *options,
			     struct vd_inspector **ret_inspector);
struct vd_inspector *vd_inspector_free(struct vd_inspector *inspector);
VD_DEFINE_CLEANUP(struct vd_inspector, vd_inspector_free)

struct vd_outcome {
	enum vd_verdict verdict;
	cJSON *body;           /* of the record; NULL: no memory for it */
	struct vd_buf overlay; /* JPEG; empty unless wanted */
	bool keeps_images;     /* the recipe wants the frames of this one */
	cJSON *state;          /* for reported state: recipe, revision, model */
	double total_ms;
};

void vd_outcome_fini(struct vd_outcome *outcome);

void vd_inspector_run(struct vd_inspector *inspector, const struct vd_item *item,
		      struct vd_outcome *ret_outcome);

/*
 * The verdict of an item that is not looked at: NO_DECISION (or NG, as its policy says) with the
 * reason. Needs no inspector; any thread.
 */
void vd_outcome_refused(const struct vd_item *item, const char *station, const char *reason,
			struct vd_outcome *ret_outcome);

/* Forgets what set's active recipe has learnt, and learns from the next parts. */
void vd_inspector_learn(struct vd_inspector *inspector, struct vd_recipe_set *set);

/* As outcome's state, for set's active recipe, before any item. NULL: no memory. */
cJSON *vd_inspector_state(struct vd_inspector *inspector, struct vd_recipe_set *set);
