/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one mutex, one eventfd. Under the mutex stands only the inbox: what the loop asks
 * for; the source and the state belong to the thread alone, so that no capture, however slow,
 * makes the loop wait.
 */
#include "modules/camera/worker.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/camera/develop.h"
#include "modules/camera/pace.h"

enum { TEND_MS = 500, SPARE_EVENTS = 4, IN_FLIGHT = 2 };

struct inbox {
	struct vd_camera_settings *settings; /* waiting; NULL: none */
	struct vd_camera_request requests[VD_CAMERA_REQUESTS];
	unsigned first, count;
	char done_name[256]; /* handed over; "": nothing new */
	uint64_t done_round;
	bool is_stopping, is_free, is_look_wanted;
	uint64_t watch_us;                                 /* period of frames to see; 0: none */
	unsigned in_flight;                                /* captured events with the receiver */
	struct vd_camera_event *first_event, **last_event; /* not taken yet */
	struct vd_camera_event *spare;
	unsigned spares;
};

struct vd_camera_worker {
	struct vd_camera_worker_handlers handlers;
	void *argument;
	char state_folder[PATH_MAX];
	pthread_t thread;
	int wake;
	pthread_mutex_t lock;
	struct inbox inbox;

	/* the thread's own */
	struct vd_camera_settings *settings;
	struct vd_camera_source *source;
	bool is_open, is_to_close;
	enum vd_camera_state state;
	struct vd_fault fault; /* why it is not open, or why the last capture failed */
	unsigned failures;     /* to open, in a row */
	uint64_t open_at_ms, opened;
	uint64_t device_frames;
	uint64_t seen_us; /* when the last frame came, for the period of those to see */
	struct vd_darkroom room;
};

static const char *const state_names[] = {
	[VD_CAMERA_WAITING] = "waiting",     [VD_CAMERA_OK] = "ok",
	[VD_CAMERA_LOST] = "lost",           [VD_CAMERA_FAILED] = "failed",
	[VD_CAMERA_EXHAUSTED] = "exhausted",
};

#define TO(state) (1U << (state))
/* Where each state may go; waiting is reached from all of them, by new settings. */
static const unsigned transitions[] = {
	[VD_CAMERA_WAITING] = TO(VD_CAMERA_OK) | TO(VD_CAMERA_FAILED) | TO(VD_CAMERA_WAITING),
	[VD_CAMERA_OK] = TO(VD_CAMERA_LOST) | TO(VD_CAMERA_FAILED) | TO(VD_CAMERA_EXHAUSTED) |
			 TO(VD_CAMERA_WAITING),
	[VD_CAMERA_LOST] = TO(VD_CAMERA_OK) | TO(VD_CAMERA_FAILED) | TO(VD_CAMERA_WAITING),
	[VD_CAMERA_FAILED] = TO(VD_CAMERA_OK) | TO(VD_CAMERA_LOST) | TO(VD_CAMERA_EXHAUSTED) |
			     TO(VD_CAMERA_WAITING),
	[VD_CAMERA_EXHAUSTED] = TO(VD_CAMERA_WAITING),
};

const char *vd_camera_state_name(enum vd_camera_state state)
{
	return state_names[state];
}

static struct vd_camera_event *event_free(struct vd_camera_event *event)
{
	vd_camera_frame_fini(&event->frame);
	(void)vd_json_free(event->source);
	free(event);
	return NULL;
}

static bool has_frame(enum vd_camera_event_kind kind)
{
	return kind == VD_CAMERA_CAPTURED || kind == VD_CAMERA_SEEN;
}

/* Empty, but with the frame memory of an earlier one. NULL: no memory. */
static struct vd_camera_event *event_new(struct vd_camera_worker *w, enum vd_camera_event_kind kind)
{
	struct vd_camera_event *event;
	struct vd_buf bytes = { 0 };

	(void)pthread_mutex_lock(&w->lock);
	event = w->inbox.spare;
	if (event) {
		w->inbox.spare = event->next;
		w->inbox.spares--;
	}
	if (has_frame(kind))
		w->inbox.in_flight++;
	(void)pthread_mutex_unlock(&w->lock);
	if (event)
		bytes = event->frame.bytes;
	else
		event = calloc(1, sizeof *event);
	if (event) {
		*event = (struct vd_camera_event){ .kind = kind };
		event->frame.bytes = bytes;
	}
	return event;
}

