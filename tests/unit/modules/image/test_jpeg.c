/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/image/jpeg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

#include "modules/image/libjpeg.h"

/* Something with edges and a slope, so that every block has coefficients. */
static void paint(struct vd_image *image, int width, int height, int channels)
{
	assert_int_equal(vd_image_shape(image, width, height, channels), 0);
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width * channels; x++)
			vd_image_row(image, y)[x] =
				(uint8_t)(x * 3 + y * 5 + (x / 7 + y / 5) % 2 * 60);
	}
}

static void make_jpeg(int width, int height, int channels, struct vd_buf *out)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	paint(&image, width, height, channels);
	assert_int_equal(vd_jpeg_encode(&image, 90, out), 0);
}

/* The same, with a huge size written over the one in the frame header. */
static void claim_size(struct vd_buf *jpeg, unsigned width, unsigned height)
{
	uint8_t *p = (uint8_t *)jpeg->data;

	for (size_t i = 2; i + 9 < jpeg->len; i += 2 + ((size_t)p[i + 2] << 8 | p[i + 3])) {
		if (p[i + 1] != 0xc0)
			continue;
		p[i + 5] = (uint8_t)(height >> 8);
		p[i + 6] = (uint8_t)height;
		p[i + 7] = (uint8_t)(width >> 8);
		p[i + 8] = (uint8_t)width;
		return;
	}
	fail_msg("no frame header");
}

static void strip_tables(const struct vd_buf *jpeg, struct vd_buf *out)
{
	const uint8_t *p = (const uint8_t *)jpeg->data;
	size_t i = 2, length;

	assert_int_equal(vd_buf_append(out, p, 2), 0);
	for (; p[i + 1] != 0xda; i += length) {
		length = 2 + ((size_t)p[i + 2] << 8 | p[i + 3]);
		if (p[i + 1] != 0xc4)
			assert_int_equal(vd_buf_append(out, p + i, length), 0);
	}
	assert_int_equal(vd_buf_append(out, p + i, jpeg->len - i), 0);
}

static void assert_same_pixels(const struct vd_image *a, const struct vd_image *b)
{
	assert_int_equal(a->width, b->width);
	assert_int_equal(a->height, b->height);
	assert_int_equal(a->channels, b->channels);
	for (int y = 0; y < a->height; y++)
		assert_memory_equal(vd_image_row(a, y), vd_image_row(b, y),
				    (size_t)(a->width * a->channels));
}

static void assert_near(const struct vd_image *a, const struct vd_image *b, int most)
{
	for (int y = 0; y < a->height; y++) {
		for (int x = 0; x < a->width * a->channels; x++)
			assert_in_range(abs(vd_image_row(a, y)[x] - vd_image_row(b, y)[x]), 0,
					most);
	}
}

static void what_was_encoded_is_decoded_again(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image painted = { 0 }, decoded = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct vd_jpeg_info info;

	paint(&painted, 61, 37, VD_GREY);
	assert_int_equal(vd_jpeg_encode(&painted, 95, &jpeg), 0);
	assert_int_equal(vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &decoded, &info, NULL), 0);
	assert_int_equal(info.width, 61);
	assert_int_equal(info.height, 37);
	assert_int_equal(info.components, 1);
	assert_int_equal(info.warnings, 0);
	assert_int_equal((uintptr_t)decoded.pixels % VD_IMAGE_ALIGN, 0);
	assert_near(&painted, &decoded, 30);
}

static void colour_is_decoded_as_rgb_and_as_grey(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image red = { 0 }, decoded = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

	assert_int_equal(vd_image_shape(&red, 32, 32, VD_RGB), 0);
	memset(red.pixels, 0, red.stride * 32);
	for (int i = 0; i < 32 * 32; i++)
		vd_image_row(&red, i / 32)[i % 32 * 3] = 200;
	assert_int_equal(vd_jpeg_encode(&red, 95, &jpeg), 0);
	assert_int_equal(vd_jpeg_decode_rgb(jpeg.data, jpeg.len, NULL, &decoded, NULL, NULL), 0);
	assert_int_equal(decoded.channels, VD_RGB);
	assert_in_range(decoded.pixels[0], 195, 205);
	assert_in_range(decoded.pixels[1], 0, 5);
	assert_int_equal(vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &decoded, NULL, NULL), 0);
	assert_int_equal(decoded.channels, VD_GREY);
	assert_in_range(decoded.pixels[0], 57, 63); /* 0.299 * 200 */
}

