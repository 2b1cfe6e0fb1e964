/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/health.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "vd_test.h"

#include "modules/image/jpeg.h"

static struct vd_camera_event captured(uint64_t at_ms)
{
	struct vd_camera_event event = { .kind = VD_CAMERA_CAPTURED };

	event.frame.t_mono_ms = at_ms;
	event.took_us = 4500;
	return event;
}

static void before_the_first_frame_there_is_no_age_and_no_picture(void **state)
{
	struct vd_camera_health health = { .text = "no such device" };
	VD_CLEANUP(vd_json_free) cJSON *body = vd_camera_health_report(&health, 5000);

	assert_string_equal(vd_json_string(body, "state", ""), "waiting");
	assert_string_equal(vd_json_string(body, "text", ""), "no such device");
	assert_true(cJSON_IsNull(vd_json_get(body, "lastFrameAgeMs")));
	assert_true(cJSON_IsNull(vd_json_get(body, "picture")));
	assert_int_equal(vd_json_int(body, "captures", -1), 0);
}

static void frames_a_second_count_since_the_last_report(void **state)
{
	struct vd_camera_health health = { .state = VD_CAMERA_OK, .since_ms = 1000 };

	for (uint64_t i = 1; i <= 20; i++) {
		struct vd_camera_event event = captured(1000 + i * 100);

		vd_camera_health_capture(&health, &event);
	}
	for (int report = 0; report < 2; report++) {
		uint64_t now_ms = report ? 5000 : 3500;
		VD_CLEANUP(vd_json_free) cJSON *body = vd_camera_health_report(&health, now_ms);

		assert_true(fabs(vd_json_number(body, "fps", -1) - (report ? 0 : 8)) < 1e-9);
		assert_int_equal(vd_json_int(body, "lastFrameAgeMs", -1), (int)now_ms - 3000);
		assert_true(fabs(vd_json_number(body, "captureMs", 0) - 4.5) < 1e-9);
	}
}

static void exposure_and_gain_are_those_of_the_last_look_if_the_device_says_them(void **state)
{
	struct vd_camera_health health = { .state = VD_CAMERA_OK };
	struct vd_camera_event event = { .kind = VD_CAMERA_LOOKED,
					 .outcome = -EBADMSG,
					 .levels = { .exposure_us = 8000.1234, .gain = -1 } };
	VD_CLEANUP(vd_json_free) cJSON *before = vd_camera_health_report(&health, 1000);
	VD_CLEANUP(vd_json_free) cJSON *after = NULL;

	assert_true(cJSON_IsNull(vd_json_get(before, "exposureUs")));
	vd_camera_health_look(&health, &event);
	after = vd_camera_health_report(&health, 2000);
	assert_true(fabs(vd_json_number(after, "exposureUs", 0) - 8000.123) < 1e-9);
	assert_true(cJSON_IsNull(vd_json_get(after, "gain")));
}

static void failures_leave_the_last_frame_as_old_as_it_is(void **state)
{
	struct vd_camera_health health = { .state = VD_CAMERA_FAILED };
	struct vd_camera_event event = captured(1000);
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;

	vd_camera_health_capture(&health, &event);
	event = captured(9000);
	event.outcome = VD_SOURCE_FAILED;
	vd_camera_health_capture(&health, &event);
	event.outcome = VD_SOURCE_EXHAUSTED;
	vd_camera_health_capture(&health, &event);
	body = vd_camera_health_report(&health, 10000);
	assert_int_equal(vd_json_int(body, "captures", -1), 1);
	assert_int_equal(vd_json_int(body, "failures", -1), 1);
	assert_int_equal(vd_json_int(body, "lastFrameAgeMs", -1), 9000);
}

static void fill_grey(struct vd_camera_frame *frame, const uint8_t *pixels, uint32_t side)
{
	frame->format = VD_FRAME_GREY;
	frame->width = frame->height = frame->stride = side;
	vd_buf_clear(&frame->bytes);
	assert_int_equal(vd_buf_append(&frame->bytes, pixels, (size_t)side * side), 0);
}

static void a_picture_is_dark_bright_and_sharp_as_its_pixels_are(void **state)
{
	struct vd_camera_frame frame = { 0 };
	struct vd_camera_look look;
	uint8_t pixels[16];

	memset(pixels, 100, sizeof pixels);
	pixels[0] = 0;
	pixels[3] = 255;
	pixels[12] = 250;
	fill_grey(&frame, pixels, 4);
	assert_int_equal(vd_camera_look(&frame, &look), 0);
	assert_true(fabs(look.dark - 1.0 / 16) < 1e-9);
	assert_true(fabs(look.bright - 2.0 / 16) < 1e-9);
	assert_true(fabs(look.sharpness) < 1e-9);
	pixels[5] = 110; /* 4 * 10 at itself, -10 at two inner neighbours */
	fill_grey(&frame, pixels, 4);
	assert_int_equal(vd_camera_look(&frame, &look), 0);
	assert_true(fabs(look.sharpness - (1600 + 100 + 100) / 4.0) < 1e-9);
	frame.bytes.len--;
	assert_int_equal(vd_camera_look(&frame, &look), -EINVAL);
	vd_camera_frame_fini(&frame);
}

static void a_damaged_jpeg_is_seen(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	struct vd_camera_frame frame = { .format = VD_FRAME_JPEG, .width = 64, .height = 64 };
	struct vd_camera_look look;

	assert_int_equal(vd_image_shape(&image, 64, 64, VD_GREY), 0);
	for (size_t i = 0; i < image.stride * 64; i++)
		image.pixels[i] = (uint8_t)(i * 31);
	assert_int_equal(vd_jpeg_encode(&image, 90, &frame.bytes), 0);
	assert_int_equal(vd_camera_look(&frame, &look), 0);
	assert_false(look.is_damaged);
	frame.bytes.len = frame.bytes.len * 2 / 3;
	assert_int_equal(vd_camera_look(&frame, &look), 0);
	assert_true(look.is_damaged);
	frame.bytes.len = 10;
	assert_int_equal(vd_camera_look(&frame, &look), -EBADMSG);
	vd_camera_frame_fini(&frame);
}

VD_TEST_MAIN(cmocka_unit_test(before_the_first_frame_there_is_no_age_and_no_picture),
	     cmocka_unit_test(frames_a_second_count_since_the_last_report),
	     cmocka_unit_test(exposure_and_gain_are_those_of_the_last_look_if_the_device_says_them),
	     cmocka_unit_test(failures_leave_the_last_frame_as_old_as_it_is),
	     cmocka_unit_test(a_picture_is_dark_bright_and_sharp_as_its_pixels_are),
	     cmocka_unit_test(a_damaged_jpeg_is_seen))
