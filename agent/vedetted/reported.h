/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/*
 * Reported state towards the hub: what it is known to hold, and so what must be sent that it
 * holds what is wanted. Pure: the time is an argument and nothing is sent from here.
 *
 * At most one patch is under way. A confirmed one makes the document it was cut for the known
 * one; a refused or unanswered one makes what the hub holds unknown, and a GET tells it anew.
 */
struct vd_reported;

/* Four patches a second in the long run, of which a few may come at once. */
enum { VD_REPORTED_GAP_MS = 250, VD_REPORTED_BURST = 4 };

VD_MUST int vd_reported_new(struct vd_reported **ret_reported);
struct vd_reported *vd_reported_free(struct vd_reported *reported);

/* What a GET answered; $version and $metadata are left aside. -ENOMEM. */
VD_MUST int vd_reported_learn(struct vd_reported *reported, const cJSON *hub_reported);
void vd_reported_forget(struct vd_reported *reported); /* the link went */
bool vd_reported_is_known(const struct vd_reported *reported);

enum {
	VD_REPORTED_NOTHING = 1, /* the hub holds wanted already */
	VD_REPORTED_WAIT = 2, /* a patch is under way, too many came lately, or nothing is known */
};

/*
 * 0: *ret_patch (free with free()) is to be sent under *ret_id, and counts as under way.
 * VD_REPORTED_WAIT: *ret_wait_ms, 0: until an answer comes. -ENOMEM.
 */
VD_MUST int vd_reported_next(struct vd_reported *reported, uint64_t now_ms, const cJSON *wanted,
			     char **ret_patch, uint64_t *ret_id, uint64_t *ret_wait_ms);

enum { VD_REPORTED_UNKNOWN = 1 };

/* The hub's answer to id. VD_REPORTED_UNKNOWN: ask for the twin; 0 otherwise, also for an old id. */
VD_MUST int vd_reported_answered(struct vd_reported *reported, uint64_t id, int status);

/*
 * Many modules may have more to say than a twin holds. Takes out of document, until it fits,
 * what the box itself still tells: every module's "report", then every "lastExit"; "leftOut"
 * names the last of them. State and acknowledgement of each module stay. -ENOMEM.
 */
VD_MUST int vd_reported_fit(cJSON *document);
