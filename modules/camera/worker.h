/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/digest.h"
#include "base/fault.h"
#include "modules/camera/look.h"
#include "modules/camera/settings.h"
#include "modules/camera/source.h"

/*
 * The thread that owns the source: opens it, opens it again after it was lost, serves requests one
 * after the other, keeps the device drained between them, and takes new settings over between two
 * captures. What happens comes back as events, in order.
 *
 *                 open                    capture failed
 *     waiting ──────────▶ ok ◀──────────────────────────▶ failed
 *        ▲                │ ▲  open          no more          │
 *   new settings    gone  ▼ │              ┌──────────────▶ exhausted
 *                        lost ◀── gone ────┘ (from ok, failed)
 */
struct vd_camera_worker;

enum vd_camera_state {
	VD_CAMERA_WAITING,   /* the source was not there yet */
	VD_CAMERA_OK,        /* open, and the last capture, if any, succeeded */
	VD_CAMERA_LOST,      /* it was there and is gone */
	VD_CAMERA_FAILED,    /* there, but the last capture or the opening failed */
	VD_CAMERA_EXHAUSTED, /* a folder at its end */
};

const char *vd_camera_state_name(enum vd_camera_state state);

struct vd_camera_request {
	uint64_t seq;         /* of the capture */
	const char *trigger;  /* "timer", "call", "message", "device", "photo", "watch"; static */
	uint64_t trigger_seq; /* number of the tick, call or frame */
	uint64_t trigger_ms;  /* monotonic: no frame older than that will do; 0: any */
	int64_t call;         /* to be answered; -1: none */
	char serial[64];      /* what the trigger says about the part; "": nothing */
	char trigger_id[64];  /* as the trigger said, for its frame to carry; "": none */
};

enum vd_camera_event_kind {
	VD_CAMERA_CAPTURED,
	VD_CAMERA_SEEN, /* a frame between captures; as captured, without digest */
	VD_CAMERA_STATE,
	VD_CAMERA_APPLIED,
	VD_CAMERA_LOOKED
};

struct vd_camera_event {
	enum vd_camera_event_kind kind;

	/* captured: outcome 0 with frame and its digest, or an outcome of source.h with fault */
	struct vd_camera_request request;
	int outcome;
	struct vd_camera_frame frame;
	char sha256[VD_SHA256_TEXT];
	uint64_t took_us;
	struct vd_source_counts counts;

	/* state: with fault's text as its reason, and what the source is, NULL: not open */
	enum vd_camera_state state;
	cJSON *source;
	uint64_t opened; /* times */

	/* looked: how the frame of the captured event before looks; outcome below 0: not decoded */
	struct vd_camera_look look;
	struct vd_camera_levels levels;

	/* applied: code 0, or why the settings were not taken over */
	struct vd_fault fault;
	struct vd_camera_event *next; /* the worker's */
};

struct vd_camera_worker_handlers {
	/* In the worker's thread: an event waits to be taken. */
	void (*wake)(void *argument);

	/* vd_camera_source_new, or a test's. In the worker's thread. */
	int (*make)(const struct vd_camera_settings *settings, const char *state_folder,
		    struct vd_camera_source **ret_source, void *argument);
};

/* handlers and state_folder are copied. -errno. */
VD_MUST int vd_camera_worker_new(const struct vd_camera_worker_handlers *handlers, void *argument,
				 const char *state_folder, struct vd_camera_worker **ret_worker);

/* Ends the thread after the capture in hand, and drops the events that nobody took. */
struct vd_camera_worker *vd_camera_worker_free(struct vd_camera_worker *worker);

/* Takes *settings; VD_CAMERA_APPLIED follows. Of several sets that wait only the last is taken. */
void vd_camera_worker_set(struct vd_camera_worker *worker, struct vd_camera_settings **settings);

enum { VD_CAMERA_REQUESTS = 8, VD_CAMERA_BUSY = 1 };

/* Copied. VD_CAMERA_CAPTURED follows. VD_CAMERA_BUSY: too many wait. */
VD_MUST int vd_camera_worker_submit(struct vd_camera_worker *worker,
				    const struct vd_camera_request *request);

/*
 * Hands every frame over that the device sends while nothing is requested, as trigger "device".
 * While two events are still with the receiver, frames are passed over.
 */
void vd_camera_worker_run_free(struct vd_camera_worker *worker, bool is_free);

/*
 * VD_CAMERA_SEEN follows for a frame each period_us, while nothing is requested and no frame goes
 * out by vd_camera_worker_run_free; only of a source that sends frames whether asked or not. A
 * request interrupts it. 0: no more.
 */
void vd_camera_worker_watch(struct vd_camera_worker *worker, uint64_t period_us);

/* VD_CAMERA_LOOKED follows the next frame. It is decoded after that frame is delivered. */
void vd_camera_worker_look(struct vd_camera_worker *worker);

/* The frame of this event has reached its consumers. */
void vd_camera_worker_handed_over(struct vd_camera_worker *worker,
				  const struct vd_camera_event *event);

/* The oldest event, NULL: none. The caller's until vd_camera_event_done. Any thread. */
struct vd_camera_event *vd_camera_worker_take(struct vd_camera_worker *worker);

/* Gives an event back; its memory serves the next one. Any thread. */
void vd_camera_event_done(struct vd_camera_worker *worker, struct vd_camera_event *event);
