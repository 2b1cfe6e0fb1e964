/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/film.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

enum { PERIOD_MS = 100 };

struct fixture {
	char folder[64];
	struct vd_archive *archive;
	struct vd_film *film;
};

static void limit(struct fixture *f, uint64_t bytes, uint64_t free_bytes)
{
	const struct vd_archive_limits limits = { bytes, free_bytes };

	vd_archive_limit(f->archive, &limits);
}

static int set_up(void **state)
{
	const struct vd_film_about about = { .name = "00000001-clip",
					     .camera = "cam-top",
					     .period_us = PERIOD_MS * 1000,
					     .most_bytes = 100000,
					     .most_places = 100 };
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/vd-film-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	assert_int_equal(vd_archive_open(f->folder, &f->archive, NULL), 0);
	limit(f, 1 << 20, 0);
	assert_int_equal(vd_film_new(f->archive, &about, &f->film), 0);
	*state = f;
	return 0;
}

static unsigned remove_entries(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder))) {
		char child[PATH_MAX];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		(void)snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
		if (unlink(child) < 0) {
			(void)remove_entries(child);
			(void)rmdir(child);
		}
	}
	if (folder)
		(void)closedir(folder);
	return count;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	f->film = vd_film_free(f->film);
	f->archive = vd_archive_free(f->archive);
	(void)remove_entries(f->folder);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

static int add(struct fixture *f, uint32_t place, size_t len, uint32_t width,
	       struct vd_fault *fault)
{
	struct vd_camera_event event = { .request = { .seq = place + 1, .trigger = "timer" } };
	VD_CLEANUP(vd_shot_free) struct vd_shot *shot = NULL;

	event.frame.width = width;
	event.frame.height = 48;
	event.frame.t_mono_ms = 1000 + (uint64_t)place * PERIOD_MS;
	while (event.frame.bytes.len < len)
		assert_int_equal(vd_buf_append(&event.frame.bytes, "x", 1), 0);
	shot = vd_shot_take(&event);
	assert_non_null(shot);
	return vd_film_add(f->film, shot, place, fault);
}

static int end(struct fixture *f, uint32_t places, struct vd_film_result *result)
{
	struct vd_fault fault = { 0 };
	int r = vd_film_end(f->film, places, "test", result, &fault);

	assert_int_equal(r < 0, fault.code != 0);
	if (r == 0)
		vd_close(&result->fd);
	f->film = vd_film_free(f->film);
	return r;
}

static void a_film_lasts_as_long_as_it_is_told(void **state)
{
	struct fixture *f = *state;
	struct vd_film_result result;
	struct vd_archive_counts counts;

	assert_int_equal(add(f, 0, 100, 64, NULL), 0);
	assert_int_equal(add(f, 5, 100, 64, NULL), 0);
	assert_int_equal(end(f, 20, &result), 0);
	assert_int_equal(result.frames, 2);
	assert_int_equal(result.places, 20);
	assert_int_equal(strlen(result.sha256), 64);
	vd_archive_counts(f->archive, &counts);
	assert_int_equal(counts.entries, 1);
	assert_in_range(counts.bytes, result.bytes,
			result.bytes + 1000); /* none is still set aside */
}

static void a_film_ends_with_what_it_has_when_the_disk_is_full(void **state)
{
	struct fixture *f = *state;
	struct vd_film_result result;
	struct vd_fault fault = { 0 };

	assert_int_equal(add(f, 0, 100, 64, NULL), 0);
	limit(f, 1 << 20, UINT64_MAX / 4);
	assert_int_equal(add(f, 1, 100, 64, &fault), -ENOSPC);
	assert_int_equal(fault.code, 507);
	assert_int_equal(end(f, 10, &result), 0);
	assert_int_equal(result.frames, 1);
	assert_int_equal(result.places, 1);
}

static void a_film_ends_with_what_it_has_when_its_bytes_are_used_up(void **state)
{
	struct fixture *f = *state;
	struct vd_film_result result;
	uint32_t place = 0;
	int r;

	do
		r = add(f, place++, 5000, 64, NULL);
	while (r == 0);
	assert_int_equal(r, VD_FILM_FULL);
	assert_int_equal(end(f, place, &result), 0);
	assert_int_equal(result.frames, place - 1);
	assert_true(result.bytes <= 100000);
}

static void a_picture_of_another_size_is_not_put_into_the_film(void **state)
{
	struct fixture *f = *state;
	struct vd_film_result result;

	assert_int_equal(add(f, 0, 100, 64, NULL), 0);
	assert_int_equal(add(f, 1, 100, 65, NULL), VD_FILM_OTHER_SIZE);
	assert_int_equal(end(f, 2, &result), 0);
	assert_int_equal(result.width, 64);
}

static void a_film_without_a_frame_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct vd_film_result result;

	assert_int_equal(end(f, 10, &result), -ENODATA);
	assert_int_equal(remove_entries(f->folder), 0);
}

static void a_film_that_could_not_begin_says_at_its_end_why(void **state)
{
	struct fixture *f = *state;
	struct vd_film_result result;
	struct vd_fault fault = { 0 };

	limit(f, 1000, 0);
	assert_int_equal(add(f, 0, 100, 64, &fault), -EDQUOT);
	assert_true(vd_film_end(f->film, 1, NULL, &result, &fault) < 0);
	assert_int_equal(fault.code, 507);
	f->film = vd_film_free(f->film);
	assert_int_equal(remove_entries(f->folder), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(a_film_lasts_as_long_as_it_is_told),
	     TEST(a_film_ends_with_what_it_has_when_the_disk_is_full),
	     TEST(a_film_ends_with_what_it_has_when_its_bytes_are_used_up),
	     TEST(a_picture_of_another_size_is_not_put_into_the_film),
	     TEST(a_film_without_a_frame_leaves_nothing),
	     TEST(a_film_that_could_not_begin_says_at_its_end_why))
