/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/json.h"
#include "modules/inspect/item.h"
#include "modules/inspect/privacy.h"
#include "modules/inspect/tools/rig.h"
#include "modules/inspect/recipe/rules.h"

/*
 * Inspects one item after the other: decode, learn or run the steps, judge, write the record.
 * Keeps what recipes have learnt (and their files) and set-up tools from item to item. Used by
 * one thread; every item gets a verdict, whatever goes wrong.
 */
struct vd_inspector;

struct vd_inspector_options {
	const char *station;       /* used where the parameters name none */
	const char *model_folder;  /* "": models live only as long as the process */
	const char *gather_folder; /* NULL or "": nothing is gathered */
	bool fits_apart;   /* models are fitted by vd_inspector_follow, not within an item */
	bool is_read_only; /* model files are never written */
	bool is_untimed;   /* deadlines of steps and recipes do not hold */
	void (*on_progress)(void *argument); /* long work goes on; NULL: nobody wants to know */
	void *argument;
	uint64_t (*now_us)(void); /* monotonic, for the timings in the record */
};

/* options' strings are copied. */
VD_MUST int vd_inspector_new(const struct vd_inspector_options *options,
			     struct vd_inspector **ret_inspector);
struct vd_inspector *vd_inspector_free(struct vd_inspector *inspector);
VD_DEFINE_CLEANUP(struct vd_inspector, vd_inspector_free)

/* What an image step made, to go with the verdict. */
struct vd_made {
	struct vd_buf jpeg;
	int step;
};

struct vd_outcome {
	enum vd_verdict verdict;
	cJSON *body;                              /* of the record; NULL: no memory for it */
	struct vd_buf overlay;                    /* JPEG; empty unless wanted */
	bool keeps_images;                        /* the recipe wants the frames of this one */
	struct vd_veiled veiled[VD_CAMERAS_MOST]; /* instead of frames that have areas to blur */
	struct vd_made made[VD_IMAGES_MOST];
	int made_count;
	cJSON *state;   /* for reported state: recipe, revision, model, shadow, gathering */
	cJSON *notices; /* alarms and events (notice.h); NULL: none */
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

/*
 * What follows an item whose verdict is out already: the shadow recipe looks at it, its frames are
 * gathered, a model is fitted. item: split from the one inspected, NULL if vd_inspector_follows
 * said no. ret_outcome has a state or notices, or neither.
 */
bool vd_inspector_follows(const struct vd_inspector *inspector, const struct vd_item *item);
void vd_inspector_follow(struct vd_inspector *inspector, struct vd_item *item,
			 enum vd_verdict verdict, struct vd_outcome *ret_outcome);

/* Is there a model to fit? Then vd_inspector_follow does it. */
bool vd_inspector_must_fit(const struct vd_inspector *inspector);

/*
 * Orders for set's active recipe. learn: forgets what it has learnt, and learns from the next
 * parts. arm, roll_back: as vd_course_arm, vd_course_roll_back. gather: NULL ends it.
 * Negative: text says why not.
 */
VD_MUST int vd_inspector_learn(struct vd_inspector *inspector, struct vd_recipe_set *set,
			       char text[static VD_STEP_TEXT]);
VD_MUST int vd_inspector_arm(struct vd_inspector *inspector, struct vd_recipe_set *set,
			     char text[static VD_STEP_TEXT]);
VD_MUST int vd_inspector_roll_back(struct vd_inspector *inspector, struct vd_recipe_set *set,
				   char text[static VD_STEP_TEXT]);
void vd_inspector_gather(struct vd_inspector *inspector, const struct vd_gather_order *order);

/* As outcome's state, for set's active recipe, before any item. NULL: no memory. */
cJSON *vd_inspector_state(struct vd_inspector *inspector, struct vd_recipe_set *set);
