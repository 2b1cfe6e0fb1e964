/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/fault.h"
#include "base/loop.h"
#include "twin/hub/call.h"

/*
 * Long answers, a few milliseconds at a time: each task works in turn with the others and with all
 * else that the loop does, and ends when its client goes.
 */
enum { VD_SLICE_MS = 2 };

struct vd_task {
	/* Goes on until done or until_ms (monotonic). 0, an enum vd_refusal, or -errno. */
	int (*run)(void *task, uint64_t until_ms, bool *ret_is_done, struct vd_fault *fault);
	int (*reply)(void *task, struct vd_reply *reply); /* of one that is done; once */
	void (*free)(void *task);
};

struct vd_slices;
VD_MUST int vd_slices_new(struct vd_loop *loop, int most, struct vd_slices **ret_slices);
/* Answers what is under way with 503. */
struct vd_slices *vd_slices_free(struct vd_slices *slices);
VD_DEFINE_CLEANUP(struct vd_slices, vd_slices_free)

/*
 * Takes *task (its type borrowed for ever), also on failure. 0: call->reply is filled in;
 * VD_SLICES_LATER: the call's exchange was kept; else an enum vd_refusal with its text in fault, or
 * -errno. slices NULL, or a call without an exchange: it is answered at once.
 */
enum { VD_SLICES_LATER = 1000 };
VD_MUST int vd_slices_run(struct vd_slices *slices, struct vd_call *call,
			  const struct vd_task *type, void *task, struct vd_fault *fault);
