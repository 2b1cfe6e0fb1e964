/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/image/image.h"

#include <errno.h>
#include <stdlib.h>

static size_t aligned(size_t n)
{
	return (n + VD_IMAGE_ALIGN - 1) / VD_IMAGE_ALIGN * VD_IMAGE_ALIGN;
}

int vd_image_shape(struct vd_image *image, int width, int height, int channels)
{
	size_t stride, bytes;

	if (width < 1 || height < 1 || (channels != VD_GREY && channels != VD_RGB))
		return -EINVAL;
	stride = aligned((size_t)width * (size_t)channels);
	if (__builtin_mul_overflow(stride, (size_t)height, &bytes))
		return -EOVERFLOW;
	if (bytes > image->capacity) {
		uint8_t *pixels = aligned_alloc(VD_IMAGE_ALIGN, bytes);

		if (!pixels)
			return -ENOMEM;
		free(image->pixels);
		image->pixels = pixels;
		image->capacity = bytes;
	}
	image->width = width;
	image->height = height;
	image->channels = channels;
	image->stride = stride;
	return 0;
}

void vd_image_fini(struct vd_image *image)
{
	free(image->pixels);
	*image = (struct vd_image){ 0 };
}
