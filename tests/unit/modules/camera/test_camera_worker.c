/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/worker.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "parameters.h"

#include "base/clock.h"

/* A source whose next outcomes the test sets; each frame holds its own number. */
struct puppet {
	struct vd_camera_source source;
	struct fixture *fixture;
};

struct fixture {
	struct vd_camera_worker *worker;
	sem_t events;
	atomic_int open_outcome, capture_outcome, tend_outcome;
	atomic_int opens, captures, made, handed;
	atomic_bool is_close_held; /* closing waits for a device that does not answer */
};

static struct fixture *fixture_of(const struct vd_camera_source *source)
{
	return VD_CONTAINER(source, const struct puppet, source)->fixture;
}

static int outcome_of(atomic_int *value, struct vd_fault *fault, const char *text)
{
	int outcome = atomic_load(value);

	if (outcome != 0)
		vd_fault_set(fault, 503, NULL, "%s", text);
	return outcome;
}

static int puppet_open(struct vd_camera_source *source, struct vd_fault *fault)
{
	struct fixture *f = fixture_of(source);

	atomic_fetch_add(&f->opens, 1);
	return outcome_of(&f->open_outcome, fault, "not there");
}

static int puppet_capture(struct vd_camera_source *source, const struct vd_camera_wish *wish,
			  struct vd_camera_frame *frame, struct vd_fault *fault)
{
	struct fixture *f = fixture_of(source);
	int number = atomic_fetch_add(&f->captures, 1) + 1;

	vd_buf_clear(&frame->bytes);
	if (wish->wake_fd >= 0) /* free running: a frame takes a moment */
		(void)poll(NULL, 0, 1);
	(void)snprintf(frame->name, sizeof frame->name, "frame-%d", number);
	frame->t_mono_ms = vd_clock_mono_ms();
	if (vd_buf_printf(&frame->bytes, "%d", number) < 0)
		return -ENOMEM;
	return outcome_of(&f->capture_outcome, fault, "capture failed");
}

static int puppet_tend(struct vd_camera_source *source, const struct vd_camera_wish *wish,
		       struct vd_fault *fault)
{
	struct pollfd wake = { .fd = wish->wake_fd, .events = POLLIN };

	(void)poll(&wake, 1, 5);
	return outcome_of(&fixture_of(source)->tend_outcome, fault, "gone");
}

static void puppet_handed_over(struct vd_camera_source *source, const char *name, uint64_t round)
{
	atomic_store(&fixture_of(source)->handed, (int)strtol(name + 6, NULL, 10));
}

static cJSON *puppet_describe(const struct vd_camera_source *source)
{
	return cJSON_CreateObject();
}

static void puppet_close(struct vd_camera_source *source)
{
	while (atomic_load(&fixture_of(source)->is_close_held))
		(void)poll(NULL, 0, 1);
}

static struct vd_camera_source *puppet_free(struct vd_camera_source *source)
{
	free(VD_CONTAINER(source, struct puppet, source));
	return NULL;
}

static const struct vd_camera_source_type puppet_type = {
	.open = puppet_open,
	.capture = puppet_capture,
	.tend = puppet_tend,
	.handed_over = puppet_handed_over,
	.describe = puppet_describe,
	.close = puppet_close,
	.free = puppet_free,
};

static int make_puppet(const struct vd_camera_settings *settings, const char *state_folder,
		       struct vd_camera_source **ret_source, void *argument)
{
	struct puppet *puppet = calloc(1, sizeof *puppet);

	if (!puppet)
		return -ENOMEM;
	puppet->source = (struct vd_camera_source){ .type = &puppet_type, .settings = settings };
	puppet->fixture = argument;
	atomic_fetch_add(&puppet->fixture->made, 1);
	*ret_source = &puppet->source;
	return 0;
}

static void on_wake(void *argument)
{
	struct fixture *f = argument;

	(void)sem_post(&f->events);
}