static void memory_is_used_again_for_the_next_frame(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf large = { 0 }, small = { 0 };
	const uint8_t *pixels;

	make_jpeg(80, 60, VD_GREY, &large);
	make_jpeg(16, 16, VD_GREY, &small);
	assert_int_equal(vd_jpeg_decode_grey(large.data, large.len, NULL, &image, NULL, NULL), 0);
	pixels = image.pixels;
	assert_int_equal(vd_jpeg_decode_grey(small.data, small.len, NULL, &image, NULL, NULL), 0);
	assert_ptr_equal(image.pixels, pixels);
	assert_int_equal(image.width, 16);
}

static void a_file_cut_anywhere_is_never_taken_for_whole(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	int damaged = 0, refused = 0;

	make_jpeg(40, 40, VD_RGB, &jpeg);
	for (size_t len = 0; len < jpeg.len; len++) {
		struct vd_fault fault = { 0 };
		struct vd_jpeg_info info = { 0 };
		int r = vd_jpeg_decode_grey(jpeg.data, len, NULL, &image, &info, &fault);

		if (r == VD_JPEG_DAMAGED) {
			assert_true(info.warnings > 0);
			assert_true(info.warning[0] != '\0');
			damaged++;
		} else {
			assert_int_equal(r, -EBADMSG);
			assert_int_equal(fault.code, 400);
			refused++;
		}
	}
	assert_true(damaged > 100);
	assert_true(refused > 100);
}

static void a_cut_file_with_an_end_marker_is_damaged(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

	make_jpeg(64, 64, VD_GREY, &jpeg);
	jpeg.len = jpeg.len * 3 / 4;
	assert_int_equal(vd_buf_append(&jpeg, "\xff\xd9", 2), 0);
	assert_int_equal(vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &image, NULL, NULL),
			 VD_JPEG_DAMAGED);
}

static void what_is_no_jpeg_is_refused_with_a_reason(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_jpeg_decode_grey("", 0, NULL, &image, NULL, &fault), -EBADMSG);
	assert_string_equal(fault.text, "JPEG: is empty");
	assert_int_equal(vd_jpeg_decode_grey("\x89PNG....", 8, NULL, &image, NULL, &fault),
			 -EBADMSG);
	assert_non_null(strstr(fault.text, "Not a JPEG file"));
	assert_null(image.pixels);
}

static void a_claimed_size_is_checked_before_memory_is_taken(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct vd_fault fault = { 0 };
	struct vd_jpeg_info info = { 0 };

	make_jpeg(16, 16, VD_GREY, &jpeg);
	claim_size(&jpeg, 65500, 65500);
	assert_int_equal(vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &image, &info, &fault),
			 -EFBIG);
	assert_int_equal(fault.code, 413);
	assert_string_equal(fault.text, "JPEG: 65500x65500 is more than 50000000 pixels");
	assert_int_equal(info.width, 65500);
	assert_null(image.pixels);
	assert_int_equal(vd_jpeg_head(jpeg.data, jpeg.len, NULL, &info, &fault), -EFBIG);
}

static void the_pixel_limit_holds_at_its_edge(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct vd_jpeg_limits limits = { .pixels = 40 * 30 };

	make_jpeg(40, 30, VD_GREY, &jpeg);
	assert_int_equal(vd_jpeg_head(jpeg.data, jpeg.len, &limits, NULL, NULL), 0);
	limits.pixels--;
	assert_int_equal(vd_jpeg_head(jpeg.data, jpeg.len, &limits, NULL, NULL), -EFBIG);
}

static void another_size_than_expected_is_refused(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	const struct vd_jpeg_limits limits = { .width = 41, .height = 30 };
	struct vd_fault fault = { 0 };

	make_jpeg(40, 30, VD_GREY, &jpeg);
	assert_int_equal(vd_jpeg_decode_grey(jpeg.data, jpeg.len, &limits, &image, NULL, &fault),
			 -ERANGE);
	assert_string_equal(fault.text, "JPEG: is 40x30, expected 41x30");
}

static void camera_frames_without_tables_decode_the_same(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image with = { 0 }, without = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 }, bare = { 0 }, mended = { 0 };
	struct vd_jpeg_info info;

	make_jpeg(48, 40, VD_RGB, &jpeg);
	strip_tables(&jpeg, &bare);
	assert_true(bare.len + 400 < jpeg.len);
	assert_int_equal(vd_jpeg_decode_rgb(jpeg.data, jpeg.len, NULL, &with, &info, NULL), 0);
	assert_false(info.without_tables);
	assert_int_equal(vd_jpeg_decode_rgb(bare.data, bare.len, NULL, &without, &info, NULL), 0);
	assert_true(info.without_tables);
	assert_same_pixels(&with, &without);

	assert_int_equal(vd_jpeg_with_tables(bare.data, bare.len, &mended), 0);
	assert_int_equal(vd_jpeg_decode_rgb(mended.data, mended.len, NULL, &without, &info, NULL),
			 0);
	assert_false(info.without_tables);
	assert_same_pixels(&with, &without);
	vd_buf_clear(&mended);
	assert_int_equal(vd_jpeg_with_tables(jpeg.data, jpeg.len, &mended), 0);
	assert_int_equal(mended.len, jpeg.len);
	assert_memory_equal(mended.data, jpeg.data, jpeg.len);
	assert_int_equal(vd_jpeg_with_tables("\xff\xd8\xff", 3, &mended), -EBADMSG);
}

