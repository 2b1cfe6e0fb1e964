/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/image/edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

#include "modules/image/exif.h"
#include "modules/image/jpeg.h"

static void paint(struct vd_image *image, int width, int height, int channels)
{
	assert_int_equal(vd_image_shape(image, width, height, channels), 0);
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width * channels; x++)
			vd_image_row(image, y)[x] = (uint8_t)(x * 11 + y * 29);
	}
}

static void assert_same(const struct vd_image *a, const struct vd_image *b)
{
	assert_int_equal(a->width, b->width);
	assert_int_equal(a->height, b->height);
	assert_int_equal(a->channels, b->channels);
	for (int y = 0; y < a->height; y++)
		assert_memory_equal(vd_image_row(a, y), vd_image_row(b, y),
				    (size_t)(a->width * a->channels));
}

static void an_area_is_clipped_to_the_image(void **state)
{
	static const struct {
		struct vd_rect area;
		int width, height;
	} cases[] = {
		{ { -3, -4, 5, 6 }, 2, 2 },
		{ { 9, 7, 5, 5 }, 1, 1 },
		{ { INT32_MIN, 0, INT32_MAX, 1 }, 0, 0 },
		{ { 10, 0, 1, 1 }, 0, 0 },
		{ { 5, 5, 0, 5 }, 0, 0 },
		{ { -5, -5, INT32_MAX, INT32_MAX }, 10, 8 },
	};
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, out = { 0 };

	paint(&image, 10, 8, VD_RGB);
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		const int r = vd_image_crop(&image, cases[i].area, &out);

		assert_int_equal(r, cases[i].width ? 0 : -ERANGE);
		if (r < 0)
			continue;
		assert_int_equal(out.width, cases[i].width);
		assert_int_equal(out.height, cases[i].height);
	}
	assert_int_equal(vd_image_crop(&image, (struct vd_rect){ 9, 7, 5, 5 }, &out), 0);
	assert_memory_equal(out.pixels, vd_image_row(&image, 7) + 27, 3);
}

static void a_plain_image_stays_plain_at_every_size(void **state)
{
	static const int sizes[][2] = { { 1, 1 }, { 3, 50 }, { 64, 64 }, { 200, 7 } };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, out = { 0 };

	assert_int_equal(vd_image_shape(&image, 37, 23, VD_GREY), 0);
	memset(image.pixels, 143, image.stride * 23);
	for (int resample = VD_NEAREST; resample <= VD_LANCZOS; resample++) {
		for (size_t i = 0; i < VD_COUNT(sizes); i++) {
			assert_int_equal(vd_image_resize(&image, sizes[i][0], sizes[i][1],
							 (enum vd_resample)resample, &out),
					 0);
			for (int p = 0; p < out.width * out.height; p++)
				assert_int_equal(vd_image_row(&out, p / out.width)[p % out.width],
						 143);
		}
	}
}

static void an_image_of_its_own_size_stays_as_it_is(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, out = { 0 };

	paint(&image, 31, 17, VD_RGB);
	for (int resample = VD_NEAREST; resample <= VD_LANCZOS; resample++) {
		assert_int_equal(vd_image_resize(&image, 31, 17, (enum vd_resample)resample, &out),
				 0);
		assert_same(&image, &out);
	}
}

/* Two pixels, made four: a triangle's shares are 1, 3/4, 1/4, 0. */
static void bilinear_weighs_by_distance(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, out = { 0 };

	assert_int_equal(vd_image_shape(&image, 2, 1, VD_GREY), 0);
	image.pixels[0] = 0;
	image.pixels[1] = 200;
	assert_int_equal(vd_image_resize(&image, 4, 1, VD_BILINEAR, &out), 0);
	assert_memory_equal(out.pixels, ((uint8_t[]){ 0, 50, 150, 200 }), 4);
	assert_int_equal(vd_image_resize(&image, 4, 1, VD_NEAREST, &out), 0);
	assert_memory_equal(out.pixels, ((uint8_t[]){ 0, 0, 200, 200 }), 4);
}

static void nothing_between_samples_is_lost_when_an_image_shrinks(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, out = { 0 };

	assert_int_equal(vd_image_shape(&image, 80, 1, VD_GREY), 0);
	memset(image.pixels, 0, 80);
	image.pixels[42] = 255; /* a scratch of one pixel */
	assert_int_equal(vd_image_resize(&image, 10, 1, VD_BILINEAR, &out), 0);
	assert_in_range(out.pixels[5], 20, 40);
	assert_int_equal(vd_image_resize(&image, 10, 1, VD_LANCZOS, &out), 0);
	assert_in_range(out.pixels[5], 20, 50);
}

