/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/develop.h"

#include <errno.h>
#include <string.h>

#include "vd_test.h"

#include "modules/image/jpeg.h"

/* 4 x 2, each pixel another value. */
static const uint8_t grey[] = { 10, 11, 12, 13, 20, 21, 22, 23 };

static const struct vd_sensor_frame small = {
	.format = VD_SENSOR_GREY, .width = 4, .height = 2, .stride = 4, .bytes = grey, .len = 8
};

struct print {
	struct vd_darkroom room;
	struct vd_camera_frame frame;
	struct vd_fault fault;
};

static int develop(struct print *p, const struct vd_sensor_frame *raw,
		   const struct vd_camera_settings *settings)
{
	vd_buf_clear(&p->frame.bytes);
	p->fault = (struct vd_fault){ 0 };
	return vd_camera_develop(&p->room, raw, settings, &p->frame, &p->fault);
}

static void print_fini(struct print *p)
{
	vd_darkroom_fini(&p->room);
	vd_camera_frame_fini(&p->frame);
}

static void luminance_is_cut_then_turned_clockwise(void **state)
{
	static const struct {
		struct vd_camera_roi roi;
		unsigned rotation;
		uint32_t width, height;
		uint8_t pixels[8];
	} cases[] = {
		{ { 0 }, 0, 4, 2, { 10, 11, 12, 13, 20, 21, 22, 23 } },
		{ { 0 }, 90, 2, 4, { 20, 10, 21, 11, 22, 12, 23, 13 } },
		{ { 0 }, 180, 4, 2, { 23, 22, 21, 20, 13, 12, 11, 10 } },
		{ { 0 }, 270, 2, 4, { 13, 23, 12, 22, 11, 21, 10, 20 } },
		{ { 1, 0, 2, 2 }, 0, 2, 2, { 11, 12, 21, 22 } },
		{ { 1, 0, 2, 2 }, 90, 2, 2, { 21, 11, 22, 12 } },
		{ { 3, 1, 1, 1 }, 270, 1, 1, { 23 } },
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct print p = { 0 };
		const struct vd_camera_settings settings = {
			.is_grey = true,
			.roi = cases[i].roi,
			.rotation = cases[i].rotation,
			.is_shaped = cases[i].roi.width || cases[i].rotation,
		};

		assert_int_equal(develop(&p, &small, &settings), 0);
		assert_int_equal(p.frame.format, VD_FRAME_GREY);
		assert_true(p.frame.is_encoded_here);
		assert_int_equal(p.frame.width, cases[i].width);
		assert_int_equal(p.frame.height, cases[i].height);
		assert_int_equal(p.frame.bytes.len, cases[i].width * cases[i].height);
		assert_memory_equal(p.frame.bytes.data, cases[i].pixels, p.frame.bytes.len);
		print_fini(&p);
	}
}

static void what_reaches_beyond_the_picture_fails(void **state)
{
	static const struct vd_camera_roi rois[] = {
		{ 1, 0, 4, 2 }, { 0, 1, 4, 2 },         { 4, 0, 1, 1 },
		{ 0, 2, 1, 1 }, { 65500, 0, 65500, 1 },
	};
	struct print p = { 0 };

	for (size_t i = 0; i < VD_COUNT(rois); i++) {
		const struct vd_camera_settings settings = { .is_grey = true,
							     .roi = rois[i],
							     .is_shaped = true };

		assert_int_equal(develop(&p, &small, &settings), VD_SOURCE_FAILED);
		assert_non_null(strstr(p.fault.text, "beyond the picture of 4x2"));
	}
	print_fini(&p);
}

static void a_frame_that_is_shorter_than_it_claims_is_never_read(void **state)
{
	static const struct {
		enum vd_sensor_format format;
		size_t stride, len;
	} cases[] = {
		{ VD_SENSOR_GREY, 4, 7 },     { VD_SENSOR_GREY, 3, 8 },  { VD_SENSOR_YUYV, 8, 15 },
		{ VD_SENSOR_YUYV, 6, 16 },    { VD_SENSOR_NV12, 4, 11 }, { VD_SENSOR_RGB, 12, 23 },
		{ VD_SENSOR_BAYER_BG, 4, 7 },
	};
	const struct vd_camera_settings settings = { .quality = 90 };
	struct print p = { 0 };

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_sensor_frame raw = small;

		raw.format = cases[i].format;
		raw.stride = cases[i].stride;
		raw.len = cases[i].len;
		assert_int_equal(develop(&p, &raw, &settings), VD_SOURCE_FAILED);
		assert_non_null(strstr(p.fault.text, "too short for 4x2"));
	}
	print_fini(&p);
}

