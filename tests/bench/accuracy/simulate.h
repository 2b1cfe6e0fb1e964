/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "modules/image/image.h"

/*
 * Simulated captures of a photographed part. The photograph is real; pose, light, lens, sensor,
 * JPEG and defects are simulated. Sampling is bicubic, so that it is not the inverse of what the
 * inspection does (bilinear). Everything follows from the seed.
 */
struct sim_random {
	uint64_t state;
};

double sim_uniform(struct sim_random *random, double low, double high);
double sim_normal(struct sim_random *random);

struct sim_capture {
	double dx, dy, angle_deg;      /* of the part, about the image's middle */
	double gain, offset;           /* of the light, and grey levels of the sensor */
	double slope_x, slope_y;       /* light changes by this share over the image */
	double blur_px;                /* sigma of the lens */
	double read_noise, shot_noise; /* grey levels; its square grows by this a level */
	int quality;                   /* of the JPEG; 0: none */
};

/* No change but that of the sampling. */
struct sim_capture sim_plain(void);

/* As the study has it: 3 px, 0.4 degrees, 6 %, 4 levels, 3 %, noise, quality 85. */
struct sim_capture sim_draw(struct sim_random *random);

/* Where the part's point (x, y) is in the capture. */
void sim_map(const struct sim_capture *capture, const struct vd_image *part, double x, double y,
	     double *ret_x, double *ret_y);

/* out: shaped here. bytes: the JPEG if quality is not 0, else NULL is allowed. -errno. */
VD_MUST int sim_take(const struct vd_image *part, const struct sim_capture *capture,
		     struct sim_random *random, struct vd_image *out, struct vd_buf *bytes);

enum sim_kind { SIM_SCRATCH, SIM_SPOT, SIM_BLOB, SIM_SMEAR, SIM_HAIR, SIM_KINDS };

const char *sim_kind_name(enum sim_kind kind);

/* Draws a defect of this contrast (grey levels, either sign) on the part, inside where. */
void sim_draw_defect(struct vd_image *part, struct vd_rect where, enum sim_kind kind,
		     double contrast, struct sim_random *random);

/* A disc of this diameter there, with an edge of a pixel. */
void sim_draw_disc(struct vd_image *part, double x, double y, double diameter, double contrast);

/* A place for it with room for the contrast, and its sign. */
double sim_find_place(const struct vd_image *part, struct vd_rect where, double contrast,
		      struct sim_random *random, double *ret_x, double *ret_y);
