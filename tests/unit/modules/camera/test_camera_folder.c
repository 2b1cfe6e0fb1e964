/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parameters.h"

#include "base/clock.h"
#include "base/file.h"
#include "modules/image/jpeg.h"

struct fixture {
	char folder[64], captures[96], state[96];
	struct vd_camera_settings *settings;
	struct vd_camera_source *source;
	struct vd_camera_frame frame;
	struct vd_fault fault;
};

static void write_file(const struct fixture *f, const char *name, const void *data, size_t len)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/%s", f->captures, name);
	assert_int_equal(vd_file_write(path, data, len, 0644), 0);
}

/* A small JPEG whose brightness tells it from the others. */
static void write_jpeg(const struct fixture *f, const char *name, int brightness)
{
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

	assert_int_equal(vd_image_shape(&image, 16, 8, VD_GREY), 0);
	memset(image.pixels, brightness, image.stride * 8);
	assert_int_equal(vd_jpeg_encode(&image, 90, &jpeg), 0);
	write_file(f, name, jpeg.data, jpeg.len);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/vd-camera-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->captures, sizeof f->captures, "%s/captures", f->folder);
	(void)snprintf(f->state, sizeof f->state, "%s/state", f->folder);
	assert_int_equal(mkdir(f->captures, 0755), 0);
	assert_int_equal(mkdir(f->state, 0755), 0);
	*state = f;
	return 0;
}

static void close_source(struct fixture *f)
{
	f->source = vd_camera_source_free(f->source);
	f->settings = vd_camera_settings_free(f->settings);
}

static void remove_files(const char *folder, const char *const *names)
{
	char path[PATH_MAX];

	for (; *names; names++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, *names);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "a.jpg", "b.jpg",    "c.JPEG",        "d.jpg",
					     "e.jpg", "note.txt", "position.json", NULL };
	struct fixture *f = *state;

	close_source(f);
	vd_camera_frame_fini(&f->frame);
	remove_files(f->captures, names);
	remove_files(f->state, names);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

/* more: further parameters, as "\"loop\":false" */
static int open_folder(struct fixture *f, const char *more)
{
	char text[512];

	close_source(f);
	(void)snprintf(text, sizeof text, "{\"source\":\"folder:%s\"%s%s}", f->captures,
		       more[0] ? "," : "", more);
	f->settings = settings_of(text);
	assert_int_equal(vd_folder_source_new(f->settings, f->state, &f->source), 0);
	return f->source->type->open(f->source, &f->fault);
}

static int capture(struct fixture *f)
{
	const struct vd_camera_wish wish = { .deadline_ms = vd_clock_mono_ms() + 2000,
					     .wake_fd = -1 };

	f->fault = (struct vd_fault){ 0 };
	return f->source->type->capture(f->source, &wish, &f->frame, &f->fault);
}

static void expect_file(struct fixture *f, const char *name)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	char path[PATH_MAX];

	assert_int_equal(capture(f), 0);
	assert_string_equal(f->frame.name, name);
	(void)snprintf(path, sizeof path, "%s/%s", f->captures, name);
	assert_int_equal(vd_file_read(path, 1 << 20, &file, NULL), 0);
	assert_int_equal(f->frame.bytes.len, file.len);
	assert_memory_equal(f->frame.bytes.data, file.data, file.len);
}

static void write_four(const struct fixture *f)
{
	write_jpeg(f, "b.jpg", 50);
	write_jpeg(f, "a.jpg", 20);
	write_jpeg(f, "d.jpg", 110);
	write_jpeg(f, "c.JPEG", 80);
	write_file(f, "note.txt", "x", 1);
}

static void files_come_by_name_and_bit_for_bit(void **state)
{
	struct fixture *f = *state;

	write_four(f);
	assert_int_equal(open_folder(f, ""), 0);
	expect_file(f, "a.jpg");
	assert_int_equal(f->frame.width, 16);
	assert_int_equal(f->frame.height, 8);
	assert_int_equal(f->frame.format, VD_FRAME_JPEG);
	expect_file(f, "b.jpg");
	expect_file(f, "c.JPEG");
	expect_file(f, "d.jpg");
	expect_file(f, "a.jpg");
	assert_int_equal(f->frame.round, 1);
}

