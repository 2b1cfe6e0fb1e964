/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t limit, struct vd_buf *out)
{
	char block[16384];

	for (size_t total = 0;;) {
		ssize_t n = read(fd, block, sizeof block);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		total += (size_t)n;
		if (total > limit)
			return -EFBIG;
		int r = vd_buf_append(out, block, (size_t)n);
		if (r < 0)
			return r;
	}
}

int vd_file_read(const char *path, size_t limit, struct vd_buf *out, struct vd_fault *fault)
{
	VD_CLEANUP(vd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_all(fd, limit, out);

	if (r == -EFBIG)
		vd_fault_set(fault, 413, "", "%s is larger than %zu bytes", path, limit);
	else if (r < 0)
		vd_fault_set(fault, r == -ENOENT ? 404 : 500, "", "%s: %s", path, strerror(-r));
	return r;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
		return -ENAMETOOLONG;
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	VD_CLEANUP(vd_close)
	int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int vd_file_write(const char *path, const void *data, size_t len, mode_t mode)
{
	char temporary[PATH_MAX];
	int r;

	if (snprintf(temporary, sizeof temporary, "%s.%d.new", path, (int)getpid()) >=
	    (int)sizeof temporary)
		return -ENAMETOOLONG;
	VD_CLEANUP(vd_close)
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = fchmod(fd, mode) < 0 ? -errno : write_all(fd, data, len);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	return sync_folder_of(path);
}

/* Leaves errno as it is. */
static bool is_folder(const char *path)
{
	int error = errno;
	struct stat status;
	bool is = stat(path, &status) == 0 && S_ISDIR(status.st_mode);

	errno = error;
	return is;
}

int vd_file_make_folders(const char *path, mode_t mode)
{
	char part[PATH_MAX];

	if (!*path)
		return -ENOENT;
	if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
		return -ENAMETOOLONG;
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, mode) < 0 && (errno != EEXIST || !is_folder(part)))
			return errno == EEXIST ? -ENOTDIR : -errno;
		if (c == '\0')
			return 0;
		*p = c;
	}
}
