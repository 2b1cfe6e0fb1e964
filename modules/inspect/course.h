/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/inspect/lesson.h"
#include "modules/inspect/model.h"
#include "modules/inspect/recipe.h"
#include "modules/inspect/rig.h"

/*
 * What a recipe is through over the days: untrained, collecting good parts, armed with a model;
 * its model file, and its tools as the parameters now have them.
 *
 *	                 learn                  last part
 *	untrained ----------------> collecting -----------> armed
 *	    ^                          ^  |                   |
 *	    |      regions changed     |  | regions changed   | learn
 *	    +--------------------------+--+-------------------+
 *
 * A recipe without steps that learn is ready from the beginning.
 */
enum vd_course_state { VD_READY, VD_UNTRAINED, VD_COLLECTING, VD_ARMED };

const char *vd_course_state_name(enum vd_course_state state);

struct vd_course {
	char name[VD_NAME_BYTES]; /* of the recipe */
	enum vd_course_state state;
	struct vd_recipe_set *set; /* a reference */
	const struct vd_recipe *recipe;
	struct vd_model *model;   /* NULL: none */
	struct vd_lesson *lesson; /* VD_COLLECTING */
	struct vd_rig *rig;
	int version;             /* of the last model known */
	char note[VD_STEP_TEXT]; /* why a model was not taken, or a part not learnt from */
	uint64_t verdicts[VD_VERDICTS];
	char last_sha256[VD_CAMERAS_MOST][VD_SHA256_TEXT];
};

/* Reads the recipe's model from folder ("": none), if there is one. -ENOMEM. */
VD_MUST int vd_course_new(struct vd_recipe_set *set, const struct vd_recipe *recipe,
			  const char *folder, struct vd_course **ret_course);
struct vd_course *vd_course_free(struct vd_course *course);
VD_DEFINE_CLEANUP(struct vd_course, vd_course_free)

/* Goes on under other parameters; keeps the model where the regions are the same. -ENOMEM. */
VD_MUST int vd_course_follow(struct vd_course *course, struct vd_recipe_set *set,
			     const struct vd_recipe *recipe, const char *folder);

/* Forgets the model (its file stays until the next one is there) and collects. -ENOMEM. */
VD_MUST int vd_course_learn(struct vd_course *course);

/*
 * One good part for the lesson (VD_COLLECTING only); with the last one the model is written and
 * the course is armed. Trouble stands in course->note.
 */
void vd_course_attend(struct vd_course *course, const struct vd_image *const *frames,
		      const char *serial, const char *folder);
