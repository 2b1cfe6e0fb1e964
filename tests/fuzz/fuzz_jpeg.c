/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG from outside: header, grey, RGB, small, a region, tables put in. Limits keep it quick. */
#include "modules/image/jpeg.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_region(const uint8_t *data, size_t size, const struct vd_jpeg_limits *limits,
			  const struct vd_jpeg_info *info)
{
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };
	const struct vd_rect region = { .x = info->width / 3,
					.y = info->height / 3,
					.width = (info->width + 1) / 2,
					.height = (info->height + 1) / 2 };

	if (vd_jpeg_decode_region(data, size, limits, region, &part, NULL, NULL) >= 0)
		assert(part.width == region.width && part.height == region.height);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vd_jpeg_limits limits = { .pixels = 1 << 16, .scans = 8 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf whole = { .limit = 1 << 20 };
	struct vd_jpeg_info info = { 0 };
	struct vd_fault fault = { 0 };
	int r = vd_jpeg_head(data, size, &limits, &info, &fault);

	assert(r >= 0 || fault.code >= 400);
	if (r >= 0) {
		(void)!vd_jpeg_decode_rgb(data, size, &limits, &image, NULL, NULL);
		if (vd_jpeg_decode_small(data, size, &limits, 20, &image, NULL, NULL) >= 0)
			assert(image.width <= 20 || image.width <= (info.width + 7) / 8);
		if (vd_jpeg_decode_grey(data, size, &limits, &image, &info, &fault) >= 0)
			assert(image.width == info.width && image.height == info.height);
		decode_region(data, size, &limits, &info);
	}
	if (vd_jpeg_with_tables(data, size, &whole) == 0)
		assert(whole.len >= size);
	return 0;
}