static void transpose(const struct vd_image *image, struct vd_image *out)
{
	assert_int_equal(vd_image_shape(out, image->height, image->width, VD_GREY), 0);
	for (int y = 0; y < image->height; y++) {
		for (int x = 0; x < image->width; x++)
			vd_image_row(out, x)[y] = vd_image_row(image, y)[x];
	}
}

/* The first goes down first, the second across: by way of 3 x 3, not of 400 x 400. */
static void a_tall_image_made_wide_is_a_wide_one_made_tall(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image tall = { 0 }, wide = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image made_wide = { 0 }, made_tall = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image back = { 0 };

	paint(&tall, 3, 400, VD_GREY);
	transpose(&tall, &wide);
	for (int resample = VD_NEAREST; resample <= VD_LANCZOS; resample++) {
		assert_int_equal(
			vd_image_resize(&tall, 400, 3, (enum vd_resample)resample, &made_wide), 0);
		assert_int_equal(
			vd_image_resize(&wide, 3, 400, (enum vd_resample)resample, &made_tall), 0);
		transpose(&made_tall, &back);
		assert_same(&made_wide, &back);
	}
}

static void a_size_that_is_none_is_refused(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, out = { 0 };

	paint(&image, 4, 4, VD_GREY);
	assert_int_equal(vd_image_resize(&image, 0, 4, VD_BILINEAR, &out), -EINVAL);
	assert_int_equal(vd_image_resize(&image, 4, 1 << 20, VD_NEAREST, &out), -EINVAL);
}

static void colours_become_grey_as_in_jpeg(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, grey = { 0 }, rgb = { 0 };

	assert_int_equal(vd_image_shape(&image, 2, 1, VD_RGB), 0);
	memcpy(image.pixels, ((uint8_t[]){ 255, 255, 255, 200, 0, 0 }), 6);
	assert_int_equal(vd_image_to_grey(&image, &grey), 0);
	assert_int_equal(grey.pixels[0], 255);
	assert_int_equal(grey.pixels[1], 60);
	assert_int_equal(vd_image_to_rgb(&grey, &rgb), 0);
	assert_memory_equal(rgb.pixels, ((uint8_t[]){ 255, 255, 255, 60, 60, 60 }), 6);
}

static void four_quarters_are_a_whole_turn(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, a = { 0 }, b = { 0 };

	paint(&image, 5, 3, VD_RGB);
	assert_int_equal(vd_image_turn(&image, 1, &a), 0);
	assert_int_equal(a.width, 3);
	assert_int_equal(a.height, 5);
	assert_memory_equal(vd_image_row(&a, 0) + 6, vd_image_row(&image, 0), 3); /* top right */
	assert_int_equal(vd_image_turn(&a, 2, &b), 0);
	assert_int_equal(vd_image_turn(&b, 1, &a), 0);
	assert_same(&image, &a);
	assert_int_equal(vd_image_turn(&image, -3, &a), 0);
	assert_int_equal(vd_image_turn(&image, 1, &b), 0);
	assert_same(&b, &a);
}

/* ---- privacy ---- */

static void a_blurred_area_keeps_no_structure_and_nothing_around_it_changes(void **state)
{
	const struct vd_rect area = { 10, 8, 24, 18 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, was = { 0 };
	int least = 255, most = 0;

	paint(&image, 50, 40, VD_GREY);
	paint(&was, 50, 40, VD_GREY);
	assert_int_equal(vd_image_blur(&image, &area, 1), 0);
	for (int y = 0; y < 40; y++) {
		for (int x = 0; x < 50; x++) {
			const int value = vd_image_row(&image, y)[x];
			const bool is_in = x >= 10 && x < 34 && y >= 8 && y < 26;

			if (!is_in)
				assert_int_equal(value, vd_image_row(&was, y)[x]);
			else if (value < least)
				least = value;
			if (is_in && value > most)
				most = value;
		}
	}
	assert_in_range(most - least, 0, 12); /* of 255 before */
}

static void areas_of_one_pixel_none_and_outside_are_legal(void **state)
{
	static const struct vd_rect areas[] = {
		{ 3, 3, 1, 1 }, { 100, 100, 5, 5 },     { -9, -9, 5, 5 },
		{ 0, 0, 0, 0 }, { -1, -1, 1000, 1000 },
	};
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 }, was = { 0 };

	paint(&image, 20, 20, VD_RGB);
	paint(&was, 20, 20, VD_RGB);
	assert_int_equal(vd_image_blur(&image, NULL, 0), 0);
	assert_int_equal(vd_image_blur(&image, areas, 4), 0);
	assert_same(&image, &was);
	assert_int_equal(vd_image_blur(&image, areas, VD_COUNT(areas)), 0);
	assert_memory_not_equal(image.pixels, was.pixels, 60);
}

