/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "modules/image/jpeg.h"

/*
 * A part to inspect, made up: a smooth sum of waves with some sharp shapes on it, a function of
 * the plane, so that a second capture may be shifted, turned and lit as a test wants it.
 */
struct scene_capture {
	int width, height;
	double dx, dy, angle_deg; /* of the part, about the middle */
	double gain, slope;       /* brightness: gain + slope * x / width */
	double noise;
	uint32_t seed;
	struct vd_rect defect; /* in the part's coordinates; width 0: none */
	double contrast;
};

static inline struct scene_capture scene_plain(int width, int height)
{
	return (struct scene_capture){ .width = width, .height = height, .gain = 1, .seed = 1 };
}

static inline double scene_noise(uint32_t *state)
{
	double sum = 0;

	for (int i = 0; i < 4; i++) {
		*state ^= *state << 13;
		*state ^= *state >> 17;
		*state ^= *state << 5;
		sum += *state / 4294967296.0 - 0.5;
	}
	return sum * 1.732;
}

static inline double scene_edge(double distance)
{
	return 1 / (1 + exp(-2 * distance));
}

static inline double scene_at(double x, double y)
{
	double v = 110 + 22 * sin(x / 7.3) * cos(y / 9.1) + 18 * sin((x + 2 * y) / 17.7) +
		   12 * cos((3 * x - y) / 11.3);

	v += 50 * scene_edge(18 - hypot(x - 70, y - 60));
	v -= 45 * scene_edge(12 - fmax(fabs(x - 130), fabs(y - 100)));
	return v;
}

static inline void scene_take(const struct scene_capture *capture, struct vd_image *image)
{
	const double turn = -capture->angle_deg * M_PI / 180, c = cos(turn), s = sin(turn);
	const double cx = (capture->width - 1) / 2.0, cy = (capture->height - 1) / 2.0;
	const struct vd_rect *defect = &capture->defect;
	uint32_t seed = capture->seed * 2654435761U + 12345;

	if (vd_image_shape(image, capture->width, capture->height, VD_GREY) < 0)
		abort();
	for (int y = 0; y < capture->height; y++) {
		for (int x = 0; x < capture->width; x++) {
			const double u = x - cx - capture->dx, w = y - cy - capture->dy;
			const double px = c * u - s * w + cx, py = s * u + c * w + cy;
			double v = scene_at(px, py);

			if (px >= defect->x && px < defect->x + defect->width && py >= defect->y &&
			    py < defect->y + defect->height)
				v += capture->contrast;
			v = v * (capture->gain + capture->slope * x / capture->width) +
			    capture->noise * scene_noise(&seed);
			vd_image_row(image, y)[x] = (uint8_t)lrint(fmin(fmax(v, 0), 255));
		}
	}
}

static inline void scene_jpeg(const struct scene_capture *capture, struct vd_buf *out)
{
	struct vd_image image = { 0 };

	scene_take(capture, &image);
	if (vd_jpeg_encode(&image, 95, out) < 0)
		abort();
	vd_image_fini(&image);
}