static int set_up(void **state)
{
	static const struct vd_camera_worker_handlers handlers = { .wake = on_wake,
								   .make = make_puppet };
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_int_equal(sem_init(&f->events, 0, 0), 0);
	assert_int_equal(vd_camera_worker_new(&handlers, f, "", &f->worker), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	f->worker = vd_camera_worker_free(f->worker);
	(void)sem_destroy(&f->events);
	free(f);
	return 0;
}

static void apply(struct fixture *f, const char *more)
{
	struct vd_camera_settings *settings;
	char text[256];

	(void)snprintf(text, sizeof text, "{\"source\":\"folder:/srv\"%s}", more);
	settings = settings_of(text);
	vd_camera_worker_set(f->worker, &settings);
	assert_null(settings);
}

/* The next event; fails the test after ten seconds. */
static struct vd_camera_event *next(struct fixture *f)
{
	struct vd_camera_event *event;
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	assert_int_equal(sem_timedwait(&f->events, &until), 0);
	event = vd_camera_worker_take(f->worker);
	assert_non_null(event);
	return event;
}

static void expect_state(struct fixture *f, enum vd_camera_state state)
{
	struct vd_camera_event *event = next(f);

	assert_int_equal(event->kind, VD_CAMERA_STATE);
	assert_string_equal(vd_camera_state_name(event->state), vd_camera_state_name(state));
	vd_camera_event_done(f->worker, event);
}

static void expect_applied(struct fixture *f)
{
	struct vd_camera_event *event = next(f);

	assert_int_equal(event->kind, VD_CAMERA_APPLIED);
	assert_int_equal(event->fault.code, 0);
	vd_camera_event_done(f->worker, event);
}

static int submit(struct fixture *f, uint64_t seq)
{
	const struct vd_camera_request request = { .seq = seq, .trigger = "call", .call = -1 };

	return vd_camera_worker_submit(f->worker, &request);
}

static void expect_captured(struct fixture *f, uint64_t seq, int outcome)
{
	struct vd_camera_event *event = next(f);

	assert_int_equal(event->kind, VD_CAMERA_CAPTURED);
	assert_int_equal(event->request.seq, seq);
	assert_int_equal(event->outcome, outcome);
	assert_int_equal(strlen(event->sha256), outcome == 0 ? 64 : 0);
	vd_camera_event_done(f->worker, event);
}

static void start(struct fixture *f)
{
	apply(f, "");
	expect_applied(f);
	expect_state(f, VD_CAMERA_OK);
}

static void requests_are_served_in_order(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (uint64_t seq = 1; seq <= 5; seq++)
		assert_int_equal(submit(f, seq), 0);
	for (uint64_t seq = 1; seq <= 5; seq++)
		expect_captured(f, seq, 0);
	assert_int_equal(atomic_load(&f->captures), 5);
}

static void requests_before_the_first_settings_wait_and_are_bounded(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= VD_CAMERA_REQUESTS; seq++)
		assert_int_equal(submit(f, seq), 0);
	assert_int_equal(submit(f, 99), VD_CAMERA_BUSY);
	start(f);
	for (uint64_t seq = 1; seq <= VD_CAMERA_REQUESTS; seq++)
		expect_captured(f, seq, 0);
}

static void a_failed_capture_is_told_and_the_next_success_heals(void **state)
{
	struct fixture *f = *state;

	start(f);
	atomic_store(&f->capture_outcome, VD_SOURCE_FAILED);
	assert_int_equal(submit(f, 1), 0);
	expect_state(f, VD_CAMERA_FAILED);
	expect_captured(f, 1, VD_SOURCE_FAILED);
	atomic_store(&f->capture_outcome, 0);
	assert_int_equal(submit(f, 2), 0);
	expect_state(f, VD_CAMERA_OK);
	expect_captured(f, 2, 0);
}

