/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"

/*
 * Follows a stream of the hub's events, coming back by itself when the line breaks: records
 * after last_id, none twice and none missed. Ends when the hub refuses, cannot be reached at
 * the first try, or nobody reads what is printed. Returns an enum vd_exit. last_id -1: from now.
 */
int vd_follow(struct vd_ctl *ctl, const char *path, int64_t last_id, vd_event_fn on_event,
	      void *argument);
