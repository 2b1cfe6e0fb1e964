/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Edges along a line, sub-pixel: position, width and pitch. As HALCON's measure_pos and
 * measure_pairs: grey levels averaged across the line, the profile convolved with the derivative of
 * a Gaussian (Canny 1986), local maxima above a threshold, and the vertex of the parabola
 * through the logarithms of three samples, which is exact for the response to a blurred step
 * (Fisher and Naidu 1996). Distances are px along the line, from its start.
 */
struct vd_line {
	double x0, y0, x1, y1; /* centres of pixels are whole numbers */
	int width;             /* px across that are averaged, at least 1 */
};

/* The line through the middle of a rectangle, as wide as it: along x, or along y. */
struct vd_line vd_line_through(struct vd_rect where, bool along_y);

enum vd_transition { VD_ANY_TRANSITION, VD_TO_LIGHT, VD_TO_DARK };
enum vd_select { VD_SELECT_ALL, VD_SELECT_FIRST, VD_SELECT_LAST, VD_SELECT_STRONGEST };

struct vd_caliper_options {
	double sigma;                  /* of the Gaussian, px; 0.4 to 100 */
	double threshold;              /* least contrast of a step that counts, grey levels */
	enum vd_transition transition; /* of an edge, or of a pair's first edge */
	enum vd_select select;
};

struct vd_caliper_options vd_caliper_defaults(void);

struct vd_edge {
	double at_px;     /* from the line's start */
	double x, y;      /* in the image */
	double amplitude; /* about the step's contrast, less if blurred; positive: towards light */
};

enum { VD_EDGES_MOST = 256 };

struct vd_edges {
	struct vd_edge list[VD_EDGES_MOST]; /* by position */
	int count;
};

/* A bar between two edges of opposite direction. */
struct vd_bar {
	struct vd_edge first, second;
	double width_px, centre_px;
	double pitch_px; /* to the centre of the next bar; NaN: it is the last one */
};

struct vd_bars {
	struct vd_bar list[VD_EDGES_MOST / 2];
	int count;
};

/*
 * No edge is a result (count 0), not an error. -ERANGE: the line with its width is not wholly
 * inside the image; -EINVAL: shorter than 3 px; -E2BIG: more than VD_EDGES_MOST edges; -ENOMEM.
 */
VD_MUST int vd_caliper_edges(const struct vd_image *image, const struct vd_line *line,
			     const struct vd_caliper_options *options, struct vd_edges *ret_edges);

/*
 * Bars: options->transition is that of their first edges (VD_ANY_TRANSITION: that of the first
 * edge found). Of several edges of one direction in a row the strongest counts. Pitches are
 * measured before options->select leaves bars out. Returns as vd_caliper_edges.
 */
VD_MUST int vd_caliper_bars(const struct vd_image *image, const struct vd_line *line,
			    const struct vd_caliper_options *options, struct vd_bars *ret_bars);
