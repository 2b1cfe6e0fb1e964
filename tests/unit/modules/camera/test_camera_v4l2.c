/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/v4l2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_driver.h"
#include "parameters.h"

#include "base/clock.h"
#include "base/file.h"
#include "modules/camera/v4l2_controls.h"
#include "modules/camera/worker.h"
#include "modules/image/jpeg.h"

struct fixture {
	struct fake_driver driver;
	struct vd_v4l2_io io;
	char folder[64], node[96], second[96];
	struct vd_camera_settings *settings;
	struct vd_camera_source *source;
	struct vd_camera_frame frame;
	struct vd_fault fault;
};

static void make_picture(struct fixture *f, int width, int height)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	assert_int_equal(vd_image_shape(&image, width, height, VD_RGB), 0);
	memset(image.pixels, 77, image.stride * (size_t)height);
	vd_buf_clear(&f->driver.picture);
	assert_int_equal(vd_jpeg_encode(&image, 90, &f->driver.picture), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->io = fake_driver_init(&f->driver, V4L2_PIX_FMT_MJPEG);
	make_picture(f, 64, 48);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/vd-camera-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->node, sizeof f->node, "%s/usb-cam-A-video-index0", f->folder);
	(void)snprintf(f->second, sizeof f->second, "%s/usb-cam-B-video-index0", f->folder);
	assert_int_equal(vd_file_write(f->node, "", 0, 0600), 0);
	*state = f;
	return 0;
}

static void close_source(struct fixture *f)
{
	f->source = vd_camera_source_free(f->source);
	f->settings = vd_camera_settings_free(f->settings);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_source(f);
	assert_false(f->driver.is_open);
	assert_int_equal(f->driver.mapped, 0);
	vd_camera_frame_fini(&f->frame);
	fake_driver_fini(&f->driver);
	(void)unlink(f->node);
	(void)unlink(f->second);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

static int open_device_at(struct fixture *f, const char *path, const char *more)
{
	char text[512];

	close_source(f);
	(void)snprintf(text, sizeof text, "{\"source\":\"v4l2:/dev/v4l/by-id/x\"%s%s}",
		       more[0] ? "," : "", more);
	f->settings = settings_of(text);
	f->settings->path = path;
	f->settings->timeout_ms = 100;
	assert_int_equal(vd_v4l2_source_new(f->settings, &f->io, &f->source), 0);
	f->fault = (struct vd_fault){ 0 };
	return f->source->type->open(f->source, &f->fault);
}

static int open_device(struct fixture *f, const char *more)
{
	return open_device_at(f, f->node, more);
}

static void play(struct fixture *f, const enum fake_frame *script, size_t len, enum fake_frame rest)
{
	f->driver.script = script;
	f->driver.script_len = len;
	f->driver.at = 0;
	f->driver.rest = rest;
}

static int capture(struct fixture *f, uint64_t not_before_ms)
{
	const struct vd_camera_wish wish = { .not_before_ms = not_before_ms,
					     .deadline_ms = vd_clock_mono_ms() + 100,
					     .wake_fd = -1 };

	f->fault = (struct vd_fault){ 0 };
	return f->source->type->capture(f->source, &wish, &f->frame, &f->fault);
}

static void mjpeg_is_handed_over_bit_for_bit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->frame.format, VD_FRAME_JPEG);
	assert_int_equal(f->frame.width, 64);
	assert_int_equal(f->frame.bytes.len, f->driver.picture.len);
	assert_memory_equal(f->frame.bytes.data, f->driver.picture.data, f->frame.bytes.len);
	assert_in_range(vd_clock_mono_ms() - f->frame.t_mono_ms, 0, 5000);
}

static void the_first_frames_after_opening_are_dropped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_device(f, "\"settleFrames\":3"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->frame.sequence, 4);
}

static void gaps_in_the_sequence_are_counted(void **state)
{
	static const enum fake_frame script[] = { FAKE_GOOD, FAKE_GAP, FAKE_GOOD };
	struct fixture *f = *state;

	play(f, script, VD_COUNT(script), FAKE_GOOD);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->source->counts.sequence_gaps, 2);
}

