/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate.h"

#include <math.h>
#include <string.h>

#include "modules/image/jpeg.h"

/* splitmix64 */
static uint64_t next(struct sim_random *random)
{
	uint64_t z = random->state += 0x9E3779B97F4A7C15U;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
	z = (z ^ z >> 27) * 0x94D049BB133111EBU;
	return z ^ z >> 31;
}

double sim_uniform(struct sim_random *random, double low, double high)
{
	return low + (high - low) * ((double)(next(random) >> 11) / 9007199254740992.0);
}

/* Box and Muller. */
double sim_normal(struct sim_random *random)
{
	const double u = sim_uniform(random, 1e-12, 1), v = sim_uniform(random, 0, 2 * M_PI);

	return sqrt(-2 * log(u)) * cos(v);
}

struct sim_capture sim_plain(void)
{
	return (struct sim_capture){ .gain = 1 };
}

struct sim_capture sim_draw(struct sim_random *random)
{
	return (struct sim_capture){
		.dx = sim_uniform(random, -3, 3),
		.dy = sim_uniform(random, -3, 3),
		.angle_deg = sim_uniform(random, -0.4, 0.4),
		.gain = sim_uniform(random, 0.94, 1.06),
		.offset = sim_uniform(random, -4, 4),
		.slope_x = sim_uniform(random, -0.03, 0.03),
		.slope_y = sim_uniform(random, -0.03, 0.03),
		.read_noise = 1.5,
		.shot_noise = 0.02,
		.quality = 85,
	};
}

void sim_map(const struct sim_capture *capture, const struct vd_image *part, double x, double y,
	     double *ret_x, double *ret_y)
{
	const double turn = capture->angle_deg * M_PI / 180, c = cos(turn), s = sin(turn);
	const double cx = (part->width - 1) / 2.0, cy = (part->height - 1) / 2.0;

	*ret_x = c * (x - cx) - s * (y - cy) + cx + capture->dx;
	*ret_y = s * (x - cx) + c * (y - cy) + cy + capture->dy;
}

/* Catmull and Rom's cubic. */
static void cubic(double t, double weights[static 4])
{
	weights[0] = ((-0.5 * t + 1) * t - 0.5) * t;
	weights[1] = (1.5 * t - 2.5) * t * t + 1;
	weights[2] = ((-1.5 * t + 2) * t + 0.5) * t;
	weights[3] = (0.5 * t - 0.5) * t * t;
}

