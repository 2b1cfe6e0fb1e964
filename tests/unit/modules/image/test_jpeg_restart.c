/* SPDX-License-Identifier: Apache-2.0 */
/* A region of a JPEG with restart markers: the bits of the whole, and what is checked outside it. */
#include "modules/image/jpeg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

#include "modules/image/libjpeg.h"

struct shape {
	int width, height;
	int components;
	int h, v; /* sampling of the first component */
	unsigned interval;
};

static void fill_row(uint8_t *row, int width, int components, int y)
{
	for (int x = 0; x < width * components; x++)
		row[x] = (uint8_t)(x * 7 + y * 5 + (x / 9 + y / 4) % 3 * 55);
}

static void make(const struct shape *shape, bool is_progressive, struct vd_buf *out)
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long len = 0;
	uint8_t row[1024];
	JSAMPROW rows[1] = { row };

	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &bytes, &len);
	cinfo.image_width = (JDIMENSION)shape->width;
	cinfo.image_height = (JDIMENSION)shape->height;
	cinfo.input_components = shape->components;
	cinfo.in_color_space = shape->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
	jpeg_set_defaults(&cinfo);
	cinfo.comp_info[0].h_samp_factor = shape->h;
	cinfo.comp_info[0].v_samp_factor = shape->v;
	cinfo.restart_interval = shape->interval;
	if (is_progressive)
		jpeg_simple_progression(&cinfo);
	jpeg_start_compress(&cinfo, TRUE);
	for (int y = 0; y < shape->height; y++) {
		fill_row(row, shape->width, shape->components, y);
		(void)jpeg_write_scanlines(&cinfo, rows, 1);
	}
	jpeg_finish_compress(&cinfo);
	jpeg_destroy_compress(&cinfo);
	assert_int_equal(vd_buf_append(out, bytes, len), 0);
	free(bytes);
}

static void assert_is_part(const struct vd_image *part, const struct vd_image *whole,
			   struct vd_rect rect)
{
	assert_int_equal(part->width, rect.width);
	assert_int_equal(part->height, rect.height);
	for (int y = 0; y < rect.height; y++)
		assert_memory_equal(vd_image_row(part, y), vd_image_row(whole, rect.y + y) + rect.x,
				    (size_t)rect.width);
}

static void check_regions(const struct vd_buf *jpeg, int width, int height)
{
	const struct vd_rect rects[] = {
		{ 0, 0, width, height },
		{ 0, 0, 1, 1 },
		{ width - 1, height - 1, 1, 1 },
		{ width / 3, height / 3, width / 4 + 1, height / 4 + 1 },
		{ width / 2, 0, 1, height },
		{ 0, height / 2, width, 1 },
		{ width / 2, height / 2, width - width / 2, height - height / 2 },
	};
	VD_CLEANUP(vd_image_fini) struct vd_image whole = { 0 }, part = { 0 };

	assert_int_equal(vd_jpeg_decode_grey(jpeg->data, jpeg->len, NULL, &whole, NULL, NULL), 0);
	for (size_t i = 0; i < VD_COUNT(rects); i++) {
		struct vd_jpeg_info info;

		assert_int_equal(vd_jpeg_decode_region(jpeg->data, jpeg->len, NULL, rects[i], &part,
						       &info, NULL),
				 0);
		assert_int_equal(info.width, width);
		assert_int_equal(info.height, height);
		assert_is_part(&part, &whole, rects[i]);
	}
}

static void a_region_has_the_bits_of_the_whole_at_every_interval(void **state)
{
	static const int sizes[][2] = { { 1, 1 }, { 16, 16 }, { 100, 70 }, { 203, 131 } };
	static const struct shape kinds[] = {
		{ .components = 1, .h = 1, .v = 1 }, { .components = 1, .h = 2, .v = 2 },
		{ .components = 3, .h = 1, .v = 1 }, { .components = 3, .h = 2, .v = 1 },
		{ .components = 3, .h = 2, .v = 2 }, { .components = 3, .h = 4, .v = 1 },
	};
	/* 7 and 13 are the rows of 100 px at 16 and 8 px an MCU, 14 two of the former. */
	static const unsigned intervals[] = { 0, 1, 2, 3, 7, 13, 14, 26, 1000 };

	for (size_t i = 0; i < VD_COUNT(sizes) * VD_COUNT(kinds) * VD_COUNT(intervals); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
		struct shape shape = kinds[i / VD_COUNT(intervals) % VD_COUNT(kinds)];
		const size_t size = i / VD_COUNT(intervals) / VD_COUNT(kinds);

		shape.interval = intervals[i % VD_COUNT(intervals)];
		shape.width = sizes[size][0];
		shape.height = sizes[size][1];
		make(&shape, false, &jpeg);
		check_regions(&jpeg, shape.width, shape.height);
	}
}

