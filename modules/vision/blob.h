/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * From pixels that leave their band to defects: opening, connected components over runs
 * (8-connected, bright and dark apart), merging of near ones, filters.
 */
enum vd_polarity { VD_BRIGHT = 1, VD_DARK = 2, VD_BRIGHT_AND_DARK = 3 };

const char *vd_polarity_name(enum vd_polarity polarity);

/*
 * Pixels outside their band: excess holds by how much, bits 1 (bright) or 2 (dark) in rows
 * whose any is true; other rows mean nothing. Starts as { 0 }.
 */
struct vd_excess {
	struct vd_image excess, bits;
	bool *any;
};

VD_MUST int vd_excess_shape(struct vd_excess *excess, int width, int height);
void vd_excess_fini(struct vd_excess *excess);

struct vd_blob_options {
	int open_px;     /* side of the square that a defect must hold; 1: no opening */
	int merge_px;    /* defects of one polarity with boxes closer than this are one; 0: none */
	int min_area_px; /* smaller ones are left out */
	int min_peak;    /* weaker ones are left out, grey levels */
	enum vd_polarity polarity; /* which ones count */
};

struct vd_defect {
	struct vd_rect box;
	int area_px;
	int peak; /* largest excess, grey levels */
	enum vd_polarity polarity;
	double score;       /* sum of excess / sigma, over the root of the area */
	double x, y;        /* centre of gravity */
	double circularity; /* area^2 over the moment of inertia: 1 a disc, less all else */
	double aspect;      /* axes of the ellipse with its moments, long over short, at least 1 */
};

struct vd_blobs {
	struct vd_defect *defects; /* by score, highest first */
	size_t count;
	double score;    /* of the highest, 0 if there is none */
	int64_t area_px; /* of all */
	bool is_crowded; /* too many pieces: one defect as large as the image stands for them */
};

/* More pieces than these are one defect as large as the whole image. */
enum { VD_RUNS_MOST = 1 << 18, VD_DEFECTS_MOST = 1 << 12 };

/*
 * Finds the defects; excess->bits is changed (opened). sigma: spread of each pixel in quarter
 * grey levels, at least 1; NULL: one grey level everywhere. -ENOMEM.
 */
VD_MUST int vd_blobs_find(struct vd_excess *excess, const struct vd_image *sigma,
			  const struct vd_blob_options *options, struct vd_blobs *ret_blobs);
void vd_blobs_fini(struct vd_blobs *blobs);