static int within(int v, int most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

static double sample(const struct vd_image *part, double x, double y)
{
	const int x0 = (int)floor(x), y0 = (int)floor(y);
	double across[4], down[4], sum = 0;

	cubic(x - x0, across);
	cubic(y - y0, down);
	for (int j = 0; j < 4; j++) {
		const uint8_t *row = vd_image_row(part, within(y0 + j - 1, part->height - 1));
		double line = 0;

		for (int i = 0; i < 4; i++)
			line += across[i] * row[within(x0 + i - 1, part->width - 1)];
		sum += down[j] * line;
	}
	return sum;
}

static uint8_t to_grey(double v)
{
	return (uint8_t)lrint(fmin(fmax(v, 0), 255));
}

static double lit(const struct sim_capture *c, const struct vd_image *part, int x, int y, double v)
{
	return v * c->gain *
		       (1 + c->slope_x * (2.0 * x / part->width - 1) +
			c->slope_y * (2.0 * y / part->height - 1)) +
	       c->offset;
}

static void render(const struct vd_image *part, const struct sim_capture *c,
		   struct sim_random *random, struct vd_image *out)
{
	const double turn = c->angle_deg * M_PI / 180, cosine = cos(turn), sine = sin(turn);
	const double cx = (part->width - 1) / 2.0, cy = (part->height - 1) / 2.0;

	for (int y = 0; y < out->height; y++) {
		for (int x = 0; x < out->width; x++) {
			const double u = x - cx - c->dx, w = y - cy - c->dy;
			double v = sample(part, cosine * u + sine * w + cx,
					  -sine * u + cosine * w + cy);

			v = lit(c, part, x, y, v);
			if (c->read_noise > 0 || c->shot_noise > 0)
				v += sim_normal(random) * sqrt(c->read_noise * c->read_noise +
							       c->shot_noise * fmax(v, 0));
			vd_image_row(out, y)[x] = to_grey(v);
		}
	}
}

/* Separable; the radius is three sigma. Along a row, then along a column by a turned copy. */
static void blur_line(double *line, int n, double sigma, double *copy)
{
	const int reach = (int)ceil(3 * sigma);

	memcpy(copy, line, (size_t)n * sizeof *copy);
	for (int x = 0; x < n; x++) {
		double sum = 0, weights = 0;

		for (int k = -reach; k <= reach; k++) {
			const double weight = exp(-k * k / (2 * sigma * sigma));

			sum += weight * copy[within(x + k, n - 1)];
			weights += weight;
		}
		line[x] = sum / weights;
	}
}

static void blur(struct vd_image *image, double sigma)
{
	static double line[1 << 14], copy[1 << 14];

	for (int y = 0; y < image->height; y++) {
		for (int x = 0; x < image->width; x++)
			line[x] = vd_image_row(image, y)[x];
		blur_line(line, image->width, sigma, copy);
		for (int x = 0; x < image->width; x++)
			vd_image_row(image, y)[x] = to_grey(line[x]);
	}
	for (int x = 0; x < image->width; x++) {
		for (int y = 0; y < image->height; y++)
			line[y] = vd_image_row(image, y)[x];
		blur_line(line, image->height, sigma, copy);
		for (int y = 0; y < image->height; y++)
			vd_image_row(image, y)[x] = to_grey(line[y]);
	}
}

static int copy_image(const struct vd_image *from, struct vd_image *to)
{
	int r = vd_image_shape(to, from->width, from->height, VD_GREY);

	for (int y = 0; r == 0 && y < from->height; y++)
		memcpy(vd_image_row(to, y), vd_image_row(from, y), (size_t)from->width);
	return r;
}

int sim_take(const struct vd_image *part, const struct sim_capture *capture,
	     struct sim_random *random, struct vd_image *out, struct vd_buf *bytes)
{
	VD_CLEANUP(vd_image_fini) struct vd_image soft = { 0 };
	int r = vd_image_shape(out, part->width, part->height, VD_GREY);

	if (r == 0 && capture->blur_px > 0)
		r = copy_image(part, &soft);
	if (r < 0)
		return r;
	if (capture->blur_px > 0)
		blur(&soft, capture->blur_px);
	render(capture->blur_px > 0 ? &soft : part, capture, random, out);
	if (capture->quality == 0)
		return 0;
	vd_buf_clear(bytes);
	r = vd_jpeg_encode(out, capture->quality, bytes);
	return r < 0 ? r : vd_jpeg_decode_grey(bytes->data, bytes->len, NULL, out, NULL, NULL);
}

/* ---- defects ---- */

const char *sim_kind_name(enum sim_kind kind)
{
	static const char *const names[] = { "scratch", "spot", "blob", "smear", "hair" };

	return names[kind];
}

static void add(struct vd_image *part, int x, int y, double v)
{
	if (x >= 0 && y >= 0 && x < part->width && y < part->height)
		vd_image_row(part, y)[x] = to_grey(vd_image_row(part, y)[x] + v);
}

/* A soft ellipse; hard: flat inside with an edge of a pixel, else a bell. */
static void ellipse(struct vd_image *part, double cx, double cy, double a, double b, double turn,
		    double contrast, int is_hard)
{
	const int reach = (int)ceil((is_hard ? 1 : 2.5) * fmax(a, b)) + 1;

	for (int y = (int)cy - reach; y <= (int)cy + reach; y++) {
		for (int x = (int)cx - reach; x <= (int)cx + reach; x++) {
			const double u = ((x - cx) * cos(turn) + (y - cy) * sin(turn)) / a;
			const double v = ((y - cy) * cos(turn) - (x - cx) * sin(turn)) / b;
			const double r = hypot(u, v);

			add(part, x, y,
			    contrast * (is_hard ? fmin(fmax((1 - r) * fmin(a, b) + 0.5, 0), 1)
						: exp(-r * r)));
		}
	}
}

/* A line of a certain width that bends by bend radians a pixel; tapered at its ends. */
static void stroke(struct vd_image *part, double x, double y, double turn, double bend,
		   double length, double width, double contrast)
{
	enum { SIDE = 160 };
	static double cover[SIDE][SIDE];
	const int left = (int)x - SIDE / 2, top = (int)y - SIDE / 2;

	memset(cover, 0, sizeof cover);
	for (double t = 0; t < length; t += 0.25) {
		const double half = width / 2 * fmin(1, fmin(t, length - t) / 3 + 0.3);

		for (int j = (int)floor(y - half - 1); j <= (int)ceil(y + half + 1); j++) {
			for (int i = (int)floor(x - half - 1); i <= (int)ceil(x + half + 1); i++) {
				const double c = fmin(fmax(half + 0.5 - hypot(i - x, j - y), 0), 1);

				if (i - left >= 0 && i - left < SIDE && j - top >= 0 &&
				    j - top < SIDE)
					cover[j - top][i - left] =
						fmax(cover[j - top][i - left], c);
			}
		}
		x += 0.25 * cos(turn);
		y += 0.25 * sin(turn);
		turn += 0.25 * bend;
	}
	for (int j = 0; j < SIDE; j++) {
		for (int i = 0; i < SIDE; i++) {
			if (cover[j][i] > 0)
				add(part, left + i, top + j, contrast * cover[j][i]);
		}
	}
}

void sim_draw_disc(struct vd_image *part, double x, double y, double diameter, double contrast)
{
	ellipse(part, x, y, diameter / 2, diameter / 2, 0, contrast, 1);
}

double sim_find_place(const struct vd_image *part, struct vd_rect where, double contrast,
		      struct sim_random *random, double *ret_x, double *ret_y)
{
	const double sign = next(random) & 1 ? 1 : -1;

	for (;;) {
		double level;

		*ret_x = sim_uniform(random, where.x + 24, where.x + where.width - 24);
		*ret_y = sim_uniform(random, where.y + 24, where.y + where.height - 24);
		level = vd_image_row(part, (int)*ret_y)[(int)*ret_x];
		if (level + sign * contrast <= 250 && level + sign * contrast >= 5)
			return sign * contrast;
		if (level - sign * contrast <= 250 && level - sign * contrast >= 5)
			return -sign * contrast;
	}
}

void sim_draw_defect(struct vd_image *part, struct vd_rect where, enum sim_kind kind,
		     double contrast, struct sim_random *random)
{
	const double x = sim_uniform(random, where.x + 24, where.x + where.width - 24);
	const double y = sim_uniform(random, where.y + 24, where.y + where.height - 24);
	const double turn = sim_uniform(random, 0, 2 * M_PI), size = sim_uniform(random, 0, 1);
	const double level = vd_image_row(part, (int)y)[(int)x];
	double v = next(random) & 1 ? contrast : -contrast;

	/* What is white already cannot become brighter: it would be no defect. */
	if (level + v > 250 || level + v < 5)
		v = -v;
	switch (kind) {
	case SIM_SCRATCH:
		stroke(part, x, y, turn, 0, 15 + 25 * size, 2, v);
		break;
	case SIM_SPOT:
		ellipse(part, x, y, 2 + 2 * size, 2 + 2 * size, 0, v, 1);
		break;
	case SIM_BLOB:
		ellipse(part, x, y, 4 + 4 * size, 3 + 3 * size, turn, v, 1);
		break;
	case SIM_SMEAR:
		ellipse(part, x, y, 8 + 6 * size, 4 + 3 * size, turn, v, 0);
		break;
	case SIM_HAIR:
	case SIM_KINDS:
		stroke(part, x, y, turn, sim_uniform(random, -0.05, 0.05), 25 + 30 * size, 1.3, v);
		break;
	}
}
