/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/image/jpeg.h"
#include "tests/unit/modules/vision/scene.h"

/*
 * A part with something for each tool that measures directly: a bar, five holes, a printed mark,
 * a plain field and a patch of paint, as a colour JPEG.
 */
enum { LABEL_WIDTH = 400, LABEL_HEIGHT = 300 };

struct label {
	double dx, dy, bar_px;
	int holes;
	bool has_mark, has_stain, is_green, is_blurred, is_grey;
};

static const struct label label_good = { .bar_px = 40, .holes = 5, .has_mark = true };

static inline double label_smooth(double distance, const struct label *label)
{
	return 1 / (1 + exp(-distance / (label->is_blurred ? 4 : 0.3)));
}

static inline double label_hole_at(const struct label *label, double x, double y)
{
	double depth = 0;

	for (int i = 0; i < label->holes; i++)
		depth = fmax(depth, label_smooth(11 - hypot(x - 30 - 36 * i, y - 150), label));
	return depth;
}

static inline double label_grey_at(const struct label *label, double x, double y)
{
	double v = 150;

	if (y > 20 && y < 110 && x < 190)
		v -= 100 * label_smooth(x - 60, label) *
		     label_smooth(60 + label->bar_px - x, label);
	v -= 100 * label_hole_at(label, x, y);
	if (label->has_mark && x > 220 && x < 300 && y > 20 && y < 100)
		v += 45 * label_smooth(4 * sin(x / 5) * cos(y / 7), label) - 20;
	if (label->has_stain && hypot(x - 90, y - 240) < 9)
		v -= 16;
	return v;
}

static inline void label_paint(const struct label *label, uint8_t *pixel, int px, int py,
			       double noise)
{
	const double x = px - label->dx, y = py - label->dy;
	const bool is_paint = x > 230 && x < 330 && y > 180 && y < 270;
	static const uint8_t red[3] = { 190, 40, 50 }, green[3] = { 40, 150, 60 };

	for (int c = 0; c < 3; c++) {
		const double v =
			is_paint ? (label->is_green ? green : red)[c] : label_grey_at(label, x, y);

		pixel[c] = (uint8_t)lrint(fmin(fmax(v + noise, 0), 255));
	}
}

static inline void label_photograph(const struct label *label, struct vd_buf *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	uint32_t seed = 77;

	if (vd_image_shape(&image, LABEL_WIDTH, LABEL_HEIGHT, label->is_grey ? VD_GREY : VD_RGB) <
	    0)
		abort();
	for (int y = 0; y < LABEL_HEIGHT; y++) {
		for (int x = 0; x < LABEL_WIDTH; x++) {
			uint8_t pixel[3];

			label_paint(label, pixel, x, y, 1.5 * scene_noise(&seed));
			memcpy(vd_image_row(&image, y) + (ptrdiff_t)image.channels * x, pixel,
			       (size_t)image.channels);
		}
	}
	vd_buf_clear(out);
	if (vd_jpeg_encode(&image, 97, out) < 0)
		abort();
}

/* A step for each of it; the %s is the path of a good one. */
static const char LABEL_STEPS[] =
	"\"sharp\":{\"camera\":\"top\",\"tool\":\"focus\",\"roi\":[20,10,280,160],\"gate\":true,"
	"\"limits\":{\"sharpness\":{\"min\":120},\"bright\":{\"max\":0.01}}},"
	"\"gap\":{\"camera\":\"top\",\"tool\":\"caliper\",\"line\":[20,60,180,60,21],\"pxPerMm\":"
	"20,"
	"\"measure\":\"bar\",\"transition\":\"toDark\",\"limits\":{\"count\":{\"min\":1,\"max\":1},"
	"\"widthMm\":{\"min\":1.95,\"max\":2.05}}},"
	"\"holes\":{\"camera\":\"top\",\"tool\":\"blob\",\"roi\":[10,125,190,50],\"polarity\":"
	"\"dark\",\"minAreaPx\":200,\"minCircularity\":0.9,"
	"\"limits\":{\"count\":{\"min\":5,\"max\":5}}},"
	"\"mark\":{\"camera\":\"top\",\"tool\":\"presence\",\"roi\":[225,25,70,70],"
	"\"golden\":{\"file\":\"%s\"}},"
	"\"clean\":{\"camera\":\"top\",\"tool\":\"stain\",\"roi\":[20,190,180,100],\"level\":10},"
	"\"paint\":{\"camera\":\"top\",\"tool\":\"colour\",\"roi\":[240,190,80,70],"
	"\"reference\":[41.5,58.5,33.2],\"limits\":{\"deltaE\":{\"max\":4}}}";
