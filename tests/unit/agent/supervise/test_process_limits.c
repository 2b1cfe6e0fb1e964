/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of plain files stands in for a delegated cgroup: what the kernel would be told. */
#include "agent/supervise/process_limits.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "vd_test.h"

struct tree {
	char folder[64];
};

static const char *const files[] = { "memory.max", "pids.max", "cgroup.procs", "memory.events" };

static void path_of(const struct tree *t, const char *file, char path[200])
{
	(void)snprintf(path, 200, "%s/module-a/%s", t->folder, file);
}

static void put_file(const struct tree *t, const char *file, const char *text)
{
	char path[200];

	path_of(t, file, path);
	assert_int_equal(vd_file_write(path, text, strlen(text), 0600), 0);
}

static int set_up(void **state)
{
	struct tree *t = calloc(1, sizeof *t);
	char path[200];

	assert_non_null(t);
	(void)snprintf(t->folder, sizeof t->folder, "/tmp/vd-limits-XXXXXX");
	assert_non_null(mkdtemp(t->folder));
	(void)snprintf(path, sizeof path, "%s/module-a", t->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < VD_COUNT(files); i++)
		put_file(t, files[i], "");
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *t = *state;
	char path[200];

	for (size_t i = 0; i < VD_COUNT(files); i++) {
		path_of(t, files[i], path);
		(void)unlink(path);
	}
	vd_limits_forget(t->folder, "a");
	assert_int_equal(rmdir(t->folder), 0);
	free(t);
	return 0;
}

static void expect_file(const struct tree *t, const char *file, const char *text)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf have = { 0 };
	char path[200];

	path_of(t, file, path);
	assert_int_equal(vd_file_read(path, 100, &have, NULL), 0);
	assert_string_equal(have.len ? have.data : "", text);
}

static pid_t fork_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	return pid;
}

static void end_sleeper(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void a_leaf_gets_the_limits_and_then_the_process(void **state)
{
	const struct vd_limits limits = { .memory_bytes = UINT64_C(1) << 46, .processes = 8 };
	pid_t pid = fork_sleeper();
	struct rlimit data;
	char wanted[32];

	assert_int_equal(vd_limits_apply(&limits, ((struct tree *)*state)->folder, "a", pid), 0);
	expect_file(*state, "memory.max", "70368744177664\n");
	expect_file(*state, "pids.max", "8\n");
	(void)snprintf(wanted, sizeof wanted, "%d\n", (int)pid);
	expect_file(*state, "cgroup.procs", wanted);
	assert_int_equal(prlimit(pid, RLIMIT_DATA, NULL, &data), 0);
	assert_int_equal(data.rlim_max, UINT64_C(1) << 46);
	end_sleeper(pid);
}

static void a_limit_of_processes_without_a_cgroup_is_said_to_be_missing(void **state)
{
	const struct vd_limits limits = { .processes = 8 };

	assert_int_equal(vd_limits_apply(&limits, NULL, "a", getpid()), -EOPNOTSUPP);
	assert_int_equal(vd_limits_apply(&(struct vd_limits){ 0 }, NULL, "a", getpid()), 0);
}

static void a_cgroup_that_is_not_there_is_an_error(void **state)
{
	assert_int_equal(vd_limits_apply(&(struct vd_limits){ 0 }, "/nonexistent", "a", getpid()),
			 -ENOENT);
}

static void kills_for_memory_are_read_from_the_leaf(void **state)
{
	struct tree *t = *state;

	assert_int_equal(vd_limits_oom_kills(t->folder, "a"), 0);
	put_file(t, "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n");
	assert_int_equal(vd_limits_oom_kills(t->folder, "a"), 2);
	assert_int_equal(vd_limits_oom_kills(t->folder, "nobody"), 0);
	(void)vd_limits_oom_kills(NULL, "a"); /* of this machine: any number */
}

#define IN_A_TREE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(IN_A_TREE(a_leaf_gets_the_limits_and_then_the_process),
	     cmocka_unit_test(a_limit_of_processes_without_a_cgroup_is_said_to_be_missing),
	     cmocka_unit_test(a_cgroup_that_is_not_there_is_an_error),
	     IN_A_TREE(kills_for_memory_are_read_from_the_leaf))
