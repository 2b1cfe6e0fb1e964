/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "modules/inspect/worker.h"
#include "modules/sdk/module.h"

/*
 * Hands verdicts to the agent, in order. While the agent is slow they wait here and are tried
 * again; each is counted until the agent says that it is durable. On the loop.
 */
struct vd_publisher;

struct vd_publisher_handlers {
	/* text NULL: durable; else the agent refused it, and why. */
	void (*on_answer)(const char *text, void *argument);
};

VD_MUST int vd_publisher_new(struct vd_module *module, const struct vd_publisher_handlers *handlers,
			     void *argument, struct vd_publisher **ret_publisher);
struct vd_publisher *vd_publisher_free(struct vd_publisher *publisher);
VD_DEFINE_CLEANUP(struct vd_publisher, vd_publisher_free)

/*
 * Takes what is in done (an item with its outcome); afterwards done is empty. -ENOMEM: the verdict could not
 * be queued and is lost; the caller must say so.
 */
VD_MUST int vd_publisher_put(struct vd_publisher *publisher, struct vd_done *done);

size_t vd_publisher_waiting(const struct vd_publisher *publisher);  /* not yet handed over */
size_t vd_publisher_unstored(const struct vd_publisher *publisher); /* handed over, not answered */
