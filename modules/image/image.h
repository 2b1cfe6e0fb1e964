/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * An image in memory: 8 bits a sample, grey or packed RGB, rows from top to bottom.
 * Row y starts at pixels + y * stride; every row starts on VD_IMAGE_ALIGN bytes, and the
 * bytes from the end of a row's samples to the stride exist but mean nothing (SIMD may
 * read and write them). Starts as `= { 0 }`; the image owns its memory.
 */
enum vd_image_channels { VD_GREY = 1, VD_RGB = 3 };
enum { VD_IMAGE_ALIGN = 64 };

struct vd_image {
	uint8_t *pixels;
	int width, height; /* pixels */
	int channels;      /* VD_GREY or VD_RGB */
	size_t stride;     /* bytes, a multiple of VD_IMAGE_ALIGN */
	size_t capacity;   /* bytes behind pixels */
};

/* A part of an image, in pixels. */
struct vd_rect {
	int x, y, width, height;
};

/*
 * Gives image this shape. Memory that is there already is used again when it is large
 * enough, so that a stream of frames of one size allocates once. What the pixels hold is
 * undefined afterwards. -EINVAL: a side below 1 or another count of channels; -EOVERFLOW,
 * -ENOMEM. On failure image is as it was.
 */
VD_MUST int vd_image_shape(struct vd_image *image, int width, int height, int channels);

/* Frees the memory; image is then as at the start. */
void vd_image_fini(struct vd_image *image);

VD_UNUSED static inline void vd_image_fini_p(struct vd_image *image)
{
	vd_image_fini(image);
}

static inline uint8_t *vd_image_row(const struct vd_image *image, int y)
{
	return image->pixels + (size_t)y * image->stride;
}
