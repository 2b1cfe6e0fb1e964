/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "modules/inspect/inspector.h"
#include "modules/inspect/item.h"

/*
 * The thread that inspects, so that the loop's heartbeats go on meanwhile. Jobs are done in the
 * order in which they came; what comes out is fetched on the loop.
 */
struct vd_worker;

struct vd_worker_handlers {
	void (*on_done)(void *argument); /* from the worker's thread: something can be taken */
};

VD_MUST int vd_worker_new(const struct vd_inspector_options *options,
			  const struct vd_worker_handlers *handlers, void *argument,
			  struct vd_worker **ret_worker);

/* Ends after the item in hand; what waits is freed unseen. */
struct vd_worker *vd_worker_free(struct vd_worker *worker);
VD_DEFINE_CLEANUP(struct vd_worker, vd_worker_free)

/* Takes *item. -ENOMEM: it stays the caller's. */
VD_MUST int vd_worker_submit(struct vd_worker *worker, struct vd_item **item);

/* What is not an item; each comes out as a result without one. */
enum vd_worker_order {
	VD_ORDER_STATE, /* tell the state of set's active recipe */
	VD_ORDER_LEARN,
	VD_ORDER_ARM,
	VD_ORDER_ROLL_BACK,
	VD_ORDER_GATHER
};

/* call: comes back in the result; -1: none. gather: for VD_ORDER_GATHER; NULL ends gathering. */
VD_MUST int vd_worker_order(struct vd_worker *worker, enum vd_worker_order order,
			    struct vd_recipe_set *set, int64_t call,
			    const struct vd_gather_order *gather);

size_t vd_worker_waiting(struct vd_worker *worker); /* items not yet begun */
size_t vd_worker_in_hand(struct vd_worker *worker); /* and the one that is being inspected */
bool vd_worker_is_idle(struct vd_worker *worker);   /* nothing waits, nothing is in hand */

struct vd_done {
	struct vd_item *item; /* NULL: no verdict; outcome's state and notices may be there */
	struct vd_outcome outcome;
	int64_t call; /* of an order, -1: none */
	int status;   /* of an order: 0, or negative with text */
	char text[VD_STEP_TEXT];
};

/* The next result, in order; false: there is none. */
bool vd_worker_take(struct vd_worker *worker, struct vd_done *ret_done);
void vd_done_fini(struct vd_done *done);
