/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/restart.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char *const policy_names[] = {
	[VD_RESTART_NEVER] = "never",
	[VD_RESTART_ON_FAILURE] = "on-failure",
	[VD_RESTART_ON_UNHEALTHY] = "on-unhealthy",
	[VD_RESTART_ALWAYS] = "always",
};

/* IoT Edge's meanings: each policy restarts after what the one before it does, and one ending more. */
static const bool restarts[][3] = {
	[VD_RESTART_NEVER] = { false, false, false },
	[VD_RESTART_ON_FAILURE] = { [VD_ENDING_FAILED] = true },
	[VD_RESTART_ON_UNHEALTHY] = { [VD_ENDING_FAILED] = true, [VD_ENDING_UNHEALTHY] = true },
	[VD_RESTART_ALWAYS] = { true, true, true },
};

int vd_restart_check(const struct vd_restart *r)
{
	return r->first_ms > 0 && r->first_ms <= r->limit_ms ? 0 : -EINVAL;
}

static uint32_t delay_after(const struct vd_restart *r)
{
	uint64_t delay = r->first_ms;

	if (r->failures <= 1)
		return 0;
	/* Doubling stops at the ceiling, so it cannot overflow. */
	for (uint32_t n = 2; n < r->failures && delay < r->limit_ms; n++)
		delay *= 2;
	return delay < r->limit_ms ? (uint32_t)delay : r->limit_ms;
}

int vd_restart_next(struct vd_restart *r, enum vd_restart_policy policy, enum vd_ending ending,
		    uint64_t ran_ms, uint32_t *ret_delay_ms)
{
	assert(vd_restart_check(r) == 0);

	if (ran_ms >= r->healthy_ms)
		r->failures = 1;
	else if (r->failures < UINT32_MAX)
		r->failures++;
	if (!restarts[policy][ending])
		return VD_RESTART_STAY_DOWN;
	*ret_delay_ms = delay_after(r);
	return 0;
}

int vd_restart_policy_parse(const char *name, enum vd_restart_policy *ret_policy)
{
	for (size_t i = 0; i < VD_COUNT(policy_names); i++) {
		if (!strcmp(name, policy_names[i])) {
			*ret_policy = (enum vd_restart_policy)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *vd_restart_policy_name(enum vd_restart_policy policy)
{
	return policy_names[policy];
}
