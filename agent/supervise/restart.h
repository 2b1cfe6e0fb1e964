/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"

/*
 * Restart policy: whether an ended module is started again, and after how long.
 *
 * Pure: no clock and no processes. The supervisor says how long the module ran and how it
 * ended, so a test lives through a night of crashes in a microsecond.
 */
enum vd_restart_policy {
	VD_RESTART_NEVER,
	VD_RESTART_ON_FAILURE,   /* a signal, or an exit status other than 0 */
	VD_RESTART_ON_UNHEALTHY, /* that, or hung, or not ready in time */
	VD_RESTART_ALWAYS,
};

enum vd_ending {
	VD_ENDING_CLEAN, /* exit status 0, unasked */
	VD_ENDING_FAILED,
	VD_ENDING_UNHEALTHY, /* killed by us: hung, or not ready in time */
};

/*
 * The first failure restarts at once: one crash costs the line nothing. Then the delay doubles
 * from first_ms to limit_ms and stays there: under `always` it never gives up.
 */
struct vd_restart {
	uint32_t first_ms, limit_ms; /* the delay after the second failure in a row; its ceiling */
	uint32_t healthy_ms;         /* a run this long forgives earlier failures */
	uint32_t failures;           /* in a row */
};

enum { VD_RESTART_STAY_DOWN = 1 };

/* -EINVAL: the limits contradict each other. */
VD_MUST int vd_restart_check(const struct vd_restart *restart);

/* 0: start after *ret_delay_ms. VD_RESTART_STAY_DOWN: the policy says no. */
VD_MUST int vd_restart_next(struct vd_restart *restart, enum vd_restart_policy policy,
			    enum vd_ending ending, uint64_t ran_ms, uint32_t *ret_delay_ms);

/* "never" "on-failure" "on-unhealthy" "always". -EINVAL: none of them. */
VD_MUST int vd_restart_policy_parse(const char *name, enum vd_restart_policy *ret_policy);
const char *vd_restart_policy_name(enum vd_restart_policy policy);
