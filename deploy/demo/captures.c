/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-simulate-captures: turns one photograph of a part into a folder of simulated
 * captures, each shifted, turned, lit and noisy by a little, some with a defect drawn on it,
 * and a list of the truth. Everything follows from the seed.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "modules/image/image.h"
#include "modules/image/jpeg.h"

enum { PHOTOGRAPH_BYTES = 64 << 20, MARGIN_PX = 40 };

struct options {
	const char *part, *folder;
	long good, mixed, defect_every;
	uint64_t seed;
};

struct capture {
	double shift_x, shift_y, turn_rad, gain, noise;
	double defect_x, defect_y, defect_radius, defect_contrast; /* radius 0: none */
};

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15U;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
	z = (z ^ z >> 27) * 0x94D049BB133111EBU;
	return z ^ z >> 31;
}

static double uniform(uint64_t *state, double low, double high)
{
	return low + (high - low) * ((double)(next_random(state) >> 11) / 9007199254740992.0);
}

enum { NORMALS = 1 << 16 };

static float normals[NORMALS]; /* mean 0, deviation 1: drawn once, a pixel picks one */

/* Irwin-Hall of twelve. */
static void draw_normals(uint64_t *state)
{
	for (size_t i = 0; i < NORMALS; i++) {
		double sum = -6.0;

		for (int n = 0; n < 12; n++)
			sum += uniform(state, 0.0, 1.0);
		normals[i] = (float)sum;
	}
}

static struct capture draw_capture(const struct options *o, long number,
				   const struct vd_image *part, uint64_t *random)
{
	struct capture c = {
		.shift_x = uniform(random, -3.0, 3.0),
		.shift_y = uniform(random, -3.0, 3.0),
		.turn_rad = uniform(random, -0.2, 0.2) * 0.017453292519943295,
		.gain = uniform(random, 0.94, 1.06),
		.noise = 1.5,
	};

	if (number <= o->good || o->defect_every == 0 || number % o->defect_every)
		return c;
	c.defect_radius = uniform(random, 5.0, 9.0);
	c.defect_x = uniform(random, 2.0 * MARGIN_PX, part->width - 2.0 * MARGIN_PX);
	c.defect_y = uniform(random, 2.0 * MARGIN_PX, part->height - 2.0 * MARGIN_PX);
	c.defect_contrast = next_random(random) & 1 ? 90.0 : -90.0;
	return c;
}

/* Bilinear; outside the photograph its border goes on. */
static double sample(const struct vd_image *part, double x, double y)
{
	double xc = fmin(fmax(x, 0.0), part->width - 1.001),
	       yc = fmin(fmax(y, 0.0), part->height - 1.001);
	int x0 = (int)xc, y0 = (int)yc;
	double fx = xc - x0, fy = yc - y0;
	const uint8_t *a = vd_image_row(part, y0) + x0, *b = vd_image_row(part, y0 + 1) + x0;

	return (a[0] * (1 - fx) + a[1] * fx) * (1 - fy) + (b[0] * (1 - fx) + b[1] * fx) * fy;
}

static double add_defect(const struct capture *c, double x, double y, double value)
{
	double dx = x - c->defect_x, dy = y - c->defect_y;

	if (c->defect_radius > 0 && dx * dx + dy * dy < c->defect_radius * c->defect_radius)
		return value + (value + c->defect_contrast > 255 || value + c->defect_contrast < 0
					? -c->defect_contrast
					: c->defect_contrast);
	return value;
}

static void render(const struct vd_image *part, const struct capture *c, uint64_t *random,
		   struct vd_image *out)
{
	double cx = part->width / 2.0, cy = part->height / 2.0;
	double cosine = cos(c->turn_rad), sine = sin(c->turn_rad);

	for (int y = 0; y < out->height; y++) {
		for (int x = 0; x < out->width; x++) {
			double dx = x - cx - c->shift_x, dy = y - cy - c->shift_y;
			double px = cosine * dx + sine * dy + cx,
			       py = -sine * dx + cosine * dy + cy;
			double value = add_defect(c, px, py, sample(part, px, py));

			value = value * c->gain +
				c->noise * (double)normals[next_random(random) % NORMALS];
			vd_image_row(out, y)[x] = (uint8_t)fmin(fmax(value + 0.5, 0.0), 255.0);
		}
	}
}

