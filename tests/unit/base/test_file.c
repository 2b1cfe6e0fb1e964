/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vd_test.h"

static char folder[] = "/tmp/vd-test-file-XXXXXX";

static const char *in_folder(const char *name, char path[static 256])
{
	(void)snprintf(path, 256, "%s/%s", folder, name);
	return path;
}

static int count_files(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static int make_folder(void **state)
{
	(void)snprintf(folder, sizeof folder, "%s", "/tmp/vd-test-file-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "a", "b", "x/y/z", "x/y", "x" };
	char path[256];

	for (size_t i = 0; i < VD_COUNT(names); i++)
		(void)remove(in_folder(names[i], path));
	return rmdir(folder);
}

static void what_is_written_reads_back(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	char path[256];
	struct stat status;

	assert_int_equal(vd_file_write(in_folder("a", path), "first", 5, 0600), 0);
	assert_int_equal(vd_file_write(path, "a\0b", 3, 0640), 0);
	assert_int_equal(vd_file_read(path, 3, &out, NULL), 0);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.data, "a\0b", 3);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(count_files(), 1);
}

static void the_umask_does_not_change_the_mode(void **state)
{
	char path[256];
	struct stat status;
	mode_t old = umask(0077);

	assert_int_equal(vd_file_write(in_folder("a", path), "", 0, 0644), 0);
	(void)umask(old);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
}

static void a_file_above_the_limit_is_refused(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_fault fault = { 0 };
	char path[256], *big = calloc(1, 40000);

	assert_non_null(big);
	assert_int_equal(vd_file_write(in_folder("a", path), big, 40000, 0600), 0);
	free(big);
	assert_int_equal(vd_file_read(path, 39999, &out, &fault), -EFBIG);
	assert_int_equal(fault.code, 413);
	vd_buf_clear(&out);
	assert_int_equal(vd_file_read(path, 40000, &out, &fault), 0);
	assert_int_equal(out.len, 40000);
}

static void a_file_that_is_not_there_is_404(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct vd_fault fault = { 0 };
	char path[256], wanted[400];

	assert_int_equal(vd_file_read(in_folder("none", path), 10, &out, &fault), -ENOENT);
	assert_int_equal(fault.code, 404);
	(void)snprintf(wanted, sizeof wanted, "%s: No such file or directory", path);
	assert_string_equal(fault.text, wanted);
	assert_int_equal(vd_file_read(folder, 10, &out, &fault), -EISDIR);
	assert_int_equal(fault.code, 500);
}

/* A full disk, by the limit on file size: nothing is left behind, and the old file stays. */
static void a_write_that_fails_leaves_the_old_file_and_no_other(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct rlimit old, small;
	char path[256], *big = calloc(1, 100000);

	assert_non_null(big);
	assert_int_equal(vd_file_write(in_folder("a", path), "old", 3, 0600), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ .rlim_cur = 5000, .rlim_max = old.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(vd_file_write(path, big, 100000, 0600), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	free(big);
	assert_int_equal(vd_file_read(path, 100, &out, NULL), 0);
	assert_string_equal(out.data, "old");
	assert_int_equal(count_files(), 1);
}

static void writing_where_nothing_can_be_written_fails(void **state)
{
	char path[256];

	assert_int_equal(vd_file_write(in_folder("none/a", path), "x", 1, 0600), -ENOENT);
	/* The new name is a folder: the rename fails, and the temporary file goes. */
	assert_int_equal(mkdir(in_folder("x", path), 0700), 0);
	assert_int_equal(mkdir(in_folder("x/y", path), 0700), 0);
	assert_int_equal(vd_file_write(in_folder("x", path), "x", 1, 0600), -EISDIR);
	assert_int_equal(count_files(), 1);
}

static void folders_are_made_with_all_above_them(void **state)
{
	char path[256];

	assert_int_equal(vd_file_make_folders(in_folder("x/y//z", path), 0700), 0);
	assert_int_equal(vd_file_make_folders(in_folder("x/y/z/", path), 0700), 0);
	assert_int_equal(access(in_folder("x/y/z", path), X_OK), 0);
	assert_int_equal(vd_file_make_folders("/", 0700), 0);
	assert_int_equal(vd_file_make_folders("", 0700), -ENOENT);
}

static void a_file_in_the_way_of_a_folder_is_said(void **state)
{
	char path[256];

	assert_int_equal(vd_file_write(in_folder("a", path), "", 0, 0600), 0);
	assert_int_equal(vd_file_make_folders(path, 0700), -ENOTDIR);
	assert_int_equal(vd_file_make_folders(in_folder("a/b", path), 0700), -ENOTDIR);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

VD_TEST_MAIN(IN_FOLDER(what_is_written_reads_back), IN_FOLDER(the_umask_does_not_change_the_mode),
	     IN_FOLDER(a_file_above_the_limit_is_refused),
	     IN_FOLDER(a_file_that_is_not_there_is_404),
	     IN_FOLDER(a_write_that_fails_leaves_the_old_file_and_no_other),
	     IN_FOLDER(writing_where_nothing_can_be_written_fails),
	     IN_FOLDER(folders_are_made_with_all_above_them),
	     IN_FOLDER(a_file_in_the_way_of_a_folder_is_said))