static void wake(struct vd_camera_worker *w)
{
	uint64_t one = 1;
	ssize_t n = write(w->wake, &one, sizeof one);

	assert(n == sizeof one || errno == EAGAIN);
}

void vd_camera_event_done(struct vd_camera_worker *worker, struct vd_camera_event *event)
{
	bool is_kept;

	event->source = vd_json_free(event->source);
	(void)pthread_mutex_lock(&worker->lock);
	if (has_frame(event->kind) && worker->inbox.in_flight > 0)
		worker->inbox.in_flight--;
	is_kept = worker->inbox.spares < SPARE_EVENTS;
	if (is_kept) {
		event->next = worker->inbox.spare;
		worker->inbox.spare = event;
		worker->inbox.spares++;
	}
	(void)pthread_mutex_unlock(&worker->lock);
	if (!is_kept)
		(void)event_free(event);
	wake(worker);
}

static void deliver(struct vd_camera_worker *w, struct vd_camera_event *event)
{
	(void)pthread_mutex_lock(&w->lock);
	*w->inbox.last_event = event;
	w->inbox.last_event = &event->next;
	(void)pthread_mutex_unlock(&w->lock);
	w->handlers.wake(w->argument);
}

struct vd_camera_event *vd_camera_worker_take(struct vd_camera_worker *worker)
{
	struct inbox *inbox = &worker->inbox;
	struct vd_camera_event *event;

	(void)pthread_mutex_lock(&worker->lock);
	event = inbox->first_event;
	if (event) {
		inbox->first_event = event->next;
		if (!inbox->first_event)
			inbox->last_event = &inbox->first_event;
		event->next = NULL;
	}
	(void)pthread_mutex_unlock(&worker->lock);
	return event;
}

static void deliver_state(struct vd_camera_worker *w)
{
	struct vd_camera_event *event = event_new(w, VD_CAMERA_STATE);

	if (!event)
		return;
	event->state = w->state;
	event->fault = w->fault;
	event->opened = w->opened;
	if (w->is_open)
		event->source = w->source->type->describe(w->source);
	deliver(w, event);
}

static void set_state(struct vd_camera_worker *w, enum vd_camera_state state)
{
	if (state == w->state)
		return;
	assert(transitions[w->state] & TO(state));
	vd_log(state == VD_CAMERA_OK ? VD_NOTICE : VD_WARN, "camera.state",
	       "from=%s to=%s text=\"%s\"", state_names[w->state], state_names[state],
	       w->fault.text);
	w->state = state;
	deliver_state(w);
}

static void close_source(struct vd_camera_worker *w)
{
	if (w->source)
		w->source->type->close(w->source);
	w->is_open = w->is_to_close = false;
}

static void schedule_open(struct vd_camera_worker *w)
{
	w->failures++;
	w->open_at_ms = vd_clock_mono_ms() + vd_reopen_delay_ms(w->failures);
}

/* Closing may wait for a device that is not there any more: first its loss is told. */
static void lose(struct vd_camera_worker *w)
{
	w->is_open = false;
	w->is_to_close = true;
	schedule_open(w);
	if (w->state != VD_CAMERA_WAITING) {
		set_state(w, VD_CAMERA_LOST);
	} else if (w->failures == 1) {
		vd_log(VD_WARN, "camera.waiting", "text=\"%s\"", w->fault.text);
		deliver_state(w);
	}
}

static void note_no_memory(struct vd_camera_worker *w, int r)
{
	if (r < 0)
		vd_fault_set(&w->fault, 500, NULL, "%s", strerror(-r));
}

