/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/look.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modules/image/exif.h"
#include "modules/image/jpeg.h"
#include "modules/vision/kernels.h"

enum { ROWS_LOOKED_AT = 8 /* every so many: exposure needs no more */ };

static bool refuse(struct vd_look *look, const char *code, const char *format, ...) VD_PRINTF(3, 4);

static bool refuse(struct vd_look *look, const char *code, const char *format, ...)
{
	const int n = snprintf(look->text, sizeof look->text, "%s: ", code);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(look->text + n, sizeof look->text - (size_t)n, format, args);
	va_end(args);
	return false;
}

static bool was_taken(struct vd_look *look, const struct vd_shot *shot)
{
	switch (shot->state) {
	case VD_SHOT_AWAITED:
		return refuse(look, "missing", "no frame came within the deadline");
	case VD_SHOT_FAILED:
		return refuse(look, "capture_failed", "%s", shot->text);
	case VD_SHOT_TAKEN:
		break;
	}
	if (shot->is_stale)
		return refuse(look, "stale", "not newer than the camera's last frame");
	return true;
}

static bool has_digest(struct vd_look *look, const struct vd_shot *shot,
		       const struct vd_recipe *recipe, const char *last)
{
	if (vd_sha256_text(shot->bytes.data, shot->bytes.len, look->sha256) < 0) {
		look->sha256[0] = '\0';
		return refuse(look, "internal", "no digest could be made");
	}
	if (shot->claimed[0] && strcmp(shot->claimed, look->sha256) != 0)
		return refuse(look, "damaged", "the digest that came along does not fit");
	if (recipe->exposure.refuse_repeated && strcmp(look->sha256, last) == 0)
		return refuse(look, "repeated", "the same bytes as the camera's last frame");
	return true;
}

/* What it is that is no JPEG, if it is another kind of image. */
static const char *kind_of(const struct vd_buf *bytes)
{
	const char *mime = vd_image_mime(bytes->data, bytes->len);

	if (!mime || strcmp(mime, "image/jpeg") == 0)
		return "";
	return strcmp(mime, "image/png") == 0 ? "; it is a PNG"
					      : "; it is an image of another kind";
}

static bool decode_jpeg(struct vd_look *look, const struct vd_shot *shot,
			const struct vd_recipe *recipe)
{
	const struct vd_jpeg_limits limits = { .width = recipe->width, .height = recipe->height };
	struct vd_jpeg_info info = { 0 };
	struct vd_fault fault = { 0 };
	const int r = vd_jpeg_decode_grey(shot->bytes.data, shot->bytes.len, &limits, &look->image,
					  &info, &fault);

	look->width = info.width;
	look->height = info.height;
	look->orientation = info.orientation;
	if (r == VD_JPEG_DAMAGED)
		return refuse(look, "damaged", "%s", info.warning);
	if (r == -ERANGE)
		return refuse(look, "wrong_size", "%s", fault.text);
	if (r < 0)
		return refuse(look, "damaged", "%s%s", fault.text, kind_of(&shot->bytes));
	return true;
}

static bool copy_grey(struct vd_look *look, const struct vd_shot *shot,
		      const struct vd_recipe *recipe)
{
	look->width = shot->width;
	look->height = shot->height;
	if (recipe->width > 0 && (shot->width != recipe->width || shot->height != recipe->height))
		return refuse(look, "wrong_size", "%d x %d, wanted %d x %d", shot->width,
			      shot->height, recipe->width, recipe->height);
	if (shot->width < 1 || shot->height < 1 || shot->stride < shot->width ||
	    shot->bytes.len <
		    (size_t)shot->stride * (size_t)(shot->height - 1) + (size_t)shot->width)
		return refuse(look, "damaged", "fewer bytes than width, height and stride say");
	if (vd_image_shape(&look->image, shot->width, shot->height, VD_GREY) < 0)
		return refuse(look, "internal", "out of memory");
	for (int y = 0; y < shot->height; y++)
		memcpy(vd_image_row(&look->image, y),
		       shot->bytes.data + (size_t)y * (size_t)shot->stride, (size_t)shot->width);
	return true;
}

static void measure(struct vd_look *look)
{
	struct vd_products sums = { 0 };
	double n = 0;

	for (int y = 0; y < look->image.height; y += ROWS_LOOKED_AT) {
		const uint8_t *row = vd_image_row(&look->image, y);

		for (int x = 0; x < look->image.width; x += VD_PRODUCTS_MOST) {
			const int left = look->image.width - x;

			vd_row_products(row + x, row + x,
					left < VD_PRODUCTS_MOST ? left : VD_PRODUCTS_MOST, &sums);
		}
		n += look->image.width;
	}
	look->mean = (double)sums.b / n;
	look->spread = sqrt(fmax(0, (double)sums.bb / n - look->mean * look->mean));
}

static bool is_exposed(struct vd_look *look, const struct vd_exposure_options *exposure)
{
	measure(look);
	if (look->mean < exposure->mean_min)
		return refuse(look, "exposure", "too dark: mean %.1f is below %.1f", look->mean,
			      exposure->mean_min);
	if (look->mean > exposure->mean_max)
		return refuse(look, "exposure", "too bright: mean %.1f is above %.1f", look->mean,
			      exposure->mean_max);
	if (look->spread < exposure->spread_min)
		return refuse(look, "exposure", "no contrast: spread %.1f is below %.1f",
			      look->spread, exposure->spread_min);
	return true;
}

void vd_look_at(struct vd_look *look, const struct vd_shot *shot, const struct vd_recipe *recipe,
		const char *last)
{
	look->text[0] = '\0';
	look->sha256[0] = '\0';
	look->width = look->height = look->orientation = 0;
	look->mean = look->spread = 0;
	look->has_colour = false;
	look->is_good =
		was_taken(look, shot) && has_digest(look, shot, recipe, last) &&
		(shot->is_jpeg ? decode_jpeg(look, shot, recipe) : copy_grey(look, shot, recipe)) &&
		is_exposed(look, &recipe->exposure);
}

void vd_look_in_colour(struct vd_look *look, const struct vd_shot *shot)
{
	struct vd_jpeg_info info = { 0 };

	if (!look->is_good || !shot->is_jpeg)
		return;
	look->has_colour = vd_jpeg_decode_rgb(shot->bytes.data, shot->bytes.len, NULL,
					      &look->colour, &info, NULL) == 0 &&
			   info.components >= 3;
}

void vd_look_fini(struct vd_look *look)
{
	vd_image_fini(&look->colour);
	vd_image_fini(&look->image);
}