/* ---- what a file says about itself ---- */

static const uint8_t little[] = { 'E',  'x',  'i', 'f', 0, 0, 'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0,
				  0x12, 0x01, 3,   0,   1, 0, 0,   0,   6,   0, 0, 0, 0, 0, 0, 0 };
static const uint8_t big[] = { 'E',  'x',  'i', 'f', 0, 0, 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1,
			       0x01, 0x12, 0,   3,   0, 0, 0,   1,   0, 8,   0, 0, 0, 0, 0, 0 };

static void the_orientation_is_read_in_both_byte_orders(void **state)
{
	assert_int_equal(vd_exif_orientation(little, sizeof little), 6);
	assert_int_equal(vd_exif_orientation(big, sizeof big), 8);
}

static void exif_cut_or_altered_anywhere_stays_within_bounds(void **state)
{
	for (size_t len = 0; len < sizeof little; len++) {
		VD_CLEANUP(vd_free) uint8_t *cut = malloc(len ? len : 1);

		memcpy(cut, little, len);
		assert_in_range(vd_exif_orientation(cut, len), 0, 8);
		for (size_t i = 0; i < len; i++) {
			cut[i] ^= 0xff;
			assert_in_range(vd_exif_orientation(cut, len), 0, 8);
			cut[i] ^= 0xff;
		}
	}
}

static void the_orientation_of_a_jpeg_is_told(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf plain = { 0 }, said = { 0 };
	const uint8_t head[] = { 0xff, 0xe1, 0, sizeof little + 2 };
	struct vd_jpeg_info info;

	paint(&image, 20, 10, VD_GREY);
	assert_int_equal(vd_jpeg_encode(&image, 80, &plain), 0);
	assert_int_equal(vd_jpeg_head(plain.data, plain.len, NULL, &info, NULL), 0);
	assert_int_equal(info.orientation, 0);
	assert_int_equal(vd_buf_append(&said, plain.data, 2), 0);
	assert_int_equal(vd_buf_append(&said, head, sizeof head), 0);
	assert_int_equal(vd_buf_append(&said, little, sizeof little), 0);
	assert_int_equal(vd_buf_append(&said, plain.data + 2, plain.len - 2), 0);
	assert_int_equal(vd_jpeg_head(said.data, said.len, NULL, &info, NULL), 0);
	assert_int_equal(info.orientation, 6);
	assert_int_equal(info.width, 20);
}

static void the_kind_of_file_is_told_by_its_first_bytes(void **state)
{
	assert_string_equal(vd_image_mime("\xff\xd8\xff\xe0", 4), "image/jpeg");
	assert_string_equal(vd_image_mime("RIFF....WEBPVP8 ", 16), "image/webp");
	assert_string_equal(vd_image_mime("\x89PNG\r\n\x1a\n", 8), "image/png");
	assert_null(vd_image_mime("RIFF....WAVE", 12));
	assert_null(vd_image_mime("\xff", 1));
	assert_null(vd_image_mime("", 0));
}

VD_TEST_MAIN(cmocka_unit_test(an_area_is_clipped_to_the_image),
	     cmocka_unit_test(a_plain_image_stays_plain_at_every_size),
	     cmocka_unit_test(an_image_of_its_own_size_stays_as_it_is),
	     cmocka_unit_test(bilinear_weighs_by_distance),
	     cmocka_unit_test(nothing_between_samples_is_lost_when_an_image_shrinks),
	     cmocka_unit_test(a_tall_image_made_wide_is_a_wide_one_made_tall),
	     cmocka_unit_test(a_size_that_is_none_is_refused),
	     cmocka_unit_test(colours_become_grey_as_in_jpeg),
	     cmocka_unit_test(four_quarters_are_a_whole_turn),
	     cmocka_unit_test(a_blurred_area_keeps_no_structure_and_nothing_around_it_changes),
	     cmocka_unit_test(areas_of_one_pixel_none_and_outside_are_legal),
	     cmocka_unit_test(the_orientation_is_read_in_both_byte_orders),
	     cmocka_unit_test(exif_cut_or_altered_anywhere_stays_within_bounds),
	     cmocka_unit_test(the_orientation_of_a_jpeg_is_told),
	     cmocka_unit_test(the_kind_of_file_is_told_by_its_first_bytes))