static void try_open(struct vd_camera_worker *w)
{
	int r;

	if (w->is_open || w->state == VD_CAMERA_EXHAUSTED || vd_clock_mono_ms() < w->open_at_ms)
		return;
	w->fault = (struct vd_fault){ 0 };
	r = w->source->type->open(w->source, &w->fault);
	note_no_memory(w, r);
	if (r == 0) {
		w->is_open = true;
		w->failures = 0;
		w->opened++;
		set_state(w, VD_CAMERA_OK);
	} else if (r == VD_SOURCE_LOST) {
		lose(w);
	} else {
		close_source(w);
		schedule_open(w);
		set_state(w, VD_CAMERA_FAILED);
	}
}

/* Takes the outcome of a capture or of tending into the state. */
static void conclude(struct vd_camera_worker *w, int outcome, const struct vd_fault *fault)
{
	w->fault = outcome == 0 ? (struct vd_fault){ 0 } : *fault;
	if (outcome == 0)
		set_state(w, VD_CAMERA_OK);
	else if (outcome == VD_SOURCE_EXHAUSTED)
		set_state(w, VD_CAMERA_EXHAUSTED);
	else if (outcome == VD_SOURCE_LOST)
		lose(w);
	else
		set_state(w, VD_CAMERA_FAILED);
}

static int capture_open(struct vd_camera_worker *w, struct vd_camera_event *event,
			const struct vd_camera_wish *wish)
{
	int r = w->source->type->capture(w->source, wish, &event->frame, &event->fault);

	if (r == 0 && w->settings->is_recoding && !event->frame.is_encoded_here)
		r = vd_camera_recode(&w->room, w->settings, &event->frame, &event->fault);
	if (r == 0)
		r = vd_sha256_text(event->frame.bytes.data, event->frame.bytes.len, event->sha256);
	if (r < 0) {
		vd_fault_set(&event->fault, 500, NULL, "%s", strerror(-r));
		r = VD_SOURCE_FAILED;
	}
	event->counts = w->source->counts;
	return r;
}

/* A copy to look at, since the frame itself goes away at once. true: there is one. */
static bool copy_to_look(struct vd_camera_worker *w, const struct vd_camera_event *event,
			 struct vd_camera_frame *copy)
{
	bool is_wanted;

	(void)pthread_mutex_lock(&w->lock);
	is_wanted = w->inbox.is_look_wanted && event->outcome == 0;
	if (is_wanted)
		w->inbox.is_look_wanted = false;
	(void)pthread_mutex_unlock(&w->lock);
	if (!is_wanted)
		return false;
	*copy = event->frame;
	copy->bytes = (struct vd_buf){ 0 };
	return vd_buf_append(&copy->bytes, event->frame.bytes.data, event->frame.bytes.len) == 0;
}

static void deliver_captured(struct vd_camera_worker *w, struct vd_camera_event *event)
{
	struct vd_camera_frame copy = { 0 };
	bool is_looking = copy_to_look(w, event, &copy);

	deliver(w, event);
	event = is_looking ? event_new(w, VD_CAMERA_LOOKED) : NULL;
	if (event) {
		event->outcome = vd_camera_look(&copy, &event->look);
		event->levels = (struct vd_camera_levels){ .exposure_us = -1, .gain = -1 };
		if (w->is_open && w->source->type->levels)
			w->source->type->levels(w->source, &event->levels);
		deliver(w, event);
	}
	vd_camera_frame_fini(&copy);
}

void vd_camera_worker_look(struct vd_camera_worker *worker)
{
	(void)pthread_mutex_lock(&worker->lock);
	worker->inbox.is_look_wanted = true;
	(void)pthread_mutex_unlock(&worker->lock);
}

static void give_up(struct vd_camera_worker *w, struct vd_camera_event *event)
{
	(void)pthread_mutex_lock(&w->lock);
	w->inbox.in_flight--;
	(void)pthread_mutex_unlock(&w->lock);
	if (event)
		(void)event_free(event);
}

