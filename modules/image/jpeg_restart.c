/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment is what stands between two restart markers: a run of MCUs of one length, the last one
 * of what is left. Segments are useful where rows of MCUs begin with one: as a whole number of
 * segments a row, or of rows a segment. The header is copied with the excerpt's height and width,
 * the segments get markers counted anew. Damage may show only where the marker after a segment
 * should stand, so a row of segments more is taken than is wanted, where there is one.
 */
#include "modules/image/jpeg_restart.h"

#include <errno.h>
#include <string.h>

enum {
	MARK_RESTART = 0xd0, /* to 0xd7 */
	MARK_END = 0xd9,
	MARK_SCAN = 0xda,
};

/* The picture as segments, and those wanted. */
struct plan {
	size_t segments;      /* in the file */
	size_t a_row, rows_a; /* segments a row of MCUs, rows of MCUs a segment; one of them is 1 */
	size_t left, right;   /* wanted segments of a row */
	size_t top, low;      /* wanted rows of segments */
	int x, y, width, height, lines;
};

static size_t ceil_of(size_t a, size_t b)
{
	return (a + b - 1) / b;
}

/* Grey pixels must come from one component that is not scaled, all in a single scan. */
static bool suits(const struct jpeg_decompress_struct *cinfo)
{
	const jpeg_component_info *first = cinfo->comp_info;

	if (cinfo->progressive_mode || cinfo->arith_code || cinfo->restart_interval == 0 ||
	    cinfo->comps_in_scan != cinfo->num_components)
		return false;
	if (cinfo->jpeg_color_space != JCS_GRAYSCALE && cinfo->jpeg_color_space != JCS_YCbCr)
		return false;
	return first->h_samp_factor == cinfo->max_h_samp_factor &&
	       first->v_samp_factor == cinfo->max_v_samp_factor;
}

static bool make_plan(const struct jpeg_decompress_struct *cinfo, struct vd_rect region,
		      struct plan *plan)
{
	const bool is_alone = cinfo->num_components == 1; /* then an MCU is one block */
	const size_t block_x = is_alone ? 8 : 8 * (size_t)cinfo->max_h_samp_factor;
	const size_t block_y = is_alone ? 8 : 8 * (size_t)cinfo->max_v_samp_factor;
	const size_t columns = ceil_of(cinfo->image_width, block_x);
	const size_t rows = ceil_of(cinfo->image_height, block_y);
	const size_t interval = cinfo->restart_interval;
	size_t step_x, step_y, end_x, end_y;

	if (columns % interval != 0 && interval % columns != 0)
		return false;
	plan->segments = ceil_of(columns * rows, interval);
	plan->a_row = interval < columns ? columns / interval : 1;
	plan->rows_a = interval < columns ? 1 : interval / columns;
	step_x = interval < columns ? interval * block_x : columns * block_x;
	step_y = plan->rows_a * block_y;
	plan->left = (size_t)region.x / step_x;
	plan->right = (size_t)(region.x + region.width - 1) / step_x;
	plan->top = (size_t)region.y / step_y;
	plan->low = (size_t)(region.y + region.height - 1) / step_y;
	plan->lines = (int)((plan->low + 1 - plan->top) * step_y) + 1;
	if ((plan->low + 1) * step_y < cinfo->image_height)
		plan->low++;
	end_x = (plan->right + 1) * step_x;
	end_y = (plan->low + 1) * step_y;
	plan->x = (int)(plan->left * step_x);
	plan->y = (int)(plan->top * step_y);
	plan->width = (int)(end_x < cinfo->image_width ? end_x : cinfo->image_width) - plan->x;
	plan->height = (int)(end_y < cinfo->image_height ? end_y : cinfo->image_height) - plan->y;
	if (plan->lines > plan->height)
		plan->lines = plan->height;
	return true;
}

static bool is_wanted(const struct plan *plan, size_t segment)
{
	const size_t row = segment / plan->a_row, column = segment % plan->a_row;

	return row >= plan->top && row <= plan->low && column >= plan->left &&
	       column <= plan->right;
}