static void flagged_and_empty_buffers_are_passed_over_and_counted(void **state)
{
	static const enum fake_frame script[] = { FAKE_ERROR, FAKE_EMPTY, FAKE_GOOD };
	struct fixture *f = *state;

	play(f, script, VD_COUNT(script), FAKE_GOOD);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->frame.sequence, 3);
	assert_int_equal(f->source->counts.flagged, 2);
}

static void a_frame_older_than_its_trigger_is_never_taken(void **state)
{
	static const enum fake_frame script[] = { FAKE_OLD, FAKE_OLD, FAKE_GOOD };
	struct fixture *f = *state;
	uint64_t trigger_ms = vd_clock_mono_ms();

	play(f, script, VD_COUNT(script), FAKE_GOOD);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, trigger_ms), 0);
	assert_int_equal(f->frame.sequence, 3);
	assert_true(f->frame.t_mono_ms >= trigger_ms);
	assert_int_equal(f->source->counts.stale, 2);
}

static void only_stale_frames_are_a_timeout_and_no_frame(void **state)
{
	struct fixture *f = *state;

	play(f, NULL, 0, FAKE_OLD);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, vd_clock_mono_ms()), VD_SOURCE_FAILED);
	assert_int_equal(f->fault.code, 504);
}

static void a_device_that_is_unplugged_is_lost_and_found_again(void **state)
{
	static const enum fake_frame script[] = { FAKE_GOOD, FAKE_UNPLUG };
	struct fixture *f = *state;

	play(f, script, VD_COUNT(script), FAKE_GOOD);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(capture(f, 0), VD_SOURCE_LOST);
	assert_non_null(strstr(f->fault.text, "No such device"));
	f->source->type->close(f->source);
	assert_int_equal(f->source->type->open(f->source, &f->fault), VD_SOURCE_LOST);
	f->driver.is_there = true;
	assert_int_equal(f->source->type->open(f->source, &f->fault), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->driver.opens, 2);
}

static int tend(struct fixture *f, uint64_t ms, int wake_fd)
{
	const struct vd_camera_wish wish = { .deadline_ms = vd_clock_mono_ms() + ms,
					     .wake_fd = wake_fd };

	f->fault = (struct vd_fault){ 0 };
	return f->source->type->tend(f->source, &wish, &f->fault);
}

static void unplugging_and_stalls_are_found_between_captures(void **state)
{
	static const enum fake_frame script[] = { FAKE_GOOD, FAKE_GOOD, FAKE_UNPLUG };
	struct fixture *f = *state;

	play(f, script, VD_COUNT(script), FAKE_GOOD);
	assert_int_equal(open_device(f, ""), 0);
	assert_int_equal(tend(f, 5000, -1), VD_SOURCE_LOST);
	f->driver.is_there = true;
	play(f, NULL, 0, FAKE_NONE);
	assert_int_equal(open_device(f, ""), 0);
	assert_int_equal(tend(f, 150, -1), VD_SOURCE_LOST);
	assert_non_null(strstr(f->fault.text, "no frame for 100 ms"));
}

static void tending_ends_when_woken(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_close) int wake = eventfd(1, EFD_CLOEXEC);

	play(f, NULL, 0, FAKE_NONE);
	assert_int_equal(open_device(f, ""), 0);
	assert_int_equal(tend(f, 60000, wake), VD_SOURCE_INTERRUPTED);
}

static void raw_formats_become_jpeg_or_luminance(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	f->driver.formats[0] = V4L2_PIX_FMT_YUYV;
	f->driver.stride_more = 8;
	vd_buf_clear(&f->driver.picture);
	for (int i = 0; i < 48 * (128 + 8); i++)
		assert_int_equal(vd_buf_append(&f->driver.picture, i % 2 ? "\x80" : "\x50", 1), 0);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(vd_jpeg_decode_grey(f->frame.bytes.data, f->frame.bytes.len, NULL, &image,
					     NULL, NULL),
			 0);
	assert_int_equal(image.width, 64);
	assert_in_range(image.pixels[100], 0x4e, 0x52);
	assert_int_equal(open_device(f, "\"settleFrames\":0,\"output\":\"grey\""), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->frame.format, VD_FRAME_GREY);
	assert_int_equal(f->frame.stride, 64);
	assert_int_equal(f->frame.bytes.len, 64 * 48);
	for (size_t i = 0; i < f->frame.bytes.len; i++)
		assert_int_equal(f->frame.bytes.data[i], 0x50);
}

