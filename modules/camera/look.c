/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/look.h"

#include <errno.h>

#include "modules/image/jpeg.h"

enum { DARK = 5, BRIGHT = 250 };

/* Rows of pixels, whoever owns them. */
struct plane {
	const uint8_t *pixels;
	size_t width, height, stride;
};

static void count_levels(const struct plane *p, struct vd_camera_look *look)
{
	uint64_t histogram[256] = { 0 }, sum = 0, dark = 0, bright = 0;
	double pixels = (double)p->width * (double)p->height;

	for (size_t y = 0; y < p->height; y++) {
		for (size_t x = 0; x < p->width; x++)
			histogram[p->pixels[y * p->stride + x]]++;
	}
	for (unsigned level = 0; level < 256; level++) {
		sum += histogram[level] * level;
		dark += level <= DARK ? histogram[level] : 0;
		bright += level >= BRIGHT ? histogram[level] : 0;
	}
	look->mean = (double)sum / pixels;
	look->dark = (double)dark / pixels;
	look->bright = (double)bright / pixels;
}

static double sharpness_of(const struct plane *p)
{
	uint64_t sum = 0;

	if (p->width < 3 || p->height < 3)
		return 0;
	for (size_t y = 1; y + 1 < p->height; y++) {
		const uint8_t *row = p->pixels + y * p->stride;

		for (size_t x = 1; x + 1 < p->width; x++) {
			int laplacian = 4 * row[x] - row[x - 1] - row[x + 1] -
					*(row + x - p->stride) - row[x + p->stride];

			sum += (uint64_t)(laplacian * laplacian);
		}
	}
	return (double)sum / (double)((p->width - 2) * (p->height - 2));
}

static void look_at(const struct plane *p, struct vd_camera_look *look)
{
	count_levels(p, look);
	look->sharpness = sharpness_of(p);
}

static int look_at_jpeg(const struct vd_camera_frame *frame, struct vd_camera_look *look)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	const struct vd_jpeg_limits limits = { .pixels = (uint64_t)frame->width * frame->height };
	int r = vd_jpeg_decode_grey(frame->bytes.data, frame->bytes.len, &limits, &image, NULL,
				    NULL);

	if (r < 0)
		return r;
	look->is_damaged = r == VD_JPEG_DAMAGED;
	look_at(&(struct plane){ image.pixels, (size_t)image.width, (size_t)image.height,
				 image.stride },
		look);
	return 0;
}

int vd_camera_look(const struct vd_camera_frame *frame, struct vd_camera_look *ret_look)
{
	struct vd_camera_look look = { 0 };
	int r = 0;

	if (frame->format == VD_FRAME_JPEG) {
		r = look_at_jpeg(frame, &look);
	} else {
		const struct plane plane = { (const uint8_t *)frame->bytes.data, frame->width,
					     frame->height, frame->stride };

		if (!plane.width || !plane.height || plane.stride < plane.width ||
		    frame->bytes.len < plane.stride * (plane.height - 1) + plane.width)
			return -EINVAL;
		look_at(&plane, &look);
	}
	if (r < 0)
		return r;
	*ret_look = look;
	return 0;
}