static void a_loss_is_told_before_the_closing_that_may_take_long(void **state)
{
	struct fixture *f = *state;

	start(f);
	atomic_store(&f->is_close_held, true);
	atomic_store(&f->capture_outcome, VD_SOURCE_LOST);
	assert_int_equal(submit(f, 1), 0);
	expect_state(f, VD_CAMERA_LOST);
	expect_captured(f, 1, VD_SOURCE_LOST);
	assert_int_equal(atomic_load(&f->opens), 1);
	atomic_store(&f->capture_outcome, 0);
	atomic_store(&f->is_close_held, false);
	expect_state(f, VD_CAMERA_OK);
}

static void what_is_lost_between_captures_is_opened_again(void **state)
{
	struct fixture *f = *state;

	start(f);
	atomic_store(&f->open_outcome, VD_SOURCE_LOST);
	atomic_store(&f->tend_outcome, VD_SOURCE_LOST);
	expect_state(f, VD_CAMERA_LOST);
	assert_int_equal(submit(f, 1), 0);
	expect_captured(f, 1, VD_SOURCE_LOST); /* told, with no frame, while it is away */
	atomic_store(&f->tend_outcome, 0);
	atomic_store(&f->open_outcome, 0);
	expect_state(f, VD_CAMERA_OK);
	assert_int_equal(submit(f, 2), 0);
	expect_captured(f, 2, 0);
	assert_true(atomic_load(&f->opens) >= 2);
}

static void what_was_never_there_is_waited_for(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->open_outcome, VD_SOURCE_LOST);
	apply(f, "");
	expect_applied(f);
	expect_state(f, VD_CAMERA_WAITING);
	atomic_store(&f->open_outcome, 0);
	expect_state(f, VD_CAMERA_OK);
}

static void an_exhausted_source_stays_so_until_new_settings(void **state)
{
	struct fixture *f = *state;

	start(f);
	atomic_store(&f->capture_outcome, VD_SOURCE_EXHAUSTED);
	assert_int_equal(submit(f, 1), 0);
	expect_state(f, VD_CAMERA_EXHAUSTED);
	expect_captured(f, 1, VD_SOURCE_EXHAUSTED);
	atomic_store(&f->capture_outcome, 0);
	apply(f, ",\"seed\":5");
	expect_state(f, VD_CAMERA_WAITING);
	expect_applied(f);
	expect_state(f, VD_CAMERA_OK);
}

static void settings_that_the_source_does_not_see_leave_it_open(void **state)
{
	struct fixture *f = *state;

	start(f);
	apply(f, ",\"intervalMs\":5");
	expect_applied(f);
	assert_int_equal(atomic_load(&f->made), 1);
	apply(f, ",\"delayMs\":1");
	expect_state(f, VD_CAMERA_WAITING);
	expect_applied(f);
	expect_state(f, VD_CAMERA_OK);
	assert_int_equal(atomic_load(&f->made), 2);
	assert_int_equal(atomic_load(&f->opens), 2);
}

static struct vd_camera_event *next_seen(struct fixture *f)
{
	struct vd_camera_event *event = next(f);

	assert_int_equal(event->kind, VD_CAMERA_SEEN);
	assert_string_equal(event->request.trigger, "watch");
	assert_int_equal(event->request.seq, 0);
	assert_true(event->frame.bytes.len > 0);
	return event;
}

static void frames_between_captures_are_seen_as_often_as_asked(void **state)
{
	struct fixture *f = *state;
	uint64_t last_ms = 0;

	start(f);
	vd_camera_worker_watch(f->worker, 20000);
	for (int i = 0; i < 4; i++) {
		struct vd_camera_event *event = next_seen(f);

		assert_true(last_ms == 0 || event->frame.t_mono_ms >= last_ms + 19);
		last_ms = event->frame.t_mono_ms;
		vd_camera_event_done(f->worker, event);
	}
	vd_camera_worker_watch(f->worker, 0);
	(void)poll(NULL, 0, 50);
	while (sem_trywait(&f->events) == 0) /* one may have been on its way */
		vd_camera_event_done(f->worker, vd_camera_worker_take(f->worker));
	assert_int_equal(submit(f, 1), 0);
	expect_captured(f, 1, 0);
}