static void serve(struct vd_camera_worker *w, const struct vd_camera_request *request)
{
	struct vd_camera_event *event = event_new(w, VD_CAMERA_CAPTURED);
	uint64_t start_us = vd_clock_mono_us();
	const struct vd_camera_wish wish = {
		.not_before_ms = request->trigger_ms,
		.deadline_ms = start_us / 1000 + w->settings->timeout_ms,
		.wake_fd = -1,
	};

	if (!event) {
		vd_log(VD_ERROR, "camera.no_memory", "seq=%llu", (unsigned long long)request->seq);
		give_up(w, NULL);
		return;
	}
	event->request = *request;
	try_open(w);
	if (w->is_open) {
		event->outcome = capture_open(w, event, &wish);
		conclude(w, event->outcome, &event->fault);
	} else {
		event->outcome =
			w->state == VD_CAMERA_EXHAUSTED ? VD_SOURCE_EXHAUSTED : VD_SOURCE_LOST;
		event->fault = w->fault;
	}
	event->took_us = vd_clock_mono_us() - start_us;
	deliver_captured(w, event);
}

/* A frame of the device's own accord. */
static void serve_device(struct vd_camera_worker *w)
{
	struct vd_camera_event *event = event_new(w, VD_CAMERA_CAPTURED);
	uint64_t start_us = vd_clock_mono_us();
	const struct vd_camera_wish wish = {
		.deadline_ms = start_us / 1000 + w->settings->timeout_ms,
		.wake_fd = w->wake,
	};

	if (!event) {
		give_up(w, NULL);
		return;
	}
	event->outcome = capture_open(w, event, &wish);
	if (event->outcome == VD_SOURCE_INTERRUPTED) {
		give_up(w, event);
		return;
	}
	conclude(w, event->outcome, &event->fault);
	event->request = (struct vd_camera_request){ .trigger = "device", .call = -1 };
	event->request.trigger_seq =
		event->outcome == 0 ? event->frame.sequence : ++w->device_frames;
	event->request.trigger_ms =
		event->outcome == 0 ? event->frame.t_mono_ms : vd_clock_mono_ms();
	event->took_us = vd_clock_mono_us() - start_us;
	deliver_captured(w, event);
}

/*
 * A frame that nobody triggered. That there is none, or a broken one, is no failed capture; but a
 * source that is gone is gone.
 */
static void serve_watch(struct vd_camera_worker *w)
{
	struct vd_camera_event *event = event_new(w, VD_CAMERA_SEEN);
	const struct vd_camera_wish wish = {
		.deadline_ms = vd_clock_mono_ms() + w->settings->timeout_ms,
		.wake_fd = w->wake,
	};
	int r = -ENOMEM;

	if (event)
		r = w->source->type->capture(w->source, &wish, &event->frame, &event->fault);
	if (r == 0 && w->settings->is_recoding && !event->frame.is_encoded_here)
		r = vd_camera_recode(&w->room, w->settings, &event->frame, &event->fault);
	if (r != VD_SOURCE_INTERRUPTED)
		w->seen_us = vd_clock_mono_us();
	if (r == VD_SOURCE_LOST)
		conclude(w, r, &event->fault);
	if (r != 0) {
		give_up(w, event);
		return;
	}
	event->request = (struct vd_camera_request){ .trigger = "watch", .call = -1 };
	event->request.trigger_ms = event->frame.t_mono_ms;
	deliver(w, event);
}

static bool is_watching(const struct vd_camera_worker *w, uint64_t watch_us)
{
	return watch_us > 0 && w->is_open && w->source->type->tend != NULL &&
	       !w->settings->is_software_triggered; /* a look must not flash the light */
}

static bool is_watch_due(const struct vd_camera_worker *w, uint64_t watch_us)
{
	return is_watching(w, watch_us) && vd_clock_mono_us() >= w->seen_us + watch_us;
}

/* How long the source may be tended before the next frame is to be seen. */
static uint64_t tend_ms(const struct vd_camera_worker *w, uint64_t watch_us)
{
	uint64_t now_us = vd_clock_mono_us(), due_us = w->seen_us + watch_us;

	if (!is_watching(w, watch_us) || due_us > now_us + TEND_MS * 1000)
		return TEND_MS;
	return due_us > now_us ? (due_us - now_us) / 1000 : 0;
}

