/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "modules/inspect/worker.h"
#include "modules/sdk/module.h"

/*
 * Hands verdicts, alarms and events to the agent, in order. While the agent is slow they wait here
 * and are tried again. Each is kept until the agent says that it is durable; one that the agent
 * refuses is offered again with a back-off, from a list of at most VD_REFUSED_MOST. What is given
 * up in the end is counted and said aloud. On the loop.
 */
enum { VD_REFUSED_MOST = 256, VD_OFFERS_MOST = 40, VD_KEPT_BYTES = 64 << 20 };

struct vd_publisher;

struct vd_publisher_handlers {
	/*
	 * text NULL: durable, under seq; else the agent refused it, and why. item_id "": no verdict.
	 * item: for the handler to take, NULL if there was none, or it is offered again.
	 */
	void (*on_answer)(const char *item_id, struct vd_item **item, int64_t seq, const char *text,
			  void *argument);
	void (*on_lost)(const char *item_id, const char *text, void *argument);
};

VD_MUST int vd_publisher_new(struct vd_module *module, const struct vd_publisher_handlers *handlers,
			     void *argument, struct vd_publisher **ret_publisher);
struct vd_publisher *vd_publisher_free(struct vd_publisher *publisher);
VD_DEFINE_CLEANUP(struct vd_publisher, vd_publisher_free)

/*
 * Takes what is in done (an item with its outcome; one that supersedes another leaves on the output
 * override, where no gate acts on a part that is past); afterwards done is empty. -ENOMEM: the verdict could not
 * be queued and is lost; the caller must say so.
 */
VD_MUST int vd_publisher_put(struct vd_publisher *publisher, struct vd_done *done);

/* The same for a record without images. Takes *body. */
VD_MUST int vd_publisher_put_record(struct vd_publisher *publisher, const char *output,
				    const char *record_class, cJSON **body);

/*
 * The verdict of an item that is no more: under its id, so that it is stored once whatever went
 * before. Takes *body.
 */
VD_MUST int vd_publisher_put_verdict(struct vd_publisher *publisher, const char *item_id,
				     cJSON **body);

/* Offers what was refused once more, now, and gives up what is refused again: before the end. */
void vd_publisher_hurry(struct vd_publisher *publisher);
size_t vd_publisher_refused(const struct vd_publisher *publisher); /* waiting for another offer */

size_t vd_publisher_waiting(const struct vd_publisher *publisher);  /* not yet handed over */
size_t vd_publisher_unstored(const struct vd_publisher *publisher); /* handed over, not answered */