static void a_progressive_file_with_restart_markers_is_decoded_the_long_way(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

	make(&(struct shape){ 100, 70, 3, 2, 2, 7 }, true, &jpeg);
	check_regions(&jpeg, 100, 70);
}

static void a_file_whose_luminance_is_the_scaled_part_is_decoded_the_long_way(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image whole = { 0 }, part = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	uint8_t *p;

	make(&(struct shape){ 96, 64, 3, 1, 1, 6 }, false, &jpeg);
	p = (uint8_t *)jpeg.data;
	for (size_t i = 2; p[i + 1] != 0xda; i += 2 + ((size_t)p[i + 2] << 8 | p[i + 3])) {
		if (p[i + 1] == 0xc0)
			p[i + 14] = 0x22; /* the second component's sampling */
	}
	/* The stream no longer fits; it must only be handled alike. */
	assert_true(vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &whole, NULL, NULL) != 0);
	assert_true(vd_jpeg_decode_region(jpeg.data, jpeg.len, NULL,
					  (struct vd_rect){ 0, 0, 96, 64 }, &part, NULL,
					  NULL) != 0);
}

/* ---- damage ---- */

static const struct shape usual = { 160, 128, 3, 2, 2, 10 }; /* 8 segments, one a row of 16 px */
static const struct vd_rect middle = { 40, 66, 30, 10 };

static int decode_middle(const struct vd_buf *jpeg, struct vd_image *part,
			 struct vd_jpeg_info *info)
{
	return vd_jpeg_decode_region(jpeg->data, jpeg->len, NULL, middle, part, info, NULL);
}

/* The place of the nth restart marker. */
static size_t marker_at(const struct vd_buf *jpeg, int nth)
{
	const uint8_t *p = (const uint8_t *)jpeg->data;

	for (size_t i = 0; i + 1 < jpeg->len; i++) {
		if (p[i] == 0xff && p[i + 1] >= 0xd0 && p[i + 1] <= 0xd7 && nth-- == 0)
			return i;
	}
	fail_msg("no such marker");
	return 0;
}

static void assert_damaged(const struct vd_buf *jpeg)
{
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };
	struct vd_jpeg_info info;

	assert_int_equal(decode_middle(jpeg, &part, &info), VD_JPEG_DAMAGED);
	assert_true(info.warnings > 0);
	assert_true(info.warning[0]);
}

static void a_file_without_its_end_is_damaged_wherever_the_region_is(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

	make(&usual, false, &jpeg);
	while (jpeg.len > marker_at(&jpeg, 6) + 2) {
		jpeg.len--;
		assert_damaged(&jpeg);
	}
}

static void a_lost_segment_outside_the_region_is_damage(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	size_t from, to;

	make(&usual, false, &jpeg);
	from = marker_at(&jpeg, 5);
	to = marker_at(&jpeg, 6);
	memmove(jpeg.data + from, jpeg.data + to, jpeg.len - to);
	jpeg.len -= to - from;
	assert_damaged(&jpeg);
}

static void a_repeated_segment_outside_the_region_is_damage(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 }, longer = { 0 };
	size_t from, to;

	make(&usual, false, &jpeg);
	from = marker_at(&jpeg, 5);
	to = marker_at(&jpeg, 6);
	assert_int_equal(vd_buf_append(&longer, jpeg.data, to), 0);
	assert_int_equal(vd_buf_append(&longer, jpeg.data + from, jpeg.len - from), 0);
	assert_damaged(&longer);
}

/* In the segments that the region touches nothing goes unseen that the whole would show. */
static void damage_beside_the_region_shows_as_in_the_whole(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image whole = { 0 }, part = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	size_t from, to;

	make(&usual, false, &jpeg);
	from = marker_at(&jpeg, 3) + 2;
	to = marker_at(&jpeg, 4);
	for (size_t i = from; i < to; i++) {
		struct vd_jpeg_info info;
		int whole_is, part_is;

		jpeg.data[i] = (char)(jpeg.data[i] ^ 0x10);
		whole_is = vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &whole, &info, NULL);
		part_is = decode_middle(&jpeg, &part, &info);
		assert_true((whole_is == 0) == (part_is == 0));
		if (part_is == 0)
			assert_is_part(&part, &whole, middle);
		jpeg.data[i] = (char)(jpeg.data[i] ^ 0x10);
	}
}

VD_TEST_MAIN(cmocka_unit_test(a_region_has_the_bits_of_the_whole_at_every_interval),
	     cmocka_unit_test(a_progressive_file_with_restart_markers_is_decoded_the_long_way),
	     cmocka_unit_test(a_file_whose_luminance_is_the_scaled_part_is_decoded_the_long_way),
	     cmocka_unit_test(a_file_without_its_end_is_damaged_wherever_the_region_is),
	     cmocka_unit_test(a_lost_segment_outside_the_region_is_damage),
	     cmocka_unit_test(a_repeated_segment_outside_the_region_is_damage),
	     cmocka_unit_test(damage_beside_the_region_shows_as_in_the_whole))
