/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/learn/drift.h"
#include "modules/inspect/learn/lesson.h"
#include "modules/inspect/learn/model.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/tools/rig.h"

/*
 * What a recipe is through over the days: its model and model files, and its tools as the
 * parameters now have them.
 *
 *	          learn                last part             good parts stand apart
 *	untrained -----> collecting(n) ---------> fitting --------------------------> validated
 *	    ^                                        |                                    | arm (by itself,
 *	    | regions changed (from any state)       | overlap, outliers                  | or by hand)
 *	    |                                        v     a challenge's verdict changed  v
 *	    +-------------------------------     rejected <---------------------------- armed
 *	                                             |   arm: the changed verdicts hold   ^
 *	                                             +------------------------------------+
 *
 * learn leads from every state to collecting; rollback from every state to armed with the
 * previous model. Only ready (a recipe without steps that learn) and armed judge.
 */
enum vd_course_state {
	VD_READY,
	VD_UNTRAINED,
	VD_COLLECTING,
	VD_FITTING,
	VD_VALIDATED,
	VD_REJECTED,
	VD_ARMED
};

const char *vd_course_state_name(enum vd_course_state state);

struct vd_course {
	char name[VD_NAME_BYTES]; /* of the recipe */
	enum vd_course_state state;
	struct vd_recipe_set *set; /* a reference */
	const struct vd_recipe *recipe;
	char *folder;             /* of model files; "": none */
	struct vd_model *model;   /* VD_ARMED, or VD_REJECTED by the challenge set; else NULL */
	struct vd_model *fitted;  /* VD_VALIDATED */
	cJSON *report;            /* of the last fit, or of the model; NULL: none */
	struct vd_lesson *lesson; /* VD_COLLECTING, VD_FITTING */
	struct vd_rig *rig;
	struct vd_drift drift;
	int version;             /* of the last model known */
	bool is_read_only;       /* model files are never written */
	char note[VD_STEP_TEXT]; /* why a model was not taken, or a part not learnt from */
	uint64_t verdicts[VD_VERDICTS];
	uint64_t since_challenge, challenges; /* items since the last run; runs */
	char last_sha256[VD_CAMERAS_MOST][VD_SHA256_TEXT];
	cJSON *notices; /* not yet handed on; NULL: none */
};

/* Reads the recipe's model from folder ("": none), if there is one. -ENOMEM. */
VD_MUST int vd_course_new(struct vd_recipe_set *set, const struct vd_recipe *recipe,
			  const char *folder, bool is_read_only, struct vd_course **ret_course);
struct vd_course *vd_course_free(struct vd_course *course);
VD_DEFINE_CLEANUP(struct vd_course, vd_course_free)

/* Goes on under other parameters; keeps the model where the regions are the same. -ENOMEM. */
VD_MUST int vd_course_follow(struct vd_course *course, struct vd_recipe_set *set,
			     const struct vd_recipe *recipe);

/* Forgets the model (its file stays until the next one is there) and collects. -ENOMEM. */
VD_MUST int vd_course_learn(struct vd_course *course);

/* One good part for the lesson (VD_COLLECTING only); the last one leads to VD_FITTING. */
void vd_course_attend(struct vd_course *course, const struct vd_look *looks,
		      const struct vd_shot *shots, const char *serial);

/* VD_FITTING: to validated, armed or rejected. Takes a while. progress may be NULL. */
void vd_course_fit(struct vd_course *course, vd_progress_fn progress, void *argument);

/*
 * VD_VALIDATED: arms. VD_REJECTED by the challenge set: what it says now is what it shall say
 * from now on. -EPERM in other states; text says why.
 */
VD_MUST int vd_course_arm(struct vd_course *course, char text[static VD_STEP_TEXT]);

/* Exchanges the model's file for the previous one's, and arms that. -ENOENT: there is none. */
VD_MUST int vd_course_roll_back(struct vd_course *course, char text[static VD_STEP_TEXT]);

/* Counts an item that was judged, and runs the challenge set when it is due. */
void vd_course_count(struct vd_course *course);

bool vd_course_judges(const struct vd_course *course);

/* Why steps that learn do not judge: "3 of 30 parts". */
void vd_course_excuse(const struct vd_course *course, char text[static VD_STEP_TEXT]);