static void check_region(const struct vd_buf *jpeg, const struct vd_image *whole,
			 struct vd_rect rect)
{
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };

	assert_int_equal(
		vd_jpeg_decode_region(jpeg->data, jpeg->len, NULL, rect, &part, NULL, NULL), 0);
	assert_int_equal(part.width, rect.width);
	assert_int_equal(part.height, rect.height);
	for (int y = 0; y < rect.height; y++)
		assert_memory_equal(vd_image_row(&part, y),
				    vd_image_row(whole, rect.y + y) + rect.x, (size_t)rect.width);
}

static void a_region_has_the_pixels_of_the_whole(void **state)
{
	static const struct vd_rect rects[] = {
		{ 0, 0, 100, 70 },  { 0, 0, 1, 1 },   { 99, 69, 1, 1 },   { 17, 9, 30, 21 },
		{ 16, 16, 16, 16 }, { 3, 0, 97, 70 }, { 50, 31, 50, 39 }, { 31, 33, 2, 2 },
	};
	static const int channels[] = { VD_GREY, VD_RGB };

	for (size_t c = 0; c < VD_COUNT(channels); c++) {
		VD_CLEANUP(vd_image_fini) struct vd_image whole = { 0 };
		VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

		make_jpeg(100, 70, channels[c], &jpeg);
		assert_int_equal(vd_jpeg_decode_grey(jpeg.data, jpeg.len, NULL, &whole, NULL, NULL),
				 0);
		for (size_t i = 0; i < VD_COUNT(rects); i++)
			check_region(&jpeg, &whole, rects[i]);
	}
}

static void a_region_outside_the_picture_is_refused(void **state)
{
	static const struct vd_rect rects[] = {
		{ 0, 0, 101, 1 }, { -1, 0, 4, 4 }, { 97, 0, 4, 4 },
		{ 0, 0, 0, 4 },   { 0, 67, 4, 4 }, { INT32_MAX, 0, INT32_MAX, 1 },
	};
	VD_CLEANUP(vd_image_fini) struct vd_image part = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

	make_jpeg(100, 70, VD_GREY, &jpeg);
	for (size_t i = 0; i < VD_COUNT(rects); i++)
		assert_int_equal(vd_jpeg_decode_region(jpeg.data, jpeg.len, NULL, rects[i], &part,
						       NULL, NULL),
				 -EINVAL);
}

static int make_progressive_step(void *argument)
{
	struct jpeg_compress_struct *cinfo = argument;
	JSAMPLE line[64 * 3];
	JSAMPROW rows[1] = { line };

	memset(line, 90, sizeof line);
	cinfo->image_width = cinfo->image_height = 64;
	cinfo->input_components = 3;
	cinfo->in_color_space = JCS_RGB;
	jpeg_set_defaults(cinfo);
	jpeg_simple_progression(cinfo);
	jpeg_start_compress(cinfo, TRUE);
	while (cinfo->next_scanline < 64)
		(void)jpeg_write_scanlines(cinfo, rows, 1);
	jpeg_finish_compress(cinfo);
	return 0;
}

static void a_progressive_file_of_too_many_scans_is_refused(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_jpeg_limits limits = { .scans = 3 };
	struct vd_libjpeg_errors errors;
	struct jpeg_compress_struct cinfo;
	struct vd_jpeg_info info;
	unsigned char *bytes = NULL;
	unsigned long len = 0;

	cinfo.err = vd_libjpeg_errors_init(&errors, -EINVAL);
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &bytes, &len);
	assert_int_equal(vd_libjpeg_guard(&errors, make_progressive_step, &cinfo), 0);
	jpeg_destroy_compress(&cinfo);
	assert_int_equal(vd_jpeg_decode_grey(bytes, len, NULL, &image, &info, NULL), 0);
	assert_true(info.progressive);
	assert_int_equal(vd_jpeg_decode_grey(bytes, len, &limits, &image, NULL, NULL), -EFBIG);
	free(bytes);
}