/* Every pixel of one colour, in each format: red, and what its luminance is. */
static void assert_red(enum vd_sensor_format format, const uint8_t *bytes, size_t stride,
		       size_t len)
{
	const struct vd_sensor_frame raw = { .format = format,
					     .width = 16,
					     .height = 16,
					     .stride = stride,
					     .bytes = bytes,
					     .len = len };
	const struct vd_camera_settings turned = { .rotation = 90,
						   .is_shaped = true,
						   .quality = 95 };
	const struct vd_camera_settings luma = { .is_grey = true };
	struct print p = { 0 };
	struct vd_image image = { 0 };

	assert_int_equal(develop(&p, &raw, &turned), 0);
	assert_int_equal(
		vd_jpeg_decode_rgb(p.frame.bytes.data, p.frame.bytes.len, NULL, &image, NULL, NULL),
		0);
	for (int y = 0; y < 16; y++) {
		for (int x = 0; x < 16; x++) {
			const uint8_t *rgb = vd_image_row(&image, y) + (size_t)3 * (size_t)x;

			assert_in_range(rgb[0], 190, 210);
			assert_in_range(rgb[1], 0, 20);
			assert_in_range(rgb[2], 0, 20);
		}
	}
	assert_int_equal(develop(&p, &raw, &luma), 0);
	for (size_t i = 0; i < 256; i++)
		assert_in_range((uint8_t)p.frame.bytes.data[i], 56, 64);
	vd_image_fini(&image);
	print_fini(&p);
}

static void every_format_gives_its_colours_also_when_turned(void **state)
{
	static const struct {
		enum vd_sensor_format format;
		unsigned x, y; /* where red is in each square of four */
	} patterns[] = { { VD_SENSOR_BAYER_RG, 0, 0 },
			 { VD_SENSOR_BAYER_GR, 1, 0 },
			 { VD_SENSOR_BAYER_GB, 0, 1 },
			 { VD_SENSOR_BAYER_BG, 1, 1 } };
	uint8_t bytes[16 * 16 * 3];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = i % 3 == 0 ? 200 : 0;
	assert_red(VD_SENSOR_RGB, bytes, 48, 768);
	for (size_t i = 0; i < 512; i++)
		bytes[i] = i % 2 == 0 ? 60 : (i % 4 == 1 ? 94 : 228);
	assert_red(VD_SENSOR_YUYV, bytes, 32, 512);
	for (size_t i = 0; i < 384; i++)
		bytes[i] = i < 256 ? 60 : (i % 2 == 0 ? 94 : 228);
	assert_red(VD_SENSOR_NV12, bytes, 16, 384);
	for (size_t p = 0; p < VD_COUNT(patterns); p++) {
		for (unsigned i = 0; i < 256; i++)
			bytes[i] =
				(i & 1) == patterns[p].x && (i / 16 & 1) == patterns[p].y ? 200 : 0;
		assert_red(patterns[p].format, bytes, 16, 256);
	}
}

static void make_jpeg(struct print *p, int width, int height)
{
	struct vd_image image = { 0 };

	assert_int_equal(vd_image_shape(&image, width, height, VD_RGB), 0);
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < 3 * width; x++)
			vd_image_row(&image, y)[x] = (uint8_t)(x * 255 / (3 * width));
	}
	vd_buf_clear(&p->frame.bytes);
	assert_int_equal(vd_jpeg_encode(&image, 90, &p->frame.bytes), 0);
	vd_image_fini(&image);
}

static void a_jpeg_that_may_be_recoded_is_cut_and_turned(void **state)
{
	const struct vd_camera_settings settings = { .roi = { 16, 8, 32, 16 },
						     .rotation = 270,
						     .is_shaped = true,
						     .is_recoding = true,
						     .quality = 90,
						     .max_pixels = 10000 };
	struct print p = { 0 };
	struct vd_jpeg_info info;

	make_jpeg(&p, 64, 48);
	assert_int_equal(vd_camera_recode(&p.room, &settings, &p.frame, &p.fault), 0);
	assert_int_equal(p.frame.width, 16);
	assert_int_equal(p.frame.height, 32);
	assert_true(p.frame.is_encoded_here);
	assert_int_equal(vd_jpeg_head(p.frame.bytes.data, p.frame.bytes.len, NULL, &info, NULL), 0);
	assert_int_equal(info.width, 16);
	assert_int_equal(info.components, 3);
	print_fini(&p);
}

static void damage_is_not_recoded_away(void **state)
{
	const struct vd_camera_settings settings = { .rotation = 90,
						     .is_shaped = true,
						     .is_recoding = true,
						     .quality = 90,
						     .max_pixels = 10000 };
	struct print p = { 0 };

	make_jpeg(&p, 64, 48);
	p.frame.bytes.len -= 60;
	assert_int_equal(vd_camera_recode(&p.room, &settings, &p.frame, &p.fault),
			 VD_SOURCE_FAILED);
	assert_non_null(strstr(p.fault.text, "damaged"));
	make_jpeg(&p, 128, 128);
	assert_int_equal(vd_camera_recode(&p.room, &settings, &p.frame, &p.fault),
			 VD_SOURCE_FAILED);
	print_fini(&p);
}

VD_TEST_MAIN(cmocka_unit_test(luminance_is_cut_then_turned_clockwise),
	     cmocka_unit_test(what_reaches_beyond_the_picture_fails),
	     cmocka_unit_test(a_frame_that_is_shorter_than_it_claims_is_never_read),
	     cmocka_unit_test(every_format_gives_its_colours_also_when_turned),
	     cmocka_unit_test(a_jpeg_that_may_be_recoded_is_cut_and_turned),
	     cmocka_unit_test(damage_is_not_recoded_away))
