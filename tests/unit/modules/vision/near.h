/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <math.h>

#include "vd_test.h"

/* cmocka's own compares as float, whose step at 255 is above a hundred-thousandth. */
static inline void assert_near_(double a, double b, double most, const char *file, int line)
{
	if (fabs(a - b) <= most)
		return;
	print_error("%.9g is not within %.3g of %.9g\n", a, most, b);
	_fail(file, line);
}
#define assert_near(a, b, most) assert_near_(a, b, most, __FILE__, __LINE__)
