/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * The statistics of learning and of drift: few numbers, all pure. Arrays are borrowed; where
 * order matters a copy is sorted.
 */

/* Linear between order statistics (R's type 7). share: 0 .. 1. NaN: no values, or no memory. */
double vd_quantile(const double *values, size_t count, double share);

double vd_mean(const double *values, size_t count);      /* NaN: none */
double vd_deviation(const double *values, size_t count); /* of a sample; 0: fewer than two */

/* Tukey's far fence, Q3 + 3 IQR, with an IQR of at least iqr_least. NaN: no values. */
double vd_fence(const double *values, size_t count, double iqr_least);

/*
 * Gumbel's distribution of the largest of many (per-image maxima), by moments:
 * beta = deviation sqrt(6) / pi, mu = mean - 0.5772 beta.
 */
struct vd_gumbel {
	double mu, beta;
};

struct vd_gumbel vd_gumbel_fit(const double *values, size_t count);
double vd_gumbel_quantile(const struct vd_gumbel *gumbel, double share); /* 0 < share < 1 */
double vd_gumbel_above(const struct vd_gumbel *gumbel, double value);    /* share above value */

/* Upper and lower end of Wilson's 95 % interval for hits of trials. trials > 0. */
double vd_wilson_upper(size_t hits, size_t trials);
double vd_wilson_lower(size_t hits, size_t trials);
