/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Averaging across the line lowers the noise by the root of the width; the Gaussian lowers it
 * along the line. The kernel is the Gaussian's derivative integrated over each pixel, so that
 * it holds for a small sigma too.
 */
#include "modules/vision/caliper.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_LEAST = 3, SAMPLES_MOST = 1 << 16 };

struct vd_caliper_options vd_caliper_defaults(void)
{
	return (struct vd_caliper_options){ .sigma = 1, .threshold = 30 };
}

struct vd_line vd_line_through(struct vd_rect where, bool along_y)
{
	const double right = where.x + where.width - 1, low = where.y + where.height - 1;
	const double cx = (where.x + right) / 2, cy = (where.y + low) / 2;

	if (along_y)
		return (struct vd_line){ cx, where.y, cx, low, where.width };
	return (struct vd_line){ where.x, cy, right, cy, where.height };
}

/* ---- the profile ---- */

struct profile {
	const struct vd_line *line;
	double ux, uy; /* along the line, 1 px */
	double *values, *slopes;
	int count;
};

static bool is_inside(const struct vd_image *image, double x, double y)
{
	return x >= 0 && y >= 0 && x <= image->width - 1 && y <= image->height - 1;
}

static bool covers(const struct vd_image *image, const struct profile *p)
{
	const struct vd_line *line = p->line;
	const double half = (line->width - 1) / 2.0, nx = -p->uy * half, ny = p->ux * half;

	return is_inside(image, line->x0 + nx, line->y0 + ny) &&
	       is_inside(image, line->x0 - nx, line->y0 - ny) &&
	       is_inside(image, line->x1 + nx, line->y1 + ny) &&
	       is_inside(image, line->x1 - nx, line->y1 - ny);
}

static double sample(const struct vd_image *image, double x, double y)
{
	const int left = (int)x, top = (int)y;
	const int right = left + 1 < image->width ? left + 1 : left;
	const int below = top + 1 < image->height ? top + 1 : top;
	const double fx = x - left, fy = y - top;
	const uint8_t *upper = vd_image_row(image, top), *lower = vd_image_row(image, below);
	const double above = upper[left] + fx * (upper[right] - upper[left]);
	const double under = lower[left] + fx * (lower[right] - lower[left]);

	return above + fy * (under - above);
}

static double inside(double value, int length)
{
	return value < 0 ? 0 : value > length - 1 ? length - 1 : value;
}

static void measure_profile(const struct vd_image *image, struct profile *p)
{
	const struct vd_line *line = p->line;
	const double half = (line->width - 1) / 2.0;

	for (int i = 0; i < p->count; i++) {
		double sum = 0;

		for (int k = 0; k < line->width; k++) {
			const double across = k - half;
			const double x = line->x0 + i * p->ux - across * p->uy;
			const double y = line->y0 + i * p->uy + across * p->ux;

			sum += sample(image, inside(x, image->width), inside(y, image->height));
		}
		p->values[i] = sum / line->width;
	}
}

/* ---- its slope ---- */

static double gauss(double x, double sigma)
{
	return exp(-x * x / (2 * sigma * sigma));
}

/*
 * half[k]: weight of the sample k px ahead; the one k px behind has the opposite sign. Their sum
 * is 1: a sharp step of contrast c in the middle of a pixel has the peak c.
 */
static double *make_kernel(double sigma, int reach)
{
	double *half = malloc(((size_t)reach + 1) * sizeof *half);
	double sum = 0;

	if (!half)
		return NULL;
	half[0] = 0;
	for (int k = 1; k <= reach; k++) {
		half[k] = gauss(k - 0.5, sigma) - gauss(k + 0.5, sigma);
		sum += half[k];
	}
	for (int k = 1; k <= reach; k++)
		half[k] /= sum;
	return half;
}

/* Beyond its ends the profile goes on as it ends: no edge stands there. */
static int measure_slopes(struct profile *p, double sigma)
{
	const int reach = (int)ceil(4 * sigma) + 1;
	VD_CLEANUP(vd_free) double *half = make_kernel(sigma, reach);

	if (!half)
		return -ENOMEM;
	for (int i = 0; i < p->count; i++) {
		double sum = 0;

		for (int k = 1; k <= reach; k++) {
			const int ahead = i + k < p->count ? i + k : p->count - 1;
			const int behind = i - k > 0 ? i - k : 0;

			sum += half[k] * (p->values[ahead] - p->values[behind]);
		}
		p->slopes[i] = sum;
	}
	return 0;
}

/* ---- edges ---- */

struct peak {
	double at, height; /* at: -0.5 to 0.5 from the middle sample */
};

static struct peak parabola(double before, double at, double after)
{
	const double curve = before - 2 * at + after;
	const double vertex = curve < 0 ? (before - after) / (2 * curve) : 0;

	return (struct peak){ vertex, at - (before - after) * vertex / 4 };
}

static struct peak fit(double before, double at, double after)
{
	struct peak peak;

	if (before <= at / 10 || after <= at / 10)
		return parabola(before, at, after);
	peak = parabola(log(before), log(at), log(after));
	peak.height = exp(peak.height);
	return peak;
}

static bool is_wanted(enum vd_transition transition, double slope)
{
	return transition == VD_ANY_TRANSITION || (transition == VD_TO_LIGHT) == (slope > 0);
}

