/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/process_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

static int write_value(const char *folder, const char *instance, const char *file, uint64_t value)
{
	VD_CLEANUP(vd_close) int fd = -1;
	char path[PATH_MAX], text[32];
	int n = snprintf(path, sizeof path, "%s/module-%s/%s", folder, instance, file);

	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof text, "%llu\n", (unsigned long long)value);
	return write(fd, text, (size_t)n) == n ? 0 : -errno;
}

static int enter_leaf(const struct vd_limits *limits, const char *folder, const char *instance,
		      pid_t pid)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/module-%s", folder, instance), r = 0;

	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (limits->memory_bytes)
		r = write_value(folder, instance, "memory.max", limits->memory_bytes);
	if (r == 0 && limits->processes)
		r = write_value(folder, instance, "pids.max", limits->processes);
	return r < 0 ? r : write_value(folder, instance, "cgroup.procs", (uint64_t)pid);
}

static int limit_data(uint64_t bytes, pid_t pid)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	return prlimit(pid, RLIMIT_DATA, &limit, NULL) < 0 ? -errno : 0;
}

int vd_limits_apply(const struct vd_limits *limits, const char *cgroup_folder, const char *instance,
		    pid_t pid)
{
	int r = limits->memory_bytes ? limit_data(limits->memory_bytes, pid) : 0;
	int leaf = cgroup_folder ? enter_leaf(limits, cgroup_folder, instance, pid) : 0;

	if (!cgroup_folder && limits->processes)
		leaf = -EOPNOTSUPP;
	return r < 0 ? r : leaf;
}

/* "oom_kill 3" is a line of both files. */
static uint64_t read_count(const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	const char *at;

	if (vd_file_read(path, 1 << 20, &text, NULL) < 0 || text.len == 0)
		return 0;
	at = strstr(text.data, "\noom_kill ");
	return at ? strtoull(at + sizeof "\noom_kill " - 1, NULL, 10) : 0;
}

uint64_t vd_limits_oom_kills(const char *cgroup_folder, const char *instance)
{
	char path[PATH_MAX];
	int n;

	if (!cgroup_folder)
		return read_count("/proc/vmstat");
	n = snprintf(path, sizeof path, "%s/module-%s/memory.events", cgroup_folder, instance);
	return n > 0 && (size_t)n < sizeof path ? read_count(path) : 0;
}

void vd_limits_forget(const char *cgroup_folder, const char *instance)
{
	char path[PATH_MAX];
	int n;

	if (!cgroup_folder)
		return;
	n = snprintf(path, sizeof path, "%s/module-%s", cgroup_folder, instance);
	if (n > 0 && (size_t)n < sizeof path)
		(void)rmdir(path);
}
