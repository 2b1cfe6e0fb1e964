/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <math.h>
#include <stdlib.h>

/* What accuracy is told in. */

/* The interval that holds a share of hits of n with 95 % confidence (Wilson 1927). */
struct interval {
	double low, high;
};

static inline struct interval wilson(int hits, int n)
{
	const double z = 1.959964, p = (double)hits / n;
	const double middle = p + z * z / (2 * n);
	const double reach = z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n));

	return (struct interval){ fmax(0, (middle - reach) / (1 + z * z / n)),
				  fmin(1, (middle + reach) / (1 + z * z / n)) };
}

static inline int figures_by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Area under the ROC curve: the chance that a bad one scores above a good one, ties half. */
static inline double auroc(const double *good, int goods, const double *bad, int bads)
{
	double sum = 0;

	for (int i = 0; i < bads; i++) {
		for (int k = 0; k < goods; k++)
			sum += bad[i] > good[k] ? 1 : bad[i] == good[k] ? 0.5 : 0;
	}
	return sum / goods / bads;
}

/* The score that at most share of the (sorted) scores exceed. */
static inline double limit_for(double *scores, int n, double share)
{
	qsort(scores, (size_t)n, sizeof *scores, figures_by_value);
	return scores[n - 1 - (int)(share * n)];
}
