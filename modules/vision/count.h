/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/vision/blob.h"
#include "modules/vision/integral.h"

/*
 * Objects that are brighter or darker than what is around them, counted: threshold, opening,
 * connected components (blob.h), filters by area and shape.
 */
enum vd_threshold {
	VD_THRESHOLD_FIXED, /* level */
	VD_THRESHOLD_OTSU,  /* where two classes are furthest apart (Otsu 1979) */
	VD_THRESHOLD_LOCAL, /* the mean of the window around each pixel, plus or minus level */
};

struct vd_count_options {
	enum vd_threshold threshold;
	int level;                 /* grey levels; VD_THRESHOLD_OTSU: least distance of the classes,
				      closer ones are one surface without objects */
	int window_px;             /* VD_THRESHOLD_LOCAL, 3 to 1023 */
	enum vd_polarity polarity; /* VD_BRIGHT or VD_DARK objects */
	int open_px;               /* side of the square that an object must hold; 1: any */
	double area_min, area_max; /* px */
	double circularity_min;    /* 0 to 1 */
	double aspect_max;         /* long over short axis; INFINITY: any */
};

struct vd_count_options vd_count_defaults(void);

/* Memory that serves one image after the other. Starts as { 0 }. */
struct vd_count_work {
	struct vd_integral integral;
	struct vd_excess excess;
};

void vd_count_work_fini(struct vd_count_work *work);

struct vd_objects {
	struct vd_blobs blobs; /* those that pass the filters */
	int threshold;         /* that was used; -1: of each pixel's own */
	int left_out;          /* objects that do not pass */
};

/*
 * -EOVERFLOW: more pieces than can be told apart, so that no count is to be had; -ENOMEM;
 * -EINVAL: options out of bounds.
 */
VD_MUST int vd_count_find(const struct vd_image *image, const struct vd_count_options *options,
			  struct vd_count_work *work, struct vd_objects *ret_objects);

/*
 * Otsu's threshold: values up to it are the darker class. Returns the distance of the classes'
 * means, 0 for an image of one grey level.
 */
double vd_threshold_otsu(const struct vd_image *image, int *ret_threshold);
