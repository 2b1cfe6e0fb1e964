/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/vision/variation.h"

/*
 * A part of a variation step against what was learnt from all others: its factor, as vd_trial_factor
 * has it of the whole image, to the bit. The learner stays as it is, so that parts can be tried at
 * once, each thread with an apart of its own, which keeps memory from one part to the next.
 */
struct vd_apart;

/* step is borrowed. -ENOMEM. */
VD_MUST int vd_apart_new(const struct vd_step *step, struct vd_apart **ret_apart);
struct vd_apart *vd_apart_free(struct vd_apart *apart);
VD_DEFINE_CLEANUP(struct vd_apart, vd_apart_free)

/* normalised: learnt, and at least two others. -EINVAL: another shape; -EAGAIN; -ENOMEM. */
VD_MUST int vd_apart_factor(struct vd_apart *apart, const struct vd_variation_learner *learner,
			    const struct vd_image *normalised, double *ret_factor);
