/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/statistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

static const double EULER = 0.57721566490153286, Z95 = 1.959963984540054;

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double vd_quantile(const double *values, size_t count, double share)
{
	VD_CLEANUP(vd_free) double *sorted = count ? malloc(count * sizeof *sorted) : NULL;
	const double at = share * (double)(count - 1);
	size_t below;

	if (!sorted)
		return NAN;
	memcpy(sorted, values, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_value);
	below = (size_t)fmax(0, floor(at));
	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double vd_mean(const double *values, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += values[i];
	return count ? sum / (double)count : NAN;
}

double vd_deviation(const double *values, size_t count)
{
	const double mean = vd_mean(values, count);
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (values[i] - mean) * (values[i] - mean);
	return count < 2 ? 0 : sqrt(sum / (double)(count - 1));
}

double vd_fence(const double *values, size_t count, double iqr_least)
{
	const double q1 = vd_quantile(values, count, 0.25), q3 = vd_quantile(values, count, 0.75);

	return q3 + 3 * fmax(q3 - q1, iqr_least);
}

struct vd_gumbel vd_gumbel_fit(const double *values, size_t count)
{
	const double beta = vd_deviation(values, count) * sqrt(6) / M_PI;

	return (struct vd_gumbel){ vd_mean(values, count) - EULER * beta, beta };
}

double vd_gumbel_quantile(const struct vd_gumbel *gumbel, double share)
{
	return gumbel->mu - gumbel->beta * log(-log(share));
}

double vd_gumbel_above(const struct vd_gumbel *gumbel, double value)
{
	if (gumbel->beta <= 0)
		return value < gumbel->mu ? 1 : 0;
	return -expm1(-exp(-(value - gumbel->mu) / gumbel->beta));
}

/* Middle and half width of the interval. */
static double wilson(size_t hits, size_t trials, double side)
{
	const double n = (double)trials, p = (double)hits / n, z = Z95;
	const double middle = p + z * z / (2 * n);
	const double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));

	return (middle + side * half) / (1 + z * z / n);
}

double vd_wilson_upper(size_t hits, size_t trials)
{
	return fmin(1, wilson(hits, trials, 1));
}

double vd_wilson_lower(size_t hits, size_t trials)
{
	return fmax(0, wilson(hits, trials, -1));
}