static void idle(struct vd_camera_worker *w, uint64_t watch_us)
{
	struct pollfd wake_up = { .fd = w->wake, .events = POLLIN };
	uint64_t now_ms = vd_clock_mono_ms();
	int timeout_ms = -1;

	if (w->is_open && w->source->type->tend) {
		const struct vd_camera_wish wish = { .deadline_ms = now_ms + tend_ms(w, watch_us),
						     .wake_fd = w->wake };
		struct vd_fault fault = { 0 };
		int r = w->source->type->tend(w->source, &wish, &fault);

		if (r == VD_SOURCE_LOST)
			conclude(w, r, &fault);
		return;
	}
	if (w->source && !w->is_open && w->state != VD_CAMERA_EXHAUSTED)
		timeout_ms = w->open_at_ms > now_ms ? (int)(w->open_at_ms - now_ms) : 0;
	(void)poll(&wake_up, 1, timeout_ms);
}

static void deliver_applied(struct vd_camera_worker *w, const struct vd_fault *fault)
{
	struct vd_camera_event *event = event_new(w, VD_CAMERA_APPLIED);

	if (!event)
		return;
	event->fault = *fault;
	deliver(w, event);
}

/* The new source is not opened here: the old one must be closed before. */
static int replace_source(struct vd_camera_worker *w, struct vd_camera_settings *settings)
{
	struct vd_camera_source *fresh;
	int r = w->handlers.make(settings, w->state_folder, &fresh, w->argument);

	if (r < 0)
		return r;
	if (w->source && fresh->type->inherit)
		fresh->type->inherit(fresh, w->source);
	close_source(w);
	(void)vd_camera_source_free(w->source);
	w->source = fresh;
	w->open_at_ms = 0;
	w->failures = 0;
	w->fault = (struct vd_fault){ 0 };
	set_state(w, VD_CAMERA_WAITING);
	return 0;
}

static void apply(struct vd_camera_worker *w, struct vd_camera_settings *settings)
{
	struct vd_fault fault = { 0 };
	int r = 0;

	if (w->source && vd_camera_settings_same_source(w->settings, settings))
		w->source->settings = settings;
	else
		r = replace_source(w, settings);
	if (r < 0) {
		vd_fault_set(&fault, 500, NULL, "%s", strerror(-r));
		(void)vd_camera_settings_free(settings);
	} else {
		(void)vd_camera_settings_free(w->settings);
		w->settings = settings;
	}
	deliver_applied(w, &fault);
}

/* What the thread does in one turn, taken out of the inbox at once. */
struct turn {
	bool is_stopping, is_free, has_request;
	uint64_t watch_us;
	struct vd_camera_settings *settings;
	struct vd_camera_request request;
	char done_name[256];
	uint64_t done_round;
};

static void take_turn(struct vd_camera_worker *w, struct turn *turn)
{
	struct inbox *inbox = &w->inbox;
	uint64_t count;

	(void)!read(w->wake, &count, sizeof count); /* before looking: a wake-up is never lost */
	(void)pthread_mutex_lock(&w->lock);
	turn->is_stopping = inbox->is_stopping;
	turn->is_free = inbox->is_free && inbox->in_flight < IN_FLIGHT;
	turn->watch_us = inbox->in_flight < IN_FLIGHT ? inbox->watch_us : 0;
	turn->settings = VD_TAKE(inbox->settings);
	memcpy(turn->done_name, inbox->done_name, sizeof turn->done_name);
	turn->done_round = inbox->done_round;
	inbox->done_name[0] = '\0';
	turn->has_request = !turn->settings && w->source && inbox->count > 0;
	if (turn->has_request) {
		turn->request = inbox->requests[inbox->first];
		inbox->first = (inbox->first + 1) % VD_CAMERA_REQUESTS;
		inbox->count--;
	}
	(void)pthread_mutex_unlock(&w->lock);
}

static void do_turn(struct vd_camera_worker *w, struct turn *turn)
{
	if (turn->done_name[0] && w->source && w->source->type->handed_over)
		w->source->type->handed_over(w->source, turn->done_name, turn->done_round);
	if (w->is_to_close)
		close_source(w);
	if (turn->settings)
		apply(w, turn->settings);
	if (w->source)
		try_open(w);
	if (turn->has_request)
		serve(w, &turn->request);
	else if (turn->settings || turn->is_stopping)
		return;
	else if (turn->is_free && w->is_open)
		serve_device(w);
	else if (is_watch_due(w, turn->watch_us))
		serve_watch(w);
	else
		idle(w, turn->watch_us);
}