static int find_edges(const struct profile *p, const struct vd_caliper_options *options,
		      struct vd_edges *edges)
{
	edges->count = 0;
	for (int i = 1; i + 1 < p->count; i++) {
		const double sign = p->slopes[i] < 0 ? -1 : 1, here = sign * p->slopes[i];
		const double before = sign * p->slopes[i - 1], after = sign * p->slopes[i + 1];
		struct peak peak;

		if (here < before || here <= after || !is_wanted(options->transition, sign))
			continue;
		peak = fit(before, here, after);
		if (peak.height < options->threshold)
			continue;
		if (edges->count == VD_EDGES_MOST)
			return -E2BIG;
		edges->list[edges->count++] =
			(struct vd_edge){ .at_px = i + peak.at,
					  .x = p->line->x0 + (i + peak.at) * p->ux,
					  .y = p->line->y0 + (i + peak.at) * p->uy,
					  .amplitude = sign * peak.height };
	}
	return 0;
}

static int find(const struct vd_image *image, const struct vd_line *line,
		const struct vd_caliper_options *options, struct vd_edges *edges)
{
	const double length = hypot(line->x1 - line->x0, line->y1 - line->y0);
	struct profile p = { .line = line };
	VD_CLEANUP(vd_free) double *memory = NULL;
	int r;

	if (!(length >= SAMPLES_LEAST - 1) || length >= SAMPLES_MOST || line->width < 1)
		return -EINVAL;
	p.ux = (line->x1 - line->x0) / length;
	p.uy = (line->y1 - line->y0) / length;
	if (!covers(image, &p))
		return -ERANGE;
	p.count = (int)floor(length + 1e-9) + 1;
	memory = malloc(2 * (size_t)p.count * sizeof *memory);
	if (!memory)
		return -ENOMEM;
	p.values = memory;
	p.slopes = memory + p.count;
	measure_profile(image, &p);
	r = measure_slopes(&p, options->sigma);
	return r < 0 ? r : find_edges(&p, options, edges);
}

static void select_edge(struct vd_edges *edges, enum vd_select select)
{
	int chosen = select == VD_SELECT_LAST ? edges->count - 1 : 0;

	if (select == VD_SELECT_ALL || edges->count < 2)
		return;
	for (int i = 0; select == VD_SELECT_STRONGEST && i < edges->count; i++) {
		if (fabs(edges->list[i].amplitude) > fabs(edges->list[chosen].amplitude))
			chosen = i;
	}
	edges->list[0] = edges->list[chosen];
	edges->count = 1;
}

int vd_caliper_edges(const struct vd_image *image, const struct vd_line *line,
		     const struct vd_caliper_options *options, struct vd_edges *ret_edges)
{
	const int r = find(image, line, options, ret_edges);

	if (r == 0)
		select_edge(ret_edges, options->select);
	return r;
}

/* ---- bars ---- */

/* One edge for each change of direction: the strongest of those in a row. */
static void alternate(struct vd_edges *edges)
{
	int count = 0;

	for (int i = 0; i < edges->count; i++) {
		const struct vd_edge *edge = &edges->list[i];
		struct vd_edge *last = count ? &edges->list[count - 1] : NULL;

		if (!last || (last->amplitude > 0) != (edge->amplitude > 0))
			edges->list[count++] = *edge;
		else if (fabs(edge->amplitude) > fabs(last->amplitude))
			*last = *edge;
	}
	edges->count = count;
}

static void pair_up(const struct vd_edges *edges, enum vd_transition transition,
		    struct vd_bars *bars)
{
	int i = 0;

	bars->count = 0;
	if (edges->count > 0 && !is_wanted(transition, edges->list[0].amplitude))
		i = 1;
	for (; i + 1 < edges->count; i += 2) {
		const struct vd_edge *first = &edges->list[i], *second = &edges->list[i + 1];

		bars->list[bars->count++] =
			(struct vd_bar){ .first = *first,
					 .second = *second,
					 .width_px = second->at_px - first->at_px,
					 .centre_px = (first->at_px + second->at_px) / 2,
					 .pitch_px = NAN };
	}
	for (int k = 0; k + 1 < bars->count; k++)
		bars->list[k].pitch_px = bars->list[k + 1].centre_px - bars->list[k].centre_px;
}

static double strength(const struct vd_bar *bar)
{
	return fabs(bar->first.amplitude) + fabs(bar->second.amplitude);
}

static void select_bar(struct vd_bars *bars, enum vd_select select)
{
	int chosen = select == VD_SELECT_LAST ? bars->count - 1 : 0;

	if (select == VD_SELECT_ALL || bars->count < 2)
		return;
	for (int i = 0; select == VD_SELECT_STRONGEST && i < bars->count; i++) {
		if (strength(&bars->list[i]) > strength(&bars->list[chosen]))
			chosen = i;
	}
	bars->list[0] = bars->list[chosen];
	bars->count = 1;
}

int vd_caliper_bars(const struct vd_image *image, const struct vd_line *line,
		    const struct vd_caliper_options *options, struct vd_bars *ret_bars)
{
	VD_CLEANUP(vd_free) struct vd_edges *edges = malloc(sizeof *edges);
	struct vd_caliper_options all = *options;
	int r;

	if (!edges)
		return -ENOMEM;
	all.transition = VD_ANY_TRANSITION;
	r = find(image, line, &all, edges);
	if (r < 0)
		return r;
	alternate(edges);
	pair_up(edges, options->transition, ret_bars);
	select_bar(ret_bars, options->select);
	return 0;
}
