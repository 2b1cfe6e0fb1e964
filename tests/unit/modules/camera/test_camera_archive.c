/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vd_test.h"

struct fixture {
	char folder[64];
	struct vd_archive *archive;
};

static void open_archive(struct fixture *f, uint64_t bytes)
{
	const struct vd_archive_limits limits = { .bytes = bytes };
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_archive_open(f->folder, &f->archive, &fault), 0);
	vd_archive_limit(f->archive, &limits);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/vd-archive-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	open_archive(f, 1000);
	*state = f;
	return 0;
}

/* How many stand in it, hidden ones too. */
static unsigned empty_folder(const char *path, bool is_emptied)
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
		if (is_emptied && unlink(child) < 0) {
			(void)empty_folder(child, true);
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

	f->archive = vd_archive_free(f->archive);
	(void)empty_folder(f->folder, true);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

static void begin(struct fixture *f, struct vd_archive_entry *entry)
{
	char name[VD_ARCHIVE_NAME];

	vd_archive_name(f->archive, "keep", name);
	assert_int_equal(vd_archive_begin(f->archive, name, entry, NULL), 0);
}

static int write_bytes(struct vd_archive_entry *entry, const char *file, size_t len)
{
	char bytes[2000];
	struct vd_fault fault = { 0 };
	int r;

	memset(bytes, 'x', sizeof bytes);
	r = vd_archive_write(entry, file, bytes, len, &fault);
	if (r < 0)
		assert_int_equal(fault.code, 507);
	return r;
}

static void keep(struct fixture *f, size_t len, char name[static VD_ARCHIVE_NAME])
{
	struct vd_archive_entry entry;

	begin(f, &entry);
	(void)snprintf(name, VD_ARCHIVE_NAME, "%s", entry.name);
	assert_int_equal(write_bytes(&entry, "a.bin", len), 0);
	assert_int_equal(vd_archive_commit(&entry, NULL), 0);
}

static int read_entry(struct fixture *f, const char *name, const char *file)
{
	uint64_t bytes;
	int fd, r = vd_archive_read(f->archive, name, file, &fd, &bytes);

	if (r < 0)
		return r;
	(void)close(fd);
	return (int)bytes;
}

static void an_entry_is_seen_when_it_is_whole_and_not_before(void **state)
{
	struct fixture *f = *state;
	struct vd_archive_entry entry;

	begin(f, &entry);
	assert_int_equal(write_bytes(&entry, "a.bin", 10), 0);
	assert_int_equal(read_entry(f, "00000001-keep", "a.bin"), -ENOENT);
	assert_int_equal(vd_archive_commit(&entry, NULL), 0);
	assert_int_equal(read_entry(f, "00000001-keep", "a.bin"), 10);
}

static void the_oldest_entries_make_room(void **state)
{
	struct fixture *f = *state;
	struct vd_archive_counts counts;
	char names[5][VD_ARCHIVE_NAME];

	for (unsigned i = 0; i < 5; i++)
		keep(f, 300, names[i]);
	vd_archive_counts(f->archive, &counts);
	assert_int_equal(counts.entries, 3);
	assert_int_equal(counts.bytes, 900);
	assert_int_equal(counts.evicted, 2);
	assert_int_equal(read_entry(f, names[1], "a.bin"), -ENOENT);
	assert_int_equal(read_entry(f, names[2], "a.bin"), 300);
}

static void what_can_never_fit_costs_no_other_entry_its_place(void **state)
{
	struct fixture *f = *state;
	struct vd_archive_entry entry;
	char name[VD_ARCHIVE_NAME];

	keep(f, 900, name);
	begin(f, &entry);
	assert_int_equal(write_bytes(&entry, "a.bin", 1001), -EDQUOT);
	vd_archive_discard(&entry);
	assert_int_equal(read_entry(f, name, "a.bin"), 900);
	assert_int_equal(empty_folder(f->folder, false), 1);
}

static void two_entries_at_once_stay_within_the_bound_together(void **state)
{
	struct fixture *f = *state;
	struct vd_archive_entry one, two;
	struct vd_archive_counts counts;

	begin(f, &one);
	begin(f, &two);
	assert_int_equal(write_bytes(&one, "a.bin", 600), 0);
	assert_int_equal(write_bytes(&two, "a.bin", 600), -EDQUOT);
	vd_archive_discard(&two);
	assert_int_equal(vd_archive_commit(&one, NULL), 0);
	vd_archive_counts(f->archive, &counts);
	assert_int_equal(counts.bytes, 600);
}

static void a_file_system_without_room_is_said(void **state)
{
	struct fixture *f = *state;
	const struct vd_archive_limits limits = { .bytes = 1000, .free_bytes = UINT64_MAX / 4 };
	struct vd_archive_entry entry;

	vd_archive_limit(f->archive, &limits);
	begin(f, &entry);
	assert_int_equal(write_bytes(&entry, "a.bin", 10), -ENOSPC);
	vd_archive_discard(&entry);
	assert_int_equal(empty_folder(f->folder, false), 0);
}

static void a_disk_that_others_have_filled_costs_no_entry_its_place(void **state)
{
	struct fixture *f = *state;
	const struct vd_archive_limits limits = { .bytes = 1000, .free_bytes = UINT64_MAX / 4 };
	struct vd_archive_entry entry;
	char name[VD_ARCHIVE_NAME];

	keep(f, 100, name);
	vd_archive_limit(f->archive, &limits);
	begin(f, &entry);
	assert_int_equal(write_bytes(&entry, "a.bin", 10), -ENOSPC);
	vd_archive_discard(&entry);
	assert_int_equal(read_entry(f, name, "a.bin"), 100);
}

static void a_new_start_removes_what_was_half_written_and_goes_on_counting(void **state)
{
	struct fixture *f = *state;
	struct vd_archive_entry entry;
	struct vd_archive_counts counts;
	char name[VD_ARCHIVE_NAME];

	keep(f, 100, name);
	begin(f, &entry);
	assert_int_equal(write_bytes(&entry, "a.bin", 10), 0);
	vd_close(&entry.folder_fd);
	f->archive = vd_archive_free(f->archive);
	assert_int_equal(empty_folder(f->folder, false), 2);

	open_archive(f, 1000);
	assert_int_equal(empty_folder(f->folder, false), 1);
	vd_archive_counts(f->archive, &counts);
	assert_int_equal(counts.bytes, 100);
	vd_archive_name(f->archive, "clip", name);
	assert_string_equal(name, "00000002-clip");
}

static void names_from_outside_reach_nothing_else(void **state)
{
	static const char *const names[] = { "",  "..",   ".new-00000001-keep", "00000001-keep/..",
					     "/", "kept", "00000001-",          "1-keep" };
	static const char *const files[] = { "", "..", "../../etc/passwd", ".hidden",
					     "/etc/passwd" };
	struct fixture *f = *state;
	char name[VD_ARCHIVE_NAME];

	keep(f, 10, name);
	for (size_t i = 0; i < VD_COUNT(names); i++)
		assert_true(read_entry(f, names[i], "a.bin") < 0);
	for (size_t i = 0; i < VD_COUNT(files); i++)
		assert_int_equal(read_entry(f, name, files[i]), -ENOENT);
}

static void strangers_in_the_folder_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct vd_archive_counts counts;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/lost+found", f->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	f->archive = vd_archive_free(f->archive);
	open_archive(f, 1000);
	vd_archive_counts(f->archive, &counts);
	assert_int_equal(counts.entries, 0);
	assert_int_equal(empty_folder(f->folder, false), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
VD_TEST_MAIN(TEST(an_entry_is_seen_when_it_is_whole_and_not_before),
	     TEST(the_oldest_entries_make_room),
	     TEST(what_can_never_fit_costs_no_other_entry_its_place),
	     TEST(two_entries_at_once_stay_within_the_bound_together),
	     TEST(a_file_system_without_room_is_said),
	     TEST(a_disk_that_others_have_filled_costs_no_entry_its_place),
	     TEST(a_new_start_removes_what_was_half_written_and_goes_on_counting),
	     TEST(names_from_outside_reach_nothing_else),
	     TEST(strangers_in_the_folder_are_left_alone))