static void a_raw_frame_that_is_too_short_is_a_failure(void **state)
{
	struct fixture *f = *state;

	f->driver.formats[0] = V4L2_PIX_FMT_GREY;
	vd_buf_clear(&f->driver.picture);
	assert_int_equal(vd_buf_append(&f->driver.picture, "short", 5), 0);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, 0), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "too short"));
}

static void a_frame_that_is_no_jpeg_is_a_failure(void **state)
{
	struct fixture *f = *state;

	vd_buf_clear(&f->driver.picture);
	assert_int_equal(vd_buf_append(&f->driver.picture, "no picture", 10), 0);
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, 0), VD_SOURCE_FAILED);
	make_picture(f, 64, 48);
	assert_int_equal(capture(f, 0), 0);
}

static void a_format_that_cannot_be_used_fails_the_opening(void **state)
{
	struct fixture *f = *state;

	f->driver.formats[0] = V4L2_PIX_FMT_H264;
	assert_int_equal(open_device(f, ""), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "no pixel format auto"));
	f->driver.formats[0] = V4L2_PIX_FMT_MJPEG;
	f->driver.given_format = V4L2_PIX_FMT_H264;
	assert_int_equal(open_device(f, ""), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "does not give the pixel format mjpeg"));
	f->driver.given_format = 0;
	f->driver.capabilities = V4L2_CAP_STREAMING;
	assert_int_equal(open_device(f, ""), VD_SOURCE_FAILED);
	f->driver.is_busy = true;
	assert_int_equal(open_device(f, ""), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "busy"));
}

static void a_pattern_that_matches_two_cameras_is_refused_as_ambiguous(void **state)
{
	struct fixture *f = *state;
	char pattern[96];

	(void)snprintf(pattern, sizeof pattern, "%s/usb-*-index0", f->folder);
	assert_int_equal(open_device_at(f, pattern, ""), 0);
	assert_int_equal(vd_file_write(f->second, "", 0, 0600), 0);
	assert_int_equal(open_device_at(f, pattern, ""), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "ambiguous: 2 devices"));
	(void)unlink(f->node);
	(void)unlink(f->second);
	assert_int_equal(open_device_at(f, pattern, ""), VD_SOURCE_LOST);
}

static void controls_are_set_read_back_and_reported(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_json_free) cJSON *actual = NULL;
	const cJSON *report;

	assert_int_equal(open_device(f, "\"width\":64,\"height\":48,\"controls\":{"
					"\"white_balance_automatic\":false,"
					"\"exposure_time_absolute\":123,\"gain\":300,\"zoom\":1}"),
			 0);
	actual = f->source->type->describe(f->source);
	assert_string_equal(vd_json_string(actual, "card", ""), "Fake camera");
	assert_int_equal(vd_json_int(actual, "deviations", 0), 3);
	assert_int_equal(vd_json_int(actual, "fps", 0), 30);
	report = vd_json_object(actual, "controls");
	assert_int_equal(vd_json_int(vd_json_get(report, "exposure_time_absolute"), "actual", 0),
			 120);
	assert_string_equal(
		vd_json_string(vd_json_get(report, "exposure_time_absolute"), "text", ""),
		"the device chose another value");
	assert_string_equal(vd_json_string(vd_json_get(report, "gain"), "text", ""),
			    "is out of the device's bounds");
	assert_string_equal(vd_json_string(vd_json_get(report, "zoom"), "text", ""),
			    "the device has no such control");
	assert_null(vd_json_get(vd_json_get(report, "white_balance_automatic"), "text"));
}

static void exposure_and_gain_are_read_from_the_open_device(void **state)
{
	struct fixture *f = *state;
	struct vd_camera_levels levels;

	assert_int_equal(open_device(f, "\"controls\":{\"exposure_time_absolute\":120,\"gain\":7}"),
			 0);
	f->source->type->levels(f->source, &levels);
	assert_int_equal((int)levels.exposure_us, 12000);
	assert_int_equal((int)levels.gain, 7);
	f->driver.hides_controls = true;
	f->source->type->levels(f->source, &levels);
	assert_true(levels.exposure_us < 0);
	assert_true(levels.gain < 0);
	assert_int_equal(f->driver.opens, 1);
}

