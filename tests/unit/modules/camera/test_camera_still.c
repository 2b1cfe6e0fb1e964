/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/still.h"

#include <errno.h>
#include <string.h>

#include "vd_test.h"

#include "modules/image/jpeg.h"

static void make_jpeg(struct vd_camera_frame *frame, int width, int height, int channels)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	assert_int_equal(vd_image_shape(&image, width, height, channels), 0);
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width * channels; x++)
			vd_image_row(&image, y)[x] = (uint8_t)(x + y + (x / 16 + y / 16) % 2 * 40);
	}
	assert_int_equal(vd_jpeg_encode(&image, 90, &frame->bytes), 0);
	frame->width = (uint32_t)width;
	frame->height = (uint32_t)height;
}

static void make_grey(struct vd_camera_frame *frame, uint32_t width, uint32_t height)
{
	frame->format = VD_FRAME_GREY;
	frame->width = frame->stride = width;
	frame->height = height;
	for (uint32_t i = 0; i < width * height; i++)
		assert_int_equal(vd_buf_append(&frame->bytes, "\x80", 1), 0);
}

static void a_whole_jpeg_stays_as_it_is(void **state)
{
	struct vd_camera_frame frame = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	make_jpeg(&frame, 64, 48, VD_RGB);
	assert_int_equal(vd_still_whole(&frame, &out), 0);
	assert_int_equal(out.len, frame.bytes.len);
	assert_memory_equal(out.data, frame.bytes.data, out.len);
	vd_camera_frame_fini(&frame);
}

static void luminance_becomes_a_jpeg(void **state)
{
	struct vd_camera_frame frame = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_jpeg_info info;

	make_grey(&frame, 50, 30);
	assert_int_equal(vd_still_whole(&frame, &out), 0);
	assert_int_equal(vd_jpeg_head(out.data, out.len, NULL, &info, NULL), 0);
	assert_int_equal(info.width, 50);
	assert_int_equal(info.height, 30);
	vd_camera_frame_fini(&frame);
}

static void assert_small(const struct vd_camera_frame *frame, int width, int wanted_width)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_still_size size = { 0 };
	struct vd_jpeg_info info;

	assert_int_equal(vd_still_small(frame, width, 40000, &out, &size), 0);
	assert_int_equal(size.width, wanted_width);
	assert_false(size.is_damaged);
	assert_int_equal(vd_jpeg_head(out.data, out.len, NULL, &info, NULL), 0);
	assert_int_equal(info.width, size.width);
	assert_int_equal(info.height, size.height);
}

static void a_small_picture_is_not_wider_than_asked(void **state)
{
	struct vd_camera_frame jpeg = { 0 }, grey = { 0 };

	make_jpeg(&jpeg, 640, 480, VD_RGB);
	assert_small(&jpeg, 1000, 640);
	assert_small(&jpeg, 320, 320);
	assert_small(&jpeg, 319, 240);
	assert_small(&jpeg, 1, 80);
	make_grey(&grey, 640, 480);
	assert_small(&grey, 1000, 640);
	assert_small(&grey, 320, 320);
	assert_small(&grey, 100, 91);
	vd_camera_frame_fini(&jpeg);
	vd_camera_frame_fini(&grey);
}

static void a_small_picture_keeps_within_its_bytes_at_the_cost_of_its_size(void **state)
{
	struct vd_camera_frame frame = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_still_size size;

	make_jpeg(&frame, 640, 480, VD_RGB);
	assert_int_equal(vd_still_small(&frame, 640, 60000, &out, &size), 0);
	assert_true(out.len <= 60000);
	vd_buf_clear(&out);
	assert_int_equal(vd_still_small(&frame, 640, 5000, &out, &size), 0);
	assert_true(out.len <= 5000);
	assert_true(size.width < 640);
	vd_buf_clear(&out);
	assert_int_equal(vd_still_small(&frame, 640, 200, &out, &size), -E2BIG);
	assert_int_equal(out.len, 0);
	vd_camera_frame_fini(&frame);
}

static void a_damaged_frame_is_shown_as_damaged_and_nonsense_is_not(void **state)
{
	struct vd_camera_frame frame = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_still_size size = { 0 };

	make_jpeg(&frame, 64, 48, VD_RGB);
	frame.bytes.len /= 2;
	assert_int_equal(vd_still_small(&frame, 64, 40000, &out, &size), 0);
	assert_true(size.is_damaged);
	frame.bytes.len = 3;
	assert_true(vd_still_small(&frame, 64, 40000, &out, &size) < 0);
	assert_true(vd_still_whole(&frame, &out) < 0);
	vd_camera_frame_fini(&frame);
}

static void luminance_that_is_too_short_for_its_size_is_refused(void **state)
{
	struct vd_camera_frame frame = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_still_size size;

	make_grey(&frame, 50, 30);
	frame.height = 31;
	assert_true(vd_still_small(&frame, 20, 40000, &out, &size) < 0);
	assert_true(vd_still_whole(&frame, &out) < 0);
	vd_camera_frame_fini(&frame);
}

VD_TEST_MAIN(cmocka_unit_test(a_whole_jpeg_stays_as_it_is),
	     cmocka_unit_test(luminance_becomes_a_jpeg),
	     cmocka_unit_test(a_small_picture_is_not_wider_than_asked),
	     cmocka_unit_test(a_small_picture_keeps_within_its_bytes_at_the_cost_of_its_size),
	     cmocka_unit_test(a_damaged_frame_is_shown_as_damaged_and_nonsense_is_not),
	     cmocka_unit_test(luminance_that_is_too_short_for_its_size_is_refused))
