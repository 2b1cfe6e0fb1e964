/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/overlay.h"

#include <math.h>
#include <string.h>

#include "modules/image/jpeg.h"
#include "modules/inspect/font.h"
#include "modules/vision/warp.h"

enum { MARGIN_PX = 3, REASONS_MOST = 6, BOX_MARGIN_PX = 4 };

static const struct vd_colour REGION = { 90, 150, 255 };

static struct vd_colour colour_of(enum vd_verdict verdict)
{
	static const struct vd_colour colours[VD_VERDICTS] = {
		[VD_OK] = { 60, 220, 90 },
		[VD_WARNING] = { 255, 190, 0 },
		[VD_NO_DECISION] = { 200, 120, 255 },
		[VD_NG] = { 255, 60, 50 },
	};

	return colours[verdict];
}

static void put(struct vd_image *image, int x, int y, struct vd_colour colour)
{
	uint8_t *pixel;

	if (x < 0 || y < 0 || x >= image->width || y >= image->height)
		return;
	pixel = vd_image_row(image, y) + 3 * x;
	pixel[0] = colour.red;
	pixel[1] = colour.green;
	pixel[2] = colour.blue;
}

static int clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

static void fill(struct vd_image *image, struct vd_rect box, struct vd_colour colour)
{
	const int right = clamp(box.x + box.width, 0, image->width);
	const int bottom = clamp(box.y + box.height, 0, image->height);

	for (int y = clamp(box.y, 0, image->height); y < bottom; y++) {
		for (int x = clamp(box.x, 0, image->width); x < right; x++)
			put(image, x, y, colour);
	}
}

void vd_draw_box(struct vd_image *image, struct vd_rect box, int thickness, struct vd_colour colour)
{
	const struct vd_rect outer = { box.x - thickness, box.y - thickness,
				       box.width + 2 * thickness, box.height + 2 * thickness };

	fill(image, (struct vd_rect){ outer.x, outer.y, outer.width, thickness }, colour);
	fill(image, (struct vd_rect){ outer.x, box.y + box.height, outer.width, thickness },
	     colour);
	fill(image, (struct vd_rect){ outer.x, outer.y, thickness, outer.height }, colour);
	fill(image, (struct vd_rect){ box.x + box.width, outer.y, thickness, outer.height },
	     colour);
}

static void draw_character(struct vd_image *image, int x, int y, int scale, char c,
			   struct vd_colour colour)
{
	const uint8_t *columns = vd_font_glyph(c);

	for (int i = 0; i < VD_FONT_COLUMNS; i++) {
		for (int k = 0; k < VD_FONT_ROWS; k++) {
			if (columns[i] >> k & 1)
				fill(image,
				     (struct vd_rect){ x + i * scale, y + k * scale, scale, scale },
				     colour);
		}
	}
}

void vd_draw_text(struct vd_image *image, int x, int y, int scale, const char *text,
		  struct vd_colour colour)
{
	const int step = (VD_FONT_COLUMNS + 1) * scale;
	const int fitting = image->width / step + 1;
	const int n = (int)strnlen(text, (size_t)fitting);

	fill(image,
	     (struct vd_rect){ x - scale, y - scale, n * step + 2 * scale,
			       (VD_FONT_ROWS + 2) * scale },
	     (struct vd_colour){ 0, 0, 0 });
	for (int i = 0; i < n; i++)
		draw_character(image, x + i * step, y, scale, text[i], colour);
}

static int to_rgb(const struct vd_image *frame, struct vd_image *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image half = { 0 };
	int r = vd_image_halve(frame, &half);

	if (r == 0)
		r = vd_image_shape(out, half.width, half.height, VD_RGB);
	for (int y = 0; r == 0 && y < half.height; y++) {
		const uint8_t *from = vd_image_row(&half, y);
		uint8_t *to = vd_image_row(out, y);

		for (int x = 0; x < half.width; x++, to += 3)
			to[0] = to[1] = to[2] = from[x];
	}
	return r;
}

static struct vd_rect halved(struct vd_rect box)
{
	return (struct vd_rect){ box.x / 2, box.y / 2, (box.width + 1) / 2, (box.height + 1) / 2 };
}

static void draw_around(struct vd_image *image, struct vd_rect box, struct vd_colour colour)
{
	box.x -= BOX_MARGIN_PX;
	box.y -= BOX_MARGIN_PX;
	box.width += 2 * BOX_MARGIN_PX;
	box.height += 2 * BOX_MARGIN_PX;
	vd_draw_box(image, halved(box), 2, colour);
}

/* What a model says is worth a word; light and dark can be seen. */
static void draw_object(struct vd_image *image, const struct vd_step *step,
			const struct vd_object *object, enum vd_verdict verdict)
{
	const struct vd_rect half = halved(object->box);

	draw_around(image, object->box, colour_of(verdict));
	if (step->tool == VD_MODEL)
		vd_draw_text(image, half.x, half.y + half.height + BOX_MARGIN_PX, 1, object->label,
			     colour_of(verdict));
}

static void draw_step(struct vd_image *image, const struct vd_step *step,
		      const struct vd_step_result *result)
{
	const bool is_placed = step->input < 0 || result->state == VD_STEP_RAN;
	struct vd_rect region = step->roi;
	double x, y;

	if (result->state == VD_STEP_SKIPPED)
		return;
	if (region.width > 0 && is_placed) {
		vd_pose_map(&result->pose, region.x + region.width / 2.0,
			    region.y + region.height / 2.0, &x, &y);
		region.x = (int)lrint(x - region.width / 2.0);
		region.y = (int)lrint(y - region.height / 2.0);
		region = vd_placement_box(&result->place.in_frame, region);
		vd_draw_box(image, halved(region), 1, REGION);
	}
	for (size_t i = 0; i < result->objects.count; i++)
		draw_object(image, step, &result->objects.list[i], result->verdict);
	for (size_t i = 0; i < result->run_count; i++)
		draw_around(image, result->runs[i].object.box, colour_of(result->runs[i].verdict));
}

static void draw_reasons(struct vd_image *image, const struct vd_overlay *overlay)
{
	const int scale = image->width >= 800 ? 2 : 1;
	const int line = (VD_FONT_ROWS + 3) * scale;
	const struct vd_colour colour = colour_of(overlay->verdict);
	int y = MARGIN_PX * scale;

	vd_draw_text(image, MARGIN_PX * scale, y, scale, vd_verdict_name(overlay->verdict), colour);
	for (int i = 0; i < overlay->reason_count && i < REASONS_MOST; i++) {
		y += line;
		vd_draw_text(image, MARGIN_PX * scale, y, scale, overlay->reasons[i], colour);
	}
}

int vd_overlay_encode(const struct vd_overlay *overlay, int quality, struct vd_buf *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	int r = to_rgb(overlay->frame, &image);

	if (r < 0)
		return r;
	for (int i = 0; i < overlay->recipe->step_count; i++) {
		if (overlay->recipe->steps[i].camera == overlay->camera)
			draw_step(&image, &overlay->recipe->steps[i], &overlay->results[i]);
	}
	draw_reasons(&image, overlay);
	return vd_jpeg_encode(&image, quality, out);
}
