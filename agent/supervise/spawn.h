/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"

/*
 * Starts a module's process: descriptor 0 is /dev/null, 1 and 2 are log_fd, 3 is channel_fd and
 * nothing else is open; session and process group of its own, default signals, the
 * environment given and no other. Both descriptors stay the caller's.
 *
 * posix_spawn, because the agent has threads (paho's) and between fork and exec hardly
 * anything would be allowed; a missing program is an error here, not an exit status later.
 */
struct vd_spawn {
	const char *program;
	const char *const *arguments;   /* after argv[0]; NULL: none */
	const char *const *environment; /* NULL: empty */
	const char *folder;
	int channel_fd, log_fd;
};

/* -errno. The pidfd is the caller's. */
VD_MUST int vd_spawn(const struct vd_spawn *spawn, pid_t *ret_pid, int *ret_pidfd);
