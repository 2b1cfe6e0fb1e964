/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/privacy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "modules/image/edit.h"
#include "modules/image/jpeg.h"

void vd_veiled_fini(struct vd_veiled *veiled)
{
	vd_buf_fini(&veiled->jpeg);
	*veiled = (struct vd_veiled){ 0 };
}

/* As much as can be decoded is evidence of what is wrong with a damaged frame. */
static int decode_jpeg(const struct vd_shot *shot, struct vd_image *image, struct vd_fault *fault)
{
	struct vd_jpeg_info info = { 0 };
	int r = vd_jpeg_head(shot->bytes.data, shot->bytes.len, NULL, &info, fault);

	if (r < 0)
		return r;
	r = info.components == 1 ? vd_jpeg_decode_grey(shot->bytes.data, shot->bytes.len, NULL,
						       image, NULL, fault)
				 : vd_jpeg_decode_rgb(shot->bytes.data, shot->bytes.len, NULL,
						      image, NULL, fault);
	return r < 0 ? r : 0;
}

static int copy_grey(const struct vd_shot *shot, struct vd_image *image, struct vd_fault *fault)
{
	const size_t width = (size_t)shot->width, stride = (size_t)shot->stride;
	int r;

	if (shot->width < 1 || shot->height < 1 || shot->stride < shot->width ||
	    shot->bytes.len < stride * ((size_t)shot->height - 1) + width) {
		vd_fault_set(fault, 400, NULL, "fewer bytes than its size");
		return -EBADMSG;
	}
	r = vd_image_shape(image, shot->width, shot->height, VD_GREY);
	for (int y = 0; r == 0 && y < shot->height; y++)
		memcpy(vd_image_row(image, y), shot->bytes.data + (size_t)y * stride, width);
	return r;
}

static int blur(const struct vd_veil_areas *areas, const struct vd_shot *shot,
		struct vd_veiled *veiled, struct vd_fault *fault)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	int r = shot->is_jpeg ? decode_jpeg(shot, &image, fault) : copy_grey(shot, &image, fault);

	if (r == 0)
		r = vd_image_blur(&image, areas->list, (size_t)areas->count);
	if (r == 0)
		r = vd_jpeg_encode(&image, VD_VEIL_QUALITY, &veiled->jpeg);
	if (r == 0)
		r = vd_sha256_text(veiled->jpeg.data, veiled->jpeg.len, veiled->sha256);
	return r;
}

void vd_veil(const struct vd_veil_areas *areas, const struct vd_shot *shot,
	     struct vd_veiled *veiled)
{
	struct vd_fault fault = { 0 };
	const int r = blur(areas, shot, veiled, &fault);

	if (r == 0)
		return;
	vd_veiled_fini(veiled);
	(void)snprintf(veiled->text, sizeof veiled->text, "not stored, it cannot be blurred: %.50s",
		       fault.code ? fault.text : strerror(-r));
}
