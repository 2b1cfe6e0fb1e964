/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"
#include "modules/vision/blob.h"

/*
 * Texture inspection, learnt from good images: what a surface looks like in each cell of 8 px, as
 * a Gaussian over features; a cell is as bad as its Mahalanobis distance. This is PaDiM (Defard
 * et al. 2021) with filters instead of a network: on three levels of a pyramid the means of the
 * four directional derivatives, and means and maxima of a difference of Gaussians, bright and
 * dark apart; and the mean grey level. Covariances are shrunk (OAS, Chen et al. 2010), so that
 * fewer images than features will do.
 */
enum { VD_TEXTURE_CELL = 8, VD_TEXTURE_FEATURES = 25 };

enum vd_texture_scope {
	VD_TEXTURE_POSITION, /* each cell has a Gaussian of its own: parts that lie alike */
	VD_TEXTURE_GLOBAL,   /* one for all: endless material */
};

struct vd_texture_learner;

/* For images of this size, at least 32 x 32 (-EINVAL). -ENOMEM. */
VD_MUST int vd_texture_learner_new(int width, int height, enum vd_texture_scope scope,
				   struct vd_texture_learner **ret_learner);
struct vd_texture_learner *vd_texture_learner_free(struct vd_texture_learner *learner);
VD_DEFINE_CLEANUP(struct vd_texture_learner, vd_texture_learner_free)

/* -EINVAL: another size. -ENOMEM. */
VD_MUST int vd_texture_learn(struct vd_texture_learner *learner, const struct vd_image *image);

/* Takes an image that was learnt out again. -EINVAL: another size, or none is left. -ENOMEM. */
VD_MUST int vd_texture_unlearn(struct vd_texture_learner *learner, const struct vd_image *image);
int vd_texture_images(const struct vd_texture_learner *learner);

struct vd_texture;

/* The model of what was learnt. -EAGAIN: fewer than 2 images. -ENOMEM. */
VD_MUST int vd_texture_finish(const struct vd_texture_learner *learner,
			      struct vd_texture **ret_texture);
struct vd_texture *vd_texture_free(struct vd_texture *texture);
VD_DEFINE_CLEANUP(struct vd_texture, vd_texture_free)

/*
 * The model as numbers, and back: so many for images of this size, 0 for a size too small. Reading
 * checks them: -EINVAL for numbers that no model has. -ENOMEM.
 */
size_t vd_texture_numbers(int width, int height, enum vd_texture_scope scope);
void vd_texture_write(const struct vd_texture *texture, float *numbers);
VD_MUST int vd_texture_read(int width, int height, enum vd_texture_scope scope,
			    const float *numbers, struct vd_texture **ret_texture);

/* Memory that serves one image after the other. Starts as { 0 }. */
struct vd_texture_work {
	struct vd_image levels[2];
	uint16_t *blur;
	int32_t *kinds;
	float *features, *scores;
	int width, height; /* that there is memory for */
	struct vd_excess excess;
};

void vd_texture_work_fini(struct vd_texture_work *work);

struct vd_texture_result {
	struct vd_blobs blobs; /* cells above the threshold, boxes in pixels */
	double score; /* of the worst cell: distance over the root of the features; good: about 1 */
};

/*
 * threshold: scores up to it are good; a good one is above those of good images that were not
 * learnt from. -EINVAL: another size than learnt. -ENOMEM.
 */
VD_MUST int vd_texture_find(const struct vd_texture *texture, const struct vd_image *image,
			    double threshold, struct vd_texture_work *work,
			    struct vd_texture_result *ret_result);
