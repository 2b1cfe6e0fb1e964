/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/inspect/look.h"
#include "modules/inspect/learn/model.h"
#include "modules/inspect/recipe/recipe.h"
#include "modules/inspect/tools/rig.h"

/*
 * Has the line changed since the model was learnt? Each quantity (mean, contrast, sharpness of a
 * camera's frames; position and angle of a located part) is followed by two charts against what
 * it was on the good parts: an EWMA for slow drift and a CUSUM for a lasting step. Nothing is
 * relearnt. Pure: fed item by item.
 */
enum { VD_DRIFT_TEXT = 200 };

/* "mean" "contrast" "sharpness", or for steps "dx" "dy" "angleDeg"; i: 0 .. 2. */
const char *vd_drift_name(bool of_step, int i);

/* Mean square of horizontal differences over the variance, of every eighth row: falls with blur. */
double vd_sharpness(const struct vd_image *image);

/* One quantity's charts. Starts as { 0 }. */
struct vd_chart {
	double mean;         /* EWMA, in deviations from the reference */
	double above, below; /* CUSUM, in deviations */
	uint64_t count;
	bool is_alarm;
};

enum vd_chart_outcome { VD_CHART_SAME = 0, VD_CHART_RAISED = 1, VD_CHART_CLEARED = 2 };

/*
 * value in deviations from the reference, which was learnt from parts good ones. An alarm is
 * raised at sigma standard errors of the EWMA (or 3 sigma of CUSUM above its slack) and
 * cleared below half of it.
 */
enum vd_chart_outcome vd_chart_put(struct vd_chart *chart, double value, int parts, double sigma);

struct vd_drift {
	struct vd_chart charts[VD_REFERENCES_MOST];
	uint64_t raised; /* alarms so far */
};

struct vd_drift_change {
	int reference; /* index in the model's */
	bool is_raised;
	double value, z; /* EWMA: in the quantity's unit, and in deviations */
};

/* One armed item. Returns how many alarms changed; at most VD_REFERENCES_MOST. */
int vd_drift_put(struct vd_drift *drift, const struct vd_recipe *recipe,
		 const struct vd_model *model, const struct vd_look *looks,
		 const struct vd_step_result *results, struct vd_drift_change *ret_changes);

/*
 * How the region of a variation step is lit against the model's mean: image = gain * mean +
 * offset, by mean and deviation of small squares (which misalignment hardly changes). Of a
 * region without contrast the gain is the ratio of the means. false: outside the image.
 */
struct vd_photometry {
	double gain, offset;
};

bool vd_photometry_measure(const struct vd_model_step *step, const struct vd_image *image,
			   const struct vd_pose *pose, struct vd_photometry *ret_photometry);

/* Beyond this share of gain, or of 128 grey levels of offset? */
bool vd_photometry_is_within(const struct vd_photometry *photometry, double share);