static void frames_to_see_stop_while_the_receiver_is_behind(void **state)
{
	struct fixture *f = *state;
	struct vd_camera_event *first, *second;

	start(f);
	vd_camera_worker_watch(f->worker, 1000);
	first = next_seen(f);
	second = next_seen(f);
	(void)poll(NULL, 0, 50);
	assert_null(vd_camera_worker_take(f->worker));
	vd_camera_event_done(f->worker, first);
	vd_camera_event_done(f->worker, next_seen(f));
	vd_camera_event_done(f->worker, second);
}

static void a_frame_that_could_not_be_seen_is_no_failed_capture(void **state)
{
	struct fixture *f = *state;

	start(f);
	atomic_store(&f->capture_outcome, VD_SOURCE_FAILED);
	vd_camera_worker_watch(f->worker, 1000);
	(void)poll(NULL, 0, 50);
	assert_true(atomic_load(&f->captures) > 0);
	assert_null(vd_camera_worker_take(f->worker));
	atomic_store(&f->open_outcome, VD_SOURCE_LOST);
	atomic_store(&f->capture_outcome, VD_SOURCE_LOST);
	expect_state(f, VD_CAMERA_LOST);
}

static void free_running_stops_while_the_receiver_is_behind(void **state)
{
	struct fixture *f = *state;
	struct vd_camera_event *first, *second;

	start(f);
	vd_camera_worker_run_free(f->worker, true);
	first = next(f);
	second = next(f);
	(void)poll(NULL, 0, 50);
	assert_null(vd_camera_worker_take(f->worker));
	assert_string_equal(first->request.trigger, "device");
	assert_string_equal(first->frame.name, "frame-1");
	assert_string_equal(second->frame.name, "frame-2");
	vd_camera_event_done(f->worker, first);
	vd_camera_event_done(f->worker, second);
	vd_camera_event_done(f->worker, next(f));
	vd_camera_worker_run_free(f->worker, false);
}

static void the_source_learns_what_was_handed_over(void **state)
{
	struct fixture *f = *state;
	struct vd_camera_event *event;

	start(f);
	assert_int_equal(submit(f, 1), 0);
	event = next(f);
	vd_camera_worker_handed_over(f->worker, event);
	vd_camera_event_done(f->worker, event);
	assert_int_equal(submit(f, 2), 0);
	expect_captured(f, 2, 0);
	assert_int_equal(atomic_load(&f->handed), 1);
}

static void ending_saves_what_was_handed_over_last(void **state)
{
	struct fixture *f = *state;
	struct vd_camera_event *event;

	start(f);
	assert_int_equal(submit(f, 1), 0);
	event = next(f);
	vd_camera_worker_handed_over(f->worker, event);
	vd_camera_event_done(f->worker, event);
	f->worker = vd_camera_worker_free(f->worker);
	assert_int_equal(atomic_load(&f->handed), 1);
}

#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(FIXTURE(requests_are_served_in_order),
	     FIXTURE(requests_before_the_first_settings_wait_and_are_bounded),
	     FIXTURE(a_failed_capture_is_told_and_the_next_success_heals),
	     FIXTURE(a_loss_is_told_before_the_closing_that_may_take_long),
	     FIXTURE(what_is_lost_between_captures_is_opened_again),
	     FIXTURE(what_was_never_there_is_waited_for),
	     FIXTURE(an_exhausted_source_stays_so_until_new_settings),
	     FIXTURE(settings_that_the_source_does_not_see_leave_it_open),
	     FIXTURE(frames_between_captures_are_seen_as_often_as_asked),
	     FIXTURE(frames_to_see_stop_while_the_receiver_is_behind),
	     FIXTURE(a_frame_that_could_not_be_seen_is_no_failed_capture),
	     FIXTURE(free_running_stops_while_the_receiver_is_behind),
	     FIXTURE(the_source_learns_what_was_handed_over),
	     FIXTURE(ending_saves_what_was_handed_over_last))
