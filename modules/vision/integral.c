/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/vision/integral.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct vd_integral *integral, size_t count)
{
	uint32_t *sums;

	if (count <= integral->capacity)
		return 0;
	sums = malloc(count * sizeof *sums);
	if (!sums)
		return -ENOMEM;
	free(integral->sums);
	integral->sums = sums;
	integral->capacity = count;
	return 0;
}

int vd_integral_measure(struct vd_integral *integral, const struct vd_image *image)
{
	const size_t stride = (size_t)image->width + 1;

	if (reserve(integral, stride * ((size_t)image->height + 1)) < 0)
		return -ENOMEM;
	integral->width = image->width;
	integral->height = image->height;
	memset(integral->sums, 0, stride * sizeof *integral->sums);
	for (int y = 0; y < image->height; y++) {
		const uint8_t *row = vd_image_row(image, y);
		const uint32_t *above = integral->sums + (size_t)y * stride;
		uint32_t *out = integral->sums + (size_t)(y + 1) * stride, sum = 0;

		out[0] = 0;
		for (int x = 0; x < image->width; x++) {
			sum += row[x];
			out[x + 1] = above[x + 1] + sum;
		}
	}
	return 0;
}

void vd_integral_fini(struct vd_integral *integral)
{
	free(integral->sums);
	*integral = (struct vd_integral){ 0 };
}
