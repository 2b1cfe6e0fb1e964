/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "modules/inspect/learn/apart.h"
#include "modules/inspect/learn/lesson.h"
#include "modules/inspect/learn/trial.h"

/* What collecting (lesson.c) and fitting (fit.c) share; nobody else includes it. */

enum { VD_SIGHTS = 3 /* of a camera: mean, spread, sharpness */ };

struct vd_sample {
	struct vd_shot *shots; /* one a camera */
	char serial[VD_SERIAL_BYTES];
	struct vd_pose *poses;  /* one a step */
	struct vd_cells *cells; /* one a step: brightness of its region, a thumbnail */
	double sights[VD_CAMERAS_MOST][VD_SIGHTS];
	bool is_out;            /* left out */
	char why[VD_STEP_TEXT]; /* of is_out */
	double factor;          /* the largest of its steps', left out itself; NaN: not tried */
};

struct pupil {
	struct vd_rect where;
	int frame_width, frame_height;
	struct vd_image patch; /* of locate steps */
	struct vd_locator *locator;
	struct vd_variation_learner *learner; /* of locate steps: the patches' mean */
	struct vd_texture_learner *texture;   /* of texture steps, instead */
	struct vd_texture_work texture_work;
	struct vd_trial *trial; /* while fitting */
	double *factors;        /* of the parts tried */
	size_t factor_count;
	double scale,
		challenge; /* factors: of the thresholds; that all but 1 in 10 defects reach */
};

/* What of a part one step looks at. */
struct vd_held {
	struct vd_pose pose;
	struct vd_image registered;
	struct vd_variation_light light;
	struct vd_apart *apart; /* while fitting */
};

/* A part in hand, one for each that is looked at at once. */
struct vd_hand {
	struct vd_look looks[VD_CAMERAS_MOST]; /* while fitting */
	struct vd_held *held;                  /* one a step */
};

enum { VD_HANDS = 2 };

struct vd_lesson {
	const struct vd_recipe *recipe;
	struct pupil *pupils; /* one a step */
	struct vd_sample *samples;
	int parts, room;
	size_t bytes;
	struct vd_hand hands[VD_HANDS]; /* the first is that of whatever is done one by one */
	int threads;
};

/* Takes frames as those of reference: patches are taught, learners emptied. As vd_lesson_add. */
VD_MUST int vd_lesson_teach(struct vd_lesson *lesson, const struct vd_look *looks,
			    char text[static VD_STEP_TEXT]);

/* Locates and registers every region; poses and images stand in the hand. As vd_lesson_add. */
VD_MUST int vd_lesson_look(const struct vd_lesson *lesson, struct vd_hand *hand, struct vd_rig *rig,
			   const struct vd_look *looks, const char *serial,
			   char text[static VD_STEP_TEXT]);

/* Registers the regions of the hand's looks where sample's poses say they are. */
VD_MUST int vd_lesson_register(const struct vd_lesson *lesson, struct vd_hand *hand,
			       const struct vd_sample *sample, char text[static VD_STEP_TEXT]);
