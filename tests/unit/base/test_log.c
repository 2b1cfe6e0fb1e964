/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

static int saved = -1, pipe_ends[2] = { -1, -1 };
static char caught[16384];

static int catch_stderr(void **state)
{
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	if (saved < 0 || pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	(void)setenv("JOURNAL_STREAM", "8:1", 1);
	vd_log_set_level(VD_INFO);
	return dup2(pipe_ends[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static const char *caught_lines(void)
{
	ssize_t n = read(pipe_ends[0], caught, sizeof caught - 1);

	caught[n > 0 ? n : 0] = '\0';
	return caught;
}

static int release_stderr(void **state)
{
	(void)dup2(saved, STDERR_FILENO);
	vd_close(&saved);
	vd_close(&pipe_ends[0]);
	vd_close(&pipe_ends[1]);
	(void)unsetenv("JOURNAL_STREAM");
	return 0;
}

static void an_event_is_one_line_with_its_priority(void **state)
{
	vd_log(VD_WARN, "module.exited", "module=%s signal=%d", "cam-top", 9);
	assert_string_equal(caught_lines(), "<4>module.exited module=cam-top signal=9\n");
}

static void outside_of_journald_the_time_stands_before_it(void **state)
{
	(void)unsetenv("JOURNAL_STREAM");
	vd_log(VD_ERROR, "x.y", "a=1");
	assert_string_equal(caught_lines() + 24, " error  x.y a=1\n");
	assert_int_equal(caught[23], 'Z');
}

static void levels_below_the_threshold_are_silent(void **state)
{
	vd_log(VD_DEBUG, "x", "a=1");
	assert_string_equal(caught_lines(), "");
	assert_false(vd_log_is_on(VD_DEBUG));
	vd_log_set_level(VD_DEBUG);
	vd_log(VD_DEBUG, "x", "a=1");
	assert_string_equal(caught_lines(), "<7>x a=1\n");
	vd_log_set_level(VD_ERROR);
	vd_log(VD_WARN, "x", "a=1");
	assert_string_equal(caught_lines(), "");
}

static void a_newline_or_an_escape_from_outside_forges_nothing(void **state)
{
	vd_log(VD_INFO, "x", "text=%s", "a\n<0>forged b\r\x1B[2Jc\x7F");
	assert_string_equal(caught_lines(), "<6>x text=a <0>forged b  [2Jc \n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	char text[5000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	vd_log(VD_INFO, "x", "%s", text);
	assert_int_equal(strlen(caught_lines()), 2048);
	assert_int_equal(caught[2047], '\n');
	vd_log(VD_INFO, text, "%s", text);
	assert_int_equal(strlen(caught_lines()), 2048);
}

static void names_of_levels_are_read_and_written(void **state)
{
	static const char *const names[] = { "error", "warn", "notice", "info", "debug" };
	enum vd_log_level level = VD_ERROR;

	for (size_t i = 0; i < VD_COUNT(names); i++) {
		assert_int_equal(vd_log_level_parse(names[i], &level), 0);
		assert_string_equal(vd_log_level_name(level), names[i]);
	}
	assert_int_equal(vd_log_level_parse("Info", &level), -EINVAL);
	assert_int_equal(vd_log_level_parse("", &level), -EINVAL);
}

#define CAUGHT(test) cmocka_unit_test_setup_teardown(test, catch_stderr, release_stderr)

VD_TEST_MAIN(CAUGHT(an_event_is_one_line_with_its_priority),
	     CAUGHT(outside_of_journald_the_time_stands_before_it),
	     CAUGHT(levels_below_the_threshold_are_silent),
	     CAUGHT(a_newline_or_an_escape_from_outside_forges_nothing),
	     CAUGHT(a_long_line_is_cut_and_still_ends),
	     cmocka_unit_test(names_of_levels_are_read_and_written))
