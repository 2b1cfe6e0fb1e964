/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Positive error numbers here, as posix_spawn's family has them. */
static int set_files(posix_spawn_file_actions_t *files, const struct vd_spawn *s)
{
	int r = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(files, s->log_fd, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(files, s->log_fd, 2);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(files, s->channel_fd, 3);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(files, 4);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(files, s->folder);
	return r;
}

/* paho sets SIGPIPE to be ignored, and that would survive exec. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int r;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF |
								 POSIX_SPAWN_SETSIGMASK |
								 POSIX_SPAWN_SETSID);
	return r;
}

static char **make_argv(const struct vd_spawn *s)
{
	size_t count = 0;
	const char **argv;

	while (s->arguments && s->arguments[count])
		count++;
	argv = calloc(count + 2, sizeof *argv);
	if (!argv)
		return NULL;
	argv[0] = s->program;
	for (size_t i = 0; i < count; i++)
		argv[i + 1] = s->arguments[i];
	return (char **)(uintptr_t)argv;
}

static int spawn(const struct vd_spawn *s, char **argv, pid_t *ret_pid)
{
	static char *const no_environment[] = { NULL };
	char *const *environment =
		s->environment ? (char *const *)(uintptr_t)s->environment : no_environment;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int r;

	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attributes);
	r = set_files(&files, s);
	if (r == 0)
		r = set_attributes(&attributes);
	if (r == 0)
		r = posix_spawn(ret_pid, s->program, &files, &attributes, argv, environment);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* The dup2s above write over 1 to 3 one after the other: no source may lie there. */
static int lift(int fd, int *ret_copy)
{
	*ret_copy = fcntl(fd, F_DUPFD_CLOEXEC, 4);
	return *ret_copy < 0 ? -errno : 0;
}

int vd_spawn(const struct vd_spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
	VD_CLEANUP(vd_free) char **argv = make_argv(s);
	VD_CLEANUP(vd_close) int channel = -1, log = -1;
	struct vd_spawn lifted = *s;
	pid_t pid;
	int r, pidfd;

	if (!argv)
		return -ENOMEM;
	r = lift(s->channel_fd, &channel);
	if (r == 0)
		r = lift(s->log_fd, &log);
	if (r < 0)
		return r;
	lifted.channel_fd = channel;
	lifted.log_fd = log;
	r = spawn(&lifted, argv, &pid);
	if (r < 0)
		return r;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		r = -errno;
		(void)kill(-pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return r;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}