static void what_the_device_can_do_is_described_and_bounded(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_json_free) cJSON *few = NULL;
	VD_CLEANUP(vd_json_free) cJSON *many = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;

	assert_int_equal(open_device(f, ""), 0);
	few = f->source->type->describe(f->source);
	text = vd_json_text(vd_json_array(few, "modes"));
	assert_string_equal(text, "[{\"pixelFormat\":\"MJPG\",\"sizes\":["
				  "{\"width\":64,\"height\":48,\"fps\":[30,15]},"
				  "{\"width\":128,\"height\":96,\"fps\":[30,15]}]}]");
	f->driver.endless_modes = true;
	assert_int_equal(open_device(f, ""), 0);
	many = f->source->type->describe(f->source);
	assert_int_equal(cJSON_GetArraySize(vd_json_get(vd_json_at(many, "/modes/0"), "sizes")),
			 32);
	assert_int_equal(cJSON_GetArraySize(vd_json_at(many, "/modes/0/sizes/31/fps")), 16);
}

static void fill_nv12(struct fixture *f, uint8_t luma, uint8_t chroma)
{
	f->driver.formats[0] = V4L2_PIX_FMT_NV12;
	vd_buf_clear(&f->driver.picture);
	for (int i = 0; i < 64 * 48 * 3 / 2; i++)
		assert_int_equal(
			vd_buf_append(&f->driver.picture, i < 64 * 48 ? &luma : &chroma, 1), 0);
}

static void nv12_becomes_jpeg_or_luminance(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	fill_nv12(f, 0x50, 0x80);
	assert_int_equal(open_device(f, "\"settleFrames\":0,\"pixelFormat\":\"nv12\""), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(vd_jpeg_decode_rgb(f->frame.bytes.data, f->frame.bytes.len, NULL, &image,
					    NULL, NULL),
			 0);
	assert_int_equal(image.height, 48);
	assert_in_range(image.pixels[30], 0x4e, 0x52);
	assert_int_equal(open_device(f, "\"settleFrames\":0,\"output\":\"grey\""), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->frame.bytes.len, 64 * 48);
	f->driver.picture.len -= 1;
	assert_int_equal(capture(f, 0), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "too short"));
}

static void a_raw_format_is_preferred_where_the_picture_is_to_be_turned(void **state)
{
	struct fixture *f = *state;

	fill_nv12(f, 0x50, 0x80);
	f->driver.formats[0] = V4L2_PIX_FMT_MJPEG;
	f->driver.formats[1] = V4L2_PIX_FMT_NV12;
	assert_int_equal(open_device(f, "\"settleFrames\":0,\"rotate\":90"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(f->frame.width, 48);
	assert_int_equal(f->frame.height, 64);
	assert_true(f->frame.is_encoded_here);
	f->driver.formats[1] = 0;
	assert_int_equal(open_device(f, "\"rotate\":90"), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "no pixel format"));
}

static void strict_settings_keep_a_deviating_camera_from_capturing(void **state)
{
	struct fixture *f = *state;

	f->driver.refuses_controls = true;
	assert_int_equal(open_device(f, "\"strictSettings\":true,\"controls\":{\"gain\":3}"), 0);
	assert_int_equal(capture(f, 0), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "control gain: wanted 3: Permission denied"));
	f->driver.refuses_controls = false;
	assert_int_equal(open_device(f, "\"strictSettings\":true,\"controls\":{\"gain\":3}"), 0);
	assert_int_equal(capture(f, 0), 0);
	assert_int_equal(open_device(f, "\"strictSettings\":true,\"width\":1920,\"height\":1080"),
			 0);
	assert_int_equal(capture(f, 0), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "wanted 1920x1080, the device gives 64x48"));
}

static void without_time_stamps_the_arrival_counts(void **state)
{
	struct fixture *f = *state;

	f->driver.has_timestamps = false;
	assert_int_equal(open_device(f, "\"settleFrames\":0"), 0);
	assert_int_equal(capture(f, vd_clock_mono_ms()), 0);
}

static void control_names_are_spelt_as_v4l2_ctl_spells_them(void **state)
{
	char text[40];

	vd_v4l2_control_name("White Balance Temperature, Auto", text, sizeof text);
	assert_string_equal(text, "white_balance_temperature_auto");
	vd_v4l2_control_name("  Gain (dB) ", text, sizeof text);
	assert_string_equal(text, "gain_db");
	vd_v4l2_control_name("abcdef", text, 4);
	assert_string_equal(text, "abc");
}

