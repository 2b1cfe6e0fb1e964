/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Light adds up linearly, so that the mean is taken before CIELAB: a fine pattern has the colour
 * that it has from afar, and one cube root a region is enough.
 */
#include "modules/vision/colour.h"

#include <errno.h>
#include <math.h>

#include "modules/vision/warp.h"

static double linear(double value)
{
	const double v = value / 255;

	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double root(double t)
{
	static const double knee = 216.0 / 24389;

	return t > knee ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

static struct vd_lab lab_of_linear(double r, double g, double b)
{
	/* White is what the matrix makes of (1, 1, 1): grey has no hue. */
	const double x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.9504700;
	const double y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b;
	const double z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.0888300;

	return (struct vd_lab){ 116 * root(y) - 16, 500 * (root(x) - root(y)),
				200 * (root(y) - root(z)) };
}

struct vd_lab vd_lab_of_srgb(double r, double g, double b)
{
	return lab_of_linear(linear(r), linear(g), linear(b));
}

/* ---- CIEDE2000; names as in the paper ---- */

static double hue(double a, double b)
{
	const double h = a == 0 && b == 0 ? 0 : atan2(b, a) * 180 / M_PI;

	return h < 0 ? h + 360 : h;
}

static double cos_deg(double degrees)
{
	return cos(degrees * M_PI / 180);
}

static double chroma_share(double chroma)
{
	const double c7 = pow(chroma, 7);

	return sqrt(c7 / (c7 + 6103515625.0)); /* 25^7 */
}

static double hue_difference(double h1, double h2)
{
	const double d = h2 - h1;

	return d > 180 ? d - 360 : d < -180 ? d + 360 : d;
}

static double hue_mean(double h1, double h2)
{
	const double sum = h1 + h2;

	if (fabs(h1 - h2) <= 180)
		return sum / 2;
	return sum < 360 ? (sum + 360) / 2 : (sum - 360) / 2;
}

static double rotation(double mean_h, double mean_c)
{
	const double angle = (mean_h - 275) / 25, theta = 30 * exp(-angle * angle);

	return -sin(2 * theta * M_PI / 180) * 2 * chroma_share(mean_c);
}

double vd_lab_difference(const struct vd_lab *x, const struct vd_lab *y)
{
	const double mean_chroma = (hypot(x->a, x->b) + hypot(y->a, y->b)) / 2;
	const double stretch = 1.5 - chroma_share(mean_chroma) / 2;
	const double a1 = x->a * stretch, a2 = y->a * stretch;
	const double c1 = hypot(a1, x->b), c2 = hypot(a2, y->b);
	const double h1 = hue(a1, x->b), h2 = hue(a2, y->b);
	const double turn = c1 * c2 == 0 ? 0 : hue_difference(h1, h2);
	const double mean_h = c1 * c2 == 0 ? h1 + h2 : hue_mean(h1, h2);
	const double mean_c = (c1 + c2) / 2, from_50 = (x->l + y->l) / 2 - 50;
	const double t = 1 - 0.17 * cos_deg(mean_h - 30) + 0.24 * cos_deg(2 * mean_h) +
			 0.32 * cos_deg(3 * mean_h + 6) - 0.20 * cos_deg(4 * mean_h - 63);
	const double s_l = 1 + 0.015 * from_50 * from_50 / sqrt(20 + from_50 * from_50);
	const double s_c = 1 + 0.045 * mean_c, s_h = 1 + 0.015 * mean_c * t;
	const double l = (y->l - x->l) / s_l, c = (c2 - c1) / s_c;
	const double h = 2 * sqrt(c1 * c2) * sin(turn / 2 * M_PI / 180) / s_h;

	return sqrt(l * l + c * c + h * h + rotation(mean_h, mean_c) * c * h);
}

/* ---- of a region ---- */

static int nearest(double value, int length)
{
	const long whole = lrint(value);

	return whole < 0 ? 0 : whole >= length ? length - 1 : (int)whole;
}

/* Linear light in whole numbers, so that sums are exact whatever their order. */
enum { LIGHT_ONE = 1 << 24 };

struct light {
	uint32_t table[256];
	uint64_t r, g, b;
};

static void add_pixel(struct light *light, const uint8_t *pixel)
{
	light->r += light->table[pixel[0]];
	light->g += light->table[pixel[1]];
	light->b += light->table[pixel[2]];
}

static void add_turned_row(const struct vd_image *image, const struct vd_pose *pose,
			   struct vd_rect where, int y, struct light *light)
{
	double from_x, from_y, to_x, to_y;

	vd_pose_map(pose, where.x, where.y + y, &from_x, &from_y);
	vd_pose_map(pose, where.x + where.width, where.y + y, &to_x, &to_y);
	for (int x = 0; x < where.width; x++) {
		const double share = (double)x / where.width;
		const int at_x = nearest(from_x + share * (to_x - from_x), image->width);
		const int at_y = nearest(from_y + share * (to_y - from_y), image->height);

		add_pixel(light, vd_image_row(image, at_y) + (ptrdiff_t)3 * at_x);
	}
}

static void add_row(const struct vd_image *image, const struct vd_pose *pose, struct vd_rect where,
		    int y, struct light *light)
{
	const int left = where.x + (int)lrint(pose->dx);
	const uint8_t *row = vd_image_row(image, nearest(where.y + y + pose->dy, image->height));

	for (int x = left; x < left + where.width; x++)
		add_pixel(light, row + (ptrdiff_t)3 * (x < 0              ? 0
						       : x < image->width ? x
									  : image->width - 1));
}

int vd_colour_measure(const struct vd_image *image, const struct vd_pose *pose,
		      struct vd_rect where, struct vd_lab *ret_lab)
{
	const double n = (double)where.width * where.height * LIGHT_ONE;
	struct light light = { .r = 0 };

	if (image->channels != VD_RGB || where.width < 1 || where.height < 1)
		return -EINVAL;
	if (!vd_warp_inside(image, pose, where))
		return -ERANGE;
	for (int i = 0; i < 256; i++)
		light.table[i] = (uint32_t)lrint(linear(i) * LIGHT_ONE);
	for (int y = 0; y < where.height; y++) {
		if (pose->angle_deg == 0)
			add_row(image, pose, where, y, &light);
		else
			add_turned_row(image, pose, where, y, &light);
	}
	*ret_lab = lab_of_linear((double)light.r / n, (double)light.g / n, (double)light.b / n);
	return 0;
}
