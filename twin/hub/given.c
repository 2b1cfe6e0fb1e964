/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/given.h"

/* Azure's longest keep-alive, 1177 s, times the 1.5 after which a broker gives a client up. */
enum { UNNOTICED_MS = 1766 * 1000 };

static bool is_recent(const struct vd_given *given, int64_t now_ms)
{
	int64_t age_ms = now_ms - given->given_ms;

	return age_ms < UNNOTICED_MS; /* and when the clock was set back */
}

struct vd_given vd_given_answered(int64_t version, int64_t now_ms)
{
	return (struct vd_given){ .version = version, .sure_version = version, .given_ms = now_ms };
}

struct vd_given vd_given_told(const struct vd_given *given, int64_t version, int64_t now_ms)
{
	struct vd_given told = { .version = version, .sure_version = -1, .given_ms = now_ms };

	if (given)
		told.sure_version = is_recent(given, now_ms) ? given->sure_version : given->version;
	return told;
}

int64_t vd_given_base(const struct vd_given *given, int64_t now_ms)
{
	return is_recent(given, now_ms) ? given->sure_version : given->version;
}
