/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/still.h"

#include <errno.h>

#include "modules/image/jpeg.h"

enum { QUALITY = 90 };

static struct vd_raw_frame raw_of(const struct vd_camera_frame *frame)
{
	return (struct vd_raw_frame){ .format = VD_RAW_GREY,
				      .width = (int)frame->width,
				      .height = (int)frame->height,
				      .stride = frame->stride,
				      .bytes = (const uint8_t *)frame->bytes.data,
				      .len = frame->bytes.len };
}

int vd_still_whole(const struct vd_camera_frame *frame, struct vd_buf *out)
{
	struct vd_raw_frame raw;

	if (frame->format == VD_FRAME_JPEG)
		return vd_jpeg_with_tables(frame->bytes.data, frame->bytes.len, out);
	raw = raw_of(frame);
	return vd_jpeg_encode_raw(&raw, QUALITY, out);
}

static uint8_t mean_of(const struct vd_raw_frame *raw, int x0, int y0, int side)
{
	unsigned sum = 0;

	for (int y = y0; y < y0 + side; y++) {
		for (int x = x0; x < x0 + side; x++)
			sum += raw->bytes[(size_t)y * raw->stride + (size_t)x];
	}
	return (uint8_t)(sum / (unsigned)(side * side));
}

/* Each pixel the mean of a square; what is left over at the right and below is cut off. */
static int shrink(const struct vd_raw_frame *raw, int width, struct vd_image *image)
{
	int side = (raw->width + width - 1) / width, r;

	if (vd_raw_frame_bytes(raw) == 0 || vd_raw_frame_bytes(raw) > raw->len)
		return -EINVAL;
	if (side > 64 || side > raw->height)
		side = raw->height < 64 ? raw->height : 64;
	r = vd_image_shape(image, raw->width / side, raw->height / side, VD_GREY);
	for (int y = 0; r == 0 && y < image->height; y++) {
		for (int x = 0; x < image->width; x++)
			vd_image_row(image, y)[x] = mean_of(raw, x * side, y * side, side);
	}
	return r;
}

static int make_small(const struct vd_camera_frame *frame, int width, struct vd_image *image)
{
	const struct vd_jpeg_limits limits = { .pixels = (uint64_t)frame->width * frame->height };
	struct vd_raw_frame raw;

	if (frame->format == VD_FRAME_JPEG)
		return vd_jpeg_decode_small(frame->bytes.data, frame->bytes.len, &limits, width,
					    image, NULL, NULL);
	raw = raw_of(frame);
	return shrink(&raw, width, image);
}

static int encode_within(const struct vd_image *image, size_t most_bytes, struct vd_buf *out)
{
	static const int qualities[] = { 75, 50, 25 };
	int r = -E2BIG;

	out->limit = out->len + most_bytes;
	for (size_t i = 0; r == -E2BIG && i < VD_COUNT(qualities); i++)
		r = vd_jpeg_encode(image, qualities[i], out);
	out->limit = 0;
	return r;
}

int vd_still_small(const struct vd_camera_frame *frame, int width, size_t most_bytes,
		   struct vd_buf *out, struct vd_still_size *ret_size)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	bool is_damaged = false;
	int r = -E2BIG;

	for (; r == -E2BIG && width > 0; width /= 2) {
		r = make_small(frame, width, &image);
		if (r < 0)
			return r;
		is_damaged = r == VD_JPEG_DAMAGED;
		r = encode_within(&image, most_bytes, out);
	}
	if (r == 0)
		*ret_size = (struct vd_still_size){ image.width, image.height, is_damaged };
	return r;
}
