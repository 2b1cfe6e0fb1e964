/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "modules/image/image.h"

/*
 * Integral image (Crow 1984): the sum over any box from four values. Sums wrap at 2^32, and
 * differences are right all the same for boxes of up to 2^24 pixels. Starts as { 0 }; memory is
 * used again.
 */
struct vd_integral {
	uint32_t *sums; /* (height + 1) rows of width + 1 */
	int width, height;
	size_t capacity;
};

VD_MUST int vd_integral_measure(struct vd_integral *integral, const struct vd_image *image);
void vd_integral_fini(struct vd_integral *integral);

VD_UNUSED static inline void vd_integral_fini_p(struct vd_integral *integral)
{
	vd_integral_fini(integral);
}

/* Of columns x0 .. x1 - 1, rows y0 .. y1 - 1, which must lie inside. */
static inline uint32_t vd_integral_sum(const struct vd_integral *integral, int x0, int y0, int x1,
				       int y1)
{
	const size_t stride = (size_t)integral->width + 1;
	const uint32_t *upper = integral->sums + (size_t)y0 * stride;
	const uint32_t *lower = integral->sums + (size_t)y1 * stride;

	return lower[x1] - lower[x0] - upper[x1] + upper[x0];
}
