/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

/* What callbacks leave behind; each test starts with a new one. */
struct scene {
	struct vd_loop *loop;
	struct vd_source *source, *other, *deadline;
	int fds[2];
	int calls, ready, signal;
	char order[16];
};

static void too_late(void *argument)
{
	fail_msg("nothing happened in 10 s");
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof *s);

	if (!s || vd_loop_new(&s->loop) < 0 || pipe2(s->fds, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    vd_loop_timer(s->loop, too_late, s, &s->deadline) < 0 ||
	    vd_timer_arm(s->deadline, 10000) < 0)
		return -1;
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	s->source = vd_source_free(s->source);
	s->other = vd_source_free(s->other);
	s->deadline = vd_source_free(s->deadline);
	s->loop = vd_loop_free(s->loop);
	vd_close(&s->fds[0]);
	vd_close(&s->fds[1]);
	free(s);
	return 0;
}

static void read_and_stop(int fd, int ready, void *argument)
{
	struct scene *s = argument;
	char byte;

	s->ready = ready;
	if (read(fd, &byte, 1) == 1 && ++s->calls == 2)
		vd_loop_stop(s->loop, 7);
}

static void a_readable_descriptor_calls_until_it_is_read(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_fd(s->loop, s->fds[0], VD_READABLE, read_and_stop, s, &s->source),
			 0);
	assert_int_equal(write(s->fds[1], "ab", 2), 2);
	assert_int_equal(vd_loop_run(s->loop), 7);
	assert_int_equal(s->calls, 2);
	assert_int_equal(s->ready, VD_READABLE);
}

static void note_writable(int fd, int ready, void *argument)
{
	struct scene *s = argument;

	s->ready = ready;
	vd_loop_stop(s->loop, 0);
}

static void what_is_waited_for_can_be_changed(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_fd(s->loop, s->fds[1], 0, note_writable, s, &s->source), 0);
	assert_int_equal(vd_source_want(s->source, VD_WRITABLE), 0);
	assert_int_equal(vd_loop_run(s->loop), 0);
	assert_int_equal(s->ready, VD_WRITABLE);
	assert_int_equal(vd_source_want(s->source, 0), 0);
}

static void note_first(void *argument)
{
	struct scene *s = argument;

	s->order[strlen(s->order)] = '1';
}

static void note_second_and_stop(void *argument)
{
	struct scene *s = argument;

	s->order[strlen(s->order)] = '2';
	vd_loop_stop(s->loop, 0);
}

static void timers_fire_in_the_order_of_their_deadlines(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_timer(s->loop, note_second_and_stop, s, &s->other), 0);
	assert_int_equal(vd_loop_timer(s->loop, note_first, s, &s->source), 0);
	assert_false(vd_timer_is_armed(s->source));
	assert_int_equal(vd_timer_arm(s->other, 30), 0);
	assert_int_equal(vd_timer_arm(s->source, 5), 0);
	assert_true(vd_timer_is_armed(s->source));
	assert_int_equal(vd_loop_run(s->loop), 0);
	assert_string_equal(s->order, "12");
	assert_false(vd_timer_is_armed(s->source));
}

static void arming_again_replaces_the_deadline_and_disarming_removes_it(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_timer(s->loop, note_second_and_stop, s, &s->other), 0);
	assert_int_equal(vd_loop_timer(s->loop, note_first, s, &s->source), 0);
	assert_int_equal(vd_timer_arm(s->other, 3600000), 0);
	assert_int_equal(vd_timer_arm(s->other, 10), 0);
	assert_int_equal(vd_timer_arm(s->source, 1), 0);
	vd_timer_disarm(s->source);
	assert_int_equal(vd_loop_run(s->loop), 0);
	assert_string_equal(s->order, "2");
}

static void free_itself_and_stop(void *argument)
{
	struct scene *s = argument;

	s->source = vd_source_free(s->source);
	vd_loop_stop(s->loop, 0);
}

static void a_source_may_free_itself_in_its_callback(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_timer(s->loop, free_itself_and_stop, s, &s->source), 0);
	assert_int_equal(vd_timer_arm(s->source, 0), 0);
	assert_int_equal(vd_loop_run(s->loop), 0);
	assert_null(s->source);
}

static void free_the_other(int fd, int ready, void *argument)
{
	struct scene *s = argument;

	s->calls++;
	s->source = vd_source_free(s->source);
	s->other = vd_source_free(s->other);
	vd_loop_stop(s->loop, 0);
}

/* Both are ready in one pass: the one that is freed is not called any more. */
static void a_source_freed_by_another_is_not_called_any_more(void **state)
{
	struct scene *s = *state;
	int twin = fcntl(s->fds[0], F_DUPFD_CLOEXEC, 0);

	assert_true(twin >= 0);
	assert_int_equal(vd_loop_fd(s->loop, s->fds[0], VD_READABLE, free_the_other, s, &s->source),
			 0);
	assert_int_equal(vd_loop_fd(s->loop, twin, VD_READABLE, free_the_other, s, &s->other), 0);
	assert_int_equal(write(s->fds[1], "a", 1), 1);
	assert_int_equal(vd_loop_run(s->loop), 0);
	assert_int_equal(s->calls, 1);
	vd_close(&twin);
}

static void note_signal(int signal, void *argument)
{
	struct scene *s = argument;

	s->signal = signal;
	vd_loop_stop(s->loop, 0);
}

static void a_signal_calls_from_the_loop(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_signal(s->loop, SIGUSR1, note_signal, s, &s->source), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(s->signal, 0);
	assert_int_equal(vd_loop_run(s->loop), 0);
	assert_int_equal(s->signal, SIGUSR1);
}

static void stop_twice(void *argument)
{
	struct scene *s = argument;

	vd_loop_stop(s->loop, 3);
	vd_loop_stop(s->loop, 4);
}

static void the_first_code_holds_and_the_loop_runs_again(void **state)
{
	struct scene *s = *state;

	assert_int_equal(vd_loop_timer(s->loop, stop_twice, s, &s->source), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vd_timer_arm(s->source, 0), 0);
		assert_int_equal(vd_loop_run(s->loop), 3);
	}
}

static void a_descriptor_that_cannot_be_watched_is_refused(void **state)
{
	struct scene *s = *state;

	assert_true(vd_loop_fd(s->loop, 9999, VD_READABLE, note_writable, s, &s->source) < 0);
	assert_null(s->source);
}

static void freeing_nothing_is_allowed(void **state)
{
	assert_null(vd_source_free(NULL));
	assert_null(vd_loop_free(NULL));
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(ON_LOOP(a_readable_descriptor_calls_until_it_is_read),
	     ON_LOOP(what_is_waited_for_can_be_changed),
	     ON_LOOP(timers_fire_in_the_order_of_their_deadlines),
	     ON_LOOP(arming_again_replaces_the_deadline_and_disarming_removes_it),
	     ON_LOOP(a_source_may_free_itself_in_its_callback),
	     ON_LOOP(a_source_freed_by_another_is_not_called_any_more),
	     ON_LOOP(a_signal_calls_from_the_loop),
	     ON_LOOP(the_first_code_holds_and_the_loop_runs_again),
	     ON_LOOP(a_descriptor_that_cannot_be_watched_is_refused),
	     cmocka_unit_test(freeing_nothing_is_allowed))