static void without_loop_the_folder_is_exhausted(void **state)
{
	struct fixture *f = *state;

	write_jpeg(f, "a.jpg", 1);
	assert_int_equal(open_folder(f, "\"loop\":false"), 0);
	expect_file(f, "a.jpg");
	assert_int_equal(capture(f), VD_SOURCE_EXHAUSTED);
	assert_int_equal(capture(f), VD_SOURCE_EXHAUSTED);
	assert_int_equal(f->fault.code, 410);
}

static void read_round(struct fixture *f, char order[5])
{
	for (int i = 0; i < 4; i++) {
		assert_int_equal(capture(f), 0);
		order[i] = f->frame.name[0];
	}
	order[4] = '\0';
}

static void the_same_seed_gives_the_same_order(void **state)
{
	struct fixture *f = *state;
	char first[5], again[5], other[5];
	int differing = 0;

	write_four(f);
	assert_int_equal(open_folder(f, "\"order\":\"random\",\"seed\":7"), 0);
	read_round(f, first);
	for (const char *p = "abcd"; *p; p++)
		assert_non_null(strchr(first, *p));
	assert_int_equal(open_folder(f, "\"order\":\"random\",\"seed\":7"), 0);
	read_round(f, again);
	assert_string_equal(first, again);
	for (int seed = 8; seed < 16; seed++) {
		char more[64];

		(void)snprintf(more, sizeof more, "\"order\":\"random\",\"seed\":%d", seed);
		assert_int_equal(open_folder(f, more), 0);
		read_round(f, other);
		differing += strcmp(first, other) != 0;
	}
	assert_true(differing >= 5);
}

static void bad_files_are_failures_with_their_name_and_the_next_file_follows(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX];
	static const uint8_t zeros[5000];

	write_four(f);
	write_file(f, "b.jpg", "", 0);
	write_file(f, "c.JPEG", "this is no picture", 18);
	write_file(f, "d.jpg", zeros, sizeof zeros);
	write_jpeg(f, "e.jpg", 200);
	assert_int_equal(open_folder(f, "\"maxBytes\":4096,\"loop\":false"), 0);
	expect_file(f, "a.jpg");
	(void)snprintf(path, sizeof path, "%s/e.jpg", f->captures);
	assert_int_equal(capture(f), VD_SOURCE_FAILED);
	assert_string_equal(f->fault.text, "b.jpg: JPEG: is empty");
	assert_int_equal(capture(f), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "c.JPEG: JPEG: Not a JPEG file"));
	assert_int_equal(capture(f), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "d.jpg is larger than 4096 bytes"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(capture(f), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "e.jpg: No such file"));
	assert_int_equal(capture(f), VD_SOURCE_EXHAUSTED);
}

static void a_picture_that_claims_too_many_pixels_is_a_failure(void **state)
{
	struct fixture *f = *state;

	write_jpeg(f, "a.jpg", 1);
	assert_int_equal(open_folder(f, "\"maxPixels\":127"), 0);
	assert_int_equal(capture(f), VD_SOURCE_FAILED);
	assert_string_equal(f->fault.text, "a.jpg: JPEG: 16x8 is more than 127 pixels");
}

static void an_absent_or_empty_folder_is_lost_until_it_is_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_folder(f, ""), VD_SOURCE_LOST);
	assert_non_null(strstr(f->fault.text, "no file matches"));
	assert_int_equal(rmdir(f->captures), 0);
	assert_int_equal(open_folder(f, ""), VD_SOURCE_LOST);
	assert_non_null(strstr(f->fault.text, "No such file or directory"));
	assert_int_equal(mkdir(f->captures, 0755), 0);
	write_jpeg(f, "a.jpg", 1);
	assert_int_equal(open_folder(f, ""), 0);
	expect_file(f, "a.jpg");
}

static void the_serial_is_what_the_group_matches(void **state)
{
	struct fixture *f = *state;

	write_four(f);
	assert_int_equal(open_folder(f, "\"serialPattern\":\"^([a-c])\\\\.\""), 0);
	expect_file(f, "a.jpg");
	assert_string_equal(f->frame.serial, "a");
	expect_file(f, "b.jpg");
	expect_file(f, "c.JPEG");
	expect_file(f, "d.jpg");
	assert_string_equal(f->frame.serial, "");
}

static void faults_are_injected_every_nth_time(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };

	write_four(f);
	assert_int_equal(open_folder(f, "\"failEvery\":3,\"corruptEvery\":2"), 0);
	expect_file(f, "a.jpg");
	assert_int_equal(capture(f), 0);
	assert_int_not_equal(vd_jpeg_decode_grey(f->frame.bytes.data, f->frame.bytes.len, NULL,
						 &image, NULL, NULL),
			     0);
	assert_int_equal(capture(f), VD_SOURCE_FAILED);
	assert_non_null(strstr(f->fault.text, "c.JPEG"));
	assert_int_equal(capture(f), 0);
	expect_file(f, "a.jpg");
}

