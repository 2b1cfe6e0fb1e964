/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vd_test.h"

struct fixture {
	char folder[64], done[80];
	struct vd_loop *loop;
	struct vd_source *end;
	struct vd_drop *drop;
	char offered[512];
	enum vd_drop_answer answer;
	int busy; /* answers VD_DROP_LATER so often first */
};

static enum vd_drop_answer on_file(const char *name, const char *path, void *argument)
{
	struct fixture *f = argument;
	size_t len;

	if (f->busy > 0) {
		f->busy--;
		return VD_DROP_LATER;
	}
	assert_int_equal(access(path, R_OK), 0);
	len = strlen(f->offered);
	(void)snprintf(f->offered + len, sizeof f->offered - len, "%s ", name);
	return f->answer;
}

static void stop(void *argument)
{
	struct fixture *f = argument;

	vd_loop_stop(f->loop, 0);
}

static void begin(struct fixture *f)
{
	*f = (struct fixture){ .folder = "/tmp/drop-XXXXXX" };
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->done, sizeof f->done, "%s/done", f->folder);
	assert_int_equal(mkdir(f->done, 0700), 0);
	assert_int_equal(vd_loop_new(&f->loop), 0);
	assert_int_equal(vd_loop_timer(f->loop, stop, f, &f->end), 0);
}

static void watch(struct fixture *f, const char *done)
{
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_drop_new(f->loop, f->folder, done, on_file, f, &f->drop, &fault), 0);
}

static void run(struct fixture *f, unsigned ms)
{
	assert_int_equal(vd_timer_arm(f->end, ms), 0);
	assert_int_equal(vd_loop_run(f->loop), 0);
}

static const char *path_in(const char *folder, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void drop(const struct fixture *f, const char *name)
{
	FILE *file = fopen(path_in(f->folder, name), "we");

	assert_non_null(file);
	(void)fputs("x", file);
	(void)fclose(file);
}

static bool lies_in(const char *folder, const char *name)
{
	return access(path_in(folder, name), F_OK) == 0;
}

static void end(struct fixture *f)
{
	static const char names[] = "a\0b\0c\0.hidden\0d.tmp\0e.part\0old\0young\0";

	f->drop = vd_drop_free(f->drop);
	(void)vd_source_free(f->end);
	(void)vd_loop_free(f->loop);
	for (const char *name = names; *name; name += strlen(name) + 1) {
		(void)unlink(path_in(f->folder, name));
		(void)unlink(path_in(f->done, name));
	}
	assert_int_equal(rmdir(f->done), 0);
	assert_int_equal(rmdir(f->folder), 0);
}

static void a_file_is_taken_when_its_writer_closes_it(void **state)
{
	struct fixture f;
	int fd;

	begin(&f);
	watch(&f, "");
	fd = open(path_in(f.folder, "a"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "half", 4), 4);
	run(&f, 100);
	assert_string_equal(f.offered, "");
	(void)close(fd);
	run(&f, 100);
	assert_string_equal(f.offered, "a ");
	end(&f);
}

static void a_file_is_taken_when_it_is_renamed_into_the_folder(void **state)
{
	struct fixture f;
	char from[256];

	begin(&f);
	watch(&f, "");
	drop(&f, "d.tmp");
	drop(&f, ".hidden");
	drop(&f, "e.part");
	run(&f, 100);
	assert_string_equal(f.offered, "");
	(void)snprintf(from, sizeof from, "%s/d.tmp", f.folder);
	assert_int_equal(rename(from, path_in(f.folder, "b")), 0);
	run(&f, 100);
	assert_string_equal(f.offered, "b ");
	end(&f);
}

static void a_consumed_file_is_gone_or_lies_elsewhere(void **state)
{
	struct fixture f;

	begin(&f);
	watch(&f, "");
	drop(&f, "a");
	run(&f, 50);
	assert_true(lies_in(f.folder, "a"));
	vd_drop_consume(f.drop, "a");
	assert_false(lies_in(f.folder, "a"));
	f.drop = vd_drop_free(f.drop);
	watch(&f, f.done);
	drop(&f, "a");
	run(&f, 50);
	assert_string_equal(f.offered, "a a ");
	vd_drop_consume(f.drop, "a");
	assert_false(lies_in(f.folder, "a"));
	assert_true(lies_in(f.done, "a"));
	end(&f);
}

static void what_cannot_be_taken_yet_is_offered_again_in_order(void **state)
{
	struct fixture f;

	begin(&f);
	watch(&f, "");
	f.busy = 2;
	drop(&f, "c");
	drop(&f, "a");
	drop(&f, "b");
	run(&f, 20);
	assert_string_equal(f.offered, "");
	assert_int_equal(vd_drop_waiting(f.drop), 3);
	run(&f, 500);
	assert_string_equal(f.offered, "a b c ");
	assert_int_equal(vd_drop_waiting(f.drop), 0);
	end(&f);
}

static void a_refused_file_is_offered_again_only_when_it_is_dropped_again(void **state)
{
	struct fixture f;

	begin(&f);
	watch(&f, "");
	f.answer = VD_DROP_NEVER;
	drop(&f, "a");
	run(&f, 150);
	drop(&f, "b");
	run(&f, 150);
	assert_string_equal(f.offered, "a b ");
	drop(&f, "a");
	run(&f, 150);
	assert_string_equal(f.offered, "a b a ");
	end(&f);
}

static void files_that_lie_there_are_taken_once_left_alone(void **state)
{
	struct fixture f;
	struct timespec old[2] = { { .tv_sec = time(NULL) - 60 }, { .tv_sec = time(NULL) - 60 } };

	begin(&f);
	drop(&f, "old");
	drop(&f, "young");
	assert_int_equal(utimensat(AT_FDCWD, path_in(f.folder, "old"), old, 0), 0);
	watch(&f, "");
	run(&f, 100);
	assert_string_equal(f.offered, "old ");
	assert_int_equal(utimensat(AT_FDCWD, path_in(f.folder, "young"), old, 0), 0);
	run(&f, 1200);
	assert_string_equal(f.offered, "old young ");
	end(&f);
}

static void a_claimed_file_is_not_offered(void **state)
{
	struct fixture f;

	begin(&f);
	watch(&f, "");
	assert_int_equal(vd_drop_claim(f.drop, "a"), 0);
	drop(&f, "a");
	run(&f, 100);
	assert_string_equal(f.offered, "");
	vd_drop_consume(f.drop, "a");
	assert_false(lies_in(f.folder, "a"));
	end(&f);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	struct fixture f;
	struct vd_fault fault = { 0 };

	begin(&f);
	assert_int_equal(
		vd_drop_new(f.loop, "/tmp/no/such/folder", "", on_file, &f, &f.drop, &fault),
		-ENOENT);
	assert_int_equal(fault.code, 400);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_taken_when_its_writer_closes_it),
		cmocka_unit_test(a_file_is_taken_when_it_is_renamed_into_the_folder),
		cmocka_unit_test(a_consumed_file_is_gone_or_lies_elsewhere),
		cmocka_unit_test(what_cannot_be_taken_yet_is_offered_again_in_order),
		cmocka_unit_test(a_refused_file_is_offered_again_only_when_it_is_dropped_again),
		cmocka_unit_test(files_that_lie_there_are_taken_once_left_alone),
		cmocka_unit_test(a_claimed_file_is_not_offered),
		cmocka_unit_test(a_folder_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