static void *run(void *argument)
{
	struct vd_camera_worker *w = argument;
	struct turn turn;

	do {
		take_turn(w, &turn);
		do_turn(w, &turn);
	} while (!turn.is_stopping);
	close_source(w);
	w->source = vd_camera_source_free(w->source);
	vd_darkroom_fini(&w->room);
	return NULL;
}

int vd_camera_worker_new(const struct vd_camera_worker_handlers *handlers, void *argument,
			 const char *state_folder, struct vd_camera_worker **ret_worker)
{
	struct vd_camera_worker *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return -ENOMEM;
	w->handlers = *handlers;
	w->argument = argument;
	w->inbox.last_event = &w->inbox.first_event;
	(void)snprintf(w->state_folder, sizeof w->state_folder, "%s", state_folder);
	(void)pthread_mutex_init(&w->lock, NULL);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->wake < 0 ? -errno : -pthread_create(&w->thread, NULL, run, w);
	if (r < 0) {
		vd_close(&w->wake);
		(void)pthread_mutex_destroy(&w->lock);
		free(w);
		return r;
	}
	*ret_worker = w;
	return 0;
}

static void free_events(struct vd_camera_event *event)
{
	while (event) {
		struct vd_camera_event *next = event->next;

		(void)event_free(event);
		event = next;
	}
}

struct vd_camera_worker *vd_camera_worker_free(struct vd_camera_worker *worker)
{
	if (!worker)
		return NULL;
	(void)pthread_mutex_lock(&worker->lock);
	worker->inbox.is_stopping = true;
	(void)pthread_mutex_unlock(&worker->lock);
	wake(worker);
	(void)pthread_join(worker->thread, NULL);
	(void)vd_camera_settings_free(worker->settings);
	(void)vd_camera_settings_free(worker->inbox.settings);
	free_events(worker->inbox.first_event);
	free_events(worker->inbox.spare);
	vd_close(&worker->wake);
	(void)pthread_mutex_destroy(&worker->lock);
	free(worker);
	return NULL;
}

void vd_camera_worker_set(struct vd_camera_worker *worker, struct vd_camera_settings **settings)
{
	(void)pthread_mutex_lock(&worker->lock);
	(void)vd_camera_settings_free(worker->inbox.settings);
	worker->inbox.settings = VD_TAKE(*settings);
	(void)pthread_mutex_unlock(&worker->lock);
	wake(worker);
}

int vd_camera_worker_submit(struct vd_camera_worker *worker,
			    const struct vd_camera_request *request)
{
	struct inbox *inbox = &worker->inbox;
	bool is_full;

	(void)pthread_mutex_lock(&worker->lock);
	is_full = inbox->count == VD_CAMERA_REQUESTS;
	if (!is_full) {
		inbox->requests[(inbox->first + inbox->count) % VD_CAMERA_REQUESTS] = *request;
		inbox->count++;
	}
	(void)pthread_mutex_unlock(&worker->lock);
	wake(worker);
	return is_full ? VD_CAMERA_BUSY : 0;
}

void vd_camera_worker_run_free(struct vd_camera_worker *worker, bool is_free)
{
	(void)pthread_mutex_lock(&worker->lock);
	worker->inbox.is_free = is_free;
	(void)pthread_mutex_unlock(&worker->lock);
	wake(worker);
}

void vd_camera_worker_watch(struct vd_camera_worker *worker, uint64_t period_us)
{
	(void)pthread_mutex_lock(&worker->lock);
	worker->inbox.watch_us = period_us;
	(void)pthread_mutex_unlock(&worker->lock);
	wake(worker);
}

void vd_camera_worker_handed_over(struct vd_camera_worker *worker,
				  const struct vd_camera_event *event)
{
	(void)pthread_mutex_lock(&worker->lock);
	(void)snprintf(worker->inbox.done_name, sizeof worker->inbox.done_name, "%s",
		       event->frame.name);
	worker->inbox.done_round = event->frame.round;
	(void)pthread_mutex_unlock(&worker->lock);
	wake(worker);
}