static void start_after_begins_behind_a_name_even_one_that_is_gone(void **state)
{
	struct fixture *f = *state;

	write_four(f);
	assert_int_equal(open_folder(f, "\"startAfter\":\"b.jpg\""), 0);
	expect_file(f, "c.JPEG");
	assert_int_equal(open_folder(f, "\"startAfter\":\"bb\""), 0);
	expect_file(f, "c.JPEG");
}

static void hand_over(struct fixture *f)
{
	f->source->type->handed_over(f->source, f->frame.name, f->frame.round);
}

static void resume_goes_on_behind_the_last_file_handed_over(void **state)
{
	struct fixture *f = *state;

	write_four(f);
	assert_int_equal(open_folder(f, "\"resume\":true,\"loop\":false"), 0);
	expect_file(f, "a.jpg");
	hand_over(f);
	expect_file(f, "b.jpg");
	hand_over(f);
	expect_file(f, "c.JPEG"); /* not handed over: it comes again */
	assert_int_equal(open_folder(f, "\"resume\":true,\"loop\":false"), 0);
	expect_file(f, "c.JPEG");
	hand_over(f);
	expect_file(f, "d.jpg");
	hand_over(f);
	assert_int_equal(open_folder(f, "\"resume\":true,\"loop\":false"), 0);
	assert_int_equal(capture(f), VD_SOURCE_EXHAUSTED);
}

static void resume_keeps_its_place_in_a_shuffled_round(void **state)
{
	static const char more[] = "\"resume\":true,\"order\":\"random\",\"seed\":3";
	struct fixture *f = *state;
	char names[9] = "";
	char expected[9] = "";

	write_four(f);
	assert_int_equal(open_folder(f, "\"order\":\"random\",\"seed\":3"), 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(capture(f), 0);
		expected[i] = f->frame.name[0];
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(open_folder(f, more), 0);
		assert_int_equal(capture(f), 0);
		names[i] = f->frame.name[0];
		hand_over(f);
	}
	assert_string_equal(names, expected);
}

static void a_broken_position_file_is_no_reason_not_to_start(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX];

	write_four(f);
	(void)snprintf(path, sizeof path, "%s/position.json", f->state);
	assert_int_equal(vd_file_write(path, "{\"last\":", 8, 0600), 0);
	assert_int_equal(open_folder(f, "\"resume\":true"), 0);
	expect_file(f, "a.jpg");
}

static void new_settings_go_on_where_the_old_ones_stood(void **state)
{
	struct fixture *f = *state;
	struct vd_camera_settings *settings;
	struct vd_camera_source *old;

	write_four(f);
	assert_int_equal(open_folder(f, ""), 0);
	expect_file(f, "a.jpg");
	old = VD_TAKE(f->source);
	settings = VD_TAKE(f->settings);
	assert_int_equal(open_folder(f, "\"delayMs\":1"), 0);
	f->source->type->inherit(f->source, old);
	assert_int_equal(f->source->type->open(f->source, &f->fault), 0);
	old = vd_camera_source_free(old);
	settings = vd_camera_settings_free(settings);
	expect_file(f, "b.jpg");
}

#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(FIXTURE(files_come_by_name_and_bit_for_bit),
	     FIXTURE(without_loop_the_folder_is_exhausted),
	     FIXTURE(the_same_seed_gives_the_same_order),
	     FIXTURE(bad_files_are_failures_with_their_name_and_the_next_file_follows),
	     FIXTURE(a_picture_that_claims_too_many_pixels_is_a_failure),
	     FIXTURE(an_absent_or_empty_folder_is_lost_until_it_is_there),
	     FIXTURE(the_serial_is_what_the_group_matches),
	     FIXTURE(faults_are_injected_every_nth_time),
	     FIXTURE(start_after_begins_behind_a_name_even_one_that_is_gone),
	     FIXTURE(resume_goes_on_behind_the_last_file_handed_over),
	     FIXTURE(resume_keeps_its_place_in_a_shuffled_round),
	     FIXTURE(a_broken_position_file_is_no_reason_not_to_start),
	     FIXTURE(new_settings_go_on_where_the_old_ones_stood))