static int write_capture(const struct options *o, long number, const struct vd_image *image)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char path[PATH_MAX];
	int r = vd_jpeg_encode(image, 92, &jpeg);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof path, "%s/part-%05ld.jpg", o->folder, number);
	return vd_file_write(path, jpeg.data, jpeg.len, 0644);
}

static int simulate(const struct options *o, const struct vd_image *part)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf truth = { 0 };
	uint64_t random = o->seed;
	char path[PATH_MAX];
	int r = vd_image_shape(&image, part->width, part->height, VD_GREY);

	draw_normals(&random);
	if (r == 0)
		r = vd_buf_printf(&truth, "serial,truth,x,y,radius\n");
	for (long n = 1; r == 0 && n <= o->good + o->mixed; n++) {
		struct capture c = draw_capture(o, n, part, &random);

		render(part, &c, &random, &image);
		r = write_capture(o, n, &image);
		if (r == 0)
			r = vd_buf_printf(&truth, "%05ld,%s,%.0f,%.0f,%.0f\n", n,
					  c.defect_radius > 0 ? "defect" : "good", c.defect_x,
					  c.defect_y, c.defect_radius);
	}
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof path, "%s/truth.csv", o->folder);
	return vd_file_write(path, truth.data, truth.len, 0644);
}

static int usage(FILE *out)
{
	(void)fputs(
		"usage: vedette-simulate-captures --part PHOTOGRAPH.jpg --folder FOLDER\n"
		"       [--good N] [--mixed M] [--defect-every K] [--seed S]\n\n"
		"Writes FOLDER/part-00001.jpg ... : first N good captures of the part (30), then M "
		"more (60)\n"
		"of which every K-th (4) has a defect; FOLDER/truth.csv says which and where.\n",
		out);
	return out == stdout ? 0 : 2;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "part", 1, NULL, 'p' },         { "folder", 1, NULL, 'f' },
		{ "good", 1, NULL, 'g' },         { "mixed", 1, NULL, 'm' },
		{ "defect-every", 1, NULL, 'd' }, { "seed", 1, NULL, 's' },
		{ "help", 0, NULL, 'h' },         { 0 }
	};

	for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
		switch (c) {
		case 'p':
			o->part = optarg;
			break;
		case 'f':
			o->folder = optarg;
			break;
		case 'g':
			o->good = strtol(optarg, NULL, 10);
			break;
		case 'm':
			o->mixed = strtol(optarg, NULL, 10);
			break;
		case 'd':
			o->defect_every = strtol(optarg, NULL, 10);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'h':
			return -ECANCELED;
		default:
			return -EINVAL;
		}
	}
	return o->part && o->folder && o->good >= 0 && o->mixed >= 0 && o->defect_every >= 0 &&
			       o->good + o->mixed < 100000
		       ? 0
		       : -EINVAL;
}

int main(int argc, char **argv)
{
	struct options o = { .good = 30, .mixed = 60, .defect_every = 4, .seed = 1 };
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	struct vd_fault fault = { 0 };
	int r = parse_options(argc, argv, &o);

	if (r < 0)
		return usage(r == -ECANCELED ? stdout : stderr);
	r = vd_file_read(o.part, PHOTOGRAPH_BYTES, &file, &fault);
	if (r == 0)
		r = vd_jpeg_decode_grey(file.data, file.len, NULL, &part, NULL, &fault);
	if (r == 0 && (part.width < 8 * MARGIN_PX || part.height < 8 * MARGIN_PX)) {
		vd_fault_set(&fault, 400, "", "%dx%d is too small, %dx%d at least", part.width,
			     part.height, 8 * MARGIN_PX, 8 * MARGIN_PX);
		r = -EINVAL;
	}
	if (r != 0) {
		(void)fprintf(stderr, "vedette-simulate-captures: %s: %s\n", o.part, fault.text);
		return 1;
	}
	r = vd_file_make_folders(o.folder, 0755);
	if (r == 0)
		r = simulate(&o, &part);
	if (r < 0)
		(void)fprintf(stderr, "vedette-simulate-captures: %s: %s\n", o.folder,
			      strerror(-r));
	return r < 0;
}