/* ---- header ---- */

static bool is_frame(uint8_t mark)
{
	return mark == 0xc0 || mark == 0xc1; /* baseline, extended: what suits() lets through */
}

/* Where the frame header's height stands; 0: not found before the scan. */
static size_t find_height(const uint8_t *p, size_t scan)
{
	size_t at = 2;

	while (at + 9 <= scan && p[at] == 0xff) {
		if (p[at + 1] == 0xff) {
			at++;
			continue;
		}
		if (p[at + 1] == MARK_SCAN)
			return 0;
		if (is_frame(p[at + 1]))
			return at + 5;
		at += 2 + ((size_t)p[at + 2] << 8 | p[at + 3]);
	}
	return 0;
}

static int copy_head(const struct plan *plan, const uint8_t *p, size_t scan, struct vd_buf *out)
{
	const size_t height = find_height(p, scan);
	const uint8_t size[4] = { (uint8_t)(plan->height >> 8), (uint8_t)plan->height,
				  (uint8_t)(plan->width >> 8), (uint8_t)plan->width };
	int r;

	if (height == 0)
		return VD_EXCERPT_NONE;
	r = vd_buf_append(out, p, scan);
	if (r == 0)
		memcpy(out->data + height, size, sizeof size);
	return r;
}

/* ---- segments ---- */

/* The next marker at or after at; its place, and what it is. len: there is none. */
static size_t next_mark(const uint8_t *p, size_t len, size_t at, uint8_t *ret_mark)
{
	while (at + 1 < len) {
		const uint8_t *found = memchr(p + at, 0xff, len - 1 - at);

		if (!found)
			return len;
		at = (size_t)(found - p);
		if (p[at + 1] != 0x00 && p[at + 1] != 0xff) {
			*ret_mark = p[at + 1];
			return at;
		}
		at += p[at + 1] == 0x00 ? 2 : 1;
	}
	return len;
}

static int copy_segment(const uint8_t *segment, size_t len, size_t nth, struct vd_buf *out)
{
	const uint8_t mark[2] = { 0xff, (uint8_t)(MARK_RESTART + (nth + 7) % 8) };
	int r = nth > 0 ? vd_buf_append(out, mark, sizeof mark) : 0;

	return r < 0 ? r : vd_buf_append(out, segment, len);
}

static int copy_segments(const struct plan *plan, const uint8_t *p, size_t len, size_t at,
			 struct vd_buf *out)
{
	static const uint8_t end[2] = { 0xff, MARK_END };
	size_t copied = 0;

	for (size_t i = 0; i < plan->segments; i++) {
		const bool is_last = i + 1 == plan->segments;
		uint8_t mark = 0;
		const size_t stop = next_mark(p, len, at, &mark);

		if (stop == len || mark != (is_last ? MARK_END : MARK_RESTART + i % 8))
			return VD_EXCERPT_BROKEN;
		if (is_wanted(plan, i)) {
			const int r = copy_segment(p + at, stop - at, copied++, out);

			if (r < 0)
				return r;
		}
		at = stop + 2;
	}
	return vd_buf_append(out, end, sizeof end);
}

int vd_excerpt_cut(const struct jpeg_decompress_struct *cinfo, const void *bytes, size_t len,
		   struct vd_rect region, struct vd_excerpt *excerpt)
{
	const size_t scan = len - cinfo->src->bytes_in_buffer; /* where the scan's header ends */
	struct plan plan;
	int r;

	if (!suits(cinfo) || !make_plan(cinfo, region, &plan))
		return VD_EXCERPT_NONE;
	excerpt->x = plan.x;
	excerpt->y = plan.y;
	excerpt->lines = plan.lines;
	r = copy_head(&plan, bytes, scan, &excerpt->bytes);
	return r != 0 ? r : copy_segments(&plan, bytes, len, scan, &excerpt->bytes);
}
