/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	return status.st_mode & S_IRWXO ? -EACCES : 0;
}

/* The first line, NUL-terminated. */
static int read_line(const char *path, char *line, size_t size)
{
	VD_CLEANUP(vd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;
	int r = fd < 0 ? -errno : check_file(fd);

	if (r < 0)
		return r;
	n = read(fd, line, size - 1);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	if (strlen(line) != (size_t)n || (size_t)n == size - 1)
		return -EINVAL;
	line[strcspn(line, "\r\n")] = '\0';
	return 0;
}

static int split(const char *line, struct vd_camera_secret *secret)
{
	const char *colon = strchr(line, ':');

	if (!colon || colon == line)
		return -EINVAL;
	memcpy(secret->user, line, (size_t)(colon - line));
	secret->user[colon - line] = '\0';
	memcpy(secret->password, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static const char *reason(int r)
{
	if (r == -EACCES)
		return "cannot be read, or others may read it too";
	return r == -EINVAL ? "holds no user:password" : strerror(-r);
}

int vd_camera_secret_read(const char *state_folder, const char *name,
			  struct vd_camera_secret *ret_secret, struct vd_fault *fault)
{
	char path[PATH_MAX], line[VD_SECRET_BYTES];
	int r = 0;

	if ((size_t)snprintf(path, sizeof path, "%s/secrets/%s", state_folder, name) >= sizeof path)
		r = -ENAMETOOLONG;
	if (r == 0)
		r = read_line(path, line, sizeof line);
	if (r == 0)
		r = split(line, ret_secret);
	explicit_bzero(line, sizeof line);
	if (r < 0)
		vd_fault_set(fault, 503, NULL, "secret %s: %s", name, reason(r));
	return r;
}

void vd_camera_secret_wipe(struct vd_camera_secret *secret)
{
	explicit_bzero(secret, sizeof *secret);
}
