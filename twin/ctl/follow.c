/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/follow.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PAUSE_MS = 1000 };

struct follow {
	char last_id[32];
	vd_event_fn on_event;
	void *argument;
	bool is_over;
};

static int on_event(const char *type, const char *id, const char *data, void *argument)
{
	struct follow *follow = argument;
	int r = follow->on_event(type, id, data, follow->argument);

	if (id[0])
		(void)snprintf(follow->last_id, sizeof follow->last_id, "%s", id);
	follow->is_over = r != 0;
	return r;
}

int vd_follow(struct vd_ctl *ctl, const char *path, int64_t last_id, vd_event_fn fn, void *argument)
{
	const struct timespec pause = { .tv_sec = PAUSE_MS / 1000 };
	struct follow follow = { .on_event = fn, .argument = argument };
	bool was_open = false;

	if (last_id >= 0)
		(void)snprintf(follow.last_id, sizeof follow.last_id, "%lld", (long long)last_id);
	for (;;) {
		bool is_open = false;
		int r = vd_client_stream(ctl->client, path,
					 follow.last_id[0] ? follow.last_id : NULL, on_event,
					 &follow, &is_open);

		was_open |= is_open;
		if (follow.is_over)
			return VD_EXIT_OK;
		if (r != VD_EXIT_OK && (r != VD_EXIT_UNREACHABLE || !was_open))
			return r;
		(void)nanosleep(&pause, NULL);
	}
}