static void raw_camera_frames_become_jpeg(void **state)
{
	static const uint8_t values[] = { 100, 128, 180, 128 }; /* Y U Y V, neutral */
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	uint8_t bytes[70 * 16] = { 0 };
	struct vd_raw_frame frame = { .format = VD_RAW_YUYV,
				      .width = 32,
				      .height = 16,
				      .stride = 70,
				      .bytes = bytes,
				      .len = 15 * 70 + 64 };

	for (int y = 0; y < 16; y++) {
		for (int x = 0; x < 64; x++)
			bytes[y * 70 + x] = values[x < 32 ? x % 2 ? 1 : 0 : x % 2 ? 1 : 2];
	}
	assert_int_equal(vd_jpeg_encode_raw(&frame, 95, &jpeg), 0);
	assert_int_equal(vd_jpeg_decode_rgb(jpeg.data, jpeg.len, NULL, &image, NULL, NULL), 0);
	for (int c = 0; c < 3; c++) {
		assert_in_range(image.pixels[c], 96, 104);
		assert_in_range(image.pixels[31 * 3 + c], 176, 184);
	}
	frame.len--;
	assert_int_equal(vd_jpeg_encode_raw(&frame, 95, &jpeg), -EINVAL);
	frame.len++;
	frame.stride = 63;
	assert_int_equal(vd_jpeg_encode_raw(&frame, 95, &jpeg), -EINVAL);
	frame.format = VD_RAW_GREY;
	frame.stride = 40;
	assert_int_equal(vd_jpeg_encode_raw(&frame, 95, &jpeg), 0);
	frame.format = VD_RAW_NV12;
	assert_int_equal(vd_jpeg_encode_raw(&frame, 95, &jpeg), 0);
	frame.width = 31;
	assert_int_equal(vd_jpeg_encode_raw(&frame, 95, &jpeg), -EINVAL);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { .limit = 40000 };

	paint(&image, 700, 700, VD_GREY);
	assert_int_equal(vd_buf_append(&out, "before", 6), 0);
	assert_int_equal(vd_jpeg_encode(&image, 100, &out), -E2BIG);
	assert_int_equal(out.len, 6);
	assert_string_equal(out.data, "before");
	assert_int_equal(vd_jpeg_encode(&image, 0, &out), -EINVAL);
	assert_int_equal(vd_jpeg_encode(&image, 101, &out), -EINVAL);
}

static void a_picture_made_small_while_decoding_fits_and_looks_the_same(void **state)
{
	static const struct {
		int asked, width, height;
	} cases[] = { { 1000, 160, 120 }, { 160, 160, 120 }, { 159, 140, 105 },
		      { 80, 80, 60 },     { 20, 20, 15 },    { 1, 20, 15 } };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_jpeg_info info;

	assert_int_equal(vd_image_shape(&image, 160, 120, VD_RGB), 0);
	for (int y = 0; y < 120; y++)
		memset(vd_image_row(&image, y), 90, (size_t)160 * 3);
	assert_int_equal(vd_jpeg_encode(&image, 90, &jpeg), 0);
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		assert_int_equal(vd_jpeg_decode_small(jpeg.data, jpeg.len, NULL, cases[i].asked,
						      &image, &info, NULL),
				 0);
		assert_int_equal(image.width, cases[i].width);
		assert_int_equal(image.height, cases[i].height);
		assert_int_equal(info.width, 160);
		assert_in_range(vd_image_row(&image, image.height - 1)[image.width * 3 - 1], 88,
				92);
	}
}

VD_TEST_MAIN(cmocka_unit_test(a_picture_made_small_while_decoding_fits_and_looks_the_same),
	     cmocka_unit_test(what_was_encoded_is_decoded_again),
	     cmocka_unit_test(colour_is_decoded_as_rgb_and_as_grey),
	     cmocka_unit_test(memory_is_used_again_for_the_next_frame),
	     cmocka_unit_test(a_file_cut_anywhere_is_never_taken_for_whole),
	     cmocka_unit_test(a_cut_file_with_an_end_marker_is_damaged),
	     cmocka_unit_test(what_is_no_jpeg_is_refused_with_a_reason),
	     cmocka_unit_test(a_claimed_size_is_checked_before_memory_is_taken),
	     cmocka_unit_test(the_pixel_limit_holds_at_its_edge),
	     cmocka_unit_test(another_size_than_expected_is_refused),
	     cmocka_unit_test(camera_frames_without_tables_decode_the_same),
	     cmocka_unit_test(a_region_has_the_pixels_of_the_whole),
	     cmocka_unit_test(a_region_outside_the_picture_is_refused),
	     cmocka_unit_test(a_progressive_file_of_too_many_scans_is_refused),
	     cmocka_unit_test(raw_camera_frames_become_jpeg),
	     cmocka_unit_test(a_full_buffer_is_left_as_it_was))
