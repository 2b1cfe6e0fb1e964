/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that takes its time, for LD_PRELOAD: fsync and fdatasync return VD_SYNC_MS milliseconds
 * later, as on a card or a loaded RAID.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void)
{
	const char *text = getenv("VD_SYNC_MS");
	long ms = text ? strtol(text, NULL, 10) : 0;
	const struct timespec delay = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&delay, NULL);
}

static int call(const char *name, int fd)
{
	int (*real)(int) = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, name);
	wait_for_disk();
	return real ? real(fd) : -1;
}

int fsync(int fd)
{
	return call("fsync", fd);
}

int fdatasync(int fd)
{
	return call("fdatasync", fd);
}