static int make_v4l2(const struct vd_camera_settings *settings, const char *state_folder,
		     struct vd_camera_source **ret_source, void *argument)
{
	struct fixture *f = argument;

	return vd_v4l2_source_new(settings, &f->io, ret_source);
}

static void no_wake(void *argument)
{
}

/* Takes events until one of this kind (and, of a state, this state) comes; ten seconds at most. */
static void wait_event(struct vd_camera_worker *worker, enum vd_camera_event_kind kind,
		       enum vd_camera_state state)
{
	uint64_t start_ms = vd_clock_mono_ms();

	while (vd_clock_mono_ms() - start_ms < 10000) {
		struct vd_camera_event *event = vd_camera_worker_take(worker);
		bool is_it = event && event->kind == kind &&
			     (kind != VD_CAMERA_STATE || event->state == state) &&
			     (kind != VD_CAMERA_CAPTURED || event->outcome == 0);

		if (event)
			vd_camera_event_done(worker, event);
		else
			(void)poll(NULL, 0, 1);
		if (is_it)
			return;
	}
	fail_msg("no such event");
}

static void a_free_running_camera_is_found_lost_and_found_again_by_itself(void **state)
{
	static const struct vd_camera_worker_handlers handlers = { .wake = no_wake,
								   .make = make_v4l2 };
	struct fixture *f = *state;
	struct vd_camera_worker *worker;
	struct vd_camera_settings *settings =
		settings_of("{\"source\":\"v4l2:/dev/v4l/by-id/x\",\"timeoutMs\":500}");

	settings->path = f->node;
	assert_int_equal(vd_camera_worker_new(&handlers, f, "", &worker), 0);
	vd_camera_worker_set(worker, &settings);
	vd_camera_worker_run_free(worker, true);
	wait_event(worker, VD_CAMERA_STATE, VD_CAMERA_OK);
	wait_event(worker, VD_CAMERA_CAPTURED, 0);
	atomic_store(&f->driver.is_there, false);
	wait_event(worker, VD_CAMERA_STATE, VD_CAMERA_LOST);
	atomic_store(&f->driver.is_there, true);
	wait_event(worker, VD_CAMERA_STATE, VD_CAMERA_OK);
	wait_event(worker, VD_CAMERA_CAPTURED, 0);
	vd_camera_worker_look(worker);
	wait_event(worker, VD_CAMERA_LOOKED, 0);
	worker = vd_camera_worker_free(worker);
}

#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(FIXTURE(mjpeg_is_handed_over_bit_for_bit),
	     FIXTURE(the_first_frames_after_opening_are_dropped),
	     FIXTURE(gaps_in_the_sequence_are_counted),
	     FIXTURE(flagged_and_empty_buffers_are_passed_over_and_counted),
	     FIXTURE(a_frame_older_than_its_trigger_is_never_taken),
	     FIXTURE(only_stale_frames_are_a_timeout_and_no_frame),
	     FIXTURE(a_device_that_is_unplugged_is_lost_and_found_again),
	     FIXTURE(unplugging_and_stalls_are_found_between_captures),
	     FIXTURE(tending_ends_when_woken), FIXTURE(raw_formats_become_jpeg_or_luminance),
	     FIXTURE(a_raw_frame_that_is_too_short_is_a_failure),
	     FIXTURE(a_frame_that_is_no_jpeg_is_a_failure),
	     FIXTURE(a_format_that_cannot_be_used_fails_the_opening),
	     FIXTURE(a_pattern_that_matches_two_cameras_is_refused_as_ambiguous),
	     FIXTURE(controls_are_set_read_back_and_reported),
	     FIXTURE(exposure_and_gain_are_read_from_the_open_device),
	     FIXTURE(what_the_device_can_do_is_described_and_bounded),
	     FIXTURE(nv12_becomes_jpeg_or_luminance),
	     FIXTURE(a_raw_format_is_preferred_where_the_picture_is_to_be_turned),
	     FIXTURE(strict_settings_keep_a_deviating_camera_from_capturing),
	     FIXTURE(without_time_stamps_the_arrival_counts),
	     FIXTURE(a_free_running_camera_is_found_lost_and_found_again_by_itself),
	     cmocka_unit_test(control_names_are_spelt_as_v4l2_ctl_spells_them))
