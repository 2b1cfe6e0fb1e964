/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/vision/band.h"
#include "modules/vision/blob.h"
#include "modules/vision/locate.h"
#include "modules/vision/normalise.h"

/*
 * The variation model: mean and spread of each pixel over good parts. A pixel is accepted within
 *	mean +- (max(abs_threshold, var_threshold * spread) + edge_tolerance_px * |gradient|)
 * (the thresholds of HALCON's prepare_variation_model, bright and dark apart). The spread has
 * a floor and is pooled over 5 x 5 pixels, for few parts give a poor estimate of each.
 */
struct vd_variation_options {
	double abs_threshold[2]; /* grey levels: bright, dark */
	double var_threshold[2]; /* times the spread: bright, dark */
	double edge_tolerance_px;
	int window_px; /* of the local normalisation, 0: none */
	struct vd_blob_options blobs;
};

struct vd_variation_options vd_variation_defaults(void);

/* What was learnt: in 1/256 grey levels, row after row. */
struct vd_variation_model {
	uint16_t *mean, *spread;
	int width, height;
	int parts;    /* how many it was learnt from */
	double scale; /* what learning multiplied both thresholds with; 0: 1 */
};

void vd_variation_model_fini(struct vd_variation_model *model);

/* --- Learning --- */

struct vd_variation_learner; /* Welford's mean and variance */

VD_MUST int vd_variation_learner_new(int width, int height, int window_px,
				     struct vd_variation_learner **ret_learner);
struct vd_variation_learner *vd_variation_learner_free(struct vd_variation_learner *learner);
VD_DEFINE_CLEANUP(struct vd_variation_learner, vd_variation_learner_free)

/*
 * One more good part, registered; normalised in place to the brightness of the first one.
 * -EINVAL: another shape; -ENOMEM.
 */
VD_MUST int vd_variation_learn(struct vd_variation_learner *learner, struct vd_image *registered);
int vd_variation_parts(const struct vd_variation_learner *learner);

/* Before the first part: it and later ones are normalised to this image's brightness. -ENOMEM. */
VD_MUST int vd_variation_refer(struct vd_variation_learner *learner, const struct vd_image *image);

/* Memory of normalising. Starts as { 0 }. */
struct vd_variation_light {
	struct vd_cells cells;
	struct vd_gains gains;
};

void vd_variation_light_fini(struct vd_variation_light *light);

/* Brings a registered image to the brightness that parts are learnt at, in place. -ENOMEM. */
VD_MUST int vd_variation_normalise(const struct vd_variation_learner *learner,
				   struct vd_image *image, struct vd_variation_light *light);

/*
 * Rows top .. bottom - 1 of count parts, registered and normalised, all of the learner's shape, in
 * this order. With all rows added, in whatever pieces and by whatever threads, vd_variation_added
 * says that these parts were learnt.
 */
void vd_variation_add_rows(struct vd_variation_learner *learner,
			   const struct vd_image *const *images, int count, int top, int bottom);
void vd_variation_added(struct vd_variation_learner *learner, int count);

/* Takes back one part, as it was after vd_variation_learn (Welford's step backwards). -EINVAL. */
VD_MUST int vd_variation_unlearn(struct vd_variation_learner *learner,
				 const struct vd_image *normalised);

/* out (shaped here) = the mean image, rounded. -ENOMEM. */
VD_MUST int vd_variation_mean(const struct vd_variation_learner *learner, struct vd_image *out);

/* -EAGAIN: fewer than 2 parts; -ENOMEM. */
VD_MUST int vd_variation_finish(const struct vd_variation_learner *learner,
				struct vd_variation_model *ret_model);

/*
 * As if one part, as it was after vd_variation_learn, had not been learnt; the learner stays as it
 * is. io_model: { 0 }, or one that this made before, whose memory it keeps. -EINVAL: another shape;
 * -EAGAIN: fewer than 2 others; -ENOMEM.
 */
VD_MUST int vd_variation_apart(const struct vd_variation_learner *learner,
			       const struct vd_image *normalised,
			       struct vd_variation_model *io_model);

/* --- Allowances --- */

/*
 * What the pixels of one row may differ by: accepted is mean - edge - scale * down ..
 * mean + edge + scale * up. Arrays of the model's width, the caller's.
 */
struct vd_allowance {
	float *mean, *edge, *up, *down, *spread;
};

/* columns: scratch of the model's width. */
void vd_variation_allow(const struct vd_variation_model *model,
			const struct vd_variation_options *options, int y, double *columns,
			const struct vd_allowance *allowance);

/* The same of one pixel, to the bit. */
struct vd_allowed {
	float mean, edge, up, down, spread;
};

struct vd_allowed vd_variation_allow_at(const struct vd_variation_model *model,
					const struct vd_variation_options *options, int x, int y);

/*
 * stray[x] = 1 for all pixels of row y that scale times the allowance does not hold, and some that
 * it does: what lies around a pixel, and edges, are not looked at. Returns the OR of all.
 */
uint8_t vd_variation_suspect(const struct vd_variation_model *model,
			     const struct vd_variation_options *options, const uint8_t *row, int y,
			     float scale, uint8_t *stray);

/* --- Comparing --- */

struct vd_variation; /* a model with its thresholds laid out */

VD_MUST int vd_variation_new(const struct vd_variation_model *model, struct vd_rect where,
			     const struct vd_variation_options *options,
			     struct vd_variation **ret_variation);
struct vd_variation *vd_variation_free(struct vd_variation *variation);
VD_DEFINE_CLEANUP(struct vd_variation, vd_variation_free)

struct vd_variation_work {
	struct vd_image registered;
	struct vd_band_work band;
};

void vd_variation_work_fini(struct vd_variation_work *work);

/*
 * Compares image, seen through pose, with the model. Boxes are in the region (add where.x,
 * where.y for taught coordinates). -EINVAL: the image does not cover the region; -ENOMEM.
 */
VD_MUST int vd_variation_compare(const struct vd_variation *variation, const struct vd_image *image,
				 const struct vd_pose *pose, struct vd_variation_work *work,
				 struct vd_blobs *ret_blobs);
